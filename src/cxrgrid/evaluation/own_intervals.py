"""Closed-form intervals of one model by itself, for the metrics in which models are compared."""

import numpy as np

from cxrgrid.evaluation import influence, intervals, metrics
from cxrgrid.evaluation.intervals import Classes, Counts
from cxrgrid.evaluation.predictions import Predictions
from cxrgrid.evaluation.row_intervals import ENOUGH
from cxrgrid.evaluation.wilson import Estimate


def own_intervals(
    made: Predictions,
    thresholds: np.ndarray | float | None = None,
    enough: int = ENOUGH,
    rare: frozenset[str] = frozenset(),
) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper bounds [metrics, L + 1] of AUROC, AP and, with thresholds, accuracy."""
    low, high, _ = with_excess(made, thresholds, enough, rare)
    return low, high


def with_excess(
    made: Predictions,
    thresholds: np.ndarray | float | None = None,
    enough: int = ENOUGH,
    rare: frozenset[str] = frozenset(),
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bounds as in `own_intervals`, and `Estimate.excess`, [metrics, L + 1] each.

    Each label, then the mean over the labels with both classes that are not rare, as in
    `difference.statistic`.
    thresholds: one, or one per label [L]. NaN for a label with fewer than `enough` positives or
    negatives, or of fewer patients, and for the mean where every label is one.
    """
    patients = influence.patients(made.patient)
    classes = Classes(*(patients.sums((made.labels == kind).astype(float)) for kind in (1, 0)))
    found = [*ranked(made, patients, classes)]
    if thresholds is not None:
        called = made.scores >= thresholds
        tp, fp = (patients.sums(((made.labels == kind) & called).astype(float)) for kind in (1, 0))
        counts = Counts(tp, fp, classes.n - fp, classes.m - tp)
        found.append(intervals.DECIDED["accuracy"](counts))
    averaged = classes.averaged(made.facts["labels"], rare)
    ends = [with_mean(each, classes, enough, averaged) for each in found]
    return tuple(np.stack(side) for side in zip(*ends, strict=True))


def ranked(made: Predictions, patients: influence.Patients, classes: Classes) -> list[Estimate]:
    """AUROC and average precision of each label [L]."""
    columns = list(zip(made.labels.T, made.ranking.T, strict=True))
    orders = [metrics.order(*column) for column in columns]
    a, b, ap = influence.moved(orders, made.labels, made.ranking, patients)
    rankings = [order.weigh(np.ones((1, len(made.image)), np.uint8)) for order in orders]
    auroc = np.array([ranking.auroc()[0] for ranking in rankings])
    precision = np.array([ranking.average_precision()[0] for ranking in rankings])
    return [
        intervals.auroc(auroc, a, b, classes),
        intervals.average_precision(precision, ap, classes, rankings),
    ]


def with_mean(
    each: Estimate, classes: Classes, enough: int, averaged: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bounds and excess of the labels and of the mean over those in it, bool [L]: [L + 1]."""
    there, at = classes.enough(enough), np.flatnonzero(averaged)
    ends = np.full((3, len(there) + 1), np.nan)
    ends[:, :-1] = np.where(there, (each.low, each.high, each.excesses), np.nan)
    if there[at].any():
        mean = each.take(at).combined(np.full(len(at), 1 / len(at)))
        ends[:, -1] = mean.low[0], mean.high[0], mean.excesses[0]
    return tuple(ends)
