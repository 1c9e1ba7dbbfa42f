"""Colour DICOM files as grey levels, by luminance: RGB of 8 or 16 bits, and palettes.

Tested against dcmtk's rendering and pydicom's tables.
"""

import numpy as np
from PIL import Image

from cxrgrid.data import dicom_tone, grey_levels

LUMINANCE = np.array([0.299, 0.587, 0.114])
PALETTE = "PALETTE COLOR"


def eight_bit(pixels: np.ndarray, film) -> np.ndarray:
    """uint8 [H, W] of colours [H, W, 3], or of a palette's entries [H, W]."""
    if pixels.ndim == 2:
        return through_palette(pixels, film)
    if pixels.dtype == np.uint8:
        return np.asarray(Image.fromarray(pixels[..., :3]).convert("L"))
    stored = 2 ** int(film.get("BitsStored") or 16) - 1
    return luminance(pixels, stored if pixels.max() <= stored else 2**16 - 1)


def through_palette(pixels: np.ndarray, film) -> np.ndarray:
    """uint8 [H, W] of a palette's entries. `ValueError` if the file has none."""
    from pydicom.pixels import apply_color_lut

    if "RedPaletteColorLookupTableDescriptor" not in film:
        raise ValueError("no radiograph: the colours of a palette, which the file lacks")
    entries, first, bits = map(int, film.RedPaletteColorLookupTableDescriptor)
    first -= 2**16 if first >= 2**15 and film.get("PixelRepresentation") else 0  # as unsigned
    levels, _, pixels = dicom_tone.tabled(pixels)
    # The ends of a palette go on for ever.
    colours = apply_color_lut(np.clip(levels, first, first + (entries or 2**16) - 1), film)[:, :3]
    every = apply_color_lut(np.arange(first, first + (entries or 2**16)), film)[:, :3]
    # A palette of 16 bits that holds 8 bits is as bright as what it holds.
    return grey_levels.lookup(luminance(colours, 255 if every.max() < 256 else 2**bits - 1), pixels)


def luminance(colours: np.ndarray, high: int) -> np.ndarray:
    """uint8 of colours [N, 3] or [H, W, 3] from 0 to `high`."""
    found = np.empty(colours.shape[:-1], np.uint8)
    for rows in grey_levels.row_strips(found[0].size, len(found)):
        found[rows] = np.rint(colours[rows][..., :3] @ LUMINANCE * (255 / high))
    return found
