"""Values of a dataset's cells on the same resampled patients, with each cell's own interval."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from cxrgrid.config.study import Report
from cxrgrid.evaluation import bootstrap, difference
from cxrgrid.evaluation.own_intervals import own_intervals
from cxrgrid.evaluation.predictions import Predictions
from cxrgrid.evaluation.seed_variance import Spread, pool


@dataclass(frozen=True)
class Measured:
    """Results of a dataset's cells, by (configuration, seed).

    values: `difference.resampled`; ends: bounds of the cell by itself, [metrics, L + 1] each.
    """

    labels: list[str]
    sizes: list[dict[str, int]]
    values: dict[tuple, np.ndarray]
    ends: dict[tuple, tuple[np.ndarray, np.ndarray]]

    def seeds(self, configuration: tuple, seeds: tuple[int, ...]) -> np.ndarray:
        """The resampled values of a configuration's seeds [S, 1 + R, metrics, L + 1]."""
        return np.stack([self.values[configuration, seed] for seed in seeds])

    def own(self, configuration: tuple, seeds: tuple[int, ...]) -> np.ndarray:
        """Bounds of the seeds by themselves [S, 2, metrics, L + 1]."""
        return np.array([self.ends[configuration, seed] for seed in seeds])

    def distances(
        self, configuration: tuple, seeds: tuple[int, ...], at: tuple[int, int]
    ) -> tuple[float, float]:
        """Mean distance of the seeds' own bounds from their values, below and above."""
        low, high = self.own(configuration, seeds)[:, :, *at].T
        points = self.seeds(configuration, seeds)[:, 0, *at]
        return float((points - low).mean()), float((high - points).mean())

    def spread(self, number: int, at: int) -> Spread | None:
        """Spread over seeds of a metric and label, pooled over the dataset's configurations."""
        groups: dict[tuple, list[float]] = {}
        for (configuration, _), values in self.values.items():
            groups.setdefault(configuration, []).append(values[0, number, at])
        return pool([np.array(group) for group in groups.values()])


def measure(cells: Iterator[tuple[tuple, int, Predictions]], how: Report) -> Measured:
    """Results of a dataset's cells, (configuration, seed, predictions), on the same resamples.

    how: `resamples` and `stratify`.
    """
    first, values, ends = None, {}, {}
    for configuration, seed, found in cells:
        first, key = first or found, (configuration, seed)
        values[key] = difference.resampled(found, how.resamples, stratify=how.stratify)
        closed = how.interval == "wilson"
        ends[key] = own_intervals(found) if closed else bootstrap.interval(values[key][1:])
    if first is None:
        nothing = {"n": 0, "positives": 0, "patients": 0, "rarer": 0}
        return Measured(["macro"], [nothing], {}, {})
    return Measured([*first.facts["labels"], "macro"], difference.sizes(first), values, ends)
