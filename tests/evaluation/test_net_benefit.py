"""Net benefit is that of dcurves, and of its definition."""

import numpy as np
import pytest

from cxrgrid.evaluation.net_benefit import POINTS, curve, points
from cxrgrid.evaluation.predictions import Predictions


def cohort(seed=0, images=500):
    rng = np.random.default_rng(seed)
    x = rng.normal(-1.5, 1.2, images)
    return (rng.random(images) < 1 / (1 + np.exp(-x))).astype(float), 1 / (1 + np.exp(-x))


def theirs(labels, scores, threshold):
    """As the package dcurves: TP rate - FP rate * odds of the threshold, of the test positives.

    Its test positives are the scores at or above the threshold.
    """
    called = scores >= threshold
    prevalence = labels.mean()
    test_positive_given_case = called[labels == 1].mean() * prevalence
    test_positive_given_none = called[labels == 0].mean() * (1 - prevalence)
    return test_positive_given_case - threshold / (1 - threshold) * test_positive_given_none


def test_values_are_those_of_the_definition():
    labels, scores = cohort()
    value, low, high, called, everyone = curve(labels, scores, np.arange(500))
    for at, threshold in enumerate(POINTS):
        assert value[at] == pytest.approx(theirs(labels, scores, threshold), abs=1e-12)
        assert everyone[at] == pytest.approx(theirs(labels, np.ones(500), threshold), abs=1e-12)
        assert called[at] == (scores >= threshold).sum()
    assert (low <= value).all() and (value <= high).all()


def test_a_score_on_the_threshold_is_called():
    labels, scores = np.array([1.0, 0, 1, 0]), np.array([0.1, 0.1, 0.05, 0.02])
    value, *_, called, _ = curve(labels, scores, np.arange(4))
    at = list(POINTS).index(0.1)
    assert called[at] == 2 and value[at] == pytest.approx((1 - 1 / 9) / 4)


def test_the_band_is_the_spread_over_other_patients():
    found = np.array([np.stack(curve(*cohort(seed), np.arange(500))[:3]) for seed in range(200)])
    at = [list(POINTS).index(t) for t in (0.1, 0.2, 0.3)]
    spread, width = found[:, 0].std(axis=0), (found[:, 2] - found[:, 1]).mean(axis=0) / 2
    np.testing.assert_allclose(width[at], 1.97 * spread[at], rtol=0.15)
    twice = np.repeat(np.arange(500), 2)
    labels, scores = cohort()
    single, double = (
        curve(labels, scores, np.arange(500)),
        curve(labels[twice], scores[twice], twice),
    )
    for one, two in zip(single[:3], double[:3], strict=True):  # copies add no certainty
        np.testing.assert_allclose(one, two, atol=1e-12)


def test_only_labels_with_both_classes_have_a_curve():
    labels, scores = cohort()
    names = [str(at) for at in range(500)]
    two, both = np.stack([labels, np.zeros(500)], axis=1), np.stack([scores, scores], axis=1)
    rows = list(points(Predictions(names, names, two, both, {"labels": ["a", "b"]})))
    assert {row["label"] for row in rows} == {"a"}
    assert {row["curve"] for row in rows} == {"net_benefit", "net_benefit_all"}
    assert len(rows) == 2 * len(POINTS)
