"""Predictive values and likelihood ratios by their definitions, with intervals that hold."""

import numpy as np
import pytest

from cxrgrid.config.study import Report
from cxrgrid.evaluation.predictions import Predictions
from cxrgrid.evaluation.score_rows import Parts, Sheet, add


def predictions(labels, scores, each=1):
    """Predictions of one label, of patients with `each` images."""
    names = [str(at) for at in range(len(labels))]
    patients = [str(at // each) for at in range(len(labels))]
    facts = {"task": "multilabel", "labels": ["a"], "target": "ward"}
    return Predictions(names, patients, labels[:, None], scores[:, None], facts)


def scored(made, **how):
    """Rows of the label at 0.5 by metric."""
    sheet, how = Sheet(), Report(operating_points=(0.5,), **how)
    add(sheet, {}, None, made, how, Parts())
    return {r["metric"]: r for r in sheet.scores if r["label"] == "a"}


def table(tp, fp, tn, fn):
    """Predictions with these counts at 0.5."""
    labels = np.repeat([1.0, 0.0, 0.0, 1.0], [tp, fp, tn, fn])
    return predictions(labels, np.repeat([0.9, 0.9, 0.1, 0.1], [tp, fp, tn, fn]))


def wilson(part, whole, z=1.959964):
    """Wilson's interval, as the package confidenceinterval and any textbook have it."""
    p, centre = part / whole, (part / whole + z**2 / (2 * whole)) / (1 + z**2 / whole)
    half = z * np.sqrt(p * (1 - p) / whole + z**2 / (4 * whole**2)) / (1 + z**2 / whole)
    return centre - half, centre + half


def test_values_at_the_test_s_prevalence_with_wilson_s_interval_where_images_are_independent():
    found = scored(table(80, 30, 370, 20))
    for metric, part, whole in (("precision", 80, 110), ("npv", 370, 390)):
        row = found[metric]
        assert row["value"] == pytest.approx(part / whole)
        assert (row["low"], row["high"]) == pytest.approx(wilson(part, whole), abs=2e-3)


def test_bayes_theorem_at_another_prevalence():
    found = scored(table(80, 30, 370, 20), prevalences=(0.01, 0.2))
    sensitivity, specificity, share = 0.8, 370 / 400, 0.01
    true, false = sensitivity * share, (1 - specificity) * (1 - share)
    assert found["ppv_at_0.01"]["value"] == pytest.approx(true / (true + false))
    true, false = specificity * (1 - share), (1 - sensitivity) * share
    assert found["npv_at_0.01"]["value"] == pytest.approx(true / (true + false))
    assert found["lr_positive"]["value"] == pytest.approx(0.8 / 0.075)
    assert found["lr_negative"]["value"] == pytest.approx(0.2 / 0.925)
    # At the test's own prevalence, 0.2, both are the shares themselves.
    assert found["ppv_at_0.2"]["value"] == pytest.approx(found["precision"]["value"])
    assert found["npv_at_0.2"]["value"] == pytest.approx(found["npv"]["value"])
    for row in found.values():
        if row["metric"][:2] in ("lr", "pp", "np"):
            assert row["low"] < row["value"] < row["high"], row


def test_a_ratio_s_interval_is_near_katz_where_counts_are_large():
    """Katz's logarithmic interval (1978), the usual one."""
    row = scored(table(800, 300, 3700, 200))["lr_positive"]
    error = np.sqrt(1 / 800 - 1 / 1000 + 1 / 300 - 1 / 4000)
    ends = row["value"] * np.exp([-1.96 * error, 1.96 * error])
    assert (row["low"], row["high"]) == pytest.approx(ends, rel=0.01)


def test_nothing_wrong_on_one_side():
    found = scored(table(30, 0, 60, 10), prevalences=(0.1,))
    assert np.isnan(found["lr_positive"]["value"]) and "infinite" in found["lr_positive"]["reason"]
    ppv = found["ppv_at_0.1"]
    assert ppv["value"] == 1 and 0.2 < ppv["low"] < 0.9 and ppv["high"] == 1
    found = scored(table(40, 20, 40, 0), prevalences=(0.1,))
    row = found["lr_negative"]
    assert row["value"] == 0 and row["low"] == 0 and 0 < row["high"] < 0.3
    npv = found["npv_at_0.1"]
    assert npv["value"] == 1 and 0.95 < npv["low"] < 1 == npv["high"]


def test_few_or_none_say_why():
    found = scored(table(2, 5, 40, 0), prevalences=(0.1,))
    for metric in ("lr_positive", "lr_negative", "ppv_at_0.1", "npv_at_0.1"):
        assert np.isnan(found[metric]["low"]) and "too few positive" in found[metric]["reason"]
    found = scored(table(40, 20, 0, 0), prevalences=(0.1,))
    for metric in ("lr_negative", "npv_at_0.1"):
        assert found[metric]["reason"] == "no image is called negative"
    found = scored(table(0, 5, 40, 0), prevalences=(0.1,))
    assert found["lr_positive"]["reason"] == "no positive or no negative image"


@pytest.mark.long
def test_the_interval_holds_the_truth_of_clustered_patients():
    """300 studies; benchmarks/decisions.py has more."""
    from scipy.stats import norm

    true = norm.sf(0.5 - 1.5) / norm.sf(0.5)
    held = []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        who = np.repeat(np.arange(80), 2)

        def noise(rng=rng, who=who):
            return np.sqrt(0.5) * (rng.normal(size=80)[who] + rng.normal(size=160))

        labels = (noise() > norm.isf(0.3)).astype(float)
        x = 1.5 * labels + noise()
        row = scored(predictions(labels, 1 / (1 + np.exp(-(x - 0.5))), 2))["lr_positive"]
        held.append(row["low"] <= true <= row["high"])
    assert 0.92 < np.mean(held) < 0.985
