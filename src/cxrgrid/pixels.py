"""Decode every image once, to one array of grey levels; set unreadable ones aside.

Memory stays flat however large the dataset; a run that is killed goes on where it was.

Example:
  python -m cxrgrid.pixels '{"size": 512, "resize": "fit"}' \\
      --index index.parquet --out pixels.npy --files pixels.parquet --threads 4
"""

import hashlib
import json
import logging
import math
import sys
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median_low

import cv2
import msgspec
import numpy as np
import PIL
import pyarrow as pa
from PIL import Image
from tqdm import tqdm

from cxrgrid.config import preparation
from cxrgrid.config.errors import UserError
from cxrgrid.config.steps import part, read_step
from cxrgrid.data import files_table, jpeg_damage
from cxrgrid.data.image import Decoded, Sides, examined, reason, sides
from cxrgrid.io import cli
from cxrgrid.io.parquet import read_parquet, write_parquet

CHECKPOINT = 256  # images between two notes of how far a run has come
SECONDS = 30  # between two lines of the log


def attempt(root: Path, image: str, recipe: preparation.Image, frame: Sides | None):
    """The image as `Decoded`, or in a few words why it cannot be read."""
    path = root / image
    try:
        if Path(image).is_absolute() or ".." in Path(image).parts:
            raise ValueError("leads out of the dataset's folder")
        return examined(path, recipe, frame)
    # A broken file may raise anything: OSError, SyntaxError, struct.error, zlib.error, …
    except Exception as error:
        return reason(error, path)


def median_sides(root: Path, images: list[str], threads: int) -> Sides:
    """Median width and height of the images whose headers can be read; whole pixels."""

    def measure(image: str) -> Sides | None:
        try:
            return sides(root / image)
        except Exception:
            return None  # decoding will say why

    known = [pair for pair in in_order(measure, images, threads) if pair]
    return tuple(median_low(side) for side in zip(*known, strict=True)) if known else None


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


class Partial:
    """A pixels.npy that grows: readable images behind each other, beside it how far it has come."""

    def __init__(self, out: Path, key: str, size: int):
        self.path = out.with_name(f".{out.stem}.partial.npy")
        self.state = out.with_name(f".{out.stem}.partial.json")
        self.key, self.size = key, size
        self.done, self.aside, self.odd, self.sides = 0, {}, {}, []
        out.parent.mkdir(parents=True, exist_ok=True)
        known = json.loads(self.state.read_text()) if self.state.is_file() else {}
        if known.get("key") == key and self.path.is_file() and "sides" in known:
            self.done, self.aside = known["done"], known["aside"]
            self.odd, self.sides = known["odd"], known["sides"]
            logging.info(f"going on after {self.done:,} images")
        self.file = self.path.open("r+b" if self.done else "w+b")
        self.header()
        self.file.seek((self.done - len(self.aside)) * size * size, 1)
        self.file.truncate()  # what a killed run wrote after its last note

    def header(self) -> None:
        """NumPy's header: as long for any number of rows, so that it can be written over."""
        self.file.seek(0)
        shape = (self.done - len(self.aside), self.size, self.size)
        description = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self.file, description)

    def add(self, image: str, result: Decoded | str) -> None:
        """Append one image, or note why it is set aside."""
        if isinstance(result, str):
            self.aside[image] = result
        else:
            self.file.write(result.pixels.tobytes())
            self.sides.append(result.sides)
            self.odd |= {image: result.oddity} if result.oddity else {}
        self.done += 1
        if self.done % CHECKPOINT == 0:
            self.note()

    def note(self) -> None:
        """Write down how far it has come; the pixels first."""
        self.file.flush()
        fresh = self.state.with_suffix(".new")
        known = {"key": self.key, "done": self.done, "aside": self.aside}
        known |= {"odd": self.odd, "sides": self.sides}
        fresh.write_text(json.dumps(known))
        fresh.replace(self.state)

    def finish(self, out: Path) -> None:
        """Put it in its place, all or nothing."""
        self.header()
        self.file.close()
        self.path.replace(out)
        self.state.unlink(missing_ok=True)


def decode_all(work: Callable, images: list[str], partial: Partial, allowed: float, threads: int):
    """Decode what is still to do; stop once a larger share is unreadable than is allowed."""
    todo = images[partial.done :]
    results = shown(in_order(work, todo, threads), partial.done, len(images))
    for image, result in zip(todo, results, strict=True):
        partial.add(image, result)
        if len(partial.aside) > allowed * len(images):
            partial.state.unlink(missing_ok=True)  # files repaired by then have to be read again
            raise UserError(too_many(partial, len(images), allowed))


def too_many(partial: Partial, total: int, allowed: float) -> str:
    """The line that a user reads when too many images are unreadable."""
    some = "; ".join(f"{image} ({why})" for image, why in list(partial.aside.items())[:3])
    return (
        f"{len(partial.aside)} of the first {partial.done} images (of {total}) are unreadable, "
        f"more than `unreadable: {allowed:g}` allows: {some}, … Restore these files, or raise "
        "datasets.<name>.unreadable to go on without them"
    )


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


def check_frontal(index: pa.Table) -> None:
    """`UserError` where lungs would be looked for in views from the side."""
    if lateral := index["view"].to_pylist().count("LATERAL"):
        raise UserError(
            f"image.crop_to: lungs looks for lungs seen from the front, but {lateral} of "
            f"{index.num_rows} images are lateral; give the dataset `view: [frontal]`"
        )


def fingerprint(root: Path, images: list[str], recipe: dict) -> str:
    """What a run that goes on has to have in common with the one that was killed."""
    common = json.dumps([str(root), images, recipe, PIL.__version__, cv2.__version__])
    return hashlib.sha256(common.encode()).hexdigest()


def main(argv: list[str] | None) -> None:
    """Decode one dataset."""
    parser = cli.parser("pixels", __doc__)
    parser.add_argument("settings", help="image recipe and the share that may be unreadable: JSON")
    parser.add_argument("--index", type=Path, required=True, help="index.parquet")
    parser.add_argument("--out", type=Path, required=True, help="pixels.npy")
    parser.add_argument("--files", type=Path, required=True, help="pixels.parquet")
    parser.add_argument("--threads", type=int, default=1, help="threads that decode")
    args = parser.parse_args(argv)
    settings = read_step("pixels", args.settings)
    recipe, allowed = part(settings, preparation.Image), settings.unreadable
    table, facts = read_parquet(args.index)
    images, root = table["image"].to_pylist(), Path(facts["root"])
    # Pillow refuses what is twice this size; what is between is large, but readable.
    warnings.simplefilter("ignore", Image.DecompressionBombWarning)
    if recipe.crop_to == "lungs":
        check_frontal(table)
    facts, frame = msgspec.structs.asdict(recipe), None
    if recipe.crop_to == "median":
        frame = median_sides(root, images, args.threads)
        facts["cropped_to"] = frame  # width, height
    partial = Partial(args.out, fingerprint(root, images, facts), recipe.size)
    with jpeg_damage.listening():
        decode_all(
            lambda image: attempt(root, image, recipe, frame),
            images,
            partial,
            allowed,
            args.threads,
        )
    partial.finish(args.out)
    odd = files_table.odd(images, partial.aside, partial.odd, partial.sides, args.out)
    files_table.tell(odd, settings.suspicious)
    table = files_table.table(images, partial.aside, odd, settings.suspicious)
    write_parquet(table, args.files, facts)
    logging.info(f"{len(images) - len(partial.aside):,} images, {len(partial.aside)} set aside")


if __name__ == "__main__":
    cli.run(main)
