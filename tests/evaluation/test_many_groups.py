"""Of many groups that do not differ, the gap is not taken for one, and the worst group is held."""

import numpy as np
import pytest
from scipy.stats import norm, studentized_range

from cxrgrid.config.study import Report
from cxrgrid.evaluation import many_groups
from cxrgrid.evaluation.predictions import Predictions
from cxrgrid.evaluation.score_rows import Parts, Sheet, add


@pytest.mark.parametrize("groups", [2, 3, 5, 12])
def test_the_range_is_scipy_s(groups):
    critical = studentized_range.ppf(0.95, groups, np.inf) / np.sqrt(2)
    assert many_groups.largest_difference(groups) == pytest.approx(critical, abs=2e-4)
    for distance in (0.5, 2.0, 4.0):
        expected = studentized_range.sf(distance, groups, np.inf)
        assert many_groups.range_above(distance, groups) == pytest.approx(expected, abs=1e-6)
    assert norm.cdf(many_groups.any_value(groups)) ** groups == pytest.approx(
        (0.5 + 0.95 ** (1 / groups) / 2) ** groups
    )


def test_two_groups_have_the_usual_interval_and_p():
    low, high = many_groups.widened(0.3, (0.1, 0.6), many_groups.largest_difference(2))
    assert (low, high) == pytest.approx((0.1, 0.6))
    assert many_groups.p_value(0.3, 0.1, 2) == pytest.approx(2 * norm.sf(1.959964 * 1.5), rel=1e-3)
    assert np.isnan(many_groups.p_value(0.3, np.nan, 2))


@pytest.mark.parametrize(("value", "low"), [(0.2, 0.05), (0.2, 0.01), (0.2, -0.04)])
def test_p_and_interval_say_the_same(value, low):
    for groups in (2, 4, 6):
        wide = many_groups.widened(value, (low, 1), many_groups.largest_difference(groups))[0]
        assert (many_groups.p_value(value, low, groups) < 0.05) == (wide > 0)


def study(seed, interval="wilson", shift=0.0, bands=5, each=60):
    """Scores of one label in several groups of patients with two images; the last one is harder."""
    rng = np.random.default_rng(seed)
    patients = np.repeat(np.arange(bands * each), 2)
    group = patients // each

    def noise():
        shared = rng.normal(size=bands * each)[patients]
        return np.sqrt(0.5) * (shared + rng.normal(size=len(patients)))

    labels = (noise() > 0.5).astype(float)
    x = np.where(group == bands - 1, 1.5 - shift, 1.5) * labels + noise() - 0.75
    names = [str(at) for at in range(len(x))]
    facts = {"task": "multilabel", "labels": ["a"], "target": "ward"}
    scores = 1 / (1 + np.exp(-x))[:, None]
    made = Predictions(names, [str(p) for p in patients], labels[:, None], scores, facts)
    members = {
        str(k): {n for n, g in zip(names, group, strict=True) if g == k} for k in range(bands)
    }
    sheet, how = Sheet(), Report(operating_points=(0.5,), interval=interval, resamples=200)
    add(sheet, {}, None, made, how, Parts(groups={"age": members}))
    return {(r["subset"], r["metric"]): r for r in sheet.scores if r["label"] == "a"}


@pytest.mark.long
def test_five_groups_that_do_not_differ():
    found = [study(seed) for seed in range(200)]
    for metric, true in (("auroc", norm.cdf(1.5 / np.sqrt(2))), ("sensitivity", norm.cdf(0.75))):
        apart = np.mean([rows["gap:age", metric]["low"] > 0 for rows in found])
        assert apart < 0.08  # 24 to 34 % with the interval of the two groups alone
        p = [rows["homogeneity:age", metric]["value"] for rows in found]
        assert np.mean(np.array(p) < 0.05) == apart
        worst = [rows["worst:age", metric] for rows in found]
        assert np.mean([row["low"] <= true <= row["high"] for row in worst]) > 0.93


def test_a_true_gap_is_found_and_the_group_named():
    rows = study(0, shift=1.4, each=200)
    gap, worst = rows["gap:age", "auroc"], rows["worst:age", "auroc"]
    assert gap["low"] > 0 and gap["groups"].endswith(" - 4") and worst["groups"] == "4"
    assert worst["low"] < worst["value"] == rows["age=4", "auroc"]["value"] < worst["high"]
    assert rows["homogeneity:age", "auroc"]["value"] < 0.001
    assert rows["worst:age", "brier"]["groups"] == "4"


def test_underdiagnosis_is_the_other_side_of_sensitivity():
    rows = study(3)
    gap, other = rows["gap:age", "sensitivity"], rows["gap:age", "fnr"]
    assert other["value"] == gap["value"] and (other["low"], other["high"]) == (
        gap["low"],
        gap["high"],
    )
    assert other["groups"].split(" - ") == gap["groups"].split(" - ")[::-1]
    worst, missed = rows["worst:age", "sensitivity"], rows["worst:age", "fnr"]
    assert missed["value"] == pytest.approx(1 - worst["value"])
    assert missed["groups"] == worst["groups"] and missed["low"] < missed["value"] < missed["high"]


def test_resampled_gaps_are_widened_too():
    rows = study(1, "percentile")
    gap, worst = rows["gap:age", "auroc"], rows["worst:age", "auroc"]
    assert gap["low"] < gap["value"] < gap["high"]
    own = rows[f"age={worst['groups']}", "auroc"]
    assert worst["high"] - worst["low"] > 1.2 * (own["high"] - own["low"])
