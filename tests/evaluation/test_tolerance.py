"""A target with a confidence holds in new patients as often as it says."""

import numpy as np
import pytest
from scipy.stats import beta, norm

from cxrgrid.config.operating_points import Target, parse, rule, word
from cxrgrid.evaluation import metrics, thresholds, tolerance
from cxrgrid.evaluation.predictions import Predictions


def cohort(rng, patients, each=1):
    """Labels and probabilities, alike within a patient."""
    who = np.repeat(np.arange(patients), each)

    def noise():
        return np.sqrt(0.5) * (rng.normal(size=patients)[who] + rng.normal(size=len(who)))

    labels = (noise() > 0).astype(float)
    scores = norm.cdf(1.5 * labels - 0.75 + noise())
    names = [str(at) for at in range(len(who))]
    facts = {"task": "multilabel", "labels": ["a"]}
    return Predictions(names, [str(p) for p in who], labels[:, None], scores[:, None], facts)


def reached(point, patients, each=1, studies=300):
    """Share of the studies in which new patients reach the target, and the chance that was said."""
    hits, said = [], []
    for seed in range(studies):
        val = cohort(np.random.default_rng(seed), patients, each)
        fit = thresholds.fit(val, val.facts, (point,), "none")
        cut = fit.thresholds[rule(point)][0]
        x = norm.ppf(cut)
        sensitivity, specificity = norm.sf(x - 0.75), norm.cdf(x + 0.75)
        hits.append(sensitivity >= 0.8 if point.sensitivity else specificity >= 0.8)
        said.append(fit.assurances[rule(point)][0])
    return np.mean(hits), np.mean(said)


@pytest.mark.parametrize("kind", ["sensitivity", "specificity"])
def test_a_plain_target_is_reached_about_as_often_as_is_said(kind):
    share, said = reached(Target(**{kind: 0.8}), 80)
    assert share == pytest.approx(said, abs=0.09) and 0.3 < said < 0.6


@pytest.mark.parametrize(("patients", "each"), [(80, 1), (60, 3)])
def test_a_confidence_is_kept(patients, each):
    share, said = reached(Target(sensitivity=0.8, confidence=0.9), patients, each)
    assert share > 0.86 and 0.9 <= said < 0.99


def test_the_fewest_that_suffice():
    """Beta's distribution from scipy, one by one."""
    for total, target, sure in ((40, 0.8, 0.9), (22, 0.9, 0.9), (300, 0.95, 0.95)):
        right = tolerance.least(total, total, target, sure)
        assert beta.sf(target, right, total - right + 1) >= sure
        assert beta.sf(target, right - 1, total - right + 2) < sure


def test_too_few_images_say_how_many_it_takes():
    val = cohort(np.random.default_rng(0), 20)
    point = Target(sensitivity=0.9, confidence=0.95)
    fit = thresholds.fit(val, val.facts, (point,), "none")
    why = fit.reasons[rule(point), "a"]
    assert "29 independent ones" in why  # 0.9 ** 29 is the first power below 0.05
    assert fit.thresholds[rule(point)][0] == val.scores[val.labels[:, 0] == 1].min()


def test_names_of_the_point_lead_back_to_it():
    point = Target(sensitivity=0.9, confidence=0.95)
    assert rule(point) == "sensitivity 0.9, confidence 0.95"
    assert parse(word(point)) == point and parse("f1") == "f1"


def test_the_largest_f1():
    rng = np.random.default_rng(0)
    labels, scores = rng.choice([0.0, 1.0, np.nan], 60), rng.integers(12, size=60) / 12
    cut = thresholds.threshold(labels, scores, "f1")

    def value(at):
        return metrics.f1(*metrics.confusion(labels, scores >= at))

    assert value(cut) == max(value(at) for at in np.unique(scores))
    assert np.isnan(thresholds.threshold(np.zeros(4), np.ones(4), "f1"))
