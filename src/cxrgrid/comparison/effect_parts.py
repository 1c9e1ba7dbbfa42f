"""The effect of one level against another in one dataset, and what its uncertainty is made of."""

from collections import Counter
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import stdtrit

from cxrgrid.comparison import difference
from cxrgrid.comparison.measured import Measured
from cxrgrid.comparison.seed_variance import Combined, detectable, half_width, p_value
from cxrgrid.evaluation import bootstrap
from cxrgrid.evaluation.row_intervals import ENOUGH

EQUAL = Combined(0.0, 0.0, np.nan, np.nan, 0.0, 0.0, 1.0)  # two that no resample tells apart


@dataclass(frozen=True)
class Errors:
    """Independent errors of a value: standard errors [E] and degrees of freedom [E].

    Each has Student's interval; half-widths are added in squares, as in `seed_variance.combine`.
    """

    errors: np.ndarray
    df: np.ndarray

    @property
    def total(self) -> float:
        """Standard error of the value."""
        return float(np.sqrt((self.errors**2).sum()))

    def interval(self, value: float) -> tuple[float, float, float]:
        """Both ends of the 95 % interval, within -1 and 1, and the two-sided p of 0."""
        if np.isnan(value) or np.isnan(self.errors).any() or not self.total > 0:
            return (np.nan,) * 3
        wide = half_width(0.05, self.errors, self.df)
        low, high = max(value - wide, -1.0), min(value + wide, 1.0)
        return low, high, p_value(abs(value), self.errors, self.df)

    @property
    def detectable(self) -> float:
        """The true difference that such a study shows in 80 % of cases, at 5 %."""
        if np.isnan(self.errors).any() or not self.total > 0:
            return np.nan
        return detectable(self.errors, self.df)


@dataclass(frozen=True)
class Part:
    """An effect in one dataset: the mean over pairs of configurations that are alike in all else.

    drawn: of the images, then of resampled patients [C, 1 + R], of each pair; trainings: sum of the
    squared weights of the trainings in the effect; seeds: fewest of a pair; size: as in
    `difference.sizes`; seed_sd, seed_df: SD of a single training with its degrees of freedom, NaN
    and 0 where no configuration of the dataset has two seeds; width: half-width of the interval
    where no resample differs (`difference.with_width`), else 0.
    """

    dataset: str
    drawn: np.ndarray
    trainings: float
    seeds: int
    size: dict[str, int]
    seed_sd: float
    seed_df: int
    width: float = 0.0

    @cached_property
    def values(self) -> np.ndarray:
        """Of the images, then of resamples [1 + R]."""
        return self.drawn.mean(axis=0)

    @property
    def value(self) -> float:
        """The effect."""
        return float(self.values[0])

    @property
    def sampling(self) -> float:
        """Standard error over patients, the trainings given; NaN where patients are too few."""
        if self.size["most"] < ENOUGH:
            return np.nan
        if self.width:
            return self.width / -stdtrit(self.freedom, 0.025)
        return float(bootstrap.standard_error(self.values[1:]))

    @property
    def freedom(self) -> int:
        """Degrees of freedom of the error over patients."""
        return max(self.size["rarer"] - 1, 1)

    @property
    def training(self) -> tuple[float, int]:
        """Standard error over trainings, and its degrees of freedom.

        Where no configuration has two seeds, the spread of the pairs stands for it, which holds
        more than that of trainings; NaN of a single pair.
        """
        count = len(self.drawn)
        if self.seed_df:
            return self.seed_sd * float(np.sqrt(self.trainings)), self.seed_df
        if count > 1:
            return float(self.drawn[:, 0].std(ddof=1) / np.sqrt(count)), count - 1
        return np.nan, 0

    @property
    def trained_once(self) -> bool:
        """True if nothing says how trainings vary: the effect is of these trainings alone."""
        return not self.training[1]

    def errors(self) -> Errors:
        """Both errors; that of the patients alone where nothing says how trainings vary.

        NaN where patients are too few.
        """
        seed, df = self.training
        parts = [(self.sampling, self.freedom)] + ([(seed, df)] if df else [])
        errors, freedom = zip(*parts, strict=True)
        return Errors(np.array(errors), np.array(freedom))


def part(pairs: list[tuple], measured: Measured, number: int) -> Part | None:
    """The effect over pairs (x, y) of configurations of one dataset; None if none is complete.

    Each pair is x less y over the seeds that both have; number: which metric, mean over labels.
    """
    drawn, weights, fewest, widths = [], Counter(), [], []
    size = measured.size(pairs[0][0], -1)
    for pair in pairs:
        shared = measured.shared(*pair)
        if shared:
            x, y = (measured.seeds(side, shared)[:, :, number, -1] for side in pair)
            drawn.append(x.mean(axis=0) - y.mean(axis=0))
            fewest.append(len(shared))
            own = [measured.distances(side, shared, (number, -1)) for side in pair]
            widths.append(difference.with_width(EQUAL, own, size["rarer"]).high)
            for sign, side in zip((1, -1), pair, strict=True):
                weights.update({(side, seed): sign / len(shared) for seed in shared})
    if not drawn or np.isnan([each[0] for each in drawn]).any():
        return None
    squares = sum(weight**2 for weight in weights.values()) / len(drawn) ** 2
    found = measured.spread(number, -1)
    spread = (found.sd, found.df) if found else (np.nan, 0)
    differ = np.nanmax(np.abs(drawn)) > difference.TINY or spread[0] > difference.TINY
    width = 0.0 if differ else float(np.mean(widths))
    return Part(pairs[0][0][0], np.array(drawn), squares, min(fewest), size, *spread, width)
