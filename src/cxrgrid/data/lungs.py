"""Location of the lungs in a frontal radiograph, by template matching at several sizes and shapes.

A drawn chest is slid over the image, made small; cut out is the part that it correlates best with
(Brunelli 2009, Template Matching Techniques in Computer Vision; used so on chest radiographs by
Pham et al. 2019, arXiv 1911.06475, with a template of one size). docs/log.md says what it cuts.
"""

from functools import cache
from itertools import product

import cv2
import numpy as np

Box = tuple[float, float, float, float]  # left, top, right, bottom

COARSE = 64  # pixels of the image's shorter side while the lungs are looked for
WIDTHS = np.arange(0.55, 1.26, 0.05)  # of the part, in shorter sides
SHAPES = (0.8, 0.9, 1.0, 1.12, 1.25)  # height by width
# To cut a lung that an effusion whitens is worse than to keep some neck: twice the area is worth
# 0.14 of the correlation.
LARGE = 0.2
MARGIN = 0.05  # of the part's sides, on each side: a match may be a little beside the lungs

# The template, as shares of its side, from back to front: the grey level and the outline.
TISSUE = 0.55
DRAWN = (
    (0.85, [(0.38, 0), (0.62, 0), (0.62, 1), (0.38, 1)]),  # neck and spine
    (1.0, [(0, 0.9), (0.25, 0.78), (0.75, 0.78), (1, 0.9), (1, 1), (0, 1)]),  # below the diaphragm
    (1.0, [(0.5, 0.3), (0.62, 0.35), (0.74, 0.75), (0.74, 1), (0.38, 1), (0.36, 0.5)]),  # heart
    (
        0.0,  # the right lung, on the left of the image
        [(0.33, 0.06), (0.41, 0.12), (0.42, 0.4), (0.39, 0.76)]
        + [(0.1, 0.86), (0.09, 0.62), (0.15, 0.3), (0.23, 0.1)],
    ),
    (
        0.0,  # the left lung
        [(0.67, 0.06), (0.59, 0.12), (0.58, 0.35), (0.72, 0.62), (0.76, 0.8)]
        + [(0.9, 0.86), (0.91, 0.62), (0.85, 0.3), (0.77, 0.1)],
    ),
)
BLUR = 0.03  # standard deviation, of the template's side
PARTS = 16  # of a pixel, to which outlines are drawn


def find(pixels: np.ndarray) -> Box:
    """The part of an image, uint8 [height, width], in its own pixels, that shows the lungs.

    There is always a best part: an image without lungs loses some of its border.
    """
    height, width = pixels.shape
    scale = COARSE / min(height, width)
    small = (max(COARSE, round(width * scale)), max(COARSE, round(height * scale)))
    coarse = cv2.equalizeHist(cv2.resize(pixels, small, interpolation=cv2.INTER_AREA))
    best, part = -np.inf, (0, 0, *small)
    for across, down in sizes():
        if across > small[0] or down > small[1]:
            continue
        alike = cv2.matchTemplate(coarse, template(across, down), cv2.TM_CCOEFF_NORMED)
        _, found, _, (left, top) = cv2.minMaxLoc(alike)
        found += LARGE * np.log(across * down)
        if found > best:
            best, part = found, (left, top, left + across, top + down)
    left, right = wider(part[0] / small[0], part[2] / small[0])
    top, bottom = wider(part[1] / small[1], part[3] / small[1])
    return left * width, top * height, right * width, bottom * height


def wider(start: float, end: float) -> tuple[float, float]:
    """The same with the margin, as far as there is an image: from 0 to 1."""
    margin = MARGIN * (end - start)
    return max(start - margin, 0.0), min(end + margin, 1.0)


def sizes() -> list[tuple[int, int]]:
    """Widths and heights of the template, in coarse pixels."""
    return [(round(COARSE * w), round(COARSE * w * shape)) for w, shape in product(WIDTHS, SHAPES)]


@cache
def template(width: int, height: int) -> np.ndarray:
    """The drawn chest, uint8 [height, width]: lungs black, what is dense white."""
    side = 2 * COARSE
    drawn = np.full((side, side), TISSUE, np.float32)
    for level, outline in DRAWN:
        points = np.rint(np.array(outline) * side * PARTS).astype(np.int32)
        cv2.fillPoly(drawn, [points], level, shift=PARTS.bit_length() - 1)
    drawn = cv2.GaussianBlur(drawn, (0, 0), BLUR * side)
    small = cv2.resize(drawn, (width, height), interpolation=cv2.INTER_AREA)
    return np.rint(255 * small).astype(np.uint8)
