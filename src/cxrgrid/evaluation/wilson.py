"""Confidence intervals in closed form: moderated Wilson for one value, MOVER for combinations.

An interval made of a value and its estimated variance has no width where the variance is 0, as for
a sensitivity of 1, and is too short where few patients say what the variance is. So the variance is
first drawn towards that of a working model, with the weight of two patients (as variances of genes
are: Smyth, Stat Appl Genet Mol Biol 3 (2004) 3), and then put into Wilson's interval, which has a
width at 0 and 1 too (Wilson, JASA 22 (1927) 209-212; with an effective number of observations, as
in Korn & Graubard, Surv Methodol 24 (1998) 193-201). Means and differences of such values have
intervals by the method of variance estimates recovery (MOVER: Zou & Donner, Stat Med 27 (2008)
1693-1702), which keeps the unequal distances of the ends. How often each holds the truth:
`benchmarks/coverage.py` and docs/log.md.
"""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

PRIOR = 2.0  # patients that the working model's variance counts as
Z = NormalDist().inv_cdf(0.975)
# Student's 97.5 % quantile: its logarithm by powers of 1 / df. To import scipy takes longer.
LOG_STUDENT = (0.67292489, 1.21046904, 0.7054185, 0.17052218, -0.30964926, 0.08814361)


@dataclass(frozen=True)
class Estimate:
    """Values [L] with both ends of their 95 % intervals [L].

    influence: float64 [P, L], by how much each patient moves a value, adding up to 0 over patients;
    it says how values of the same patients go together. 0 where a value is NaN. excess: [L], by how
    much values may be too high on average, which no mean over values makes smaller.
    """

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    influence: np.ndarray
    excess: np.ndarray | float = 0.0

    def map(self, change: Callable[[np.ndarray], np.ndarray], slope: np.ndarray) -> "Estimate":
        """An increasing function of the values; slope [L]: its derivative there."""
        ends = (change(each) for each in (self.value, self.low, self.high))
        return Estimate(*ends, self.influence * slope)

    def take(self, columns: np.ndarray) -> "Estimate":
        """Some of the values."""
        ends = (each[columns] for each in (self.value, self.low, self.high))
        return Estimate(*ends, self.influence[:, columns], self.excesses[columns])

    @property
    def excesses(self) -> np.ndarray:
        """The excess of each value [L], at most its distance from the lower end."""
        return np.minimum(self.excess, np.maximum(self.value - self.low, 0))

    def combined(self, weights: np.ndarray, more: float = 0.0) -> "Estimate":
        """The sum of weights [L] times values, as one value [1].

        more: half-width of the interval of an independent part of the sum. The excess of a mean is
        that of its values and adds to their other errors; in a difference it is left out.
        """
        lower, upper = (self.value - self.low) * weights, (self.high - self.value) * weights
        positive, alike = weights >= 0, correlation(self.influence)
        excess = self.excesses * weights * positive.all()
        reach = np.where(positive, lower - excess, upper), np.where(positive, upper, lower)
        down, up = (np.sqrt(max(each @ alike @ each, 0) + more**2) for each in reach)
        value, excess = weights @ self.value, excess.sum()
        ends = np.array([value]), np.array([value - down - excess]), np.array([value + up])
        return Estimate(*ends, self.influence @ weights[:, None], np.array([excess]))


def stacked(parts: list[Estimate]) -> Estimate:
    """Several estimates from the same patients, side by side."""
    ends = (np.concatenate([getattr(p, n) for p in parts]) for n in ("value", "low", "high"))
    influence = np.concatenate([part.influence for part in parts], axis=1)
    return Estimate(*ends, influence, np.concatenate([part.excesses for part in parts]))


def student(df: np.ndarray) -> np.ndarray:
    """Student's 97.5 % quantile, within 2e-6 of its size; df: 2 or more."""
    return np.exp(np.polynomial.polynomial.polyval(1 / df, LOG_STUDENT))


def correlation(influence: np.ndarray) -> np.ndarray:
    """Correlation of values over patients [L, L], shrunk towards 0 by two patients.

    So a mean of values whose errors cancel out in this sample keeps a width.
    """
    products = influence.T @ influence
    size = np.sqrt(np.diag(products))
    size = np.where(size > 0, size, 1)
    patients = (influence != 0).any(axis=1).sum()
    alike = products / np.outer(size, size) * patients / (patients + PRIOR)
    np.fill_diagonal(alike, 1)
    return alike


def wilson(value: np.ndarray, relative: np.ndarray, quantile=Z) -> tuple[np.ndarray, np.ndarray]:
    """Both ends of Wilson's interval of values from 0 to 1.

    relative: variance over value * (1 - value), which is one over the effective number of
    observations; quantile: of the normal distribution, or of Student's.
    """
    pull = quantile**2 * relative
    centre = (value + pull / 2) / (1 + pull)
    half = np.sqrt(pull * value * (1 - value) + pull**2 / 4) / (1 + pull)
    return np.maximum(centre - half, 0), np.minimum(centre + half, 1)


def moderated(found: np.ndarray, prior: np.ndarray, df: np.ndarray) -> np.ndarray:
    """A variance with `df` degrees of freedom, drawn towards the prior; the prior where NaN."""
    mixed = (PRIOR * prior + df * np.nan_to_num(found)) / (PRIOR + df)
    return np.where(np.isfinite(found), mixed, prior)


def bounded(
    value: np.ndarray,
    variance: np.ndarray,
    prior: np.ndarray,
    df: np.ndarray,
    heavy: bool = False,
    least: np.ndarray | float = 0.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Both ends of the intervals of values from 0 to 1 [L].

    variance: NaN where it cannot be estimated; prior: of the working model, relative to
    value * (1 - value), as is `least`, below which none is believed; df: degrees of freedom of the
    variance; heavy: with Student's quantile, not the normal one.
    """
    spread = value * (1 - value)
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.where(spread > 1e-15, variance / spread, np.nan)
    relative = np.maximum(moderated(found, prior, df), least)
    return wilson(value, relative, student(PRIOR + df) if heavy else Z)
