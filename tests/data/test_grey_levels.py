"""Grey levels: tables agree with the plain formula, recipes with published definitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from cxrgrid.data import grey_levels

WIDE = arrays(
    st.sampled_from([np.uint16, np.int16, np.int32]),
    array_shapes(min_dims=2, max_dims=2, max_side=12),
    elements=st.integers(0, 9000),
)
GREY = arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, min_side=3, max_side=24))


def plain(values):
    """The stretch as its definition says it, all in floats."""
    low, high = np.percentile(values, grey_levels.STRETCH)
    if high <= low:
        low, high = float(values.min()), float(values.max())
    grey = (values - low) * (255 / max(high - low, 1e-9))
    return np.clip(np.rint(grey), 0, 255).astype(np.uint8)


@given(WIDE)
def test_the_table_gives_the_bits_of_the_plain_stretch(values):
    np.testing.assert_array_equal(grey_levels.stretch(values), plain(values))


@given(WIDE, st.floats(-3, 3).filter(lambda slope: abs(slope) > 0.01), st.integers(-2000, 2000))
def test_what_values_mean_is_stretched_not_the_values(values, slope, intercept):
    found = grey_levels.stretch(values, "percentile", lambda levels: levels * slope + intercept)
    wanted = plain(values * slope + intercept)
    assert np.abs(found.astype(int) - wanted).max() <= 1  # a tie may round either way


def test_full_is_from_darkest_to_brightest():
    values = np.array([[100, 100, 200], [300, 65535, 100]], np.uint16)
    assert grey_levels.stretch(values, "full").tolist() == [[0, 0, 0], [1, 255, 0]]


@pytest.mark.parametrize("kind", [np.float32, np.uint32])
def test_levels_too_many_for_a_table_are_stretched_as_well(kind):
    values = (np.random.default_rng(0).random((40, 40)) * 1e9).astype(kind)
    np.testing.assert_array_equal(grey_levels.stretch(values), plain(values))


def test_strips_make_no_difference(monkeypatch):
    values = np.random.default_rng(0).integers(0, 4096, (70, 50)).astype(np.uint16)
    whole = grey_levels.stretch(values)
    monkeypatch.setattr(grey_levels, "STRIP", 64)
    np.testing.assert_array_equal(grey_levels.stretch(values), whole)


# ------------------------------------------------------------------ recipes


KERNEL = (1, 4, 6, 4, 1)  # a Gaussian for five pixels, in sixteenths


def equalised(grey, how="histogram"):
    return grey_levels.enhance(grey, how, blur=0)


def blurred(grey):
    return grey_levels.enhance(grey, "none", blur=5)


def test_histogram_equalisation_counted_by_hand():
    # 16 pixels; 4 are of the darkest level: 255 / 12 a pixel for the others.
    grey = np.array([10] * 4 + [20] * 6 + [30] * 3 + [200] * 3, np.uint8).reshape(4, 4)
    wanted = [0] * 4 + [128] * 6 + [191] * 3 + [255] * 3  # 127.5, to the even one
    assert equalised(grey).ravel().tolist() == wanted


@given(GREY)
def test_equalising_keeps_the_order_of_grey_levels(grey):
    found = equalised(grey)
    levels = [int(found[grey == level][0]) for level in np.unique(grey)]
    assert levels == sorted(levels)
    assert grey.min() == grey.max() or (found.min(), found.max()) == (0, 255)


def test_the_blur_of_a_point_is_the_kernel():
    grey = np.zeros((9, 9), np.uint8)
    grey[4, 4] = 255
    kernel = np.outer(KERNEL, KERNEL) * 255 / 256
    np.testing.assert_array_equal(blurred(grey)[2:7, 2:7], np.floor(kernel + 0.5))


@given(GREY)
def test_the_blur_is_that_of_scipy(grey):
    from scipy.ndimage import correlate1d

    wanted = grey.astype(float)
    for axis in (0, 1):
        wanted = correlate1d(wanted, np.array(KERNEL) / 16, axis, mode="mirror")
    np.testing.assert_array_equal(blurred(grey), np.floor(wanted + 0.5))


def clahe_by_loops(grey, clip=2.0, tiles=8):
    """Zuiderveld's method pixel by pixel, for sides that `tiles` divides."""
    (height, width), curves = grey.shape, {}
    tall, wide = height // tiles, width // tiles
    for row in range(tiles):
        for column in range(tiles):
            tile = grey[row * tall : (row + 1) * tall, column * wide : (column + 1) * wide]
            counts = [int((tile == level).sum()) for level in range(256)]
            limit = max(int(clip * tile.size / 256), 1)
            excess = sum(max(count - limit, 0) for count in counts)
            counts = [min(count, limit) + excess // 256 for count in counts]
            rest = excess % 256
            for level in range(0, 256, max(256 // rest, 1) if rest else 256):
                if rest:
                    counts[level] += 1
                    rest -= 1
            curves[row, column] = np.rint(np.cumsum(counts) * 255 / tile.size)
    found = np.zeros(grey.shape)
    for y, x in np.ndindex(*grey.shape):
        across, down = x / wide - 0.5, y / tall - 0.5
        for row, near in ((np.floor(down), 1 - down % 1), (np.floor(down) + 1, down % 1)):
            for column, close in (
                (np.floor(across), 1 - across % 1),
                (np.floor(across) + 1, across % 1),
            ):
                tile = (int(np.clip(row, 0, tiles - 1)), int(np.clip(column, 0, tiles - 1)))
                found[y, x] += near * close * curves[tile][grey[y, x]]
    return found


@pytest.mark.parametrize("seed", range(3))
def test_clahe_is_the_published_method(seed):
    rng = np.random.default_rng(seed)
    grey = np.clip(rng.normal(90, 8 + 20 * seed, (64, 48)), 0, 255).astype(np.uint8)
    assert np.abs(equalised(grey, "clahe") - clahe_by_loops(grey)).max() <= 1


def test_clahe_limits_contrast_where_plain_equalisation_does_not():
    grey = np.random.default_rng(0).integers(100, 104, (64, 64)).astype(np.uint8)
    assert np.ptp(equalised(grey)) == 255
    assert np.ptp(equalised(grey, "clahe")) < 64
