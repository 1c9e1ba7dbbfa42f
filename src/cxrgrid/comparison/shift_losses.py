"""Loss of a configuration under changes of the test images, on the same patients.

A loss is the difference of a metric between changed and unchanged images, answered by the same
trainings. Its error over patients follows from the influence of each patient on both values;
nothing is resampled. Its error over trainings is the spread of the seeds' losses, pooled over the
configurations of a dataset.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from cxrgrid.comparison import difference
from cxrgrid.comparison.seed_variance import Combined, Spread, combine
from cxrgrid.evaluation import fold_means, influence
from cxrgrid.evaluation.intervals import Classes
from cxrgrid.evaluation.own_intervals import ranked, with_mean
from cxrgrid.evaluation.predictions import Predictions
from cxrgrid.evaluation.row_intervals import ENOUGH
from cxrgrid.evaluation.wilson import Estimate

METRICS = difference.RANKING


@dataclass(frozen=True)
class Values:
    """Metrics of each label, then their mean over labels with both classes that are not rare.

    value, low, high: [M, L + 1]; moves: influence of each patient [M, P, L + 1]; images: those with
    a known label of each patient [P, L + 1].
    """

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    moves: np.ndarray
    images: np.ndarray


def values(made: Predictions, rare: frozenset[str] = frozenset()) -> Values:
    """`Values` of one file, AUROC and average precision; rare: labels that are not in the mean."""
    patients, classes = grouped(made)
    return averaged(made, ranked(made, patients, classes), patients, classes, rare)


def grouped(made: Predictions) -> tuple[influence.Patients, Classes]:
    """The images of a file by patient, and each patient's positives and negatives."""
    patients = influence.patients(made.patient)
    counts = (patients.sums((made.labels == kind).astype(float)) for kind in (1, 0))
    return patients, Classes(*counts)


def averaged(
    made: Predictions,
    metrics: list[Estimate],
    patients: influence.Patients,
    classes: Classes,
    rare: frozenset[str] = frozenset(),
) -> Values:
    """Several metrics of each label, with their means over the labels that are averaged."""
    both = classes.averaged(made.facts["labels"], frozenset())
    kept = classes.averaged(made.facts["labels"], rare)
    found, ends = [], []
    for each in metrics:
        own = np.where(both, each.value, np.nan)
        there = np.flatnonzero(kept & np.isfinite(own))
        mean, moved = own[there].mean() if len(there) else np.nan, each.influence[:, there]
        average = moved.sum(axis=1, keepdims=True) / max(len(there), 1)
        found.append((np.append(own, mean), np.append(each.influence, average, axis=1)))
        ends.append(with_mean(each, classes, ENOUGH, kept))
    value, moves = (np.stack(part) for part in zip(*found, strict=True))
    low, high, _ = (np.stack(side) for side in zip(*ends, strict=True))
    seen = (~np.isnan(made.labels)).any(axis=1, keepdims=True).astype(float)
    images = np.append(classes.known, patients.sums(seen), axis=1)
    return Values(value, low, high, moves, images)


@dataclass(frozen=True)
class Loss:
    """A loss of a configuration in one metric and label, before what is known of other trainings.

    before, after: value of each seed [S]; error: over patients; size: as `difference.sizes`; ends:
    of both sides' own intervals, the changed images' first, as `difference.with_width` takes them.
    """

    before: np.ndarray
    after: np.ndarray
    error: float
    size: dict[str, int]
    ends: list[tuple[float, float]]

    @property
    def of_seeds(self) -> np.ndarray:
        """The loss of each seed [S]."""
        return self.after - self.before

    def bounded(self, found: Combined) -> Combined:
        """The loss with an interval between -1 and 1; without one where patients are too few."""
        found = difference.within(found, -1, 1)
        found = difference.with_width(found, self.ends, self.size["rarer"])
        return difference.with_enough(found, METRICS[0], self.size)

    def row(self, spread: Spread | None) -> dict[str, float]:
        """Its columns; spread: of a seed's loss, where it is known from more than these seeds."""
        found = self.bounded(combine(self.error, self.size["rarer"], self.of_seeds, spread=spread))
        row = {"unchanged": self.before.mean(), "value": self.after.mean()}
        row |= {"difference": found.value, "low": found.low, "high": found.high}
        return row | {"sampling_se": found.sampling_se, "seed_sd": found.seed_sd}


def losses(
    clean: Sequence[Sequence[Values]],
    changed: Sequence[Sequence[Values]],
    size: list[dict[str, int]],
) -> Iterator[tuple[int, int, Loss]]:
    """The loss in each metric and label: (metric, label, loss).

    clean, changed: of each seed the values on each fold, both on the same images; size: of the
    labels and their mean, as `difference.sizes`.
    """
    points = [np.stack([fold_means.mean(stacked(s)) for s in side]) for side in (clean, changed)]
    error = np.sqrt(sampling_variance(clean, changed))
    ends = [distances(side) for side in (changed, clean)]
    for number in range(len(error)):
        for at, one in enumerate(size):
            sides = (side[:, number, at] for side in points)
            own = [tuple(end[:, number, at]) for end in ends]
            yield number, at, Loss(*sides, float(error[number, at]), one, own)


def stacked(folds: Sequence[Values]) -> np.ndarray:
    """Values of each fold [V, M, L + 1]."""
    return np.stack([fold.value for fold in folds])


def sampling_variance(
    clean: Sequence[Sequence[Values]], changed: Sequence[Sequence[Values]]
) -> np.ndarray:
    """Variance over patients of the mean loss over seeds and folds [M, L + 1]."""
    total = 0.0
    share = fold_means.weights(stacked(clean[0]))
    for fold, weight in enumerate(share):
        pairs = zip(clean, changed, strict=True)
        moves = np.mean([after[fold].moves - before[fold].moves for before, after in pairs], axis=0)
        images = clean[0][fold].images
        own = np.stack([influence.variance(each, images) for each in moves])
        total = total + np.where(weight > 0, weight**2 * own, 0)
    return total


def distances(side: Sequence[Sequence[Values]]) -> np.ndarray:
    """Mean distance of the seeds' own ends from their values, below and above [2, M, L + 1]."""
    found = []
    for folds in side:
        value = stacked(folds)
        low, high = (np.stack([getattr(fold, end) for fold in folds]) for end in ("low", "high"))
        low, high = fold_means.ends(value, low, high)
        centre = fold_means.mean(value)
        found.append((centre - low, high - centre))
    return np.mean(found, axis=0)
