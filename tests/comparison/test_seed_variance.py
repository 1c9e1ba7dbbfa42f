"""Patients and seeds are both counted, and the interval of both covers the truth."""

import numpy as np
import pytest
from scipy.stats import t

from cxrgrid.comparison.seed_variance import Spread, combine, over_seeds, pool
from long_tests import by_turns


def test_one_seed_leaves_the_error_of_sampling():
    found = combine(0.02, 101, np.array([0.8]))
    reach = t.ppf(0.975, 100) * 0.02
    assert (found.low, found.high) == pytest.approx((0.8 - reach, 0.8 + reach))
    assert np.isnan(found.seed_sd) and np.isnan(found.seed_se) and found.sampling_se == 0.02


def test_seeds_alone_are_students_interval():
    values = np.array([0.01, 0.03, 0.02, 0.06])
    found = combine(0.0, 500, values)
    low, high = t.interval(0.95, 3, values.mean(), values.std(ddof=1) / 2)
    assert (found.low, found.high) == pytest.approx((low, high))
    assert found.p == pytest.approx(2 * t.sf(values.mean() / (values.std(ddof=1) / 2), 3))
    assert found.seed_sd == pytest.approx(values.std(ddof=1))


def test_half_widths_add_in_squares():
    values = np.array([0.80, 0.82, 0.84])
    widths = [
        found.high - found.value
        for found in (combine(0.02, 300, values[:1]), combine(0.0, 300, values))
    ]
    both = combine(0.02, 300, values)
    assert both.high - both.value == pytest.approx(np.hypot(*widths))


def test_p_is_the_alpha_at_which_the_interval_reaches_zero():
    values = np.array([0.05, 0.02, 0.06])
    found = combine(0.01, 40, values)
    assert (found.p < 0.05) == (found.low > 0)
    reach = np.hypot(t.isf(found.p / 2, 39) * 0.01, t.isf(found.p / 2, 2) * found.seed_se)
    assert reach == pytest.approx(values.mean(), rel=1e-6)


def test_two_sides_differ_by_their_means_and_swapping_turns_the_sign():
    a, b = np.array([0.8, 0.84, 0.82]), np.array([0.7, 0.74])
    there, back = combine(0.01, 200, a, b), combine(0.01, 200, b, a)
    assert there.value == pytest.approx(0.1)
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low))
    assert there.p == pytest.approx(back.p)


def test_one_seed_against_several_is_taken_to_spread_as_they_do():
    several, one = np.array([0.8, 0.84, 0.82]), np.array([0.7])
    found = combine(0.0, 200, several, one)
    assert found.seed_se == pytest.approx(0.02 * np.sqrt(1 / 3 + 1))


def test_what_is_not_defined_stays_so():
    found = combine(0.02, 30, np.array([np.nan, np.nan]))
    assert np.isnan([found.value, found.low, found.high, found.p]).all()
    same = combine(0.0, 30, np.zeros(1))
    assert (same.low, same.high, same.p) == (0, 0, 1)


@pytest.mark.slow
@pytest.mark.parametrize("seeds", by_turns([2, 3, 5], 1))
@pytest.mark.parametrize("sampling, seed", [(1.0, 0.0), (1.0, 0.3), (1.0, 1.0), (0.3, 1.0)])
def test_it_covers_the_truth_whatever_the_shares(seeds, sampling, seed):
    rng = np.random.default_rng([seeds, int(10 * sampling), int(10 * seed)])
    hits, tries, patients = 0, 4000, 150
    for _ in range(tries):
        values = sampling * rng.normal() + seed * rng.normal(size=seeds)
        measured = sampling * np.sqrt(rng.chisquare(patients - 1) / (patients - 1))
        found = combine(measured, patients, values)
        hits += found.low <= 0 <= found.high
    assert 0.94 <= hits / tries <= (0.965 if seed == 0 else 0.995)


def test_a_mean_over_seeds_adds_their_spread_to_the_patients_unequal_distances():
    values = np.array([0.90, 0.94])
    low, high = values - (0.05, 0.07), values + (0.02, 0.04)
    more = t.ppf(0.975, 9) * 0.03 / np.sqrt(2)
    found = over_seeds(values, low, high, Spread(0.03, 9))
    assert found == pytest.approx((0.92 - np.hypot(0.06, more), 0.92 + np.hypot(0.03, more)))
    more = t.ppf(0.975, 1) * values.std(ddof=1) / np.sqrt(2)
    found = over_seeds(values, low, high)
    assert found == pytest.approx((0.92 - np.hypot(0.06, more), 0.92 + np.hypot(0.03, more)))
    assert over_seeds(values[:1], low[:1], high[:1]) == pytest.approx((0.85, 0.92)), "this training"
    assert np.isnan(over_seeds(values, np.array([np.nan, 0.8]), high)[0])


def test_the_pooled_spread_is_the_error_term_of_an_analysis_of_variance():
    groups = [np.array([0.80, 0.84]), np.array([0.70, 0.71, 0.75]), np.array([0.9])]
    found = pool([*groups, np.array([np.nan, 0.8])])
    wanted = np.sqrt((groups[0].var(ddof=1) + 2 * groups[1].var(ddof=1)) / 3)
    assert (found.sd, found.df) == (pytest.approx(wanted), 3)
    assert pool(groups[2:]) is None


def test_a_known_spread_takes_the_place_of_the_groups_own():
    a, b, spread = np.array([0.80, 0.80]), np.array([0.70]), Spread(0.02, 8)
    found = combine(0.0, 500, a, b, spread=spread)
    error = 0.02 * np.sqrt(1 / 2 + 1)
    assert found.seed_se == pytest.approx(error)
    assert found.high - found.value == pytest.approx(t.ppf(0.975, 8) * error)


@pytest.mark.slow
@pytest.mark.parametrize("ratio, least", [(1.0, 0.94), (2.0, 0.92)])
def test_pooling_covers_where_configurations_spread_alike_and_little_less_elsewhere(ratio, least):
    """Eight configurations of two seeds; the interval of a difference within the noisier half."""
    rng = np.random.default_rng(7)
    hits, tries = 0, 4000
    sd = np.repeat([1.0, 1.0 / ratio], 4)
    for _ in range(tries):
        groups = [scale * rng.normal(size=2) for scale in sd]
        found = combine(0.0, 150, groups[0], groups[4], spread=pool(groups))
        hits += found.low <= 0 <= found.high
    assert least <= hits / tries <= 0.965
