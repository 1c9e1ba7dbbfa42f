"""Sensitivity at a fixed specificity: by scikit-learn's ROC curve, and compared without bias."""

import numpy as np
import pytest
from sklearn.metrics import roc_curve

from cxrgrid.comparison import at_specificity
from cxrgrid.config.study import Report
from cxrgrid.evaluation import metrics
from cxrgrid.evaluation.predictions import Predictions


def predictions(labels, scores, each=1):
    names = [str(at) for at in range(len(labels))]
    facts = {"task": "multilabel", "labels": ["a", "b"], "seed": 0}
    patients = [str(at // each) for at in range(len(labels))]
    return Predictions(names, patients, labels, scores, facts)


def cohort(seed, noise=1.0):
    """Labels of two findings, and scores of two models that are equally good."""
    rng = np.random.default_rng(seed)
    labels = (rng.random((160, 2)) < 0.4).astype(float)
    shared = rng.normal(size=(160, 2))
    one, other = (1.4 * labels + shared + noise * rng.normal(size=(160, 2)) for _ in range(2))
    return labels, one, other


@pytest.mark.parametrize("decimals", [0, 6])
def test_values_are_those_of_the_roc_curve(decimals):
    labels, scores, _ = cohort(0)
    labels[::7, 0] = np.nan
    scores = scores.round(decimals)
    found = at_specificity.statistic(predictions(labels, scores), 0.9)(np.ones((1, 160), np.uint8))
    expected = []
    for y, x in zip(labels.T, scores.T, strict=True):
        known = ~np.isnan(y)
        fallout, recall, _ = roc_curve(y[known], x[known], drop_intermediate=False)
        expected.append(recall[fallout <= 0.1 + 1e-9].max())
    np.testing.assert_allclose(found[0], [*expected, np.mean(expected)])


def test_a_resample_is_the_images_repeated():
    labels, scores, _ = cohort(1)
    weights = np.random.default_rng(0).multinomial(160, np.full(160, 1 / 160), size=5)
    found = at_specificity.statistic(predictions(labels, scores), 0.8)(weights)
    for row, values in zip(weights, found, strict=True):
        again = predictions(labels.repeat(row, axis=0), scores.repeat(row, axis=0))
        whole = at_specificity.statistic(again, 0.8)(np.ones((1, 160), np.uint8))[0]
        np.testing.assert_allclose(values, whole)


def test_equal_models_differ_in_one_of_twenty():
    how, apart = Report(resamples=200), []
    for seed in range(150):
        labels, one, other = cohort(seed)
        sides = ([predictions(labels, scores)] for scores in (one, other))
        frame = at_specificity.rows(*sides, ("A", "B"), 0.9, how)
        apart.append(frame.loc[frame["label"] == "a", "p"].iloc[0] < 0.05)
    assert np.mean(apart) < 0.09


def test_a_better_model_is_found_and_a_sentence_says_so():
    labels, one, other = cohort(2)
    sides = ([predictions(labels, scores)] for scores in (one + 2 * labels, other))
    frame = at_specificity.rows(*sides, ("A", "B"), 0.9, Report(resamples=300))
    row = frame[frame["label"] == "macro"].iloc[0]
    assert row["metric"] == "sensitivity at specificity 0.9" and row["low"] > 0.1
    assert "of A scored higher than that of B" in row["sentence"]
    assert row["metric"] in row["sentence"]
    assert row["low_a"] < row["value_a"] <= row["high_a"]
    assert row["value_a"] == pytest.approx(frame["value_a"].iloc[:2].mean())


def test_one_class_is_nan():
    order = metrics.order(np.ones(4), np.arange(4.0))
    ranking = order.weigh(np.ones((1, 4), np.uint8))
    assert np.isnan(at_specificity.sensitivity(ranking, 0.9)[0])


def test_two_perfect_models_have_no_interval_of_no_width():
    labels, _, _ = cohort(3)
    sides = ([predictions(labels, labels + shift)] for shift in (0, 1))
    frame = at_specificity.rows(*sides, ("A", "B"), 0.9, Report(resamples=100))
    assert (frame["value_a"] == 1).all() and frame[["low_a", "low", "high"]].isna().all(axis=None)
