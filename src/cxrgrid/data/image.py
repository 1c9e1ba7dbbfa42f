"""One image file as grey levels of the size that its recipe asks for.

Colour becomes luminance, transparency black; 16-bit images are stretched from their own 0.5 to 99.5
percentile, DICOM by the window that the file carries, unless the recipe says otherwise.
"""

import errno
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from cxrgrid.config import preparation
from cxrgrid.config.errors import ELSEWHERE
from cxrgrid.data import dicom, file_pixels, lungs, oddities
from cxrgrid.data.lungs import Box
from cxrgrid.data.resizing import Sides, fitted, inner

# No other decoder is asked, whatever a file begins with: Pillow's for EPS starts Ghostscript.
FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP", "JPEG2000", "PPM")
LYING = (5, 6, 7, 8)  # EXIF orientations that swap width and height
# Answers that are no fault of a file; a disk that fails may fail at one file alone.
NOT_ITS_FAULT = ELSEWHERE - {errno.EIO}
ORIENTATION = 0x0112  # the EXIF tag


class Opened(NamedTuple):
    """Grey levels uint8 [height, width], perhaps at a smaller scale, and the box to use of them.

    sides: width and height in the file; remark: what was done to its tone, if anything unusual.
    """

    pixels: np.ndarray
    box: Box
    sides: Sides
    remark: str = ""


class Decoded(NamedTuple):
    """An image as uint8 [H, W], what is odd about it or "", and its sides in the file."""

    pixels: np.ndarray
    oddity: str
    sides: Sides


def decode(path: Path, recipe: preparation.Image, frame: Sides | None = None) -> np.ndarray:
    """One image as uint8 [H, W]. Raises whatever Pillow raises for an unreadable one.

    frame: width and height to which the middle is cut before resizing; sides below it stay.
    """
    return examined(path, recipe, frame).pixels


def examined(path: Path, recipe: preparation.Image, frame: Sides | None = None) -> Decoded:
    """As `decode`, with what is odd about the image."""
    return examined_all(path, [(recipe, frame)])[0]


def examined_all(path: Path, recipes: list[tuple[preparation.Image, Sides | None]]) -> list:
    """One image in several recipes, each with its frame: `Decoded`, as `examined` gives it.

    The file is decoded once for all recipes that need the same of it, scale and sixteen_bit, and
    resized once for those that need the same size of the same part.
    """
    read: dict = {}
    sized: dict = {}
    found = []
    for recipe, frame in recipes:
        image = opened(path, recipe, frame, read)
        pixels = fitted(image.pixels, recipe, image.box, sized)
        oddity = oddities.of_image(pixels, image.sides, image.pixels)
        remark = "; ".join(filter(None, [image.remark, oddity]))
        found.append(Decoded(pixels, remark, image.sides))
    return found


def part(path: Path, recipe: preparation.Image, frame: Sides | None) -> Box:
    """Part of a file that `decode` uses before resizing, in the upright file's pixels."""
    whole = sides(path)
    if recipe.crop_to != "lungs":
        return middle(whole, frame)
    image = opened(path, recipe, frame, {})
    return rescaled(image.box, image.pixels.shape[::-1], whole)


def opened(path: Path, recipe: preparation.Image, frame: Sides | None, read: dict) -> Opened:
    """The image of a file before it is resized.

    read: what the file has given already, by what was asked of it; filled in.
    """
    check_regular(path)
    with path.open("rb") as file:
        if dicom.is_dicom(path, file.read(132)):
            if recipe.sixteen_bit not in read:
                image, remark = dicom.read(path, recipe.sixteen_bit)
                file_pixels.check(image)
                read[recipe.sixteen_bit] = np.asarray(image), remark
            pixels, remark = read[recipe.sixteen_bit]
            whole = pixels.shape[::-1]
            found = Opened(pixels, middle(whole, frame), whole, remark)
        else:
            with Image.open(file, formats=FORMATS) as image:
                file_pixels.check(image, path)
                whole = image.size  # a draft changes it
                found = Opened(
                    *upright_grey(image, path, recipe, frame, read), whole, file_pixels.pages(image)
                )
    return found._replace(box=lungs.find(found.pixels)) if recipe.crop_to == "lungs" else found


def reason(error: Exception, path: Path) -> str:
    """In a few words, why `decode` could not read a file; raises what is no fault of the file."""
    if isinstance(error, OSError) and error.errno in NOT_ITS_FAULT:
        raise error
    if isinstance(error, FileNotFoundError):
        return "missing"
    if isinstance(error, UnidentifiedImageError):
        return "not an image that Pillow can read" if path.stat().st_size else "empty file"
    text = " ".join(str(error).split()) or type(error).__name__
    return text.removesuffix(", could be decompression bomb DOS attack.")


def check_regular(path: Path) -> None:
    """`ValueError` for a pipe or device, from which reading might never end."""
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise ValueError("no regular file")


def sides(path: Path) -> Sides:
    """Width and height by the header, upright."""
    check_regular(path)
    with path.open("rb") as file:
        if dicom.is_dicom(path, file.read(132)):
            return dicom.sides(path)
        with Image.open(file, formats=FORMATS) as image:
            # A PNG would be decoded whole to find the orientation that hardly any has.
            return upright(image.size, image.format != "PNG" and lies(image))


def lies(image: Image.Image) -> bool:
    """True if the EXIF orientation swaps width and height."""
    return image.getexif().get(ORIENTATION) in LYING


def upright(sides: Sides, lying: bool) -> Sides:
    """Width and height once the image is turned."""
    return sides[::-1] if lying else sides


def middle(whole: Sides, frame: Sides | None) -> Box:
    """The box of the recipe's frame in an image; all of it without a frame."""
    width, height = (min(pair) for pair in zip(whole, frame or whole, strict=True))
    left, top = (whole[0] - width) // 2, (whole[1] - height) // 2
    return left, top, left + width, top + height


def upright_grey(
    image: Image.Image, path: Path, recipe: preparation.Image, frame: Sides | None, read: dict
) -> tuple[np.ndarray, Box]:
    """The image upright, at a smaller scale where that loses nothing; and the box to use of it."""
    if image.format == "PNG" and "PNG" not in read:
        read["PNG"] = file_pixels.by_opencv(image, path)
    pixels = read.get("PNG")
    turn = 1 if pixels is not None else image.getexif().get(ORIENTATION, 1)
    whole = upright(image.size, turn in LYING)
    box = middle(whole, frame)
    if pixels is None:
        scale = halvings(box, whole, recipe) if image.format == "JPEG" else 1
        asked = (scale, recipe.sixteen_bit)
        if asked not in read:
            read[asked] = turned(scaled_grey(image, path, *asked), turn)
        pixels = read[asked]
    return pixels, rescaled(box, whole, pixels.shape[::-1])


def scaled_grey(image: Image.Image, path: Path, scale: int, sixteen_bit: str) -> np.ndarray:
    """Grey levels as they lie in the file; of a JPEG at 1 / scale."""
    if image.format == "JPEG":
        image.draft("L", tuple(side // scale for side in image.size))
        pixels = file_pixels.by_opencv(image, path, scale)
        if pixels is not None:
            return pixels
    return file_pixels.grey(image, path, sixteen_bit)


def rescaled(box: Box, sides: Sides, now: Sides) -> Box:
    """A box of an image of these sides, once the image has others."""
    return tuple(edge * new / old for edge, new, old in zip(box, 2 * now, 2 * sides, strict=True))


def halvings(box: Box, whole: Sides, recipe: preparation.Image) -> int:
    """1, 2, 4 or 8: by how much libjpeg may shrink while it decodes, which is quicker.

    A third more than the target is left: averaged over areas, that is as near to the image itself
    as the usual way, bilinear from the whole (docs/log.md has the distances). Twice the target
    where the image is cut, since the cut is rounded to whole pixels, or interpolated; and three
    times where the lungs will be, since they are a part of the image only.
    """
    used = (box[2] - box[0], box[3] - box[1])
    wanted = inner(used, recipe.sides, recipe.resize)
    plain = used == whole and recipe.resize != "crop" and recipe.interpolation == "area"
    spare = 4 / 3 if plain else 2
    spare = 3 if recipe.crop_to == "lungs" else spare
    room = min(have / (spare * want) for have, want in zip(used, wanted, strict=True))
    return max(scale for scale in file_pixels.REDUCED if scale <= max(room, 1))


def turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Grey levels as the camera's EXIF orientation says that they are to be seen."""
    if orientation == 1:
        return pixels
    image = Image.fromarray(pixels)
    image.getexif()[ORIENTATION] = orientation
    return np.asarray(ImageOps.exif_transpose(image))
