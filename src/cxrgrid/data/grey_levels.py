"""Grey levels: from many bits to eight, and what an image recipe does to them afterwards.

Large images go through tables in strips, so that sixteen threads stay within some 100 MB each.
"""

from collections.abc import Callable

import numpy as np

STRETCH = (0.5, 99.5)  # percentiles that become black and white
STRIP = 1 << 18  # pixels at a time
TABLE = 1 << 17  # grey levels up to which a table is made
CLIP, TILES = 2.0, 8  # CLAHE: slope of the tone curve at most, tiles a side
KERNEL = (1, 4, 6, 4, 1)  # OpenCV's Gaussian for five pixels, in sixteenths


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
        return scaled(values, *bounds, values)
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
    """How many pixels have each grey level from `lowest` on."""
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


# ------------------------------------------------------------------ afterwards


def enhance(grey: np.ndarray, equalize: str, blur: int) -> np.ndarray:
    """What a recipe asks for, in this order; uint8 [H, W] as it was if it asks for nothing."""
    if equalize != "none":
        grey = {"histogram": equalize_histogram, "clahe": clahe}[equalize](grey)
    return smooth(grey) if blur else grey


def equalize_histogram(grey: np.ndarray) -> np.ndarray:
    """Histogram equalisation, as OpenCV's equalizeHist: each grey level becomes as frequent."""
    counts = np.bincount(grey.reshape(-1), minlength=256)
    first = int(np.flatnonzero(counts)[0])
    if counts[first] == grey.size:
        return grey
    counts[first] = 0
    scale = np.float32(255) / np.float32(grey.size - np.count_nonzero(grey == first))
    table = np.rint(np.cumsum(counts).astype(np.float32) * scale)
    return np.clip(table, 0, 255).astype(np.uint8)[grey]


def clahe(grey: np.ndarray) -> np.ndarray:
    """Equalisation tile by tile with limited contrast, as OpenCV's createCLAHE(2, (8, 8))."""
    height, width = grey.shape
    more = bool(height % TILES or width % TILES)  # OpenCV's rule: then both sides grow
    tall, wide = height // TILES + more, width // TILES + more
    whole = np.pad(grey, [(0, tall * TILES - height), (0, wide * TILES - width)], "reflect")
    tiles = whole.reshape(TILES, tall, TILES, wide).swapaxes(1, 2).reshape(TILES * TILES, -1)
    tables = np.array([curve(tile) for tile in tiles]).reshape(TILES, TILES, 256)
    up, down, y = neighbours(height, tall)
    left, right, x = neighbours(width, wide)
    y, corner = y[:, None], lambda row, column: tables[row[:, None], column, grey]
    top = corner(up, left) * (1 - x) + corner(up, right) * x
    bottom = corner(down, left) * (1 - x) + corner(down, right) * x
    return np.clip(np.rint(top * (1 - y) + bottom * y), 0, 255).astype(np.uint8)


def curve(tile: np.ndarray) -> np.ndarray:
    """The tone curve of a tile, float32 [256]: what is clipped goes to all levels alike."""
    counts = np.bincount(tile, minlength=256)
    limit = max(int(CLIP * tile.size / 256), 1)
    excess = int(np.maximum(counts - limit, 0).sum())
    counts = np.minimum(counts, limit) + excess // 256
    if rest := excess % 256:
        counts[:: max(256 // rest, 1)][:rest] += 1
    scale = np.float32(255) / np.float32(tile.size)
    return np.clip(np.rint(np.cumsum(counts).astype(np.float32) * scale), 0, 255)


def neighbours(pixels: int, side: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each pixel along a side: the tiles on both sides of it, and how near the second is."""
    place = np.arange(pixels, dtype=np.float32) * np.float32(1 / side) - np.float32(0.5)
    first = np.floor(place).astype(int)
    share = place - first.astype(np.float32)
    return np.maximum(first, 0), np.minimum(first + 1, TILES - 1), share


def smooth(grey: np.ndarray) -> np.ndarray:
    """A 5 × 5 Gaussian, as OpenCV's GaussianBlur(image, (5, 5), 0); mirrored at the borders."""
    height, width = grey.shape
    padded = np.pad(grey.astype(np.int32), 2, "reflect")
    rows = sum(weight * padded[at : at + height] for at, weight in enumerate(KERNEL))
    both = sum(weight * rows[:, at : at + width] for at, weight in enumerate(KERNEL))
    return ((both + 128) >> 8).astype(np.uint8)
