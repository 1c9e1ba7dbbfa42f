"""Discrimination metrics: AUROC, average precision, and metrics from counts.

Every function takes weights [R, N], one row per resample, and gives R values; without weights, one.
Labels are 1, 0 or NaN; rows whose label is NaN are never scored. Undefined values, as when one
class is absent, are NaN without a warning. Numpy only: the training process imports this module.
"""

from dataclasses import dataclass

import numpy as np

TINY = np.finfo(np.float64).tiny


@dataclass(frozen=True)
class Ranking:
    """Ranking of positives and negatives by score, in each of R resamples.

    Images with equal scores are a tie group; K of them contain a positive, the highest score
    first. [R, K] each: positives: weight of the group's positives; above: of the negatives in
    higher groups; through: of the negatives in higher groups and in this one. negatives: weight of
    all negatives [R]. int64 if the weights are integers, so that nothing is rounded; else float64.
    """

    positives: np.ndarray
    above: np.ndarray
    through: np.ndarray
    negatives: np.ndarray

    def auroc(self) -> np.ndarray:
        """Probability that a positive ranks above a negative, ties counting half [R]."""
        pairs = self.positives.sum(axis=1) * self.negatives
        lost = np.einsum("rk,rk->r", self.positives, self.above + self.through)
        return ratio(2 * pairs - lost, 2 * pairs)

    def average_precision(self) -> np.ndarray:
        """Precision at each tie group, averaged over the positives [R]."""
        found = self.positives.cumsum(axis=1)
        precision = found / np.maximum(found + self.through, TINY)
        total = np.einsum("rk,rk->r", precision, self.positives)
        return np.where(self.negatives > 0, ratio(total, self.positives.sum(axis=1)), np.nan)


@dataclass(frozen=True)
class Order:
    """The images of one label, sorted once for all resamples.

    Negatives between two tie groups that contain a positive matter only by their sum. So the sorted
    images are divided into runs that are summed: the positives of a tie group, the negatives tied
    with them, the negatives in between. images: those with a known label, highest score first;
    start: index at which each run begins; positives, negatives: indices of the runs of each class;
    above, through: for each run of positives, the number of higher runs of negatives, and the same
    with those tied to it.
    """

    images: np.ndarray
    start: np.ndarray
    positives: np.ndarray
    negatives: np.ndarray
    above: np.ndarray
    through: np.ndarray

    def weigh(self, weights: np.ndarray) -> Ranking:
        """The ranking in each resample, weights [R, N]: one gather and one sum over it."""
        exact = np.int64 if weights.dtype.kind in ("b", "i", "u") else np.float64
        in_order = weights.take(self.images, axis=1)
        runs = np.add.reduceat(in_order, self.start, axis=1, dtype=exact)
        lost = np.zeros((len(weights), len(self.negatives) + 1), exact)
        np.cumsum(runs.take(self.negatives, axis=1), axis=1, out=lost[:, 1:])
        through = lost.take(self.through, axis=1)
        tied = (self.above != self.through).any()
        above = lost.take(self.above, axis=1) if tied else through
        return Ranking(runs.take(self.positives, axis=1), above, through, lost[:, -1])


def order(labels: np.ndarray, scores: np.ndarray) -> Order:
    """Sort the known images by score; labels, scores: [N]. Scores are not NaN."""
    known = np.flatnonzero(~np.isnan(labels))
    images = known[highest_first(labels[known], scores[known])]
    positive, rung = labels[images] == 1, tie_groups(scores[images])
    start = starts(positive, rung)
    is_positive = positive[start]
    through = np.cumsum(~is_positive)[is_positive]
    tied = np.diff(rung[start], prepend=-1)[is_positive] == 0
    classes = np.flatnonzero(is_positive), np.flatnonzero(~is_positive)
    return Order(images, start, *classes, through - tied, through)


def highest_first(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Indices that sort by score, highest first, then negatives, then as they stand [N].

    As `np.lexsort((labels, -scores))`, but only ties are sorted by more than the score.
    """
    down = np.argsort(-scores)
    equal = np.diff(tie_groups(scores[down])) == 0
    tied = np.flatnonzero(np.append(equal, False) | np.append(False, equal))[: len(down)]
    own = np.sort(down[tied])
    down[tied] = own[np.lexsort((labels[own], -scores[own]))]
    return down


def tie_groups(scores: np.ndarray) -> np.ndarray:
    """Number of the tie group of each sorted score, from 0 [N]."""
    higher = np.zeros(len(scores), np.intp)
    higher[1:] = scores[1:] != scores[:-1]  # not np.diff: infinite scores may be tied too
    return np.cumsum(higher)


def starts(positive: np.ndarray, rung: np.ndarray) -> np.ndarray:
    """Indices, in the order of the scores, at which the runs begin that may be summed.

    A run is the positives of a tie group, the negatives tied with them, or all negatives between.
    """
    if not len(rung):
        return np.zeros(0, np.intp)
    with_positive = np.bincount(rung, weights=positive) > 0
    new_rung = np.diff(rung, prepend=-1) != 0
    new_class = np.diff(positive, prepend=~positive[0])
    return np.flatnonzero(new_class | (new_rung & with_positive[rung]))


def auroc(labels: np.ndarray, scores: np.ndarray, weights: np.ndarray | None = None):
    """Area under the ROC curve (Mann-Whitney, ties half): [R], or a float without weights.

    As scikit-learn's `roc_auc_score(sample_weight=)`. NaN if a class is absent or a score is NaN.
    """
    return ranked(Ranking.auroc, labels, scores, weights)


def average_precision(labels: np.ndarray, scores: np.ndarray, weights: np.ndarray | None = None):
    """Area under the precision-recall steps: [R], or a float without weights.

    As scikit-learn's `average_precision_score`, but NaN if a class is absent or a score is NaN.
    """
    return ranked(Ranking.average_precision, labels, scores, weights)


def ranked(metric, labels, scores, weights):
    """One of `Ranking`'s metrics; NaN if a score is NaN."""
    if np.isnan(scores[~np.isnan(labels)]).any():
        return np.nan if weights is None else np.full(len(weights), np.nan)
    if weights is None:
        return float(metric(order(labels, scores).weigh(np.ones((1, len(labels)), np.uint8)))[0])
    return metric(order(labels, scores).weigh(weights))


def mean_auroc(labels: np.ndarray, scores: np.ndarray) -> float:
    """AUROC averaged over the labels [N, L] that have both classes; NaN if none has."""
    values = [auroc(labels[:, label], scores[:, label]) for label in range(labels.shape[1])]
    both = [has_both(labels[:, label]) for label in range(labels.shape[1])]
    return float(np.mean(np.array(values)[both])) if any(both) else float("nan")


def has_both(labels: np.ndarray) -> bool:
    """True if both classes are among the known labels [N]."""
    return bool((labels == 1).any() and (labels == 0).any())


def youden(labels: np.ndarray, scores: np.ndarray) -> float:
    """Threshold that maximises sensitivity + specificity - 1 (Youden's index).

    An image is called positive from the threshold upwards. Of equal maxima the highest is taken;
    NaN if a class is absent or a score is NaN.
    """
    known = ~np.isnan(labels)
    labels, scores = labels[known], scores[known]
    if not has_both(labels) or np.isnan(scores).any():
        return float("nan")
    down = np.argsort(-scores, kind="stable")
    last = np.flatnonzero(np.diff(tie_groups(scores[down]), append=-1))
    positives = np.cumsum(labels[down] == 1)
    negatives = np.cumsum(labels[down] == 0)
    # In whole numbers, so that equal maxima are equal: J times positives times negatives.
    gain = positives[last] * negatives[-1] - negatives[last] * positives[-1]
    return float(scores[down][last[np.argmax(gain)]])


# ------------------------------------------------------------------ from counts


def confusion(labels: np.ndarray, decisions: np.ndarray, weights: np.ndarray | None = None):
    """Weights of true positives, false positives, true negatives and false negatives, float64.

    labels: [N] or [N, L]; decisions: bool, of the same shape; each result is [R] or [R, L], or
    without weights a scalar or [L].
    """
    kinds = (
        (labels == 1) & decisions,
        (labels == 0) & decisions,
        (labels == 0) & ~decisions,
        (labels == 1) & ~decisions,
    )
    if weights is None:
        return tuple(kind.sum(axis=0).astype(np.float64) for kind in kinds)
    columns = np.stack(kinds, axis=1).reshape(len(labels), -1).astype(np.float64)
    counts = (weights.astype(np.float64) @ columns).reshape(len(weights), 4, *labels.shape[1:])
    return tuple(np.moveaxis(counts, 1, 0))


def ratio(part, whole):
    """part / whole; NaN, without a warning, if whole is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(np.equal(whole, 0), np.nan, np.true_divide(part, whole))


def sensitivity(tp, fp, tn, fn):
    """Share of the positives called positive."""
    return ratio(tp, tp + fn)


def specificity(tp, fp, tn, fn):
    """Share of the negatives called negative."""
    return ratio(tn, tn + fp)


def accuracy(tp, fp, tn, fn):
    """Share of correct decisions; compare with `majority_accuracy`."""
    return ratio(tp + tn, tp + fp + tn + fn)


def balanced_accuracy(tp, fp, tn, fn):
    """Mean of sensitivity and specificity."""
    return (sensitivity(tp, fp, tn, fn) + specificity(tp, fp, tn, fn)) / 2


def f1(tp, fp, tn, fn):
    """Harmonic mean of precision and sensitivity; NaN without positives."""
    return np.where(np.equal(tp + fn, 0), np.nan, ratio(2 * tp, 2 * tp + fp + fn))


def precision(tp, fp, tn, fn):
    """Share of true positives among the images called positive; NaN if there are none."""
    return ratio(tp, tp + fp)


def npv(tp, fp, tn, fn):
    """Share of true negatives among the images called negative; NaN if there are none."""
    return ratio(tn, tn + fn)


def mcc(tp, fp, tn, fn):
    """Matthews correlation coefficient of label and decision; NaN if either is constant."""
    margins = np.sqrt(np.multiply(tp + fp, tp + fn)) * np.sqrt(np.multiply(tn + fp, tn + fn))
    return ratio(np.multiply(tp, tn) - np.multiply(fp, fn), margins)


def prevalence(tp, fp, tn, fn):
    """Share of positives."""
    return ratio(tp + fn, tp + fp + tn + fn)


def majority_accuracy(tp, fp, tn, fn):
    """Accuracy of always predicting the larger class."""
    share = prevalence(tp, fp, tn, fn)
    return np.maximum(share, 1 - share)


def negative_accuracy(tp, fp, tn, fn):
    """Accuracy of calling every image negative."""
    return 1 - prevalence(tp, fp, tn, fn)
