"""Differences in words."""

from cxrgrid.evaluation.wording import difference, signed


def test_a_bound_below_zero_shows_so_where_it_rounds_to_zero():
    assert difference(0.086, -0.0003, 0.172) == "+0.086 (−0.000 to +0.172)"
    assert signed(-0.0) == signed(0.0) == "+0.000"
