"""The interval of each row of an `Evaluation` in closed form, or why it has none."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from cxrgrid.evaluation.all_metrics import (
    METRICS,
    OF_MACRO,
    OF_WEIGHTED,
    WITHOUT,
    Evaluation,
    Row,
    mean,
)
from cxrgrid.evaluation.estimates import Estimates
from cxrgrid.evaluation.wilson import Estimate, stacked

ENOUGH = 3  # images of as many patients, of each kind that a metric rests on
POSITIVE, NEGATIVE, KNOWN = "positive images", "negative images", "images with a known label"
CALLED, EITHER = "images called positive", "images positive or called so"
CLEARED = "images called negative"
BOTH = (POSITIVE, NEGATIVE)
RESTS_ON = {"f1": (EITHER,), "precision": (CALLED,), "npv": (CLEARED,), "specificity": (NEGATIVE,)}
RESTS_ON |= {"sensitivity": (POSITIVE,)}
RESTS_ON |= dict.fromkeys(("auroc", "ap", "balanced_accuracy", "mcc", "log_loss"), BOTH)
RESTS_ON |= dict.fromkeys(("calibration_slope", "calibration_intercept"), BOTH)
RESTS_ON |= dict.fromkeys(("calibration_in_the_large", "observed_to_expected"), BOTH)
NONE = (np.nan, np.nan)


@dataclass(frozen=True)
class OfPatients:
    """A single value with its interval, and what each of the named patients [P] moves it."""

    estimate: Estimate
    patients: np.ndarray

    @property
    def value(self) -> float:
        """The value."""
        return float(self.estimate.value[0])

    def ends(self) -> tuple[float, float]:
        """Both ends of the interval."""
        return float(self.estimate.low[0]), float(self.estimate.high[0])

    def __sub__(self, other: "OfPatients") -> "OfPatients":
        """The difference, of groups that may share patients."""
        names = np.union1d(self.patients, other.patients)
        sides = stacked([self.among(names), other.among(names)])
        found = sides.combined(np.array([1.0, -1.0]))
        return OfPatients(found, names)

    def among(self, names: np.ndarray) -> Estimate:
        """The estimate with an influence of each named patient; 0 of others than its own."""
        influence = np.zeros((len(names), 1))
        influence[np.searchsorted(names, self.patients)] = self.estimate.influence
        return replace(self.estimate, influence=influence)


class RowIntervals:
    """Values [rows] and intervals of one model's rows."""

    def __init__(self, made: Evaluation):
        self.made = made
        self.value = made.metrics(np.ones((1, len(made.test.image)), np.uint8))[0]
        self.estimates = Estimates(made, self.value)
        self.kept: dict[tuple[str, str], Estimate] = {}
        self.counted: dict[tuple[str, str], np.ndarray] = {}
        self.reasons: dict[Row, str | None] = {}

    def ends(self) -> tuple[np.ndarray, np.ndarray]:
        """Both ends of each row's interval; NaN where it has none, `lacking` says why."""
        none = [bool(self.lacking(row)) for row in self.made.rows]
        return tuple(np.where(none, np.nan, end) for end in self.all_ends())

    def all_ends(self) -> tuple[np.ndarray, np.ndarray]:
        """Both ends of each row's interval, also where few patients say what its width is."""
        found = {}
        for kind in [kind for kind in self.made.kinds(METRICS) if kind[0] not in WITHOUT]:
            found |= self.of_kind(*kind)
        found |= {row: limits(self.of_whole(row)) for row in self.made.rows if row not in found}
        low, high = np.array([found[row] for row in self.made.rows]).T
        return np.minimum(low, self.value), np.maximum(high, self.value)  # whatever was rounded

    def of_kind(self, metric: str, rule: str) -> dict[Row, tuple[float, float]]:
        """The intervals of a metric for each label and for averages over labels."""
        each = self.of_labels(metric, rule)
        ends = zip(each.low.tolist(), each.high.tolist(), strict=True)
        rows = {Row(n, metric, rule): pair for n, pair in zip(self.made.labels, ends, strict=True)}
        for name, metrics in (("macro", OF_MACRO), ("weighted", OF_WEIGHTED)):
            if metric in metrics:
                average = self.estimates.average(each, name == "weighted")
                rows[Row(name, metric, rule)] = limits(average)
        return rows

    def excesses(self) -> np.ndarray:
        """By how much each row may be too high on average: average precision of labels, means."""
        each = self.of_labels("ap", "")
        found = dict(zip(self.made.labels, each.excesses, strict=True))
        for name in ("macro", "weighted"):
            average = self.estimates.average(each, name == "weighted")
            found[name] = 0.0 if average is None else average.excesses[0]
        rows = self.made.rows
        return np.array([found.get(r.label, 0.0) if r.metric == "ap" else 0.0 for r in rows])

    def of_labels(self, metric: str, rule: str) -> Estimate:
        """A metric of each label, made once."""
        if (metric, rule) not in self.kept:
            self.kept[metric, rule] = self.estimates.of_labels(metric, rule)
        return self.kept[metric, rule]

    def of_whole(self, row: Row) -> Estimate | None:
        """All labels together; None of a row without an interval."""
        if row.metric in WITHOUT:
            return None
        if row.label == "micro":
            return self.estimates.micro(row.metric, row.rule)
        return (
            self.estimates.samples(row.rule)
            if row.label == "samples"
            else self.estimates.decision(row.metric)
        )

    def column(self, labels: list[str], kind: tuple[str, str]) -> OfPatients:
        """The mean of a metric over some labels."""
        own = np.array([self.estimates.values[Row(label, *kind)] for label in labels])
        value = mean(own[None])
        at = [self.made.labels.index(n) for n, v in zip(labels, own, strict=True) if v == v]
        each = self.of_labels(*kind).take(np.array(at, int))
        found = each.combined(np.full(len(at), 1 / max(len(at), 1)))
        return OfPatients(replace(found, value=value), self.estimates.patients.names)

    # -------------------------------------------------------------- reasons

    def lacking(self, row: Row) -> str | None:
        """Why a row has a value and no interval: too few images or patients of a kind."""
        if row not in self.reasons:
            self.reasons[row] = lacking([self], row)
        return self.reasons[row]

    def numbers(self, kind: str, rule: str) -> np.ndarray:
        """Numbers of images of a kind, and of their patients, by label [2, L]."""
        if (kind, rule) not in self.counted:
            classes = self.estimates.classes
            kinds = {POSITIVE: classes.m, NEGATIVE: classes.n, KNOWN: classes.known}
            if kind not in kinds:
                counts = self.estimates.counts(rule)
                kinds[CALLED] = counts.tp + counts.fp
                kinds[EITHER] = classes.m + counts.fp
                kinds[CLEARED] = counts.tn + counts.fn
            images = kinds[kind]
            self.counted[kind, rule] = np.stack([images.sum(axis=0), (images > 0).sum(axis=0)])
        return self.counted[kind, rule]


def lacking(folds: Sequence[RowIntervals], row: Row) -> str | None:
    """As `RowIntervals.lacking`, of the mean over folds: counted are the images of all."""
    if row.metric in WITHOUT:
        return None
    labels, of_mean = folds[0].made.labels, np.any([f.made.averaged for f in folds], axis=0)
    if row.label not in labels:
        over = [name for name, there in zip(labels, of_mean, strict=True) if there]
        rows = [Row(name, row.metric, row.rule) for name in over]
        alone = folds[0].lacking if len(folds) == 1 else None
        words = [alone(one) if alone else lacking(folds, one) for one in rows]
        return words[0] if words and all(words) else None
    at = labels.index(row.label)
    for kind in RESTS_ON.get(row.metric, (KNOWN,)):
        images, patients = sum(fold.numbers(kind, row.rule)[:, at] for fold in folds)
        if min(images, patients) < ENOUGH:
            few = f"too few {kind} for an interval: {images:.0f} (patients: {patients:.0f})"
            return f"{few}; {ENOUGH} of {ENOUGH} patients are needed"
    return None


def bare(found: OfPatients) -> OfPatients:
    """The value without its interval."""
    none = np.array([np.nan])
    return replace(found, estimate=replace(found.estimate, low=none, high=none))


def limits(one: Estimate | None) -> tuple[float, float]:
    """Both ends of a single value's interval; NaN of none."""
    return NONE if one is None else (float(one.low[0]), float(one.high[0]))
