"""Uncertain and blank labels follow the policy, label by label, and the notes say so."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxrgrid.data import label_policy

NAN = np.nan
RAW = [1, 0, -1, NAN]
UNCERTAIN = {"ignore": NAN, "zero": 0, "one": 1}
BLANK = {"ignore": NAN, "absent": 0}


def frame(**labels):
    size = len(next(iter(labels.values())))
    return pd.DataFrame({"image": [f"{n}.png" for n in range(size)], **labels}, dtype=object)


def applied(raw, uncertain="ignore", blank="ignore", **columns):
    table = frame(X=raw, **columns)
    table = table.astype(dict.fromkeys(table.columns[1:], float))
    labels = list(table.columns[1:])
    words = {
        "uncertain": label_policy.resolve(uncertain, labels, "ignore"),
        "blank": label_policy.resolve(blank, labels, "ignore"),
    }
    return label_policy.apply(table, words), label_policy.fact(table, words)


@pytest.mark.parametrize("uncertain", UNCERTAIN)
@pytest.mark.parametrize("blank", BLANK)
def test_each_policy_changes_what_it_names_and_nothing_else(uncertain, blank):
    found = applied(RAW, uncertain, blank)[0]["X"].tolist()
    assert found == pytest.approx([1, 0, UNCERTAIN[uncertain], BLANK[blank]], nan_ok=True)


def test_labels_may_have_policies_of_their_own():
    table, fact = applied(RAW, {"X": "one"}, {"Y": "absent"}, Y=RAW)
    assert table["X"].tolist() == pytest.approx([1, 0, 1, NAN], nan_ok=True)
    assert table["Y"].tolist() == pytest.approx([1, 0, NAN, 0], nan_ok=True)
    assert fact["uncertain"] == {"X": "one", "Y": "ignore"}
    assert fact["counts"]["X"] == {"uncertain": 1, "blank": 1}


def test_auto_is_the_adapters_word():
    assert label_policy.resolve("auto", ["X"], "absent") == {"X": "absent"}
    assert label_policy.resolve({"X": "auto", "Y": "ignore"}, ["X", "Y"], "absent")["X"] == "absent"


@given(st.lists(st.sampled_from(RAW), min_size=1, max_size=30), st.randoms())
def test_smooth_draws_follow_the_image_not_its_row(raw, random):
    before = applied(raw, "smooth")[0].set_index("image")["X"]
    soft = before[[value == -1 for value in raw]]
    assert soft.between(*label_policy.SMOOTH).all() and not soft.isin([0, 1]).any()
    order = list(range(len(raw)))
    random.shuffle(order)
    shuffled = pd.DataFrame(
        {"image": [f"{n}.png" for n in order], "X": np.array([raw[n] for n in order], float)}
    )
    words = {"uncertain": {"X": "smooth"}, "blank": {"X": "ignore"}}
    after = label_policy.apply(shuffled, words).set_index("image")["X"][before.index]
    assert after.equals(before)


def test_smooth_draws_fill_their_range_and_differ_between_labels():
    table, _ = applied([-1] * 2000, "smooth", Y=[-1] * 2000)
    low, high = label_policy.SMOOTH
    assert table["X"].mean() == pytest.approx((low + high) / 2, abs=0.01)
    assert table["X"].std() == pytest.approx((high - low) / 12**0.5, rel=0.05)
    assert abs(np.corrcoef(table["X"], table["Y"])[0, 1]) < 0.1


def test_soft_labels_are_for_training_only():
    table = frame(X=[0.7] * 3 + [1, 0, NAN]).assign(split=["train", "val", "test"] * 2)
    table["X"] = table["X"].astype(float)
    hard = label_policy.harden(table, ["X"])["X"].tolist()
    assert hard == pytest.approx([0.7, NAN, NAN, 1, 0, NAN], nan_ok=True)


def test_what_a_policy_met_is_said_with_its_counts():
    _, fact = applied(RAW, {"Y": "zero"}, "absent", Y=[-1, -1, NAN, 1], Z=[0, 0, 0, 0])
    assert fact["notes"] == [
        "Uncertain labels (-1) are taken as unknown: neither trained on nor scored: X 1.",
        "Uncertain labels (-1) are taken as absent (zero): Y 2.",
        "Blank labels are taken as absent: X 1, Y 1.",
    ]
    assert applied([1, 0])[1]["notes"] == []
