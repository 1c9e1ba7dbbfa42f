"""The same image is known again however it was saved; two people's images are not mistaken."""

import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance
from scipy.fft import dctn

from cxrgrid import phantom
from cxrgrid.config.checks import adapter_facts
from cxrgrid.config.preparation import Phantom
from cxrgrid.data import near_duplicates


@pytest.fixture(scope="module")
def chests():
    """Forty people's phantoms: uint8 [40, 128, 128]."""
    cohort = phantom.make_cohort(Phantom(patients=40, seed=3), adapter_facts("nih")["PHANTOM"])
    first = {row["patient"]: row for row in reversed(cohort)}
    return np.stack([phantom.radiograph(first[n], 128) for n in sorted(first)])


def saved(pixels, brightness=1.0, contrast=1.0, scale=1.0, quality=95):
    """The image as it comes back from somebody's pipeline, at its old size again."""
    image = Image.fromarray(pixels)
    image = image.resize([round(side * scale) for side in image.size], Image.Resampling.BICUBIC)
    image = ImageEnhance.Brightness(image).enhance(brightness)
    image = ImageEnhance.Contrast(image).enhance(contrast)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    again = Image.open(io.BytesIO(file.getvalue()))
    return np.asarray(again.resize(pixels.shape[::-1], Image.Resampling.BILINEAR))


CHANGES = [
    {"quality": 40},
    {"scale": 0.5},
    {"scale": 1.7},
    {"brightness": 1.1},
    {"brightness": 0.8},
    {"contrast": 1.1},
    {"brightness": 1.05, "scale": 0.6, "quality": 60},
]


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_an_image_is_known_again(chests, change):
    other = np.stack([saved(image, **change) for image in chests])
    left, right, _ = near_duplicates.near(
        near_duplicates.phash(chests), near_duplicates.phash(other)
    )
    np.testing.assert_array_equal(left, np.arange(len(chests)))
    np.testing.assert_array_equal(right, left)


def test_different_people_are_not_alike(chests):
    hashes = near_duplicates.phash(chests)
    left, right, bits = near_duplicates.near(hashes, hashes)
    np.testing.assert_array_equal(left, right)
    assert (bits == 0).all()


def test_the_hash_is_the_sign_of_cosine_frequencies(chests):
    """Against SciPy's transform of 4 x 4 averages."""
    averages = chests.reshape(-1, 32, 4, 32, 4).mean(axis=(2, 4))
    found = dctn(averages, axes=(1, 2))[:, :16, :16].reshape(len(chests), -1)[:, 1:]
    wanted = found > np.median(found, axis=1, keepdims=True)
    bits = np.unpackbits(near_duplicates.phash(chests), axis=1)
    # A frequency that is the median, but for rounding, may fall to either side.
    assert (bits[:, :255] != wanted).sum(axis=1).max() <= 2
    assert (bits[:, 255] == 0).all()


@pytest.mark.parametrize("shape", [(16, 16), (33, 47), (224, 224)])
def test_squares_of_any_size_have_a_hash(shape):
    images = np.random.default_rng(0).integers(256, size=(3, *shape), dtype=np.uint8)
    assert near_duplicates.phash(images).shape == (3, 32)


@settings(deadline=None, max_examples=30)
@given(sizes=st.tuples(st.integers(0, 40), st.integers(0, 40)), seed=st.integers(0, 99))
def test_near_finds_every_pair_and_no_other(sizes, seed):
    rng = np.random.default_rng(seed)
    one, other = (rng.integers(256, size=(n, 32), dtype=np.uint8) for n in sizes)
    other[: len(one) : 3] = one[: len(other) : 3]
    other[:, 0] ^= rng.integers(256, size=len(other), dtype=np.uint8)
    found = set(zip(*map(list, near_duplicates.near(one, other, 110)), strict=True))
    apart = np.bitwise_count(one[:, None] ^ other[None]).sum(axis=2)
    assert found == {(i, j, apart[i, j]) for i, j in np.argwhere(apart <= 110)}


def test_blocks_make_no_difference(monkeypatch):
    hashes = np.random.default_rng(0).integers(4, size=(50, 32), dtype=np.uint8)
    whole = near_duplicates.near(hashes, hashes, 40)
    monkeypatch.setattr(near_duplicates, "BLOCK", 7)
    assert set(zip(*whole, strict=True)) == set(
        zip(*near_duplicates.near(hashes, hashes, 40), strict=True)
    )


def test_a_copy_in_another_split_is_found_and_one_within_a_split_is_not(chests, tmp_path):
    pixels = chests.copy()
    pixels[30] = saved(pixels[2], brightness=1.05, scale=0.6)  # train and test
    pixels[3] = saved(pixels[4])  # both in train
    pixels[31] = pixels[5]  # equal: a matter of digests
    table = pd.DataFrame({"image": [f"{n:02}.png" for n in range(40)], "row": range(40)})
    table["patient"] = [f"p{n}" for n in range(40)]
    table["split"] = ["train"] * 25 + ["val"] * 5 + ["test"] * 10
    np.save(tmp_path / "pixels.npy", pixels)
    digests, hashes, _ = near_duplicates.fingerprints(tmp_path / "pixels.npy")
    [pair] = near_duplicates.alike(table, digests, hashes)
    assert pair["images"] == ["02.png", "30.png"] and pair["splits"] == ["train", "test"]
    assert 0 <= pair["bits"] <= near_duplicates.NEAR and pair["same_patient"] is False
    assert near_duplicates.equal(table, digests) == [["05.png", "31.png"]]
