"""Moderated Wilson is Wilson's interval where nothing is to be moderated; MOVER adds up."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binomtest, t

from cxrgrid.evaluation.influence import kish
from cxrgrid.evaluation.intervals import Counts, f1, mcc, proportion
from cxrgrid.evaluation.wilson import Estimate, bounded, moderated, student, wilson


def decided(rng, patients, images, sensitivity=0.8):
    """Counts [P, 1] of decisions on independent images."""
    truth = rng.random((patients, images)) < 0.4
    said = np.where(truth, rng.random(truth.shape) < sensitivity, rng.random(truth.shape) < 0.3)
    kinds = (truth & said, ~truth & said, ~truth & ~said, truth & ~said)
    return Counts(*(kind.sum(axis=1, keepdims=True).astype(float) for kind in kinds))


def test_students_quantile_is_scipys():
    df = np.concatenate([np.linspace(2, 9, 200), [30, 1000, 1e9]])
    np.testing.assert_allclose(student(df), t.ppf(0.975, df), rtol=2e-6)


@pytest.mark.parametrize("hits", [0, 1, 7, 20])
def test_wilson_is_scipys(hits):
    expected = binomtest(hits, 20).proportion_ci(0.95, method="wilson")
    assert wilson(hits / 20, 1 / 20) == pytest.approx((expected.low, expected.high), abs=1e-12)


@pytest.mark.parametrize("hits", [0, 300, 1200, 2000])
def test_a_share_of_patients_with_one_image_has_wilsons_interval(hits):
    part = (np.arange(2000) < hits).astype(float)[:, None]
    found = proportion(part, np.ones_like(part))
    expected = binomtest(hits, 2000).proportion_ci(0.95, method="wilson")
    assert (found.low[0], found.high[0]) == pytest.approx(expected, abs=2e-5)


def test_a_second_copy_of_every_image_teaches_nothing():
    counts = decided(np.random.default_rng(0), 40, 3)
    twice = Counts(*(2 * kind for kind in counts.kinds))
    for metric in (f1, mcc, lambda c: proportion(c.tp, c.tp + c.fn)):
        once, again = metric(counts), metric(twice)
        assert again.value == pytest.approx(once.value)
        np.testing.assert_allclose((again.low, again.high), (once.low, once.high), atol=0.005)


def test_a_perfect_share_reaches_down_as_far_as_its_patients_say():
    lows = []
    for patients, images in ((3, 1), (3, 10), (30, 1), (3000, 1)):
        ones = np.full((patients, 1), float(images))
        found = proportion(ones, ones)
        assert found.value[0] == found.high[0] == 1
        lows.append(found.low[0])
    assert lows[0] == lows[1] < lows[2] < lows[3] < 1


def test_the_prior_counts_as_two_patients():
    assert moderated(np.array([0.5]), np.array([0.1]), np.array([2.0]))[0] == pytest.approx(0.3)
    assert moderated(np.array([np.nan]), np.array([0.1]), np.array([9.0]))[0] == 0.1
    narrow, wide = (
        bounded(np.array([0.7]), np.array([v]), np.array([0.1]), np.array([8.0]))
        for v in (0.0, 0.05)
    )
    assert narrow[0] > wide[0] and narrow[1] < wide[1] and narrow[1] > narrow[0]


def estimate(rng, columns):
    """Estimates of 200 patients, apart."""
    value = np.full(columns, 0.7)
    return Estimate(value, value - 0.06, value + 0.03, rng.normal(size=(200, columns)))


def test_a_mean_of_copies_has_the_ends_of_one_and_a_mean_of_others_is_closer():
    one = estimate(np.random.default_rng(1), 1)
    same = one.take(np.zeros(4, int)).combined(np.full(4, 0.25))
    assert (same.low[0], same.high[0]) == pytest.approx((one.low[0], one.high[0]), abs=3e-4)
    apart = estimate(np.random.default_rng(2), 4).combined(np.full(4, 0.25))
    assert 0.7 - apart.low[0] == pytest.approx(0.03, abs=0.004)
    assert apart.high[0] - 0.7 == pytest.approx(0.015, abs=0.002)


def test_a_difference_reaches_down_by_the_lower_end_of_one_and_the_upper_of_the_other():
    two = estimate(np.random.default_rng(3), 2)
    two.influence[:100, 0] = two.influence[100:, 1] = 0  # no patient of both
    gap = two.combined(np.array([1.0, -1.0]))
    assert gap.low[0] == pytest.approx(-np.hypot(0.06, 0.03))
    assert gap.high[0] == pytest.approx(np.hypot(0.06, 0.03))
    nothing = two.take(np.zeros(2, int)).combined(np.array([1.0, -1.0]))
    assert nothing.high[0] == pytest.approx(0.03, abs=0.002), "unequal ends do not cancel out"


def test_what_is_too_high_on_average_is_so_in_a_mean_too():
    apart = estimate(np.random.default_rng(6), 4)
    high = replace(apart, excess=np.array([0.02, 0.02, 0.04, 0.5]))
    weights = np.full(4, 0.25)
    mean, usual = high.combined(weights), apart.combined(weights)
    assert mean.excess[0] == pytest.approx((0.02 + 0.02 + 0.04 + 0.06) / 4), "no more than the end"
    rest = replace(apart, low=apart.value - (0.04, 0.04, 0.02, 0)).combined(weights)
    assert 0.7 - mean.low[0] == pytest.approx(mean.excess[0] + 0.7 - rest.low[0])
    assert mean.low[0] < usual.low[0] and mean.high[0] == usual.high[0]
    assert high.take(np.array([2])).combined(np.ones(1)).low[0] == pytest.approx(0.64)
    signs = np.array([1.0, -1.0, 0.0, 0.0])
    assert high.combined(signs).low[0] == apart.combined(signs).low[0], "it cancels out"


def test_a_mean_of_values_whose_errors_cancel_out_keeps_a_width():
    moves = np.random.default_rng(5).normal(size=(30, 1))
    ends = (np.array([value, value]) for value in (0.5, 0.4, 0.6))
    mean = Estimate(*ends, np.hstack([moves, -moves])).combined(np.array([0.5, 0.5]))
    assert mean.low[0] < 0.49 and mean.high[0] > 0.51


def test_unequal_patients_count_for_fewer():
    rng = np.random.default_rng(4)
    images = rng.integers(1, 6, size=(100, 1)).astype(float)
    part = rng.binomial(images.astype(int), 0.5).astype(float)
    assert kish(images)[0] < 100
    found = proportion(part, images)
    assert found.high[0] - found.low[0] > 2 * 1.96 * np.sqrt(0.25 / images.sum()) * 0.9
