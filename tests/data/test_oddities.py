"""Oddities of an image are named with numbers; ordinary films have none."""

import numpy as np
import pytest

from cxrgrid.data import oddities
from drawn_images import smooth

FILM = smooth(64, 64)
ROWS = np.vstack([FILM[:40], np.repeat(FILM[40:41], 24, axis=0)])
FADED = np.where(np.random.default_rng(0).random((64, 64)) < 0.97, 77, FILM).astype(np.uint8)
ODD = {
    "black": (np.zeros((64, 64), np.uint8), (64, 64), "flat: all 0"),
    "grey": (np.full((64, 64), 7, np.uint8), (64, 64), "flat: all 7"),
    "mask": (np.where(FILM > 128, 255, 0).astype(np.uint8), (64, 64), "only 2 grey levels"),
    "one_value": (FADED, (64, 64), "of it have one grey level"),
    "rows_repeat": (ROWS, (64, 64), "of 64 rows repeat the one above"),
    "rows_missing": (
        np.where(np.arange(64)[:, None] < 38, FILM, 0).astype(np.uint8),
        (64, 64),
        "26 of 64 rows at its end are all 0",
    ),
    "columns_repeat": (ROWS.T, (64, 64), "of 64 columns repeat the one to the left"),
    "columns_missing": (
        np.where(np.arange(64) < 38, FILM, 128).astype(np.uint8),
        (64, 64),
        "of 64 columns repeat the one to the left",
    ),
    "narrow": (FILM, (900, 200), "900 x 200 pixels: aspect 4.5"),
}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_image_is_described(name):
    pixels, sides, said = ODD[name]
    assert said in oddities.of_image(pixels, sides)


def test_padding_and_collimation_are_not_odd():
    padded = np.zeros((64, 64), np.uint8)
    padded[:, 28:36] = FILM[:, 28:36]
    bright = FILM.copy()
    bright[:20] = 255
    for pixels in (FILM, padded, bright):
        assert oddities.of_image(pixels, (640, 700)) == ""


def test_an_inverted_image_and_one_of_another_size_are_told_by_the_rest():
    rng = np.random.default_rng(0)
    small = np.clip(smooth(16, 16)[None] + rng.normal(0, 20, (40, 16, 16)), 0, 255).astype(np.uint8)
    small[3] = 255 - small[3]
    sides = np.full((40, 2), 1000)
    sides[5] = 100, 120
    found = oddities.of_dataset(small, sides)
    assert sorted(found) == [3, 5]
    assert "inverted? correlation -0." in found[3] and found[5].startswith("100 x 120 pixels")


def test_a_few_images_have_no_rest_to_be_told_by():
    assert (
        oddities.of_dataset(np.stack([FILM[:16, :16], 255 - FILM[:16, :16]]), np.ones((2, 2))) == {}
    )


def test_few_levels_are_counted_before_the_image_is_resized():
    """A mask that is made smaller has grey levels between black and white."""
    mask = np.where(np.indices((512, 512)).sum(axis=0) > 500, 255, 0).astype(np.uint8)
    small = np.clip(FILM, 20, 230)
    assert oddities.of_image(small, (512, 512), mask) == "only 2 grey levels"
    assert oddities.of_image(small, (512, 512), np.kron(FILM, np.ones((8, 8), np.uint8))) == ""
