"""Arrays of pixels on their way to the disk: what each holds, and how far it has come."""

import json
import logging
import math
import os
import sys
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from tqdm import tqdm

from cxrgrid.config import preparation
from cxrgrid.config.errors import PASSING, unread
from cxrgrid.data.image import Decoded
from cxrgrid.data.resizing import Sides
from cxrgrid.io.atomic import make_folder, refusals_named, write_text

CHECKPOINT = 256  # images between two notes of how far a run has come
SECONDS = 30  # between two lines of the log


@dataclass(frozen=True)
class Array:
    """One array to make: its image recipe, the frame of `crop_to: median`, and where it goes."""

    recipe: preparation.Image
    frame: Sides | None
    out: Path

    @property
    def facts(self) -> dict:
        """The facts of its table of files."""
        frame = {"cropped_to": self.frame} if self.frame else {}
        return msgspec.structs.asdict(self.recipe) | frame


class Partial:
    """A pixels.npy that grows: readable images behind each other, beside it how far it has come."""

    def __init__(self, out: Path, key: str, shape: tuple[int, int]):
        self.out = out
        self.path = out.with_name(f".{out.stem}.partial.npy")
        self.state = out.with_name(f".{out.stem}.partial.json")
        self.key, self.shape = key, shape  # height and width of an image
        self.done, self.aside, self.odd, self.sides = 0, {}, {}, []
        self.sums: list[int] = []  # CRC-32 of each readable image
        known = self.noted()
        if known.get("key") == key and self.path.is_file() and "sums" in known:
            self.done, self.aside = known["done"], known["aside"]
            self.odd, self.sides, self.sums = known["odd"], known["sides"], known["sums"]
            logging.info(f"going on after {self.done:,} images")
        with self.refusals():
            make_folder(out.parent)
            self.file = self.path.open("r+b" if self.done else "w+b")
            self.header()
            self.file.seek((self.done - len(self.aside)) * math.prod(shape), 1)
            self.file.truncate()  # what a killed run wrote after its last note

    def refusals(self) -> AbstractContextManager:
        """Context in which the system's refusal to write is one line that names the array."""
        return refusals_named(self.out, self.path)

    def noted(self) -> dict:
        """The note of a run before; empty where there was none, or it is damaged."""
        try:
            known = json.loads(self.state.read_bytes())
        except (OSError, ValueError) as error:
            if isinstance(error, OSError) and error.errno in PASSING:  # hours of work hang on it
                raise unread(self.state, error) from None
            return {}
        return known if isinstance(known, dict) else {}

    def header(self) -> None:
        """NumPy's header: as long for any number of rows, so that it can be written over."""
        self.file.seek(0)
        shape = (self.done - len(self.aside), *self.shape)
        description = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self.file, description)

    def missing(self, images: int) -> int:
        """Bytes to write until it holds so many images, all of them readable."""
        return (images - self.done) * math.prod(self.shape)

    def add(self, image: str, result: Decoded | str) -> None:
        """Append one image, or note why it is set aside."""
        if isinstance(result, str):
            self.aside[image] = result
        else:
            pixels = result.pixels.tobytes()
            with self.refusals():
                self.file.write(pixels)
            self.sums.append(zlib.crc32(pixels))
            self.sides.append(result.sides)
            self.odd |= {image: result.oddity} if result.oddity else {}
        self.done += 1
        if self.done % CHECKPOINT == 0:
            self.note()

    def note(self) -> None:
        """Write down how far it has come; the pixels first."""
        with self.refusals():
            self.file.flush()
        known = {"key": self.key, "done": self.done, "aside": self.aside}
        known |= {"odd": self.odd, "sides": self.sides, "sums": self.sums}
        write_text(self.state, json.dumps(known))

    def finish(self, out: Path) -> None:
        """Put it in its place, all or nothing."""
        with refusals_named(out, self.path):
            self.header()
            self.file.flush()
            os.fsync(self.file.fileno())
            self.file.close()
            self.path.replace(out)
        self.state.unlink(missing_ok=True)


def in_order(work: Callable, items: list, threads: int) -> Iterator:
    """Results in the order of the items. Few are ahead of the reader, so that memory stays flat."""
    with ThreadPoolExecutor(threads) as pool:  # Pillow decodes outside of Python's global lock
        ahead: deque = deque()
        for item in items:
            ahead.append(pool.submit(work, item))
            if len(ahead) > 4 * threads:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


def shown(results: Iterator, done: int, total: int) -> Iterator:
    """The same results; a bar on a terminal, elsewhere a line now and then, as a log wants it."""
    first, start = done, time.monotonic()
    told = start
    for result in tqdm(results, total=total, initial=done, unit="image", disable=None):
        yield result
        done, now = done + 1, time.monotonic()
        if now > told + SECONDS and not sys.stderr.isatty():
            told, speed = now, (done - first) / (now - start)
            left = math.ceil((total - done) / speed / 60)
            logging.info(f"{done:,} of {total:,} images, {speed:.0f} a second, {left} min left")
