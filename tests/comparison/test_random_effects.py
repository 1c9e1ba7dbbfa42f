"""The random-effects mean agrees with statsmodels, and is never surer than datasets can make it."""

import numpy as np
import pytest
from scipy.stats import norm, t

from cxrgrid.comparison.random_effects import between, hartung_knapp, heterogeneity

APART = np.array([0.10, 0.02, 0.21, 0.05, -0.04]), np.array([0.03, 0.02, 0.05, 0.025, 0.04]) ** 2
ALIKE = np.array([0.05, 0.06, 0.055]), np.array([0.03, 0.02, 0.05]) ** 2


def test_it_equals_statsmodels():
    """statsmodels 0.15.0, combine_effects(method_re="iterated", use_t=True), random effect wls."""
    found, apart = hartung_knapp(*APART), heterogeneity(*APART)
    assert between(*APART) == pytest.approx(0.006894550653390931, rel=1e-6)
    assert (found.value, found.error) == pytest.approx((0.06403642997933864, 0.040079040622152805))
    assert (found.low, found.high) == pytest.approx((-0.04724083, 0.17531369), abs=1e-7)
    assert (apart.q, apart.i2) == pytest.approx((20.308347438752783, 0.8030366571153337))
    assert apart.p == pytest.approx(0.00043404603116128845)


def test_datasets_that_agree_by_chance_do_not_make_it_surer_than_fixed_effects():
    found = hartung_knapp(*ALIKE)
    usual = norm.ppf(0.975) / np.sqrt((1 / ALIKE[1]).sum())  # Hartung and Knapp: 0.043 to 0.070
    assert t.ppf(0.975, 2) * found.error == pytest.approx((0.07016961 - 0.04329299) / 2)
    assert (found.low, found.high) == pytest.approx((found.value - usual, found.value + usual))
    assert heterogeneity(*ALIKE).i2 == 0


def test_one_more_dataset_is_less_sure_than_the_mean():
    found = hartung_knapp(*APART)
    assert found.prediction_low < found.low < found.value < found.high < found.prediction_high


@pytest.mark.slow
@pytest.mark.parametrize(("tau", "k"), [(0.0, 3), (0.03, 3), (0.03, 6)])
def test_it_covers_the_mean_over_datasets(tau, k):
    rng, hits, tries = np.random.default_rng(k), 0, 2000
    for _ in range(tries):
        variances = rng.uniform(0.02, 0.04, k) ** 2
        values = rng.normal(0.05, np.sqrt(variances + tau**2))
        found = hartung_knapp(values, variances)
        hits += found.low <= 0.05 <= found.high
    assert 0.935 <= hits / tries <= 0.995
