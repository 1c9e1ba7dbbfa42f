"""Intervals and p-values that allow for the choice of the largest of several differences.

Of several groups that do not differ, the largest and the smallest value lie apart by chance alone.
The largest difference of K independent groups over its error has the distribution of the
studentised range over the square root of 2 (Tukey-Kramer; Hayter, Ann Statist 12 (1984) 61-75: with
unequal errors it holds at least as often as it says). For two groups it is the usual test. Numpy
only.
"""

import functools
from statistics import NormalDist

import numpy as np

from cxrgrid.evaluation.wilson import Z

NORMAL = NormalDist()
AT = np.linspace(-9, 9, 721)  # points of the integral over the normal distribution
SHARES = np.array([NORMAL.cdf(float(at)) for at in AT])
DENSITY = np.exp(-(AT**2) / 2) / np.sqrt(2 * np.pi) * (AT[1] - AT[0])


def range_above(distance: float, groups: int) -> float:
    """Probability that the range of `groups` standard normal values is above a distance."""
    below = np.interp(AT - distance, AT, SHARES, left=0.0, right=1.0)
    inside = groups * (DENSITY * (SHARES - below) ** (groups - 1)).sum()
    return float(np.clip(1 - inside, 0, 1))


@functools.cache
def largest_difference(groups: int) -> float:
    """Errors within which the largest of all differences of groups lies in 95 % of samples."""
    if groups == 2:
        return Z
    low, high = 0.0, 20.0
    while high - low > 1e-9:
        middle = (low + high) / 2
        low, high = (middle, high) if range_above(middle, groups) > 0.05 else (low, middle)
    return high / np.sqrt(2)


@functools.cache
def any_value(groups: int) -> float:
    """Errors within which the values of all independent groups lie in 95 % of samples (Sidak)."""
    return NORMAL.inv_cdf((1 + 0.95 ** (1 / groups)) / 2)


def widened(value: float, ends: tuple[float, float], errors: float) -> tuple[float, float]:
    """A 95 % interval widened from 1.96 errors to more, on each side by itself."""
    by = errors / Z
    return value - (value - ends[0]) * by, value + (ends[1] - value) * by


def p_value(value: float, low: float, groups: int) -> float:
    """p of the hypothesis that no groups differ, by their largest difference `value`.

    low: lower end of its usual 95 % interval. The p-value is below 0.05 where the widened interval
    excludes 0. NaN without an interval.
    """
    if not np.isfinite(low) or value <= low:
        return np.nan
    return range_above(np.sqrt(2) * Z * value / (value - low), groups)
