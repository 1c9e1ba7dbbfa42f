"""Template matching finds the drawn lungs, and follows them wherever an image has them."""

import functools

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cxrgrid import phantom
from cxrgrid.anatomy import make_chest
from cxrgrid.config import preparation
from cxrgrid.data import image, lungs
from cxrgrid.datasets import nih

SIDE = 256
COHORT = phantom.make_cohort(preparation.Phantom(patients=24, seed=3), nih.PHANTOM)


@functools.cache
def films() -> list[np.ndarray]:
    """The radiographs of the cohort."""
    return [phantom.radiograph(row, SIDE) for row in COHORT]


def air(row):
    """Mask of the rays that cross lung, bool [SIDE, SIDE]."""
    body, pose, _ = phantom.posed(row)
    seen = make_chest(body, {}, row["view"], pose, SIDE).air
    return seen > 0.3 * seen.max()


def overlap(a, b):
    """Intersection over union of two boxes."""
    width, height = (min(a[i + 2], b[i + 2]) - max(a[i], b[i]) for i in (0, 1))
    both = max(width, 0) * max(height, 0)
    area = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return both / (sum(area) - both)


@pytest.mark.long
def test_hardly_any_drawn_lung_is_cut_away_and_much_else_is():
    kept, taken = [], []
    for row, film in zip(COHORT, films(), strict=True):
        left, top, right, bottom = (round(edge) for edge in lungs.find(film))
        kept.append(air(row)[top:bottom, left:right].sum() / air(row).sum())
        taken.append((right - left) * (bottom - top) / film.size)
    assert np.mean(kept) > 0.99 and np.min(kept) > 0.9
    assert np.mean(taken) < 0.9


def test_the_part_moves_and_grows_with_the_chest():
    """The same film on a larger dark plate, to a side and in another shape."""
    alike = []
    for number, film in enumerate(films()):
        wide, tall = 170 + 10 * (number % 3), 190 - 10 * (number % 2)
        left, top = 70 - 10 * (number % 4), 20 + 10 * (number % 5)
        plate = np.full((SIDE, 300), 12, np.uint8)
        plate[top : top + tall, left : left + wide] = cv2.resize(film, (wide, tall))
        edges = np.array(lungs.find(film)) / SIDE * [wide, tall, wide, tall]
        alike.append(overlap(lungs.find(plate), edges + [left, top, left, top]))
    assert np.median(alike) > 0.8


@settings(max_examples=40, deadline=None)
@given(st.integers(8, 400), st.integers(8, 400), st.integers(0, 2))
def test_whatever_the_image_there_is_a_part_of_it(width, height, kind):
    rng = np.random.default_rng(width)
    pixels = rng.integers(0, 256, (height, width), dtype=np.uint8) & (255, 192, 0)[kind]
    left, top, right, bottom = lungs.find(pixels)
    assert 0 <= left < right <= width and 0 <= top < bottom <= height
    assert (right - left) * (bottom - top) > 0.2 * min(width, height) ** 2


@pytest.mark.parametrize("ending", ["png", "jpg"])
def test_a_recipe_with_lungs_is_that_part_resized(tmp_path, ending):
    """Also of a JPEG that libjpeg decodes at half its size."""
    path = tmp_path / f"a.{ending}"
    Image.fromarray(cv2.resize(films()[0], (1024, 900))).save(path)
    recipe = preparation.Image(size=64, crop_to="lungs")
    box = image.part(path, recipe, None)
    whole = np.asarray(Image.open(path))
    assert overlap(box, lungs.find(whole)) > 0.97
    left, top, right, bottom = (round(edge) for edge in box)
    wanted = cv2.resize(whole[top:bottom, left:right], (64, 64), interpolation=cv2.INTER_AREA)
    found = image.decode(path, recipe)
    assert np.abs(found.astype(float) - wanted).mean() < 1.5
    assert np.abs(found.astype(float) - image.decode(path, preparation.Image(size=64))).mean() > 5
