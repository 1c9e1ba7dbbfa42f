"""Every defined number has an interval of some width, or the reason; and the intervals cover."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from cxrgrid.config.study import Report
from cxrgrid.evaluation.all_metrics import WITHOUT, Evaluation
from cxrgrid.evaluation.predictions import Predictions
from cxrgrid.evaluation.row_intervals import RowIntervals
from cxrgrid.evaluation.score_rows import Parts, Sheet, add

NAN = float("nan")
COVERED = ("auroc", "ap", "brier", "log_loss", "calibration_slope", "calibration_intercept")
COVERED += ("prevalence", "accuracy", "balanced_accuracy", "f1", "mcc", "precision")
COVERED += ("sensitivity", "specificity")
RNG = np.random.default_rng(0)
TRUTH = (RNG.random((60, 3)) < 0.3).astype(float)
CLASSES = np.eye(3)[RNG.integers(3, size=60)]
SOME = RNG.random((60, 3))
RARE = np.where(np.arange(60)[:, None] < (3, 60, 0), 1.0, (0, NAN, 0))
CASES = {
    "perfect": (TRUTH, 0.8 * TRUTH + 0.1, "multilabel"),
    "perfect and sure": (TRUTH, TRUTH, "multilabel"),
    "all wrong": (TRUTH, 1 - TRUTH, "multilabel"),
    "all alike": (TRUTH, np.full((60, 3), 0.5), "multilabel"),
    "rare, of one class, absent": (RARE, SOME, "multilabel"),
    "unknown": (np.full((60, 3), NAN), SOME, "multilabel"),
    "one image": (TRUTH[:1], SOME[:1], "multilabel"),
    "classes": (CLASSES, SOME / SOME.sum(axis=1, keepdims=True), "multiclass"),
    "classes, perfect": (CLASSES, CLASSES, "multiclass"),
    "classes, all wrong": (CLASSES, CLASSES[:, [1, 2, 0]], "multiclass"),
    "one class": (np.eye(3)[np.zeros(60, int)], CLASSES, "multiclass"),
}


def predictions(labels, scores, task="multilabel", each=2):
    """Predictions on patients of `each` images."""
    names = [str(at) for at in range(len(labels))]
    patients = [str(at // each) for at in range(len(labels))]
    facts = {"task": task, "labels": [f"l{at}" for at in range(labels.shape[1])], "target": "ward"}
    return Predictions(names, patients, labels, scores, facts)


def rows(test, interval="wilson", **more):
    """All score rows, with groups."""
    sheet, how = Sheet(), Report(resamples=100, interval=interval, operating_points=(0.5,), **more)
    halves = {"F": set(test.image[::2]), "M": set(test.image[1::2])}
    add(sheet, {}, None, test, how, Parts({"first": set(test.image[:40])}, {"sex": halves}))
    return sheet.scores


@pytest.mark.parametrize("case", CASES)
def test_a_number_has_an_interval_that_holds_it_and_is_wide_or_a_reason(case):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = rows(predictions(*CASES[case]))
    for row in found:
        if np.isnan(row["value"]):
            assert np.isnan(row["low"]) and row["reason"], row
        elif row["metric"] in WITHOUT or row["reason"] or row["subset"][:4] == "homo":
            assert np.isnan(row["low"]) and np.isnan(row["high"]), row
        else:
            assert row["low"] <= row["value"] <= row["high"] and row["low"] < row["high"], row


@pytest.mark.parametrize("case", ["perfect", "rare, of one class, absent", "classes"])
def test_the_kind_of_interval_does_not_touch_a_value(case):
    both = [rows(predictions(*CASES[case]), kind) for kind in ("wilson", "percentile")]
    for closed, resampled in zip(*both, strict=True):
        if closed["subset"].startswith("homogeneity:"):
            continue  # a p-value, which follows from the interval
        assert closed["value"] == resampled["value"] or np.isnan(closed["value"])
        assert np.isnan(closed["value"]) == np.isnan(resampled["value"])


@pytest.mark.parametrize("patients", [2, 3])
def test_three_positives_of_three_patients_are_enough_and_of_two_are_not(patients):
    labels = np.zeros((40, 1))
    labels[[0, 1 if patients == 2 else 4, 2], 0] = 1
    found = {(r["metric"], r["subset"]): r for r in rows(predictions(labels, labels * 0.9))}
    for metric in ("auroc", "ap", "sensitivity", "log_loss", "mcc", "balanced_accuracy"):
        row = found[metric, "all"]
        assert row["value"] == pytest.approx(1 if metric != "log_loss" else row["value"])
        assert np.isfinite(row["low"]) == (patients == 3), metric
        if patients == 2:
            assert row["reason"].startswith(
                "too few positive images for an interval: 3 (patients: 2)"
            )
    assert np.isfinite(found["specificity", "all"]["low"])


def test_what_never_has_an_interval_has_no_reason_for_having_none():
    one = predictions(TRUTH, SOME, each=60)
    found = {row["metric"]: row["reason"] for row in rows(one) if row["subset"] == "all"}
    assert "too few" in found["accuracy"] and found["tp"] is None and found["threshold"] is None


def test_a_gap_between_groups_that_share_no_patient_adds_their_variances():
    test = predictions(TRUTH, np.clip(SOME / 2 + TRUTH / 2, 0, 1), each=1)
    found = rows(test, subgroup_minimum=1)
    sides = [r for r in found if r["subset"] in ("sex=F", "sex=M") and r["label"] == "l0"]
    high, low = sorted((r for r in sides if r["metric"] == "brier"), key=lambda r: -r["value"])
    gap = next(
        r for r in found if (r["subset"], r["label"], r["metric"]) == ("gap:sex", "l0", "brier")
    )
    down = np.hypot(high["value"] - high["low"], low["high"] - low["value"])
    assert gap["value"] == high["value"] - low["value"]
    assert gap["low"] == pytest.approx(gap["value"] - down)


def coverage(icc, patients=60, prevalence=0.1, shift=1.8, columns=300):
    """By metric, how often the intervals of many studies hold the truth, and of how many."""
    rng = np.random.default_rng(patients)

    def study(who, columns):
        def noise():
            shared = rng.normal(size=(who[-1] + 1, columns))[who]
            return icc**0.5 * shared + (1 - icc) ** 0.5 * rng.normal(size=shared.shape)

        labels = (noise() > norm.isf(prevalence)).astype(float)
        odds = np.log(prevalence / (1 - prevalence)) + shift * (
            shift * labels + noise() - shift / 2
        )
        test = predictions(labels, 1 / (1 + np.exp(-odds)))
        test = replace(test, patient=[str(name) for name in who])
        return Evaluation(test, {"cut": np.full(columns, prevalence)})

    found = RowIntervals(
        study(np.repeat(np.arange(patients), rng.integers(1, 6, patients)), columns)
    )
    large = study(np.arange(100_000), 1)
    truth = dict(zip(large.rows, large.metrics(np.ones((1, 100_000)))[0], strict=True))
    held = {}
    for metric, rule in large.kinds(COVERED):
        each = found.of_labels(metric, rule)
        there = np.isfinite(each.low)
        inside = (each.low <= truth["l0", metric, rule]) & (truth["l0", metric, rule] <= each.high)
        held[metric] = inside[there].mean()
    return held


@pytest.mark.parametrize("icc", [0.0, 0.5])
def test_intervals_hold_the_truth_in_95_of_100_studies_with_few_positives(icc):
    # 18 positives of about 15 patients; Monte-Carlo SE 1.3 points. benchmarks/coverage.py has more.
    held = coverage(icc)
    assert len(held) == len(COVERED)
    assert min(held.values()) > 0.95 - 3 * 0.0126, held


def test_a_mean_over_labels_has_a_shorter_interval_than_a_label():
    whole = [row for row in rows(predictions(TRUTH, SOME)) if row["subset"] == "all"]
    found = {(row["label"], row["metric"]): row for row in whole}
    for metric in ("auroc", "brier", "f1", "sensitivity"):
        widths = [found[n, metric]["high"] - found[n, metric]["low"] for n in ("macro", "l0", "l1")]
        assert widths[0] < min(widths[1:])
