"""One image file as a square of grey levels.

Colour becomes luminance, transparency black; 16-bit images are stretched from their own 0.5 to 99.5
percentile, DICOM by the window that the file carries, unless the recipe says otherwise.
"""

from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
from PIL import Image, ImageOps

from cxrgrid import dicom, settings, tone

SMALLEST = 8  # pixels a side: below it is an icon or a placeholder, not a radiograph
WIDE = ("I", "I;16", "I;16B", "I;16L", "I;16N", "F")
LYING = (5, 6, 7, 8)  # EXIF orientations that swap width and height
EXIF = (b"eXIf", b"Raw profile type")  # chunks of a PNG that may hold an orientation
Sides = tuple[int, int]  # width, height
Box = tuple[float, float, float, float]  # left, top, right, bottom


def decode(path: Path, recipe: settings.Image, frame: Sides | None = None) -> np.ndarray:
    """One image as uint8 [size, size]. Raises whatever Pillow raises for an unreadable one.

    frame: width and height to which the middle is cut before resizing; sides below it stay.
    """
    with path.open("rb") as file:
        if dicom.is_dicom(path, file.read(132)):
            image = dicom.read(path, recipe.sixteen_bit)
            check(image)
            return square(image, recipe, middle(image.size, frame))
        with Image.open(file) as image:
            check(image)
            image = quickly(image, file)
            box = shrink(image, recipe, frame)
            return square(grey(image, recipe.sixteen_bit), recipe, box)


def quickly(image: Image.Image, file: BinaryIO) -> Image.Image:
    """A grey PNG decoded by OpenCV, to the same bits a sixth sooner; all else is left to Pillow.

    So are broken files, of which OpenCV makes nothing, and those that may say how they lie.
    """
    if image.format != "PNG" or image.mode != "L":
        return image
    file.seek(0)
    data = file.read()
    pixels = None
    if not any(word in data for word in EXIF):
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    file.seek(0)
    return image if pixels is None else Image.fromarray(pixels)


def check(image: Image.Image) -> None:
    """`ValueError` for what is no radiograph by its size."""
    if min(image.size) < SMALLEST:
        raise ValueError(f"too small: {image.width} x {image.height} pixels")


def sides(path: Path) -> Sides:
    """Width and height by the header, upright."""
    with path.open("rb") as file:
        if dicom.is_dicom(path, file.read(132)):
            return dicom.sides(path)
        with Image.open(file) as image:
            # A PNG would be decoded whole to find the orientation that hardly any has.
            return upright(image.size, image.format != "PNG" and lies(image))


def lies(image: Image.Image) -> bool:
    """Whether the camera lay on its side."""
    return image.getexif().get(0x0112) in LYING


def upright(sides: Sides, lying: bool) -> Sides:
    """Width and height once the image is turned."""
    return sides[::-1] if lying else sides


def middle(whole: Sides, frame: Sides | None) -> Box:
    """The box of the recipe's frame in an image; all of it without a frame."""
    width, height = (min(pair) for pair in zip(whole, frame or whole, strict=True))
    left, top = (whole[0] - width) // 2, (whole[1] - height) // 2
    return left, top, left + width, top + height


def shrink(image: Image.Image, recipe: settings.Image, frame: Sides | None) -> Box:
    """Turn the image upright, at a smaller scale where that loses nothing; the box to use of it."""
    lying = lies(image)
    whole = upright(image.size, lying)
    box = middle(whole, frame)
    used = (box[2] - box[0], box[3] - box[1])
    wanted = inner(used, recipe.size, recipe.resize)
    # Speed: libjpeg halves while it decodes. Twice the target is left, so that nothing is lost.
    enough = tuple(2 * w * n // part for w, n, part in zip(wanted, whole, used, strict=True))
    image.draft("L", upright(enough, lying))
    ImageOps.exif_transpose(image, in_place=True)
    scales = zip(box, 2 * image.size, 2 * whole, strict=True)
    return tuple(edge * now / then for edge, now, then in scales)


def inner(sides: tuple[float, float], size: int, resize: str) -> Sides:
    """Width and height that the whole image gets when it is resized; `crop` cuts from these."""
    if resize == "squash":
        return size, size
    scale = size / (max(sides) if resize == "fit" else min(sides))
    return max(1, round(sides[0] * scale)), max(1, round(sides[1] * scale))


def grey(image: Image.Image, sixteen_bit: str) -> Image.Image:
    """Any Pillow image as 8-bit grey."""
    if image.mode == "L":
        return image
    if image.mode in WIDE:
        how = "full" if sixteen_bit == "full" else "percentile"
        return Image.fromarray(tone.stretch(np.asarray(image), how))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "black"), image)
    return image.convert("RGB").convert("L")


def square(image: Image.Image, recipe: settings.Image, box: Box) -> np.ndarray:
    """The box of a grey image as a square: squashed, or whole on black (fit), or its middle (crop).

    Equalising and blurring come after resizing and before padding.
    """
    size, (left, top, right, bottom) = recipe.size, box
    width, height = right - left, bottom - top
    target = inner((width, height), size, recipe.resize)
    if recipe.resize == "crop":
        side, target = min(width, height), (size, size)
        left, top = left + (width - side) / 2, top + (height - side) / 2
        box = (left, top, right - (width - side) / 2, bottom - (height - side) / 2)
    small = image.resize(target, Image.Resampling.BILINEAR, box, reducing_gap=3.0)
    small = tone.enhance(np.asarray(small), recipe.equalize, recipe.blur)
    if target == (size, size):
        return small
    canvas = np.zeros((size, size), np.uint8)
    left, top = (size - target[0]) // 2, (size - target[1]) // 2
    canvas[top : top + target[1], left : left + target[0]] = small
    return canvas
