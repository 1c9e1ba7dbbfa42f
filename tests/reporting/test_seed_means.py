"""Means over seeds have one interval, over patients and seeds, and it covers."""

import numpy as np
import pandas as pd
import pytest

from cxrgrid.comparison.seed_variance import over_seeds, pool
from cxrgrid.config.cell import CONFIGURATION
from cxrgrid.reporting.seed_means import ratio_means, seed_means


def trainings(values, dataset="ward", half=0.04, **more):
    """One row per training; values: {backbone: its seeds' values}."""
    rows = [
        {"dataset": dataset, "backbone": name, "init": "scratch", "recipe": "default"}
        | {"seed": seed, "value": value, "low": value - half, "high": value + half / 2, **more}
        for name, seeds in values.items()
        for seed, value in enumerate(seeds)
    ]
    return pd.DataFrame(rows)


def test_it_is_the_interval_of_the_comparisons_with_the_spread_of_all_configurations():
    values = {"a": [0.8, 0.84, 0.79], "b": [0.7, 0.75], "c": [0.9]}
    rows = [trainings(values, label="x"), trainings({"a": [0.1, 0.9]}, label="y")]
    found = seed_means(
        pd.concat([*rows, trainings({"a": [0.5, 0.7]}, "clinic", label="x")]), ["label"]
    )
    found = found.set_index(["dataset", "label", "backbone"])
    spread = pool([np.array(seeds) for seeds in values.values()])
    for name, seeds in values.items():
        row, seeds = found.loc[("ward", "x", name)], np.array(seeds)
        expected = over_seeds(seeds, seeds - 0.04, seeds + 0.02, spread)
        assert (row["low"], row["high"]) == pytest.approx(expected), name
        assert (row["value"], row["seeds"]) == (pytest.approx(seeds.mean()), len(seeds))
        assert row["seed_sd"] == pytest.approx(spread.sd)


def test_one_seed_everywhere_leaves_the_patients_and_nothing_scored_is_nan():
    found = seed_means(trainings({"a": [0.8], "b": [np.nan]}), [])
    assert found.loc[0, ["low", "high"]].tolist() == pytest.approx([0.76, 0.82])
    assert found.loc[1, ["value", "low", "high"]].isna().all() and found["seeds"].tolist() == [1, 0]
    assert list(found.columns[:4]) == CONFIGURATION


def test_the_spread_of_a_ratio_is_in_proportion_to_it():
    rows = trainings({"a": [2.0, 3.0], "b": [20.0, 30.0], "c": [0.0, 4.0]}, half=0)
    rows = rows.assign(low=rows["value"] / 1.5, high=rows["value"] * 1.5)
    found = ratio_means(rows, []).set_index("backbone")
    small, large = (found.loc[name, ["value", "low", "high"]].to_numpy(float) for name in "ab")
    assert large == pytest.approx(10 * small), "ratios ten times as large"
    assert small[1] > 0 and small[0] / small[1] == pytest.approx(small[2] / small[0])
    plain = seed_means(rows, [], within=(0.0, np.inf)).set_index("backbone")
    pair = (each.loc["c", ["value", "low", "high"]] for each in (found, plain))
    assert next(pair).equals(next(pair)), "0 has no logarithm"


@pytest.mark.long
@pytest.mark.parametrize("seed_sd", [0.0, 0.03, 0.09])
def test_it_covers_whatever_trainings_add(seed_sd):
    """Four configurations of two seeds, the same patients; the mean of the seeds' ends is short."""
    rng, hits, tries = np.random.default_rng(3), np.zeros(2), 600
    for _ in range(tries):
        patients = rng.normal() * 0.03
        values = 0.7 + patients + seed_sd * rng.normal(size=(4, 2))
        rows = trainings(dict(zip("abcd", values, strict=True)))
        rows = rows.assign(low=rows["value"] - 1.96 * 0.03, high=rows["value"] + 1.96 * 0.03)
        one = seed_means(rows, []).iloc[0]
        hits += one["low"] <= 0.7 <= one["high"], abs(one["value"] - 0.7) <= 1.96 * 0.03
    assert hits[0] / tries >= 0.93
    assert seed_sd < 0.05 or hits[1] / tries < 0.8


def test_no_end_is_a_zero_with_a_minus():
    found = seed_means(trainings({"a": [0.02, 0.9]}), [])
    assert found["low"].iloc[0] == 0 and not np.signbit(found["low"].iloc[0])
