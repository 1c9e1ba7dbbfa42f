"""Uncertainty of a mean over seeds: from patients, from seeds, and from both together."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import stdtrit

LEAST = 1e-12  # no p-value is given as smaller


@dataclass(frozen=True)
class Spread:
    """SD between trainings that differ in the seed only, and its degrees of freedom."""

    sd: float
    df: int


def pool(groups: list[np.ndarray]) -> Spread | None:
    """Pooled SD over seeds of several configurations; None if none has two seeds.

    The error term of an analysis of variance: it assumes equal spread of the configurations, and
    so rests on more than the two or three seeds of each. Groups with NaN are left out.
    """
    groups = [group for group in groups if len(group) > 1 and not np.isnan(group).any()]
    df = sum(len(group) - 1 for group in groups)
    if not df:
        return None
    squares = sum(((group - group.mean()) ** 2).sum() for group in groups)
    return Spread(float(np.sqrt(squares / df)), df)


@dataclass(frozen=True)
class Combined:
    """A mean over seeds, or the difference of two, with its uncertainty.

    sampling_se: standard error over patients, the trained models given; seed_sd: SD between seeds
    on these patients (NaN if unknown); seed_se: its standard error of the mean; low, high: 95 %
    interval from both sources; p: two-sided, of the value 0; detectable: the true difference that
    such a study shows in 80 % of cases, at 5 %.
    """

    value: float
    sampling_se: float
    seed_sd: float
    seed_se: float
    low: float
    high: float
    p: float
    detectable: float = float("nan")

    @property
    def trained_once(self) -> bool:
        """True if nothing says how trainings vary: the value is of these trainings alone."""
        return bool(np.isnan(self.seed_se))


def combine(
    sampling_se: float, patients: int, *groups: np.ndarray, spread: Spread | None = None
) -> Combined:
    """Interval of a mean over seeds; with two groups, of the first mean minus the second.

    sampling_se: of that value, from resamples of the patients that all seeds share; patients: the
    number that it rests on, those of the rarer class; groups: each seed's value [S]. One group has
    the seeds of a configuration, or the differences of pairs that share a seed; spread: of a
    single value, if it is known from more than these groups.

    Both sources have Student's interval, with patients - 1 and S - 1 (or the spread's) degrees of
    freedom, and the half-widths are added in squares (Howe, JASA 69 (1974) 789-794; Zou & Donner,
    Stat Med 27 (2008) 1693-1702). Satterthwaite's single t is shorter, but covers as little as 88 %
    with two seeds. On including both sources: Bouthillier et al., MLSys 2021, arXiv 2103.03098.
    For one seed without a known spread, the interval refers to that training alone; one seed
    against several is assumed to spread as those do.
    NaN if the value or its error is NaN.
    """
    means = [float(np.mean(group)) for group in groups]
    value = means[0] - sum(means[1:])
    sd, parts, df = seed_parts(groups, spread)
    seed_se = float(np.sqrt(sum(parts))) if parts else float("nan")
    apart = (float(sampling_se), sd, seed_se)
    errors = np.sqrt([sampling_se**2, *parts])
    df = np.maximum([patients - 1, *df], 1)
    if np.isnan(value) or np.isnan(errors).any():
        return Combined(value, *apart, np.nan, np.nan, np.nan)
    width = half_width(0.05, errors, df)
    p = p_value(abs(value), errors, df)
    return Combined(value, *apart, value - width, value + width, p, detectable(errors, df))


def over_seeds(
    values: np.ndarray, low: np.ndarray, high: np.ndarray, spread: Spread | None = None
) -> tuple[float, float]:
    """Both ends of a mean over seeds, from each seed's interval over patients [S].

    All seeds are tested on the same patients, so the distances of the ends are averaged as if the
    seeds erred together; that of the seeds is added in squares (MOVER, as in `combine`). spread: of
    a single value, where it is known from more seeds than these; without one, and of one seed, the
    interval refers to that training alone. NaN where a seed has no interval.
    """
    value, (_, parts, df) = values.mean(), seed_parts((values,), spread)
    more = half_width(0.05, np.sqrt(parts), np.maximum(df, 1)) if parts else 0.0
    down, up = (values - low).mean(), (high - values).mean()
    return float(value - np.hypot(down, more)), float(value + np.hypot(up, more))


def seed_parts(
    groups: tuple[np.ndarray, ...], spread: Spread | None
) -> tuple[float, list[float], list[int]]:
    """SD between seeds; variance of each group's mean; degrees of freedom of each group."""
    if spread:
        parts = [spread.sd**2 / len(group) for group in groups]
        return spread.sd, parts, [spread.df] * len(groups)
    several = [group for group in groups if len(group) > 1]
    if not several:
        return float("nan"), [], []
    pooled = float(np.mean([np.var(group, ddof=1) for group in several]))
    fewest = min(len(group) - 1 for group in several)
    variances = [np.var(group, ddof=1) if len(group) > 1 else pooled for group in groups]
    parts = [float(v / len(group)) for v, group in zip(variances, groups, strict=True)]
    return float(np.sqrt(pooled)), parts, [len(group) - 1 or fewest for group in groups]


def half_width(alpha: float, errors: np.ndarray, df: np.ndarray) -> float:
    """Half-width of the (1 - alpha) interval."""
    return float(np.sqrt(((stdtrit(df, alpha / 2) * errors) ** 2).sum()))


def detectable(errors: np.ndarray, df: np.ndarray) -> float:
    """True difference that is shown in 80 % of studies with these errors, at 5 %, two-sided."""
    return half_width(0.05, errors, df) + half_width(0.4, errors, df)


def p_value(distance: float, errors: np.ndarray, df: np.ndarray) -> float:
    """Two-sided p: the alpha at which the half-width equals `distance`."""
    if distance == 0:
        return 1.0
    if distance >= half_width(LEAST, errors, df):
        return LEAST
    power = brentq(lambda x: half_width(10**x, errors, df) - distance, np.log10(LEAST), 0)
    return float(10**power)
