"""Many comparisons with the recommended configuration err together in at most 5 % of studies."""

import numpy as np
import pytest
from scipy.stats import norm, t

from cxrgrid.comparison.recommended import simultaneous, verdict, with_width
from cxrgrid.comparison.seed_variance import Spread

K, SEEDS = 6, np.full(7, 2)


def drawn(rng, seed_sd, resamples=300):
    """Differences of one to six equally good configurations, and the spread that is seen."""
    shared = 0.03 * rng.normal(size=1 + resamples)
    own = 0.02 * rng.normal(size=(1 + K, 1 + resamples))
    trained = seed_sd * rng.normal(size=(1 + K, 2))
    values = 0.8 + shared + own + trained.mean(axis=1)[:, None]
    spread = Spread(float(np.sqrt(trained.var(axis=1, ddof=1).mean())), 1 + K)
    return values[:1] - values[1:], spread


def test_of_a_single_other_it_is_students_interval():
    rng = np.random.default_rng(1)
    apart = np.concatenate([[0.04], 0.04 + 0.02 * rng.normal(size=2000)])[None]
    low, high, p = simultaneous(apart, np.array([1, 1]), 41, None)
    reach = t.ppf(0.975, 40) * apart[0, 1:].std(ddof=1)
    assert (high - low)[0] / 2 == pytest.approx(reach, rel=0.05)
    assert p[0] == pytest.approx(2 * t.sf(0.04 / apart[0, 1:].std(ddof=1), 40), abs=0.02)


def test_more_others_take_wider_intervals_and_a_large_difference_is_told():
    apart, spread = drawn(np.random.default_rng(2), 0.03)
    apart[0] += 0.3
    low, high, p = simultaneous(apart, SEEDS, 60, spread)
    alone = [simultaneous(apart[at : at + 1], SEEDS[:2], 60, spread) for at in range(K)]
    assert all((high - low)[at] > (one[1] - one[0])[0] for at, one in enumerate(alone))
    assert p[0] < 0.01 and verdict(low[0], high[0], False) == "worse"
    assert verdict(low[0], high[0], True) == "these trainings"
    assert verdict(-0.1, 0.2, False) == "not told apart" and verdict(-0.2, -0.1, False) == "better"


@pytest.mark.slow
@pytest.mark.parametrize("seed_sd", [0.0, 0.03, 0.09])
def test_of_equal_configurations_one_is_called_worse_in_at_most_five_per_cent(seed_sd):
    rng, wrong, tries = np.random.default_rng(3), 0, 300
    for _ in range(tries):
        low, high, _ = simultaneous(*one_study(rng, seed_sd))
        wrong += ((low > 0) | (high < 0)).any()
    assert wrong / tries <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / tries)


def one_study(rng, seed_sd):
    apart, spread = drawn(rng, seed_sd)
    return apart, SEEDS, 60, spread


def test_one_that_no_resample_tells_apart_has_an_interval_too():
    ends = [((0.1, 0.08), (0.1, 0.08)), ((0.1, 0.1), (0.2, 0.2))]
    low, high = with_width(np.array([0.0, 0.1]), np.array([0.0, 0.3]), ends, 40)
    assert (low[1], high[1]) == (0.1, 0.3), "one that has a width keeps it"
    pair = np.sqrt(0.1**2 + 0.08**2 - 2 * 40 / 42 * 0.1 * 0.08)
    both = norm.ppf((1 + np.sqrt(0.95)) / 2) / norm.ppf(0.975)
    assert high[0] == pytest.approx(pair * both, rel=1e-6) and low[0] == -high[0]
