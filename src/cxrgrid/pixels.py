"""Decode every image once, to one array of grey levels; set unreadable ones aside.

Colour becomes luminance, transparency black, and 16-bit images are stretched from their own 0.5 to
99.5 percentile to 0 to 255. A run that is killed goes on where it was.

Example:
  python -m cxrgrid.pixels '{"size": 224, "resize": "squash", "unreadable": 0.01}' \\
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

import numpy as np
import PIL
import pyarrow as pa
from PIL import Image, ImageOps, UnidentifiedImageError
from tqdm import tqdm

from cxrgrid import command
from cxrgrid.config import UserError
from cxrgrid.data import read_parquet, write_parquet

SMALLEST = 8  # pixels a side: below it is an icon or a placeholder, not a radiograph
STRETCH = (0.5, 99.5)  # percentiles of a 16-bit image that become black and white
CHECKPOINT = 256  # images between two notes of how far a run has come
SECONDS = 30  # between two lines of the log
WIDE = ("I", "I;16", "I;16B", "I;16L", "I;16N", "F")


# ------------------------------------------------------------------ one image


def decode(path: Path, size: int, resize: str) -> np.ndarray:
    """One image as uint8 [size, size]. Raises whatever Pillow raises for an unreadable one."""
    with Image.open(path) as image:
        if min(image.size) < SMALLEST:
            raise ValueError(f"too small: {image.width} x {image.height} pixels")
        # Speed: libjpeg halves while it decodes. Twice the target is left, so that nothing is lost.
        wanted = [2 * side for side in inner(image.size, size, resize)]
        image.draft("L", wanted)
        ImageOps.exif_transpose(image, in_place=True)
        return np.asarray(square(grey(image), size, resize))


def inner(sides: tuple[int, int], size: int, resize: str) -> tuple[int, int]:
    """Width and height that the whole image gets when it is resized; `crop` cuts from these."""
    if resize == "squash":
        return size, size
    scale = size / (max(sides) if resize == "fit" else min(sides))
    return max(1, round(sides[0] * scale)), max(1, round(sides[1] * scale))


def grey(image: Image.Image) -> Image.Image:
    """Any Pillow image as 8-bit grey."""
    if image.mode == "L":
        return image
    if image.mode in WIDE:
        return Image.fromarray(stretch(np.asarray(image)))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "black"), image)
    return image.convert("RGB").convert("L")


def stretch(values: np.ndarray) -> np.ndarray:
    """Grey levels of more than 8 bits as uint8, from `STRETCH`; black if all are equal."""
    low, high = np.percentile(values, STRETCH)
    if high <= low:  # nearly all pixels are equal
        low, high = float(values.min()), float(values.max())
    scaled = (values - low) * (255 / max(high - low, 1e-9))
    return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)


def square(image: Image.Image, size: int, resize: str) -> Image.Image:
    """A grey image as a square: squashed, or whole on black (fit), or its middle (crop)."""
    width, height = image.size
    box, target = (0, 0, width, height), inner(image.size, size, resize)
    if resize == "crop":
        left, top = (width - min(width, height)) / 2, (height - min(width, height)) / 2
        box, target = (left, top, width - left, height - top), (size, size)
    small = image.resize(target, Image.Resampling.BILINEAR, box, reducing_gap=3.0)
    if target == (size, size):
        return small
    canvas = Image.new("L", (size, size))
    canvas.paste(small, ((size - target[0]) // 2, (size - target[1]) // 2))
    return canvas


def attempt(path: Path, size: int, resize: str) -> np.ndarray | str:
    """The decoded image, or in a few words why it cannot be read."""
    try:
        return decode(path, size, resize)
    # A broken file may raise anything: OSError, SyntaxError, struct.error, zlib.error, …
    except Exception as error:
        if isinstance(error, FileNotFoundError):
            return "missing"
        if isinstance(error, UnidentifiedImageError):
            return "not an image that Pillow can read" if path.stat().st_size else "empty file"
        text = " ".join(str(error).split()) or type(error).__name__
        return text.removesuffix(", could be decompression bomb DOS attack.")


# ------------------------------------------------------------------ all images


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
        self.done, self.aside = 0, {}
        out.parent.mkdir(parents=True, exist_ok=True)
        known = json.loads(self.state.read_text()) if self.state.is_file() else {}
        if known.get("key") == key and self.path.is_file():
            self.done, self.aside = known["done"], known["aside"]
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

    def add(self, image: str, result: np.ndarray | str) -> None:
        """Append one image, or note why it is set aside."""
        if isinstance(result, str):
            self.aside[image] = result
        else:
            self.file.write(result.tobytes())
        self.done += 1
        if self.done % CHECKPOINT == 0:
            self.note()

    def note(self) -> None:
        """Write down how far it has come; the pixels first."""
        self.file.flush()
        fresh = self.state.with_suffix(".new")
        fresh.write_text(json.dumps({"key": self.key, "done": self.done, "aside": self.aside}))
        fresh.replace(self.state)

    def finish(self, out: Path) -> None:
        """Put it in its place, all or nothing."""
        self.header()
        self.file.close()
        self.path.replace(out)
        self.state.unlink(missing_ok=True)


def decode_all(root: Path, images: list[str], partial: Partial, settings: dict, threads: int):
    """Decode what is still to do; stop once more are unreadable than the settings allow."""
    todo, recipe = images[partial.done :], (settings["size"], settings["resize"])
    results = in_order(lambda image: attempt(root / image, *recipe), todo, threads)
    results = shown(results, partial.done, len(images))
    for image, result in zip(todo, results, strict=True):
        partial.add(image, result)
        if len(partial.aside) > settings["unreadable"] * len(images):
            partial.state.unlink(missing_ok=True)  # files repaired by then have to be read again
            raise UserError(too_many(partial, len(images), settings["unreadable"]))


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


def files_table(images: list[str], aside: dict[str, str]) -> pa.Table:
    """pixels.parquet: the row of each image in pixels.npy, or why it has none."""
    readable = np.array([image not in aside for image in images])
    rows = np.where(readable, np.cumsum(readable) - 1, -1)
    reasons = pa.array([aside.get(image) for image in images], pa.string())
    return pa.table({"image": images, "row": rows.astype(np.int64), "reason": reasons})


def fingerprint(root: Path, images: list[str], recipe: dict) -> str:
    """What a run that goes on has to have in common with the one that was killed."""
    common = json.dumps([str(root), images, recipe, PIL.__version__])
    return hashlib.sha256(common.encode()).hexdigest()


def main(argv: list[str] | None) -> None:
    """Decode one dataset."""
    parser = command.parser("pixels", __doc__)
    parser.add_argument("settings", help="size, resize and the share that may be unreadable: JSON")
    parser.add_argument("--index", type=Path, required=True, help="index.parquet")
    parser.add_argument("--out", type=Path, required=True, help="pixels.npy")
    parser.add_argument("--files", type=Path, required=True, help="pixels.parquet")
    parser.add_argument("--threads", type=int, default=1, help="threads that decode")
    args = parser.parse_args(argv)
    settings = json.loads(args.settings)
    recipe = {name: settings[name] for name in ("size", "resize")}
    table, facts = read_parquet(args.index)
    images, root = table["image"].to_pylist(), Path(facts["root"])
    # Pillow refuses what is twice this size; what is between is large, but readable.
    warnings.simplefilter("ignore", Image.DecompressionBombWarning)
    partial = Partial(args.out, fingerprint(root, images, recipe), recipe["size"])
    decode_all(root, images, partial, settings, args.threads)
    partial.finish(args.out)
    write_parquet(files_table(images, partial.aside), args.files, recipe)
    logging.info(f"{len(images) - len(partial.aside):,} images, {len(partial.aside)} set aside")


if __name__ == "__main__":
    command.run(main)
