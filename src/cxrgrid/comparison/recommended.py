"""The recommended configuration of each dataset against all others at once.

The one that is recommended was chosen on validation images, so that its test value is no maximum;
but to ask which others it is better than is as many questions as there are others. Simultaneous
95 % intervals of its differences to all of them: the largest |t| over resampled patients, which all
configurations share, with the error of trainings drawn beside it (max-T; Westfall & Young,
Resampling-Based Multiple Testing, 1993; comparisons with the best: Hsu, Multiple Comparisons,
1996). Whatever it is not shown to beat cannot be told apart from it.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from cxrgrid.comparison import conclusions, difference
from cxrgrid.comparison.choice import ENTRY
from cxrgrid.comparison.effect_parts import EQUAL
from cxrgrid.comparison.effect_rows import primary_metric
from cxrgrid.comparison.measured import Measured
from cxrgrid.comparison.seed_variance import Spread
from cxrgrid.config.cell import CONFIGURATION
from cxrgrid.config.grid import Grid
from cxrgrid.evaluation import bootstrap
from cxrgrid.evaluation.many_groups import any_value
from cxrgrid.evaluation.row_intervals import ENOUGH
from cxrgrid.evaluation.wilson import Z

COLUMNS = [*CONFIGURATION, "metric", "recommended", "value", "difference", "low", "high", "p"]
COLUMNS += ["others", "seeds", "verdict"]
APART, TOGETHER, BEATEN = "worse", "not told apart", "better"
FEW = "too few patients"
DRAWS = 10_000
WIDTHLESS = 1e-6  # of an interval that floats alone give a width


def table(grid: Grid, measured: dict[str, Measured], validation: pd.DataFrame) -> pd.DataFrame:
    """One row per dataset and other entry: how far below the recommended one it is.

    validation: the rows of `choose`. difference: the recommended one less this one; p: adjusted for
    all others of the dataset. Only what has a value on test images.
    """
    rows, metric = [], primary_metric(grid)
    for dataset in [name for name in measured if name not in grid.sources()]:
        own = validation[(validation["dataset"] == dataset) & validation["chosen"]]
        rows += of_dataset(own, measured[dataset], metric)
    return pd.DataFrame(rows, columns=COLUMNS)


def of_dataset(own: pd.DataFrame, measured: Measured, metric: str) -> Iterator[dict]:
    """The rows of one dataset; own: its entries' rows of `choose`."""
    number = difference.RANKING.index(metric)
    found = {}
    for row in own.itertuples():
        configuration = tuple(getattr(row, axis) for axis in CONFIGURATION)
        seeds = measured.shared(configuration)
        if seeds:
            values = measured.seeds(configuration, seeds)[:, :, number, -1].mean(axis=0)
            entry = tuple(getattr(row, axis) for axis in ENTRY)
            own = measured.distances(configuration, seeds, (number, -1))
            found[entry] = values, len(seeds), own, row.recommended
    first = next((entry for entry, (*_, recommended) in found.items() if recommended), None)
    others = [entry for entry in found if entry != first]
    if first is None or not others:
        return
    apart = np.array([found[first][0] - found[entry][0] for entry in others])
    seeds = np.array([found[first][1], *(found[entry][1] for entry in others)])
    size = measured.size(first, -1)
    spread = measured.spread(number, -1)
    low, high, p = simultaneous(apart, seeds, size["rarer"], spread)
    ends = [(found[first][2], found[entry][2]) for entry in others]
    low, high = with_width(low, high, ends, size["rarer"])
    if size["most"] < ENOUGH:
        low, high, p = np.full((3, len(others)), np.nan)
    for at, entry in enumerate(others):
        row = dict(zip(CONFIGURATION, entry, strict=True)) | {"metric": metric}
        row |= {"recommended": "/".join(first[1:]), "value": found[entry][0][0]}
        row |= {"difference": apart[at, 0], "low": low[at], "high": high[at], "p": p[at]}
        row |= {"others": len(others), "seeds": found[entry][1]}
        yield row | {"verdict": verdict(low[at], high[at], spread is None)}


def simultaneous(
    apart: np.ndarray, seeds: np.ndarray, patients: int, spread: Spread | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Both ends [K] of intervals that all hold together in 95 % of studies, and adjusted p [K].

    apart: differences of one configuration to K others, of the images and of resamples
    [K, 1 + R]; seeds: of the one, then of the others [1 + K]; patients: on which the sampling
    errors rest; spread: of a single training, None: unknown and left out.
    """
    rng = np.random.default_rng(bootstrap.SEED)
    drawn = apart[:, 1:]
    drawn = drawn[:, ~np.isnan(drawn).any(axis=0)]
    moved = drawn - drawn.mean(axis=1, keepdims=True)
    moved = moved[:, rng.integers(moved.shape[1], size=DRAWS)] * tails(rng, patients - 1)
    variance = drawn.var(axis=1, ddof=1)
    if spread:
        trained = spread.sd * rng.normal(size=(len(seeds), DRAWS)) / np.sqrt(seeds)[:, None]
        moved = moved + (trained[:1] - trained[1:]) * tails(rng, spread.df)
        variance = variance + spread.sd**2 * (1 / seeds[0] + 1 / seeds[1:])
    errors = np.maximum(np.sqrt(variance), difference.TINY)
    largest = np.abs(moved / errors[:, None]).max(axis=0)
    reach = np.quantile(largest, 0.95) * errors
    value = apart[:, 0]
    p = (1 + (largest >= np.abs(value / errors)[:, None]).sum(axis=1)) / (1 + DRAWS)
    return np.maximum(value - reach, -1), np.minimum(value + reach, 1), p


def with_width(
    low: np.ndarray, high: np.ndarray, ends: list[tuple], patients: int
) -> tuple[np.ndarray, np.ndarray]:
    """The intervals [K], wider where no resample tells two apart; ends: as two distances each.

    Such an interval is that of a pair (`difference.with_width`), for all K at once by Sidak.
    """
    alone = [difference.with_width(EQUAL, own, patients).high for own in ends]
    reach = np.where(high - low < WIDTHLESS, alone, 0.0) * any_value(len(low)) / Z
    return low - reach, high + reach


def tails(rng: np.random.Generator, df: int) -> np.ndarray:
    """Factors [DRAWS] by which an error is larger for its size being estimated with `df`."""
    df = max(df, 1)
    return np.sqrt(df / rng.chisquare(df, size=DRAWS))


def verdict(low: float, high: float, trained_once: bool) -> str:
    """Verdict on another entry: `worse`, `better`, `not told apart` or `these trainings`.

    `too few patients` without an interval.
    """
    if np.isnan(low):
        return FEW
    if low <= 0 <= high:
        return TOGETHER
    if trained_once:
        return conclusions.THIS
    return APART if low > 0 else BEATEN
