import numpy as np
import pytest

from cxrgrid.config.shifts import CHANGES, STRENGTHS, asked
from cxrgrid.data.shifts import MAKERS, ShiftedPixels, changed, names_of


def pictures(count: int = 4, height: int = 160, width: int = 144) -> np.ndarray:
    """Smooth shapes with a bright square: uint8 [count, height, width]."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(y / rng.uniform(3, 9)) + np.cos(x / rng.uniform(3, 9)) for _ in range(count)]
    images = np.stack([np.uint8(110 + 40 * wave) for wave in waves])
    images[:, 40:90, 35:75] = 230
    return images


def test_the_table_names_what_can_be_made_and_no_more():
    assert list(CHANGES) == list(MAKERS)
    assert asked("all") == list(CHANGES)
    assert asked(("jpeg", "noise")) == ["noise", "jpeg"]


@pytest.mark.parametrize("change", CHANGES)
def test_a_stronger_change_changes_more_and_keeps_shape_and_kind(change):
    images = pictures()
    apart = []
    for strength in STRENGTHS:
        amount = CHANGES[change].amounts[strength]
        made = [changed(image, f"{at}.png", change, amount) for at, image in enumerate(images)]
        assert all(one.shape == (160, 144) and one.dtype == np.uint8 for one in made)
        apart.append(np.abs(np.stack(made).astype(float) - images).mean())
    assert 0 < apart[0] < apart[1] < apart[2]


@pytest.mark.parametrize("change", CHANGES)
def test_chance_follows_from_the_name_alone(change):
    image, amount = pictures(1)[0], CHANGES[change].amounts["strong"]
    assert np.array_equal(*(changed(image, "a.png", change, amount) for _ in range(2)))
    others = [changed(image, f"{n}.png", change, amount) for n in range(8)]
    varies = change in ("noise", "gamma", "rotation", "translation", "crop")
    assert (len({one.tobytes() for one in others}) > 1) == varies


def test_a_stronger_noise_is_the_same_noise():
    image = np.full((40, 40), 128, np.uint8)
    weak, strong = (changed(image, "a", "noise", sd).astype(float) - 128 for sd in (0.02, 0.08))
    assert np.corrcoef(weak.ravel(), strong.ravel())[0, 1] > 0.95
    assert strong.std() / 255 == pytest.approx(0.08, rel=0.05)


def test_rows_are_asked_for_as_of_an_array():
    images = pictures()
    rows = np.array([3, 1])
    pixels = ShiftedPixels(images, names_of(rows, ["e", "b"]), "blur", 0.02)
    assert pixels.shape == images.shape
    assert np.array_equal(pixels[rows][1], pixels[1])
    assert np.array_equal(pixels[rows][0], changed(images[3], "e", "blur", 0.02))
