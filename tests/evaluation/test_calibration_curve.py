"""The smooth calibration curve finds what is there, and its index knows what chance alone does."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit, logit
from sklearn.preprocessing import SplineTransformer

from cxrgrid.evaluation import calibration
from cxrgrid.evaluation.calibration_curve import KNOTS, fit, maximum, of_labels, spline
from cxrgrid.evaluation.influence import patients
from cxrgrid.evaluation.predictions import Predictions


def cohort(rng, who, right=lambda x: x, centre=-2.2, icc=0.5):
    """Log odds x, and labels of log odds `right(x)`; both alike within a patient."""

    def noise():
        shared = rng.normal(size=who[-1] + 1)[who]
        return np.sqrt(icc) * shared + np.sqrt(1 - icc) * rng.normal(size=len(who))

    from scipy.stats import norm

    x = centre + 1.2 * noise()
    return (norm.cdf(noise()) < expit(right(x))).astype(float), x


def test_right_probabilities_reach_the_chance_level_and_lie_in_the_band():
    found = []
    for seed in range(120):
        rng = np.random.default_rng(seed)
        who = np.repeat(np.arange(200), rng.integers(1, 6, 200))
        curve = fit(*cohort(rng, who), patients(who))
        inside = ((curve.low <= curve.x) & (curve.x <= curve.high)).mean()
        found.append((curve.ici, curve.chance, inside))
    ici, chance, inside = np.mean(found, axis=0)
    assert chance == pytest.approx(ici, rel=0.15) and 0.9 < inside < 0.98


def test_a_bend_is_found_and_stands_out_of_chance():
    rng = np.random.default_rng(0)
    who = np.arange(6000)
    curve = fit(*cohort(rng, who, lambda x: -2 + np.tanh(x + 2)), patients(who))
    truth = expit(-2 + np.tanh(logit(curve.x) + 2))
    inner = slice(3, -3)
    assert np.abs(curve.y - truth)[inner].max() < 0.03
    assert curve.ici > 5 * curve.chance
    assert (np.diff(curve.x) > 0).all() and curve.n[-1] == 6000


def test_the_basis_spans_a_natural_cubic_spline():
    """Independent reference: scikit-learn's cubic B-splines, made linear beyond the outer knots."""
    x = np.sort(np.random.default_rng(1).normal(size=400))
    knots = np.quantile(x, KNOTS)
    ours = spline(x, knots)
    made = SplineTransformer(degree=3, knots=knots[:, None], extrapolation="linear")
    inside = (x >= knots[0]) & (x <= knots[-1])
    theirs = made.fit_transform(x[:, None])[inside]
    fitted = theirs @ np.linalg.lstsq(theirs, ours[inside], rcond=None)[0]
    np.testing.assert_allclose(fitted, ours[inside], atol=1e-8)  # cubic between the knots
    for side in (x < knots[0], x > knots[-1]):
        line = np.stack([np.ones(side.sum()), x[side]], axis=1)
        straight = line @ np.linalg.lstsq(line, ours[side], rcond=None)[0]
        np.testing.assert_allclose(straight, ours[side], atol=1e-8)


def test_the_fit_is_the_maximum_likelihood():
    labels, x = cohort(np.random.default_rng(2), np.arange(500))
    columns = spline(x, np.quantile(x, KNOTS))
    found = maximum(columns, labels, np.array([0.0, 1, 0, 0]))

    def loss(of):
        return np.logaddexp(0, columns @ of).sum() - labels @ (columns @ of)

    assert loss(found) <= minimize(loss, [0, 1, 0, 0]).fun + 1e-3


def test_few_images_few_values_and_parted_classes_give_finite_curves_or_none():
    x = np.repeat([-1.0, 0.0, 1.0], 20)
    labels = (np.arange(60) % 3 == 0).astype(float)
    for truth in (labels, (x > 0).astype(float)):
        curve = fit(truth, x, patients(np.arange(60)))
        assert np.isfinite([curve.ici, curve.chance]).all() and np.isfinite(curve.high).all()
    names = [str(at) for at in range(60)]
    two = np.stack([labels, np.where(np.arange(60) < 2, 1.0, 0)], axis=1)
    facts = {"task": "multilabel", "labels": ["a", "b"]}
    made = Predictions(names, names, two, expit(np.stack([x, x], axis=1)), facts)
    assert list(of_labels(made)) == ["a"]


def test_in_the_large_and_observed_to_expected():
    labels, x = cohort(np.random.default_rng(3), np.arange(800))
    scores = expit(x + 0.7)

    def loss(a):
        return np.logaddexp(0, a + x + 0.7).sum() - labels @ (a + x + 0.7)

    reference = minimize(loss, 0).x[0]
    found = calibration.measured("calibration_in_the_large", labels, scores, None)
    assert found == pytest.approx(reference, abs=1e-4)
    ratio = calibration.measured("observed_to_expected", labels, scores, None)
    assert ratio == pytest.approx(labels.sum() / scores.sum())
    weights = np.random.default_rng(4).multinomial(800, np.full(800, 1 / 800), size=30)
    drawn = calibration.measured("calibration_in_the_large", labels, scores, weights)
    whole = [calibration.in_the_large(labels.repeat(w), (x + 0.7).repeat(w)) for w in weights]
    np.testing.assert_allclose(drawn, whole, atol=0.02)
    assert np.isnan(calibration.in_the_large(np.zeros(3), np.zeros(3)))
    assert calibration.in_the_large(np.array([1.0, 0]), np.array([40.0, 45])) < -40
