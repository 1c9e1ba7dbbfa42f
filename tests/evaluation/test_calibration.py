"""Calibration equals scikit-learn and logistic regression, and follows what was done to scores."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, log_loss

from cxrgrid.evaluation import calibration

NAN = float("nan")
steady = settings(deadline=None, derandomize=True, max_examples=40)
PUBLIC = (calibration.brier, calibration.log_loss, calibration.calibration_error)


def cohort(images=600, seed=0):
    """Labels that follow their probabilities, some unknown, and the probabilities."""
    rng = np.random.default_rng(seed)
    scores = 1 / (1 + np.exp(-rng.normal(-1, 1.5, images)))
    labels = (rng.random(images) < scores).astype(float)
    labels[rng.random(images) < 0.1] = NAN
    return labels, scores


def test_brier_and_log_loss_equal_scikit_learn_on_every_resample():
    labels, scores = cohort()
    scores[:3] = 0, 1, 1
    known = ~np.isnan(labels)
    weights = np.random.default_rng(1).integers(4, size=(20, len(labels)), dtype=np.uint8)
    pairs = ((calibration.brier, brier_score_loss), (calibration.log_loss, log_loss))
    for ours, theirs in pairs:
        expected = [
            theirs(labels[known], scores[known], sample_weight=row[known]) for row in weights
        ]
        np.testing.assert_allclose(ours(labels, scores, weights), expected, rtol=0, atol=1e-12)
        alone = theirs(labels[known], scores[known])
        assert ours(labels, scores) == pytest.approx(alone, abs=1e-12)


def test_calibration_error_is_the_weighted_gap_of_the_bins():
    labels, scores = cohort()
    known = ~np.isnan(labels)
    parts = np.array_split(np.argsort(scores[known]), calibration.BINS)
    y, p = labels[known], scores[known]
    gaps = [len(at) * abs(y[at].mean() - p[at].mean()) for at in parts]
    found = calibration.calibration_error(labels, scores)
    assert found == pytest.approx(sum(gaps) / len(y), abs=0.01)
    filled = np.bincount(calibration.bins(p))
    assert len(filled) == calibration.BINS and filled.max() - filled.min() <= 1


def test_a_bin_holds_all_images_of_one_score():
    scores = np.array([0.2] * 50 + [0.7] * 3)
    assert len(set(calibration.bins(scores)[:50])) == 1
    labels = np.array([1.0] * 10 + [0.0] * 40 + [1.0] * 3)
    assert calibration.calibration_error(labels, scores) == pytest.approx(3 * 0.3 / 53)


def test_slope_and_intercept_equal_an_unpenalised_logistic_regression():
    labels, scores = cohort()
    known = ~np.isnan(labels)
    x = calibration.logit(scores[known])[:, None]
    model = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(x, labels[known])
    found = calibration.recalibrate(labels, calibration.logit(scores))
    assert found == pytest.approx((model.intercept_[0], model.coef_[0, 0]), abs=1e-5)


@steady
@given(st.floats(0.3, 3), st.floats(-2, 2))
def test_slope_and_intercept_undo_what_was_done_to_the_logits(slope, shift):
    labels, scores = cohort()
    before = calibration.recalibrate(labels, calibration.logit(scores))
    changed = calibration.expit(slope * calibration.logit(scores) + shift)
    after = calibration.recalibrate(labels, calibration.logit(changed))
    assert after[1] == pytest.approx(before[1] / slope, rel=1e-3)
    assert after[0] == pytest.approx(before[0] - shift * after[1], abs=5e-3)


def test_one_step_resamples_are_close_to_whole_fits():
    labels, scores = cohort(400)
    weights, x = (
        np.random.default_rng(2).multinomial(400, np.full(400, 1 / 400), size=200),
        calibration.logit(scores),
    )
    steps = calibration.measured("calibration_slope", labels, scores, weights)
    whole = [calibration.recalibrate(labels.repeat(row), x.repeat(row))[1] for row in weights]
    spread = np.std(whole)
    assert np.corrcoef(steps, whole)[0, 1] > 0.98
    for share in (2.5, 97.5):
        assert np.percentile(steps, share) == pytest.approx(
            np.percentile(whole, share), abs=spread / 3
        )


@pytest.mark.parametrize("labels", [[1, 1, 1, 1], [0, 0, 1, 1], [NAN] * 4, [1, 0, 1, 0]])
def test_what_cannot_be_fitted_is_nan(labels):
    scores = np.array([0.1, 0.2, 0.8, 0.9]) if labels != [1, 0, 1, 0] else np.full(4, 0.5)
    assert np.isnan(
        calibration.recalibrate(np.array(labels, float), calibration.logit(scores))
    ).all()
    assert np.isnan(
        calibration.measured("calibration_slope", np.array(labels, float), scores, None)
    )


def test_nothing_known_is_nan():
    labels, scores = np.full(3, NAN), np.array([0.1, 0.2, 0.3])
    assert all(np.isnan(metric(labels, scores)) for metric in PUBLIC)


@steady
@given(st.integers(0, 2**31), st.integers(2, 4))
def test_order_and_copies_of_rows_change_nothing(seed, copies):
    labels, scores = cohort(60, seed)
    scores = scores.round(1)
    order = np.random.default_rng(seed).permutation(60)
    for metric in PUBLIC:
        once = metric(labels, scores)
        assert metric(labels[order], scores[order]) == pytest.approx(once, abs=1e-12)
        assert metric(np.tile(labels, copies), np.tile(scores, copies)) == pytest.approx(once)


@steady
@given(st.integers(0, 2**31))
def test_swapping_labels_and_scores_leaves_brier_and_log_loss(seed):
    labels, scores = cohort(60, seed)
    for metric in PUBLIC[:2]:
        assert metric(1 - labels, 1 - scores) == pytest.approx(metric(labels, scores), abs=1e-9)
