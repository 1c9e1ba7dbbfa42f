"""Values of a dataset's cells on the same resampled patients, with each cell's own interval."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from cxrgrid.comparison import difference
from cxrgrid.comparison.seed_variance import Spread, pool
from cxrgrid.config.study import Report
from cxrgrid.evaluation import bootstrap, fold_means
from cxrgrid.evaluation.own_intervals import own_intervals, with_excess
from cxrgrid.evaluation.predictions import Predictions
from cxrgrid.evaluation.rare_labels import rare_labels
from cxrgrid.evaluation.row_intervals import ENOUGH


@dataclass(frozen=True)
class Measured:
    """Results of a dataset's cells, by (configuration, seed).

    values: `difference.resampled`; ends: bounds of the cell by itself, [metrics, L + 1] each;
    sizes: of each number of folds, `difference.sizes` of their test images; folds: of each
    configuration the number of folds that its values are means over; rare: of each number of folds,
    the `rare_labels`, which are in no mean and in no test.
    """

    labels: list[str]
    sizes: dict[int, list[dict[str, int]]]
    values: dict[tuple, np.ndarray]
    ends: dict[tuple, tuple[np.ndarray, np.ndarray]]
    folds: dict[tuple, int]
    rare: dict[int, frozenset[str]] = field(default_factory=dict)

    def size(self, configuration: tuple, at: int) -> dict[str, int]:
        """Sizes of the test images of a configuration, of label `at`."""
        return dict(self.sizes[self.folds.get(configuration, max(self.sizes))][at])

    def is_rare(self, configuration: tuple, label: str) -> bool:
        """True if a label is in no test of a configuration."""
        many = self.folds.get(configuration, max(self.sizes))
        return label in self.rare.get(many, ())

    def seeds(self, configuration: tuple, seeds: tuple[int, ...]) -> np.ndarray:
        """The resampled values of a configuration's seeds [S, 1 + R, metrics, L + 1]."""
        return np.stack([self.values[configuration, seed] for seed in seeds])

    def shared(self, *configurations: tuple) -> tuple[int, ...]:
        """The seeds that all of some configurations have."""
        seeds = (
            {seed: None for each, seed in self.values if each == configuration}
            for configuration in configurations
        )
        first, *others = seeds
        return tuple(seed for seed in first if all(seed in other for other in others))

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


def measure(cells: Iterator[tuple[tuple, int, list[Predictions]]], how: Report) -> Measured:
    """Results of a dataset's cells, (configuration, seed, predictions), on the same resamples.

    predictions: one per fold; of several folds, the results are means over them. how: `resamples`,
    `stratify` and `interval`.
    """
    labels, values, ends, counted, many, rare = [], {}, {}, {}, {}, {}
    for configuration, seed, folds in cells:
        labels, key = folds[0].facts["labels"], (configuration, seed)
        many[configuration] = len(folds)
        if len(folds) not in counted:
            rare[len(folds)] = rare_labels(folds, how.minimum)
            counted[len(folds)] = difference.sizes(folds, rare[len(folds)])
        few = rare[len(folds)]
        options = (how.resamples, None, how.stratify, few)
        found = [difference.resampled(fold, *options) for fold in folds]
        values[key] = found[0] if len(found) == 1 else fold_means.resampled_mean(np.stack(found))
        if how.interval == "wilson":
            ends[key] = closed_ends(folds, found, few)
        else:
            ends[key] = bootstrap.interval(values[key][1:])
    nothing = {"n": 0, "positives": 0, "patients": 0, "rarer": 0, "most": 0}
    return Measured([*labels, "macro"], counted or {1: [nothing]}, values, ends, many, rare)


def closed_ends(
    folds: list[Predictions], values: list[np.ndarray], rare: frozenset[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Bounds [metrics, L + 1] in closed form; values: of each fold, as `difference.resampled`.

    NaN where patients of a class are too few in all folds together.
    """
    if len(folds) == 1:
        return own_intervals(folds[0], rare=rare)
    ends = zip(*(with_excess(fold, enough=1, rare=rare) for fold in folds), strict=True)
    low, high = fold_means.ends(np.stack([v[0] for v in values]), *map(np.stack, ends))
    few = np.array([size["most"] < ENOUGH for size in difference.sizes(folds, rare)])
    return np.where(few, np.nan, low), np.where(few, np.nan, high)
