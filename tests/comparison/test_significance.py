"""Tests on decisions, families and datasets agree with what was published and with enumeration."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from cxrgrid.comparison import significance

# Demšar (2006), table 6: AUC of C4.5 and three variants on 14 datasets. In the text: mean ranks
# 3.143, 2.000, 2.893, 1.964, F_F = 3.69, critical difference 1.25.
DEMSAR = """
0.763 0.768 0.771 0.798  0.599 0.591 0.590 0.569  0.954 0.971 0.968 0.967  0.628 0.661 0.654 0.657
0.882 0.888 0.886 0.898  0.936 0.931 0.916 0.931  0.661 0.668 0.609 0.685  0.583 0.583 0.563 0.625
0.775 0.838 0.866 0.875  1.000 1.000 1.000 1.000  0.940 0.962 0.965 0.962  0.619 0.666 0.614 0.669
0.972 0.981 0.9751 0.975  0.957 0.978 0.946 0.970
"""


def test_ranks_of_the_published_example():
    values = np.array(DEMSAR.split(), float).reshape(14, 4)
    found = significance.rank(values)
    np.testing.assert_allclose(found.mean, [3.143, 2.000, 2.893, 1.964], atol=5e-4)
    assert found.critical == pytest.approx(1.25, abs=0.005)
    between = ((found.mean - 2.5) ** 2).sum() * 12 * 14 / 20  # as printed: ties not corrected for
    assert 13 * between / (14 * 3 - between) == pytest.approx(3.69, abs=0.005)
    friedman = scipy_stats.friedmanchisquare(*values.T).statistic  # corrected
    expected = scipy_stats.f.sf(13 * friedman / (14 * 3 - friedman), 3, 39)
    assert found.p == pytest.approx(expected)
    assert found.alike() == [(0, 3)]


def test_models_further_apart_than_the_critical_difference_are_not_joined():
    values = np.tile([0.9, 0.8, 0.7, 0.6], (12, 1))
    found = significance.rank(values)
    assert found.p < 1e-6 and found.critical == pytest.approx(2.569 * np.sqrt(20 / 72), abs=1e-3)
    assert found.alike() == [(0, 1), (1, 2), (2, 3)]


def test_models_that_tie_everywhere_do_not_differ():
    assert significance.rank(np.ones((3, 4))).p == 1


def test_two_datasets_that_rank_four_models_alike_have_the_exact_chance():
    assert significance.rank(np.tile([0.9, 0.8, 0.7, 0.6], (2, 1))).p == pytest.approx(1 / 24)


@pytest.mark.parametrize("ties", [False, True])
def test_friedmans_p_is_the_share_of_all_orders(ties):
    values = np.random.default_rng(0).normal(size=(4, 3)).round(0 if ties else 3)
    ranks = significance.rank(values).ranks
    rows = [list(itertools.permutations(row)) for row in ranks]
    apart = [np.var(np.sum(orders, axis=0)) for orders in itertools.product(*rows)]
    expected = np.mean(np.array(apart) >= np.var(ranks.sum(axis=0)) - 1e-9)
    assert significance.exact_friedman(ranks) == pytest.approx(expected)


@pytest.mark.parametrize("a, b", [(0, 0), (1, 0), (3, 9), (9, 3), (5, 5), (0, 8)])
def test_mcnemar_counts_every_way_in_which_the_disagreements_could_fall(a, b):
    exact, mid = significance.mcnemar(a, b)
    ways = [sum(way) for way in itertools.product((0, 1), repeat=a + b)]
    further = np.mean([min(x, a + b - x) < min(a, b) for x in ways])
    equal = np.mean([min(x, a + b - x) == min(a, b) for x in ways])
    assert exact == pytest.approx(further + equal)
    assert mid == pytest.approx(1 if a == b else further + equal / 2)


def test_holm_of_a_family_by_hand():
    adjusted = significance.holm(np.array([0.04, 0.01, 0.03, 0.005]))
    np.testing.assert_allclose(adjusted, [0.06, 0.03, 0.06, 0.02])


def test_a_test_that_is_not_made_yet_counts_in_its_family():
    adjusted = significance.holm(np.array([0.01, np.nan, 0.04]))
    np.testing.assert_allclose(adjusted, [0.03, np.nan, 0.08])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20), st.randoms())
def test_holm_keeps_the_order_and_never_makes_a_p_smaller(p, random):
    p = np.array(p)
    adjusted, order = significance.holm(p), list(range(len(p)))
    random.shuffle(order)
    assert (adjusted >= p).all() and (adjusted <= 1).all()
    np.testing.assert_array_equal(adjusted[order], significance.holm(p[order]))
    assert (np.diff(adjusted[np.argsort(p)]) >= 0).all()


@pytest.mark.slow
def test_mcnemar_errs_in_at_most_five_per_cent():
    rng = np.random.default_rng(4)
    p = np.array([
        significance.mcnemar(n, 60 - n) for n in rng.binomial(60, 0.5, size=4000)
    ])  # fmt: skip
    exact, mid = (p < 0.05).mean(axis=0)
    assert exact <= 0.05 and 0.035 <= mid <= 0.06 and mid >= exact
