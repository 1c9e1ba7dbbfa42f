"""Grey levels: from many bits to eight, and what an image recipe does to them afterwards.

Large images go through tables in strips, so that sixteen threads stay within some 100 MB each.
"""

from collections.abc import Callable, Iterator

import cv2
import numpy as np

STRETCH = (0.5, 99.5)  # percentiles that become black and white
STRIP = 1 << 18  # pixels at a time
TABLE = 1 << 17  # grey levels up to which a table is made
CLIP, TILES = 2.0, 8  # CLAHE: slope of the tone curve at most, tiles a side


# ------------------------------------------------------------------ to eight bits


def stretch(
    values: np.ndarray, how: str = "percentile", meaning: Callable | None = None
) -> np.ndarray:
    """Grey levels of more than 8 bits as uint8; black if all are equal.

    how: `percentile` (from `STRETCH`) or `full` (from the darkest to the brightest).
    meaning: what stored values (an array of them, ascending) stand for, if not themselves.
    """
    values = np.asarray(values)
    lowest, highest = values.min(), values.max()
    if values.dtype.kind not in "iu" or int(highest) - int(lowest) >= TABLE:
        values = values if meaning is None else meaning(values)
        bounds = np.percentile(values, STRETCH) if how == "percentile" else (0, 0)
        return in_strips(values, *bounds)
    levels = np.arange(int(lowest), int(highest) + 1)
    levels = levels if meaning is None else np.asarray(meaning(levels))
    counts = histogram(values, int(lowest), len(levels))
    bounds = percentiles(levels, counts) if how == "percentile" else (0, 0)
    return lookup(scaled(levels, *bounds, levels[counts > 0]), values)


def scaled(levels: np.ndarray, low: float, high: float, there: np.ndarray) -> np.ndarray:
    """uint8: black at low, white at high; between the extremes of `there` if low is not below."""
    if high <= low:  # nearly all pixels are equal
        low, high = float(there.min()), float(there.max())
    grey = (levels - low) * (255 / max(high - low, 1e-9))
    return np.clip(np.rint(grey), 0, 255).astype(np.uint8)


def in_strips(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """`scaled` of an image, with no more than some of it as floats at once."""
    if high <= low:
        low, high = float(values.min()), float(values.max())
    found = np.empty(values.size, np.uint8)
    for number, strip in enumerate(strips(values)):
        start = number * STRIP
        found[start : start + strip.size] = scaled(strip, low, high, strip)
    return found.reshape(values.shape)


def percentiles(levels: np.ndarray, counts: np.ndarray) -> list[float]:
    """`np.percentile(…, STRETCH)` to the bit, of `counts` pixels at each of `levels`."""
    order = np.argsort(levels, kind="stable")
    levels, seen = levels[order], np.cumsum(counts[order])

    def at(percent: float) -> float:
        place = (seen[-1] - 1) * (percent / 100)
        ranks = np.minimum([int(place), int(place) + 1], seen[-1] - 1)
        below, above = levels[np.searchsorted(seen, ranks, side="right")].astype(float)
        share = place - int(place)
        if share >= 0.5:
            return above - (above - below) * (1 - share)
        return below + (above - below) * share

    return [at(percent) for percent in STRETCH]


def histogram(values: np.ndarray, lowest: int, levels: int) -> np.ndarray:
    """Number of pixels with each grey level from `lowest` on."""
    counts = np.zeros(levels, np.int64)
    for strip in strips(values):
        counts += np.bincount(strip.astype(np.int64) - lowest, minlength=levels)
    return counts


def lookup(table: np.ndarray, values: np.ndarray) -> np.ndarray:
    """uint8 of the shape of `values`: `table[value - lowest value]`."""
    found, lowest = np.empty(values.size, np.uint8), int(values.min())
    for number, strip in enumerate(strips(values)):
        start = number * STRIP
        found[start : start + strip.size] = table[strip.astype(np.int64) - lowest]
    return found.reshape(values.shape)


def strips(values: np.ndarray) -> list[np.ndarray]:
    """The pixels, some at a time."""
    flat = values.reshape(-1)
    return [flat[start : start + STRIP] for start in range(0, flat.size, STRIP)]


def row_strips(width: int, height: int) -> Iterator[slice]:
    """Rows of an image, some at a time."""
    rows = max(1, STRIP // width)
    return (slice(top, min(top + rows, height)) for top in range(0, height, rows))


# ------------------------------------------------------------------ afterwards


def enhance(grey: np.ndarray, equalize: str, blur: int) -> np.ndarray:
    """uint8 [H, W], equalised (`histogram`, `clahe` or `none`), then blurred by a 5 × 5 Gaussian.

    CLAHE: Zuiderveld 1994, Graphics Gems IV, by tiles. The blur mirrors the image at its borders.
    """
    if equalize == "histogram":
        grey = cv2.equalizeHist(grey)
    elif equalize == "clahe":
        grey = cv2.createCLAHE(CLIP, (TILES, TILES)).apply(grey)
    return cv2.GaussianBlur(grey, (5, 5), 0) if blur else grey
