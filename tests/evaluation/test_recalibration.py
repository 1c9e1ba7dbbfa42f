"""Recalibration undoes what was done to the log odds, and says where it cannot."""

import numpy as np
import pytest
from scipy.special import expit, log_softmax, logit

from cxrgrid.evaluation import metrics
from cxrgrid.evaluation.calibration import BINS, calibration_error
from cxrgrid.evaluation.predictions import Predictions
from cxrgrid.evaluation.recalibration import HOTTEST, fit, platt, recalibrated, temperature


def made(labels, x, task="multilabel", stored=True):
    """Predictions from log odds [N, L], or log probabilities of classes."""
    names = [f"l{at}" for at in range(labels.shape[1])]
    rows = [str(at) for at in range(len(labels))]
    facts = {"task": task, "labels": names}
    scores = np.exp(x) if task == "multiclass" else expit(x)
    odds = logit(scores) if task == "multiclass" else x
    return Predictions(rows, rows, labels, scores, facts, log_odds=odds if stored else None)


def cohort(images=4000, labels=2, seed=0):
    """Labels that follow their log odds, of about one positive in ten."""
    rng = np.random.default_rng(seed)
    x = rng.normal(-3, 1.5, (images, labels))
    return (rng.random((images, labels)) < expit(x)).astype(float), x


@pytest.mark.parametrize("by", [0.5, 1.0, 3.0])
def test_temperature_finds_by_how_much_log_odds_were_scaled(by):
    labels, x = cohort()
    base = temperature(labels[:, 0], x[:, 0])
    assert temperature(labels[:, 0], x[:, 0] * by) == pytest.approx(base * by, rel=1e-2)
    rng = np.random.default_rng(0)
    shares = log_softmax(rng.normal(size=(4000, 3)), axis=1)
    drawn = (np.exp(shares).cumsum(axis=1) < rng.random((4000, 1))).sum(axis=1).clip(0, 2)
    assert temperature(np.eye(3)[drawn], log_softmax(shares * by, axis=1)) == pytest.approx(
        by, rel=0.1
    )


@pytest.mark.parametrize("stored", [True, False])
def test_platt_undoes_a_positive_weight_that_temperature_cannot(stored):
    labels, x = cohort(20_000)
    shifted = made(labels, x + np.log(50), stored=stored)  # as a positive weight of 50 leaves it

    def error(kind):
        scores = recalibrated(shifted, fit(shifted, ["l0", "l1"], kind)).scores
        return max(calibration_error(labels[:, at], scores[:, at]) for at in range(2))

    assert error("none") > 0.25 and error("temperature") > 0.1 and error("platt") < 0.01
    found = fit(shifted, ["l0", "l1"], "platt")
    np.testing.assert_allclose(found.intercepts, -np.log(50), atol=0.25)
    np.testing.assert_allclose(found.temperatures, 1, atol=0.08)
    assert not found.reasons and BINS == 15


def test_platt_is_the_logistic_regression_of_his_targets():
    from scipy.optimize import minimize

    labels, x = cohort(300, 1)
    y, x = labels[:, 0], x[:, 0]
    target = np.where(y == 1, (y.sum() + 1) / (y.sum() + 2), 1 / ((1 - y).sum() + 2))
    loss = lambda ab: (np.logaddexp(0, ab[0] + ab[1] * x) - target * (ab[0] + ab[1] * x)).sum()  # noqa: E731
    reference = minimize(loss, [0, 1], tol=1e-12).x
    intercept, by = platt(y, x)
    np.testing.assert_allclose([intercept, 1 / by], reference, atol=1e-4)
    assert loss([intercept, 1 / by]) <= loss(reference) + 1e-9


def test_ranks_stay_whatever_the_kind():
    labels, x = cohort(500)
    val = made(labels, 4 * x + 1)
    for kind in ("temperature", "platt"):
        after = recalibrated(val, fit(val, ["l0", "l1"], kind))
        for at in range(2):
            assert metrics.auroc(labels[:, at], after.ranking[:, at]) == pytest.approx(
                metrics.auroc(labels[:, at], val.ranking[:, at]), abs=1e-9
            )
    assert recalibrated(val, fit(None, ["l0", "l1"], "platt")) is val


def test_classes_get_their_intercepts_and_still_sum_to_one():
    rng = np.random.default_rng(1)
    shares = log_softmax(rng.normal(size=(20_000, 3)) + [1, 0, -1], axis=1)
    drawn = (np.exp(shares).cumsum(axis=1) < rng.random((20_000, 1))).sum(axis=1).clip(0, 2)
    hot = made(np.eye(3)[drawn], log_softmax(2 * shares + [0, 2, 1], axis=1), "multiclass")
    found = fit(hot, ["l0", "l1", "l2"], "platt")
    assert found.temperatures == pytest.approx([2] * 3, rel=0.05)
    # softmax(2 x + a) is undone by the intercepts -a / 2, up to a number common to all.
    np.testing.assert_allclose(found.intercepts, [0.5, -0.5, 0], atol=0.06)
    after = recalibrated(hot, found)
    np.testing.assert_allclose(after.scores.sum(axis=1), 1, atol=1e-12)
    np.testing.assert_allclose(after.scores, np.exp(shares), atol=0.02)
    cooled = recalibrated(hot, fit(hot, ["l0", "l1", "l2"], "temperature"))
    np.testing.assert_allclose(cooled.scores.sum(axis=1), 1, atol=1e-12)


def test_bounds_and_absent_classes_are_said():
    labels, x = cohort(400, 3)
    labels[:, 1] = 0
    x[:, 2] = np.where(labels[:, 2] == 1, 0.01, -0.01)  # parted, and hardly: as sure as allowed
    for kind in ("temperature", "platt"):
        found = fit(made(labels, x), ["l0", "l1", "l2"], kind)
        assert found.temperatures[1] == 1 and "absent" in found.reasons["l1"]
        assert found.temperatures[2] == pytest.approx(1 / HOTTEST)
        assert "bound" in found.reasons["l2"] and "l0" not in found.reasons
    reversed_ranks = fit(made(labels, -x), ["l0", "l1", "l2"], "platt")
    assert reversed_ranks.temperatures[0] == HOTTEST and "bound" in reversed_ranks.reasons["l0"]
    still = np.zeros((400, 3))
    assert np.isfinite(
        recalibrated(
            made(labels, still), fit(made(labels, still), ["l0", "l1", "l2"], "platt")
        ).scores
    ).all()
