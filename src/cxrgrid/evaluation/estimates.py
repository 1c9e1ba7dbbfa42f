"""Each metric of an `Evaluation` with its interval: by label, averaged, and over all labels."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from cxrgrid.config.operating_points import ARGMAX
from cxrgrid.evaluation import influence, intervals
from cxrgrid.evaluation.all_metrics import Evaluation, Row
from cxrgrid.evaluation.intervals import Classes, Counts, proportion
from cxrgrid.evaluation.metrics import Ranking, ratio
from cxrgrid.evaluation.wilson import Estimate, Z

RANKED = ("auroc", "ap")


class Estimates:
    """Metrics of one model; values: of the rows of `made`, as `Evaluation.metrics` gives them."""

    def __init__(self, made: Evaluation, values: np.ndarray):
        self.made = made
        self.values = dict(zip(made.rows, values, strict=True))
        self.patients = influence.patients(made.test.patient)
        self.kept: dict[str, np.ndarray] = {}

    def sums(self, name: str) -> np.ndarray:
        """Contribution of each patient's images to one of the evaluation's sums [P, L]."""
        if name not in self.kept:
            self.kept[name] = self.patients.sums(self.made.term(name))
        return self.kept[name]

    @cached_property
    def classes(self) -> Classes:
        """Positives and negatives of each patient [P, L]."""
        present = self.sums("present")
        return Classes(present, self.sums("known") - present)

    @cached_property
    def seen(self) -> np.ndarray:
        """Images of each patient with any known label [P, 1]."""
        return self.sums("seen")

    def counts(self, rule: str) -> Counts:
        """Decisions on each patient's images [P, L]."""
        tp, fp = self.sums(f"tp {rule}"), self.sums(f"fp {rule}")
        return Counts(tp, fp, self.classes.n - fp, self.classes.m - tp)

    # -------------------------------------------------------------- labels

    def of_labels(self, metric: str, rule: str) -> Estimate:
        """A metric of each label [L]."""
        if rule:
            return intervals.DECIDED[metric](self.counts(rule))
        if metric in RANKED:
            value = np.array([self.values[Row(label, metric, "")] for label in self.made.labels])
            return ranked(metric, value, self.moved, self.classes, self.rankings)
        if metric in ("brier", "log_loss"):
            return getattr(intervals, metric)(self.sums(metric), self.classes)
        if metric == "calibration_in_the_large":
            return self.in_the_large()
        if metric == "observed_to_expected":
            return intervals.observed_to_expected(
                self.sums("expected"), self.sums("known"), self.classes
            )
        if metric.startswith("calibration"):
            return self.recalibration(metric == "calibration_slope")
        prevalence = proportion(self.classes.m, self.classes.known)
        return prevalence if metric == "prevalence" else OF_PREVALENCE[metric](prevalence)

    @cached_property
    def moved(self) -> np.ndarray:
        """Influences of patients on AUROC by positives, by negatives, and on AP [3, P, L]."""
        test = self.made.test
        return influence.moved(self.made.orders, test.labels, test.ranking, self.patients)

    @cached_property
    def rankings(self) -> list[Ranking]:
        """The ranking of each label."""
        one = np.ones((1, len(self.made.test.image)), np.uint8)
        return [order.weigh(one) for order in self.made.orders]

    def recalibration(self, is_slope: bool) -> Estimate:
        """Calibration slope or intercept of each label: a step from the fit, by each patient."""
        made, (intercept, slope, _) = self.made, self.made.calibration.fits
        h00, h01, h11 = (made.term(name).sum(axis=0) for name in ("h00", "h01", "h11"))
        own, other, curvature = ("g1", "g0", h00) if is_slope else ("g0", "g1", h11)
        determinant = h00 * h11 - h01**2
        moves = ratio(curvature * self.sums(own) - h01 * self.sums(other), determinant)
        model = ratio(curvature, determinant)
        value = np.where(np.isfinite(model), slope if is_slope else intercept, np.nan)
        return intervals.recalibration(value, np.nan_to_num(moves), model, self.classes)

    def in_the_large(self) -> Estimate:
        """Calibration in the large of each label: a step from the fit, by each patient."""
        curvature = self.made.term("k00").sum(axis=0)
        moves, model = ratio(self.sums("e0"), curvature), ratio(1.0, curvature)
        value = self.made.calibration.fits[2]
        value = np.where(np.isfinite(model), value, np.nan)
        return intervals.recalibration(value, np.nan_to_num(moves), model, self.classes)

    # -------------------------------------------------------------- averages

    def average(self, each: Estimate, weighted: bool = False) -> Estimate | None:
        """The mean over the labels that are averaged; weighted: by their positives.

        None where there is none.
        """
        at = np.flatnonzero(self.made.averaged & np.isfinite(each.value))
        if not len(at):
            return None
        each, positives = each.take(at), self.classes.m[:, at]
        if not weighted:
            return each.combined(np.full(len(at), 1 / len(at)))
        weights = positives.sum(axis=0) / positives.sum()
        # Other patients have other shares of positives, too.
        moves = (positives @ (each.value - weights @ each.value)) / positives.sum()
        spread = influence.variance(moves[:, None], positives.sum(axis=1, keepdims=True))
        return each.combined(weights, float(Z * np.sqrt(np.nan_to_num(spread[0]))))

    def micro(self, metric: str, rule: str) -> Estimate:
        """A metric of all labels as one [1]."""
        if rule:
            return intervals.DECIDED[metric](self.counts(rule).pooled())
        value = np.array([self.values[Row("micro", metric, "")]])
        return ranked(metric, value, self.moved_together, self.classes.pooled())

    @cached_property
    def moved_together(self) -> np.ndarray:
        """As `moved`, of all labels as one [3, P, 1]."""
        labels, scores = self.made.test.labels, self.made.test.ranking
        auroc, ap = influence.ranked(self.made.flat, labels.ravel(), scores.ravel())
        auroc, ap = auroc.reshape(labels.shape), ap.reshape(labels.shape)
        parts = np.where(labels == 1, auroc, 0), np.where(labels == 0, auroc, 0), ap
        sums = [self.patients.sums(part.sum(axis=1, keepdims=True)) for part in parts]
        return np.stack(sums)

    def samples(self, rule: str) -> Estimate:
        """F1 of each image, averaged over images [1]."""
        return intervals.mean_share(self.sums(f"samples {rule}"), self.seen)

    # -------------------------------------------------------------- competing classes

    def decision(self, metric: str) -> Estimate:
        """The row `all`: one decision for each image [1]."""
        if metric == "log_loss":
            return intervals.log_loss(self.sums("surprise"), self.rarest())
        if metric == "majority_accuracy":
            return self.largest()
        counts = self.counts(ARGMAX)
        if metric == "accuracy":
            return proportion(counts.tp.sum(axis=1, keepdims=True), self.seen)
        if metric == "mcc":
            return intervals.mcc_of_classes(counts, self.seen, self.rarest().df)
        each = intervals.DECIDED["sensitivity"](counts)
        at = np.flatnonzero(np.isfinite(each.value))
        return each.take(at).combined(np.full(len(at), 1 / len(at)))

    def rarest(self) -> Classes:
        """The images of the class of the fewest patients, against all others [P, 1]."""
        patients = np.where((self.classes.m > 0).any(axis=0), self.classes.rarer, np.inf)
        at = [int(patients.argmin())]
        return Classes(self.classes.m[:, at], self.classes.n[:, at])

    def largest(self) -> Estimate:
        """The share of the commonest class; of L classes at least 1 / L."""
        each = proportion(self.classes.m, self.classes.known)
        one = each.take(np.array([int(np.nan_to_num(each.value).argmax())]))
        low = np.maximum(one.low, 1 / len(self.made.labels))
        return Estimate(one.value, low, one.high, one.influence)


def ranked(
    metric: str,
    value: np.ndarray,
    moved: np.ndarray,
    classes: Classes,
    rankings: Sequence[Ranking] = (),
) -> Estimate:
    """AUROC or average precision; value: [L]; moved: influences [3, P, L]; rankings: [L]."""
    a, b, ap = moved
    if metric == "auroc":
        return intervals.auroc(value, a, b, classes)
    return intervals.average_precision(value, ap, classes, rankings)


def turned(share: Estimate) -> Estimate:
    """1 less a share."""
    return Estimate(1 - share.value, 1 - share.high, 1 - share.low, -share.influence)


def larger(share: Estimate) -> Estimate:
    """The larger of a share and 1 less it, which is a half at least."""
    is_larger = share.value >= 0.5
    sides = (share, turned(share))
    value, low, high, moves = (
        np.where(is_larger, *(getattr(side, name) for side in sides))
        for name in ("value", "low", "high", "influence")
    )
    return Estimate(value, np.maximum(low, 0.5), high, moves)


OF_PREVALENCE = {"negative_accuracy": turned, "majority_accuracy": larger}
