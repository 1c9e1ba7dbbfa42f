"""Grey levels of a PNG, JPEG, TIFF or other picture file, upright or not, by OpenCV or Pillow."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from cxrgrid.data import decode_memory, grey_levels, jpeg_damage, png_damage
from cxrgrid.data.grey_levels import row_strips

SMALLEST = 8  # pixels a side: below it is an icon or a placeholder, not a radiograph
WIDE = ("I", "I;16", "I;16B", "I;16L", "I;16N", "F")
EXIF = (b"eXIf", b"Raw profile type")  # chunks of a PNG that may hold an orientation
QUICK = (("PNG", "L"), ("JPEG", "L"), ("JPEG", "RGB"))
JPEG_END = b"\xff\xd9"
PNG_BITS = 24  # the byte that holds a PNG's bits per channel
PHOTOMETRIC, WHITE_IS_ZERO = 262, 0  # a TIFF's tag
REDUCED = {
    1: cv2.IMREAD_GRAYSCALE,
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2,
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
    8: cv2.IMREAD_REDUCED_GRAYSCALE_8,
}


def by_opencv(image: Image.Image, path: Path, scale: int = 1) -> np.ndarray | None:
    """A grey PNG, or a JPEG as grey, as it lies in the file; None for what is left to Pillow.

    OpenCV is quicker. Left are other kinds, broken files, of which OpenCV makes nothing or half an
    image, and PNG files that may say how they lie. scale: of a JPEG, as `halvings` gives it.
    """
    if (image.format, image.mode) not in QUICK:
        return None
    data = np.fromfile(path, np.uint8)
    if image.format == "JPEG" and data[-2:].tobytes() != JPEG_END:
        return None
    if image.format == "PNG" and any(word in data.tobytes() for word in EXIF):
        return None
    return jpeg_damage.imdecode(data, REDUCED[scale] | cv2.IMREAD_IGNORE_ORIENTATION)


def grey(image: Image.Image, path: Path, sixteen_bit: str) -> np.ndarray:
    """Any Pillow image as 8-bit grey levels. `ValueError` where the file is damaged."""
    how = "full" if sixteen_bit == "full" else "percentile"
    deep = sixteen_bits(image, path)
    if deep is not None:
        return grey_levels.stretch(deep, how)
    if image.format == "PNG" and (why := png_damage.fault(path.read_bytes())):
        raise ValueError(why)
    pixels = wide(image, how) if image.mode in WIDE else narrow(image)
    if image.format == "JPEG":  # Pillow is silent about damage
        jpeg_damage.imdecode(np.fromfile(path, np.uint8), REDUCED[8])
    return pixels


def sixteen_bits(image: Image.Image, path: Path) -> np.ndarray | None:
    """uint16 [H, W] of 16-bit channels, of which Pillow keeps one or eight bits; None for others.

    Colour becomes luminance, transparency black.
    """
    if image.format != "PNG" and (image.mode in WIDE or ";16" not in str(image.tile)):
        return None
    data = np.fromfile(path, np.uint8)
    if image.format == "PNG" and data[PNG_BITS] != 16:
        return None
    pixels = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    if pixels is None and image.format == "PNG" and image.mode not in WIDE:
        # Pillow would keep the upper eight bits: another tone than the rest of the dataset has.
        why = png_damage.fault(data.tobytes())
        raise ValueError(why or "damaged: 16 bits a channel, which libpng cannot read to its end")
    if pixels is None or pixels.dtype != np.uint16:
        return None
    if pixels.ndim == 2:
        return pixels
    found = np.empty(pixels.shape[:2], np.uint16)
    for rows in row_strips(*found.shape[::-1]):
        found[rows] = luminance(pixels[rows])
    return found


def luminance(pixels: np.ndarray) -> np.ndarray:
    """uint16 [H, W] of uint16 [H, W, 3 or 4]."""
    found = cv2.cvtColor(np.ascontiguousarray(pixels[..., :3]), cv2.COLOR_BGR2GRAY)
    if pixels.shape[2] == 4:
        found = np.rint(found * (pixels[..., 3] / np.float32(65535))).astype(np.uint16)
    return found


def wide(image: Image.Image, how: str) -> np.ndarray:
    """uint8 of more than 8 bits or of floats; where these are no numbers, the darkest."""
    pixels = in_strips(image, np.asarray)
    if pixels.dtype.kind == "f":
        finite = np.isfinite(pixels)
        if not finite.any():
            raise ValueError("no pixel is a number")
        np.copyto(pixels, pixels.min(where=finite, initial=np.inf), where=~finite)
    found = grey_levels.stretch(pixels, how)
    tags = getattr(image, "tag_v2", {})
    return 255 - found if tags.get(PHOTOMETRIC) == WHITE_IS_ZERO else found


def in_strips(image: Image.Image, change: Callable) -> np.ndarray:
    """`change` of an image, which maps each pixel by itself, to an array of its own.

    As a whole Pillow's copies of an image take several times its memory.
    """
    image.load()
    found: np.ndarray | None = None
    for rows in row_strips(*image.size):
        part = change(image.crop((0, rows.start, image.width, rows.stop)))
        found = np.empty(image.size[::-1], part.dtype) if found is None else found
        found[rows] = part
    return found


def check(image: Image.Image, path: Path | None = None) -> None:
    """`ValueError` for what is no radiograph by its size.

    path: of a file that is not decoded yet.
    """
    if min(image.size) < SMALLEST:
        raise ValueError(f"too small: {image.width} x {image.height} pixels")
    if path:
        decode_memory.check(image.size, image.mode, decode_memory.of_picture(image, path))


def narrow(image: Image.Image) -> np.ndarray:
    """uint8 of 8 bits a channel: colour becomes luminance, transparency black."""
    return in_strips(image, flat if image.has_transparency_data else luma)


def flat(image: Image.Image) -> np.ndarray:
    """uint8 of an image with transparency, upon black."""
    image = image.convert("RGBA")
    return luma(Image.alpha_composite(Image.new("RGBA", image.size, "black"), image))


def luma(image: Image.Image) -> np.ndarray:
    """uint8 of an image without transparency."""
    return np.asarray(image if image.mode == "L" else image.convert("RGB").convert("L"))


def pages(image: Image.Image) -> str:
    """A remark on a TIFF of several pages; empty for others."""
    number = getattr(image, "n_frames", 1) if image.format == "TIFF" else 1
    return f"{number} pages, of which the first is read" if number > 1 else ""
