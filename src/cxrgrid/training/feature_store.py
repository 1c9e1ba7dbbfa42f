"""Features of one array of pixels, kept beside it in files that are each written whole.

A folder features{suffix of the array}/{key} holds them; the key is a hash of the network, its
weights, how it is run and the array. Each file has some rows of the array and their features.
"""

import hashlib
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from tqdm import tqdm

from cxrgrid.config.errors import UserError
from cxrgrid.io import locks
from cxrgrid.io.atomic import replacing, write_text
from cxrgrid.io.signals import Stop

WAIT = 1.0  # seconds between two looks at a lock that another training holds
ABOUT = "features.json"


class Store:
    """The kept features of an array of pixels. about: what they follow from, as plain values.

    Without an array on the disk, or where its folder cannot be written to, nothing is kept.
    """

    def __init__(self, pixels: np.ndarray, about: dict[str, Any]):
        path = getattr(pixels, "filename", None)
        self.folder: Path | None = None
        if path is not None:
            path = Path(path)
            file = path.stat()
            self.about = about | {"array": [path.name, file.st_size, file.st_mtime_ns]}
            suffix = path.stem.removeprefix("pixels")
            self.folder = path.parent / f"features{suffix}" / digest(self.about)

    @contextmanager
    def held(self, stop: Stop) -> Iterator[None]:
        """Context in which no other training computes the same features."""
        lock, said = None, False
        while self.folder is not None and lock is None:
            try:
                lock = locks.hold(self.folder / "lock")
            except OSError as error:
                self.give_up(error)
            if lock is None and self.folder is not None:
                if not said:
                    tqdm.write(f"{self.folder}: another training is at it; waiting", sys.stderr)
                said = True
                stop.check("while another training computed features")
                time.sleep(WAIT)
        try:
            yield
        finally:
            if lock is not None:
                lock.close()

    def read(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Those of some rows whose features are kept, int64 [n], and these, float32 [n, D].

        None where there are none. A damaged file is removed.
        """
        found = []
        for path in sorted(self.folder.glob("*.safetensors")) if self.folder else ():
            try:
                part = load_file(path)
                wanted = np.isin(part["rows"], rows)
                found.append((part["rows"][wanted], part["features"][wanted]))
            except (SafetensorError, KeyError):
                path.unlink(missing_ok=True)
            except OSError:  # none to be read now; it may be whole
                continue
        if not found:
            return np.zeros(0, np.int64), None
        known, values = (np.concatenate(part) for part in zip(*found, strict=True))
        known, first = np.unique(known, return_index=True)
        return known, values[first]

    def add(self, rows: np.ndarray, values: np.ndarray) -> None:
        """Keep the features of some more rows."""
        if self.folder is None:
            return
        try:
            if not (self.folder / ABOUT).exists():
                write_text(self.folder / ABOUT, json.dumps(self.about, indent=1) + "\n")
            name = hashlib.sha256(rows.tobytes()).hexdigest()[:16]
            with replacing(self.folder / f"{name}.safetensors") as partial:
                save_file({"rows": rows, "features": values}, partial)
        except (OSError, UserError) as error:
            self.give_up(error)

    def give_up(self, error: Exception) -> None:
        """Say that nothing is kept from here on: a training does not need it."""
        tqdm.write(f"warning: features are not kept in {self.folder} ({error})", sys.stderr)
        self.folder = None


def digest(about: dict[str, Any]) -> str:
    """Name of the folder."""
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:16]
