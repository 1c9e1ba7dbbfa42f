"""Decode every image once, to one array of grey levels; set unreadable ones aside.

Memory stays flat however large the dataset; a run that is killed goes on where it was.

Example:
  python -m cxrgrid.pixels '{"size": 512, "resize": "fit"}' \\
      --index index.parquet --out pixels.npy --files pixels.parquet --threads 4
"""

import functools
import hashlib
import json
import logging
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from statistics import median_low

import cv2
import PIL
import pyarrow as pa
from PIL import Image

from cxrgrid.cluster.wording import amount
from cxrgrid.config import preparation
from cxrgrid.config.errors import UserError
from cxrgrid.config.steps import part, read_step
from cxrgrid.config.study_json import read_grid
from cxrgrid.data import files_table, jpeg_damage
from cxrgrid.data.image import Decoded, examined_all, reason, sides
from cxrgrid.data.pixel_arrays import Array, Partial, in_order, shown
from cxrgrid.data.resizing import Sides
from cxrgrid.io import cli
from cxrgrid.io.parquet import read_parquet, write_parquet


def attempt(root: Path, image: str, arrays: list[Array]) -> list[Decoded] | str:
    """The image for each array; or in a few words why it cannot be read.

    `UserError` for an image that the first array's recipe can be made of, and another's cannot.
    """
    path = root / image
    try:
        if Path(image).is_absolute() or ".." in Path(image).parts:
            raise ValueError("leads out of the dataset's folder")
        return examined_all(path, [(array.recipe, array.frame) for array in arrays])
    # A broken file may raise anything: OSError, SyntaxError, struct.error, zlib.error, …
    except Exception as error:
        why = reason(error, path)
        if len(arrays) > 1 and not isinstance(attempt(root, image, arrays[:1]), str):
            raise UserError(refused(path, arrays[1:], why)) from None
        return why


def refused(path: Path, arrays: list[Array], why: str) -> str:
    """The line on an image that can be read, but not made by a recipe."""
    names = ", ".join(array.out.stem for array in arrays)
    return f"{path}: can be read, but not be made into {names}: {why}; change the recipe's `image`"


def median_sides(root: Path, images: list[str], threads: int) -> Sides:
    """Median width and height of the images whose headers can be read; whole pixels."""

    def measure(image: str) -> Sides | None:
        try:
            return sides(root / image)
        except Exception:
            return None  # decoding will say why

    known = [pair for pair in in_order(measure, images, threads) if pair]
    return tuple(median_low(side) for side in zip(*known, strict=True)) if known else None


def decode_images(work: Callable, images: list[str], partials: list[Partial], threads: int):
    """Decode each image that any of the arrays lacks; yields how many are done after each."""
    first = min(partial.done for partial in partials)
    results = shown(in_order(work, images[first:], threads), first, len(images))
    for at, (image, result) in enumerate(zip(images[first:], results, strict=True), first):
        each = [result] * len(partials) if isinstance(result, str) else result
        for partial, made in zip(partials, each, strict=True):
            if partial.done == at:
                partial.add(image, made)
        yield at + 1


def check_readable(partial: Partial, total: int, allowed: float) -> None:
    """`UserError` once a larger share is unreadable than is allowed."""
    if len(partial.aside) > allowed * total:
        partial.state.unlink(missing_ok=True)  # files repaired by then have to be read again
        raise UserError(too_many(partial, total, allowed))


def too_many(partial: Partial, total: int, allowed: float) -> str:
    """The line that a user reads when too many images are unreadable."""
    some = "; ".join(f"{image} ({why})" for image, why in list(partial.aside.items())[:3])
    return (
        f"{len(partial.aside)} of the first {partial.done} images (of {total}) are unreadable, "
        f"more than `unreadable: {allowed:g}` allows: {some}, … Restore these files, or raise "
        "datasets.<name>.unreadable to go on without them"
    )


def check_frontal(index: pa.Table) -> None:
    """`UserError` where lungs would be looked for in views from the side."""
    if lateral := index["view"].to_pylist().count("LATERAL"):
        raise UserError(
            f"image.crop_to: lungs looks for lungs seen from the front, but {lateral} of "
            f"{index.num_rows} images are lateral; give the dataset `view: [frontal]`"
        )


def fingerprint(root: Path, images: list[str], recipe: dict, files: str = "") -> str:
    """Hash of the inputs that a resumed run must share with the interrupted one.

    files: checksum of the files that `index` has read; empty in an index of before.
    """
    inputs = [str(root), images, recipe, PIL.__version__, cv2.__version__]
    common = json.dumps(inputs + [files] * bool(files))
    return hashlib.sha256(common.encode()).hexdigest()


def others(args, index: pa.Table, facts: dict, frame: Callable[[], Sides | None]) -> list[Array]:
    """The other arrays that the study's cells ask for and that are not there yet.

    They are decoded in the same reading and wait, finished, for their own `pixels`.
    """
    if not (args.study and args.study.is_file()):
        return []
    wanted = read_grid(args.study).arrays(facts["dataset"])
    found = []
    for suffix, recipe in wanted.items():
        out = args.out.with_name(f"pixels{suffix}.npy")
        lateral = recipe.crop_to == "lungs" and "LATERAL" in index["view"].to_pylist()
        if out != args.out and not out.is_file() and not lateral:  # its own `pixels` will say why
            found.append(Array(recipe, frame() if recipe.crop_to == "median" else None, out))
    return found


def make(args) -> tuple[int, int]:
    """Decode, and write the array that is asked for; how many images, and how many set aside."""
    settings = read_step("pixels", args.settings)
    recipe = part(settings, preparation.Image)
    index, facts = read_parquet(args.index)
    images, root = index["image"].to_pylist(), Path(facts["root"])
    if recipe.crop_to == "lungs":
        check_frontal(index)
    frame = functools.cache(lambda: median_sides(root, images, args.threads))
    own = Array(recipe, frame() if recipe.crop_to == "median" else None, args.out)
    arrays = [own, *others(args, index, facts, frame)]
    files = facts.get("files", "")
    partials = [
        Partial(array.out, fingerprint(root, images, array.facts, files), array.recipe.shape)
        for array in arrays
    ]
    tell_disk(partials, len(images))
    aside = known_aside(args.readable[0]) if args.readable else None
    work = functools.partial(readable_only, root=root, arrays=arrays, aside=aside)
    with jpeg_damage.listening():
        for _ in decode_images(work, images, partials, args.threads):
            check_readable(partials[0], len(images), 1 if aside else settings.unreadable)
    for partial in partials[1:]:
        partial.note()
        partial.file.close()
    made = partials[0]
    made.finish(args.out)
    odd = files_table.odd(images, made.aside, made.odd, made.sides, args.out)
    files_table.tell(odd, settings.suspicious)
    table = files_table.table(images, made.aside, odd, made.sides, settings.suspicious)
    write_parquet(files_table.with_checksums(table, made.sums), args.files, own.facts)
    return len(images), len(made.aside)


def tell_disk(partials: list[Partial], images: int) -> None:
    """Log what the arrays will take of the disk; `UserError` if less is free."""
    for partial in partials:
        height, width = partial.shape
        size = amount(images * height * width)
        logging.info(f"{partial.out.name}: {images:,} images of {width} x {height}, {size}")
    wanted = sum(partial.missing(images) for partial in partials)
    free = shutil.disk_usage(partials[0].out.parent).free
    logging.info(f"disk: {amount(wanted)} to write, {amount(free)} free")
    if wanted > free:
        raise UserError(
            f"{partials[0].out.parent}: the arrays take {amount(wanted)} more, but only "
            f"{amount(free)} of the disk are free; free some, or link results/ to a larger disk"
        )


def known_aside(files: Path) -> dict[str, str]:
    """The images that have no row in the dataset's own array, with reasons."""
    table, _ = read_parquet(files)
    rows = zip(table["image"].to_pylist(), table["reason"].to_pylist(), strict=True)
    return {image: why for image, why in rows if why and not why.startswith(files_table.SUSPICIOUS)}


def readable_only(
    image: str, root: Path, arrays: list[Array], aside: dict[str, str] | None
) -> list[Decoded] | str:
    """`attempt`; where it is known which images are readable, these and no others are read.

    So the rows of all arrays of a dataset are the same images.
    """
    if aside and image in aside:
        return aside[image]
    found = attempt(root, image, arrays)
    if aside is not None and isinstance(found, str):
        raise UserError(refused(root / image, arrays, found))
    return found


def main(argv: list[str] | None) -> None:
    """Decode one dataset."""
    parser = cli.parser("pixels", __doc__)
    parser.add_argument(
        "settings", help="image recipe and largest share of unreadable images, as JSON"
    )
    parser.add_argument("--index", type=Path, required=True, help="index.parquet")
    parser.add_argument("--out", type=Path, required=True, help="pixels.npy")
    parser.add_argument("--files", type=Path, required=True, help="pixels.parquet")
    parser.add_argument("--threads", type=int, default=1, help="decoding threads")
    parser.add_argument(
        "--readable", type=Path, nargs="*", help="the dataset's pixels.parquet, for another recipe"
    )
    parser.add_argument("--study", type=Path, help="its config: decode what else its cells ask for")
    args = parser.parse_args(argv)
    # Pillow refuses what is twice this size; what is between is large, but readable.
    warnings.simplefilter("ignore", Image.DecompressionBombWarning)
    images, aside = make(args)
    logging.info(f"{images - aside:,} images, {aside} set aside")


if __name__ == "__main__":
    cli.run(main)
