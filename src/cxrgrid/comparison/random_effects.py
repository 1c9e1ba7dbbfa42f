"""Random-effects summary of several estimates: Paule-Mandel, Hartung-Knapp, heterogeneity.

The datasets of a study are taken for a sample of datasets that there could be. Variance between
them: Paule & Mandel, J Res Natl Bur Stand 87 (1982) 377-385. Interval of the mean: Hartung & Knapp,
Stat Med 20 (2001) 3875-3889, or the ordinary one of the normal distribution where that is wider
(Jackson et al., Stat Med 36 (2017) 3923-3934), since few datasets may agree by chance. Prediction
interval: Higgins, Thompson & Spiegelhalter, J R Stat Soc A 172 (2009) 137-159.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import stdtrit
from scipy.stats import chi2, norm, t


@dataclass(frozen=True)
class Heterogeneity:
    """Excess of the spread of K estimates over their errors: Cochran's Q and its p, I²."""

    q: float
    p: float
    i2: float


@dataclass(frozen=True)
class Summary:
    """The mean over datasets that there could be, with its 95 % interval and two-sided p.

    tau: SD of the true effects between datasets; prediction_low, prediction_high: 95 % interval of
    the effect in one more dataset; error: Hartung and Knapp's standard error.
    """

    value: float
    low: float
    high: float
    p: float
    tau: float
    prediction_low: float
    prediction_high: float
    error: float


def heterogeneity(values: np.ndarray, variances: np.ndarray) -> Heterogeneity:
    """Cochran's test of K >= 2 estimates [K] (Higgins & Thompson, Stat Med 21 (2002) 1539: I²)."""
    q, df = spread(0.0, values, variances), len(values) - 1
    return Heterogeneity(q, float(chi2.sf(q, df)), max(0.0, 1 - df / q) if q > 0 else 0.0)


def spread(between: float, values: np.ndarray, variances: np.ndarray) -> float:
    """Weighted squares around the weighted mean, with a variance between estimates added."""
    weights = 1 / (variances + between)
    mean = weights @ values / weights.sum()
    return float(weights @ (values - mean) ** 2)


def between(values: np.ndarray, variances: np.ndarray) -> float:
    """Paule and Mandel's variance between K estimates: that with which they spread as expected."""
    df = len(values) - 1
    if spread(0.0, values, variances) <= df:
        return 0.0
    most = np.ptp(values) ** 2 * len(values)
    return float(brentq(lambda x: spread(x, values, variances) - df, 0.0, most))


def hartung_knapp(values: np.ndarray, variances: np.ndarray) -> Summary:
    """Random-effects mean of K >= 3 estimates [K] with their variances [K]."""
    k, tau2 = len(values), between(values, variances)
    weights = 1 / (variances + tau2)
    mean = float(weights @ values / weights.sum())
    usual = 1 / np.sqrt(weights.sum())
    error = usual * np.sqrt(spread(tau2, values, variances) / (k - 1))
    reach = max(-stdtrit(k - 1, 0.025) * error, norm.ppf(0.975) * usual)
    further = max(-stdtrit(k - 2, 0.025) * np.sqrt(tau2 + usual**2), reach)
    tails = norm.sf(abs(mean) / usual), t.sf(abs(mean) / error, k - 1) if error > 0 else 0.0
    p = float(2 * max(tails))
    ends = (float(mean + side * width) for width in (reach, further) for side in (-1, 1))
    low, high, prediction_low, prediction_high = ends
    return Summary(mean, low, high, p, tau2**0.5, prediction_low, prediction_high, float(error))
