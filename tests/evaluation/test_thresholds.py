"""Thresholds keep what their rule promises, on validation images only."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cxrgrid.config import operating_points
from cxrgrid.config.errors import UserError
from cxrgrid.config.operating_points import Target
from cxrgrid.evaluation import metrics, thresholds
from cxrgrid.evaluation.predictions import Predictions

steady = settings(deadline=None, derandomize=True)


def made(labels, scores, task="multilabel"):
    """Predictions with labels and scores [N, L]."""
    names = [f"l{at}" for at in range(labels.shape[1])]
    rows = [str(at) for at in range(len(labels))]
    return Predictions(rows, rows, labels, scores, {"task": task, "labels": names})


@steady
@given(st.integers(0, 2**31), st.floats(0.05, 1))
def test_a_target_is_reached_and_no_stricter_threshold_reaches_it(seed, target):
    rng = np.random.default_rng(seed)
    labels, scores = rng.choice([0, 1, np.nan], 40), rng.integers(9, size=40) / 8
    assume(metrics.has_both(labels))

    def reached(metric, cut):
        return metric(*metrics.confusion(labels, scores >= cut))

    cut = thresholds.target_sensitivity(labels, scores, target)
    assert reached(metrics.sensitivity, cut) >= target - 1e-9
    assert not any(reached(metrics.sensitivity, s) >= target for s in scores if s > cut)
    cut = thresholds.target_specificity(labels, scores, target)
    assert reached(metrics.specificity, cut) >= target - 1e-9
    assert not any(reached(metrics.specificity, s) >= target for s in scores if s < cut)


def test_each_rule_has_its_threshold_and_a_class_that_lacks_a_reason():
    labels = np.array([[1, 0], [1, 0], [0, 0], [0, 0.0]])
    scores = np.array([[0.9, 0.1], [0.3, 0.1], [0.4, 0.1], [0.2, 0.1]])
    points = ("youden", 0.2, Target(sensitivity=1.0), Target(specificity=1.0))
    val = made(labels, scores)
    fit = thresholds.fit(val, val.facts, points, "none")
    assert list(fit.thresholds) == ["youden", "0.2", "sensitivity 1", "specificity 1"]
    assert [cut[0] for cut in fit.thresholds.values()] == [0.9, 0.2, 0.3, np.nextafter(0.4, 1)]
    assert fit.thresholds["youden"][1] == 0.5 and "absent" in fit.reasons["youden", "l1"]
    assert ("0.2", "l1") not in fit.reasons and fit.by.idle


def test_classes_compete_whatever_the_rules():
    val = made(np.eye(3), np.eye(3), "multiclass")
    fit = thresholds.fit(None, val.facts, (0.5,), "none")
    assert list(fit.thresholds) == ["argmax"]
    assert thresholds.decide(np.array([[0.2, 0.5, 0.3]]), fit.thresholds["argmax"]).tolist() == [
        [False, True, False]
    ]


@pytest.mark.parametrize(
    ("word", "point"),
    [("youden", "youden"), ("0.2", 0.2), ("sensitivity=0.9", Target(sensitivity=0.9))],
)
def test_words_of_the_command_line(word, point):
    assert operating_points.parse(word) == point


@pytest.mark.parametrize("word", ["youdn", "1.5", "sensitivity", "sensitivity=2", "nan"])
def test_other_words_are_refused_with_what_may_be_written(word):
    with pytest.raises(UserError, match="no operating point .*(did you mean|known)"):
        operating_points.parse(word)
