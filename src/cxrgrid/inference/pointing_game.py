"""The pointing game (Zhang et al. 2018, arXiv 1608.00507): does a map's maximum lie in a box?

A map is a hit if its maximum lies in a reader's box, or at most `MARGIN` of the image's side beside
it; there 15 pixels in images of about 500. Boxes are transformed by the image recipe.
"""

import math

import numpy as np
from scipy.stats import binomtest

from cxrgrid.config import preparation
from cxrgrid.data.lungs import Box
from cxrgrid.data.resizing import placed

MARGIN = 0.03  # of the side


def place(box: Box, part: Box, recipe: preparation.Image) -> Box | None:
    """A box of an image file, transformed to what `image.decode` makes of the file.

    box: left, top, right, bottom in the file's pixels; part: the part of the file that is used,
    from `image.part`. None if nothing of the box is left.
    """
    used, target = placed(part, recipe)
    left, top, right, bottom = (round(edge) for edge in used)
    across = span(box[0], box[2], left, right, target[0], recipe.sides[0])
    down = span(box[1], box[3], top, bottom, target[1], recipe.sides[1])
    return (across[0], down[0], across[1], down[1]) if across and down else None


def span(
    start: float, end: float, low: int, high: int, target: int, size: int
) -> tuple[float, float] | None:
    """From `start` to `end` once low to high has become `target` pixels in the middle of `size`."""
    scale, before = target / (high - low), (size - target) // 2
    start, end = (np.clip((edge - low) * scale, 0, target) + before for edge in (start, end))
    return (float(start), float(end)) if start < end else None


def inside(shape: tuple[int, int], boxes: list[Box]) -> np.ndarray:
    """Pixels that count as a hit, bool [H, W]: their centre is in a box or its margin."""
    (y, beside_y), (x, beside_x) = ((np.arange(side) + 0.5, MARGIN * side) for side in shape)
    found = np.zeros(shape, bool)
    for left, top, right, bottom in boxes:
        across = (x >= left - beside_x) & (x <= right + beside_x)
        down = (y >= top - beside_y) & (y <= bottom + beside_y)
        found |= down[:, None] & across
    return found


def hit(heat: np.ndarray, wanted: np.ndarray) -> bool:
    """True if the maximum of a map [H, W] lies in `wanted`, bool [H, W]; an empty map misses.

    An enlarged coarse map has a plateau along the border: of equal maxima the middle one counts.
    """
    if heat.max() <= 0:
        return False
    highest = np.argwhere(heat >= heat.max() - 1e-6)
    apart = np.linalg.norm(highest - highest.mean(axis=0), axis=1)
    return bool(wanted[tuple(highest[apart.argmin()])])


def interval(hits: int, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share (Wilson 1927, JASA 22:209); NaN if n is 0."""
    if not n:
        return math.nan, math.nan
    found = binomtest(hits, n).proportion_ci(method="wilson")
    return float(found.low), float(found.high)
