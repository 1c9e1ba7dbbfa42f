"""Filters agree with counts by hand, samples with their strata."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxrgrid.config.dataset import Sample, Selection
from cxrgrid.config.errors import UserError
from cxrgrid.data import filters

PEOPLE = pd.DataFrame(
    [
        ("a", "p1", "PA", "F", 30.0, 1.0, 0.0),
        ("b", "p1", "AP", "F", 31.0, 1.0, 0.0),
        ("c", "p2", "LATERAL", "M", 18.0, 0.0, 0.0),
        ("d", "p2", "PA", "M", 18.0, 0.0, 0.0),
        ("e", "p3", None, None, np.nan, np.nan, 1.0),
        ("f", "p3", "AP", "F", 90.0, 0.0, np.nan),
    ],
    columns=["image", "patient", "view", "sex", "age", "X", "Y"],
)
LABELS = ["X", "Y"]


def taken(**wanted):
    wanted = Selection(**wanted)
    frame = [PEOPLE, *(part for _, _, part in filters.people(PEOPLE, wanted))][-1]
    frame = [frame, *(part for _, _, part in filters.drawn(frame, LABELS, wanted))][-1]
    return "".join(frame["image"])


CASES = [
    ({}, "abcdef"),
    ({"view": ("AP", "PA")}, "abdf"),
    ({"view": ("frontal",)}, "abdf"),
    ({"view": ("lateral", "pa")}, "acd"),
    ({"view": ("Frontal",)}, "abdf"),
    ({"view": ("lateral",)}, "c"),
    ({"sex": ("M",)}, "cd"),
    ({"sex": ("M", "F")}, "abcdf"),
    ({"age": (18, 30)}, "acd"),
    ({"view": ("AP",), "age": (31, 90), "sex": ("F",)}, "bf"),
    ({"one_per_patient": True}, "ace"),
    ({"one_per_patient": "X"}, "acdef"),
    ({"one_per_patient": "none"}, "abcef"),
    ({"one_per_patient": True, "view": ("AP",)}, "bf"),
]


@pytest.mark.parametrize(("wanted", "images"), CASES, ids=[str(case[0]) for case in CASES])
def test_a_filter_takes_what_it_names(wanted, images):
    assert taken(**wanted) == images


def test_a_view_that_no_image_has_is_answered_with_the_nearest():
    with pytest.raises(UserError, match="no view 'LATERL'; did you mean 'LATERAL'"):
        taken(view=("LATERL",))


def test_views_are_found_however_an_adapter_writes_them():
    frame = PEOPLE.assign(view="AP_horizontal")
    [(_, _, found)] = filters.people(frame, Selection(view=("ap_Horizontal",)))
    assert len(found) == 6
    wanted = Sample(n={"ap_horizontal": 4}, by=("view",))
    assert len(filters.sample(frame, wanted)) == 4


def many(images=3000, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "image": [f"{n:05}.png" for n in range(images)],
            "patient": [f"p{n // 2}" for n in range(images)],
            "view": rng.choice(["PA", "AP", "LATERAL"], images, p=[0.5, 0.3, 0.2]),
            "sex": rng.choice(["F", "M"], images),
            "age": rng.integers(1, 90, images).astype(float),
            "X": rng.choice([0.0, 1.0, np.nan], images, p=[0.7, 0.2, 0.1]),
        }
    )


@settings(deadline=None, max_examples=40)
@given(n=st.integers(1, 400), seed=st.integers(0, 5))
def test_a_sample_has_n_images_and_keeps_every_share_to_one_image(n, seed):
    frame = many(400, seed)
    found = filters.sample(frame, Sample(n=n, by=("view", "X"), seed=seed))
    assert len(found) == n and found["image"].is_monotonic_increasing
    for _, part in frame.fillna({"X": 9}).groupby(["view", "X"]):
        assert abs(part["image"].isin(found["image"]).sum() - n * len(part) / 400) < 1


def test_numbers_by_value_as_in_1400_frontal_and_1400_lateral():
    frame = many()
    wanted = Sample(n={"frontal": 400, "lateral": 300}, by=("view", "X"))
    found = filters.sample(frame, wanted)
    assert found["view"].isin(["PA", "AP"]).sum() == 400 and len(found) == 700
    frontal = frame["view"] != "LATERAL"
    for view in ("PA", "AP"):
        share = (frame.loc[frontal, "view"] == view).mean()
        assert abs((found["view"] == view).sum() - 400 * share) < 3  # three strata of X
    assert abs(found["X"].eq(1).mean() - frame["X"].eq(1).mean()) < 0.02


def test_the_sample_follows_names_and_seed_not_rows():
    frame, wanted = many(500), Sample(n=50, by=("sex", "age"))
    first = set(filters.sample(frame, wanted)["image"])
    shuffled = frame.sample(frac=1, random_state=1).reset_index(drop=True)
    assert set(filters.sample(shuffled, wanted)["image"]) == first
    other = filters.sample(frame, Sample(n=50, by=("sex", "age"), seed=1))
    assert set(other["image"]) != first


BAD = [
    (Sample(n=9), "9 images are asked for, 6 are there"),
    (Sample(n={"AP": 3}, by=("view",)), "3 images are asked for, 2 with view AP are there"),
    (Sample(n={"lat": 3}, by=("view",)), "no value of view 'lat'"),
    (Sample(n=2, by=("sxe",)), "no column 'sxe'; did you mean 'sex'"),
]


@pytest.mark.parametrize(("wanted", "message"), BAD, ids=[case[1] for case in BAD])
def test_a_sample_that_cannot_be_is_named(wanted, message):
    with pytest.raises(UserError, match=message):
        filters.sample(PEOPLE, wanted)
