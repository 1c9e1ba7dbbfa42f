"""Oddities of a decoded image, as sentences with numbers, for a person to check.

One check for training and `apply` alike, of uint8 pixels as a network gets them.
"""

import numpy as np

FEW_LEVELS = 16  # grey levels below which an image is no radiograph but a mask or a drawing
MOSTLY = 0.9  # share of one grey level
REPEATED = 0.1  # share of the rows, or columns, that are the same one after another
SOME = 1 << 16  # pixels of an image that are looked at for its grey levels
ENDED = 1 / 3  # share of the rows that may be plain at the end alone
DARK, BRIGHT = 8, 247  # borders are that dark or bright, and may be as large as they like
ASPECT = 3.0  # longer side over shorter
INVERTED = -0.5  # correlation with the dataset's own median image
SMALLER = 4  # times fewer, or more, pixels a side than the dataset's median


def of_image(pixels: np.ndarray, sides: tuple[int, int], whole: np.ndarray | None = None) -> str:
    """The first oddity of an image, uint8 [H, W]; empty if there is none. sides: of the file.

    whole: the image before it was resized, which adds grey levels between those of the file.
    """
    counts = np.bincount(pixels.reshape(-1), minlength=256)
    levels, most = int((counts > 0).sum()), int(counts.argmax())
    levels = levels if whole is None else min(levels, levels_of(whole))
    if levels == 1:
        return f"flat: all {most}"
    if levels < FEW_LEVELS:
        return f"only {levels} grey levels"
    inner = without_border(pixels)
    share = (inner == np.bincount(inner.reshape(-1), minlength=256).argmax()).mean()
    if share > MOSTLY:
        return f"{share:.0%} of it have one grey level"
    for lines, what, before in ((pixels, "rows", "above"), (pixels.T, "columns", "to the left")):
        if number := repeated(lines):
            return f"{number} of {len(lines)} {what} repeat the one {before}"
        if number := missing(lines):
            return f"{number} of {len(lines)} {what} at its end are all {lines[-1, 0]}"
        if number := blank(lines):
            return f"{number} of {len(lines)} {what} in the middle of it are all 0"
    if max(sides) > ASPECT * min(sides):
        return f"{sides[0]} x {sides[1]} pixels: aspect {max(sides) / min(sides):.1f}"
    return ""


def levels_of(whole: np.ndarray) -> int:
    """Number of grey levels among some pixels of an image from all over it."""
    step = max(1, int((whole.size / SOME) ** 0.5))
    return len(np.unique(whole[::step, ::step]))


def without_border(pixels: np.ndarray) -> np.ndarray:
    """The image without rows and columns at its edges that are all black, as padding is."""
    rows, columns = (np.flatnonzero((pixels > 0).any(axis=axis)) for axis in (1, 0))
    return pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def repeated(pixels: np.ndarray) -> int:
    """The longest run of equal rows that are neither all dark nor all bright; 0 if it is short."""
    same = (pixels[1:] == pixels[:-1]).all(axis=1)
    same &= ~((pixels[1:] <= DARK) | (pixels[1:] >= BRIGHT)).all(axis=1)
    longest = longest_run(same)
    return longest if longest > REPEATED * len(pixels) else 0


def missing(pixels: np.ndarray) -> int:
    """Number of rows of one grey level at the end, beyond those at the beginning; 0 if few."""
    plain = (pixels == pixels[:, :1]).all(axis=1) & (pixels[:, 0] == pixels[-1, 0])
    last = int(np.argmin(plain[::-1]))
    first = int(np.argmin((pixels == pixels[:, :1]).all(axis=1)))
    return last if last - first > ENDED * len(pixels) else 0


def blank(pixels: np.ndarray) -> int:
    """The longest run of black rows between others, as a lost piece leaves; 0 if it is short."""
    empty = ~pixels.any(axis=1)
    if not 0 < empty.sum() < len(empty):
        return 0
    first, last = np.flatnonzero(~empty)[[0, -1]]
    longest = longest_run(empty[first:last])
    return longest if longest > REPEATED * len(pixels) else 0


def longest_run(true: np.ndarray) -> int:
    """Length of the longest run of True."""
    ends = np.flatnonzero(np.diff(np.concatenate([[0], true, [0]])))
    return int((ends[1::2] - ends[::2]).max(initial=0))


def of_dataset(small: np.ndarray, sides: np.ndarray) -> dict[int, str]:
    """Oddities of images beside the rest, by position: inverted, or far larger or smaller.

    small: uint8 [N, h, w], each image as a thumbnail; sides: int [N, 2], of the files.
    """
    found = {}
    if len(small) < 10:  # a median of few says nothing
        return found
    flat = small.reshape(len(small), -1).astype(np.float32)
    median = np.median(flat, axis=0)
    flat, median = flat - flat.mean(axis=1, keepdims=True), median - median.mean()
    norm = np.linalg.norm(flat, axis=1) * np.linalg.norm(median)
    alike = (flat @ median) / np.maximum(norm, 1e-9)
    for at in np.flatnonzero(alike < INVERTED):
        found[int(at)] = f"inverted? correlation {alike[at]:.2f} with the dataset's median image"
    side = np.sqrt(sides.prod(axis=1))
    typical = np.median(side)
    far = (side * SMALLER < typical) | (side > SMALLER * typical)
    for at in np.flatnonzero(far):
        width, height = sides[at]
        found.setdefault(int(at), f"{width} x {height} pixels, where {typical:.0f} a side is usual")
    return found
