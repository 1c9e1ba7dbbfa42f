"""The interval of each metric of one model, from the influences of its patients; nothing resampled.

A metric from 0 to 1 has a moderated Wilson interval, a mean of others MOVER's (`wilson`). The
working model of the variance, by metric, with patients counted by Kish:

- proportions (sensitivity, specificity, precision, accuracy, prevalence): one answer a patient;
- F1 is 2J / (1 + J), with J the share of true positives among images that are positive or called
  so: the ends of J; balanced accuracy: the mean of two proportions;
- MCC: (1 + MCC) / 2, with the variance of four counts, half an image added to each;
- AUROC: Hanley & McNeil, Radiology 143 (1982) 29-36; average precision: a proportion of the
  positives; Brier score: a proportion of all images, though its terms spread less;
- log loss: exp(-log loss), the geometric mean of what the truth was given, as a proportion of all
  images; calibration slope and intercept: the logistic model's own variance.

Where both classes matter, the degrees of freedom are those of the rarer one. Student's quantile
for average precision, log loss, slope and intercept; the normal one for the others: so they cover.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cxrgrid.evaluation.calibration import SMALLEST
from cxrgrid.evaluation.influence import (
    crowding,
    gorodkin,
    kish,
    matthews,
    obuchowski,
    self_counted,
    share,
    variance,
)
from cxrgrid.evaluation.metrics import Ranking, ratio
from cxrgrid.evaluation.rare_labels import in_means
from cxrgrid.evaluation.wilson import PRIOR, Estimate, bounded, moderated, stacked, student

EXCESS = 1.5  # of what positives that count themselves add to an average precision (docs/log.md)
SMOOTH = 0.5  # images added to each count, so that no decision is taken for sure


@dataclass(frozen=True)
class Classes:
    """Positive and negative images of each patient [P, L]."""

    m: np.ndarray
    n: np.ndarray

    @property
    def known(self) -> np.ndarray:
        """All images with a known label [P, L]."""
        return self.m + self.n

    @cached_property
    def rarer(self) -> np.ndarray:
        """Patients of the rarer class [L]; 1 where one is absent."""
        return np.nan_to_num(np.minimum(kish(self.m), kish(self.n)), nan=1.0)

    def averaged(self, labels: Sequence[str], rare: frozenset[str]) -> np.ndarray:
        """The labels of a mean, bool [L]."""
        return in_means(labels, (self.m.sum(axis=0) > 0) & (self.n.sum(axis=0) > 0), rare)

    def enough(self, least: int) -> np.ndarray:
        """Labels with positives and negatives of at least so many patients, bool [L]."""
        return np.min([(kind > 0).sum(axis=0) for kind in (self.m, self.n)], axis=0) >= least

    def pooled(self) -> "Classes":
        """All labels as one [P, 1]."""
        return Classes(*(each.sum(axis=1, keepdims=True) for each in (self.m, self.n)))

    @property
    def df(self) -> np.ndarray:
        """Degrees of freedom of a variance that rests on both classes [L]."""
        return self.rarer - 1


@dataclass(frozen=True)
class Counts:
    """Decisions on the images of each patient [P, L]."""

    tp: np.ndarray
    fp: np.ndarray
    tn: np.ndarray
    fn: np.ndarray

    @property
    def kinds(self) -> np.ndarray:
        """All four [4, P, L]."""
        return np.stack([self.tp, self.fp, self.tn, self.fn])

    def pooled(self) -> "Counts":
        """All labels as one [P, 1]."""
        return Counts(*self.kinds.sum(axis=2, keepdims=True))

    @property
    def classes(self) -> Classes:
        """The decisions that are counted."""
        return Classes(self.tp + self.fn, self.fp + self.tn)


def proportion(part: np.ndarray, whole: np.ndarray) -> Estimate:
    """A share of images, from both counts of each patient [P, L]."""
    value, moves = share(part, whole)
    patients, least = kish(whole), ratio(1.0, whole.sum(axis=0))
    ends = bounded(value, variance(moves, whole), 1 / patients, patients - 1, least=least)
    return Estimate(value, *ends, moves)


def mean_share(sums: np.ndarray, images: np.ndarray) -> Estimate:
    """A mean over images of what lies between 0 and 1, from sums by patient [P, L]."""
    value, moves = share(sums, images)
    patients = kish(images)
    ends = bounded(value, variance(moves, images), 1 / patients, patients - 1)
    return Estimate(value, *ends, moves)


def f1(counts: Counts) -> Estimate:
    """F1 by way of the share of true positives among images that are positive or called so."""
    jaccard = proportion(counts.tp, counts.tp + counts.fp + counts.fn)
    ends = jaccard.map(lambda share: 2 * share / (1 + share), 2 / (1 + jaccard.value) ** 2)
    none = counts.classes.m.sum(axis=0) == 0
    return Estimate(*(np.where(none, np.nan, each) for each in vars(ends).values()))


def balanced_accuracy(counts: Counts) -> Estimate:
    """Half of sensitivity and half of specificity, label by label."""
    sides = [DECIDED["sensitivity"](counts), DECIDED["specificity"](counts)]
    columns = np.arange(counts.tp.shape[1])[:, None]
    halves = np.array([0.5, 0.5])
    return stacked([stacked([s.take(at) for s in sides]).combined(halves) for at in columns])


def mcc(counts: Counts) -> Estimate:
    """Matthews correlation of label and decision."""
    kinds, known = counts.kinds, counts.classes.known
    sums = kinds.sum(axis=1)
    value, slopes = matthews(sums)
    moves = np.nan_to_num((kinds * slopes[:, None]).sum(axis=0))
    smooth, steps = matthews(sums + SMOOTH)
    crowded = np.fmax(crowding(known), crowding(counts.classes.m))
    prior = crowded * ((sums + SMOOTH) * steps**2).sum(axis=0) / (1 - smooth**2)
    ends = bounded((1 + value) / 2, variance(moves, known) / 4, prior, counts.classes.df)
    return Estimate(value, *(2 * end - 1 for end in ends), moves)


def mcc_of_classes(counts: Counts, images: np.ndarray, df: np.ndarray) -> Estimate:
    """R_K, the Matthews correlation of classes that compete; images: of each patient [P, 1]."""
    value, moves = gorodkin(counts.tp, counts.fp, counts.classes.m)
    spread = variance(moves, images) / 4
    ends = bounded((1 + value) / 2, spread, 1 / kish(images), df)
    return Estimate(value, *(2 * end - 1 for end in ends), moves)


DECIDED: dict[str, Callable[[Counts], Estimate]] = {
    "accuracy": lambda counts: proportion(counts.tp + counts.tn, counts.classes.known),
    "balanced_accuracy": balanced_accuracy,
    "f1": f1,
    "mcc": mcc,
    "npv": lambda counts: proportion(counts.tn, counts.tn + counts.fn),
    "precision": lambda counts: proportion(counts.tp, counts.tp + counts.fp),
    "sensitivity": lambda counts: proportion(counts.tp, counts.tp + counts.fn),
    "specificity": lambda counts: proportion(counts.tn, counts.tn + counts.fp),
}


def auroc(value: np.ndarray, a: np.ndarray, b: np.ndarray, classes: Classes) -> Estimate:
    """AUROC. value: [L]; a, b: influences of each patient's positives and negatives [P, L]."""
    surer = np.maximum(value, 1 - value)
    prior = surer / (1 + surer) * (1 / kish(classes.m) + 1 / kish(classes.n))
    spread = obuchowski(a, b, classes.m, classes.n)
    return Estimate(value, *bounded(value, spread, prior, classes.df), a + b)


def average_precision(
    value: np.ndarray, moves: np.ndarray, classes: Classes, rankings: Sequence[Ranking] = ()
) -> Estimate:
    """Average precision. value: [L]; moves: influences [P, L].

    rankings: of each label, all images once; none: without an excess, of which a single value has
    no need.
    """
    spread, prior = variance(moves, classes.m), 1 / kish(classes.m)
    ends = bounded(value, spread, prior, classes.df, heavy=True)
    pairs = zip(rankings, crowding(classes.m), strict=True) if rankings else ()
    excess = np.array([EXCESS * self_counted(*pair) for pair in pairs]) if rankings else 0.0
    return Estimate(value, *ends, moves, np.nan_to_num(excess))


def brier(squares: np.ndarray, classes: Classes) -> Estimate:
    """Brier score. squares: squared errors, summed over each patient's images [P, L]."""
    value, moves = share(squares, classes.known)
    spread, prior = variance(moves, classes.known), 1 / kish(classes.known)
    return Estimate(value, *bounded(value, spread, prior, classes.df), moves)


def log_loss(losses: np.ndarray, classes: Classes) -> Estimate:
    """Log loss. losses: summed over each patient's images [P, L]."""
    value, moves = share(losses, classes.known)
    likelihood = np.exp(-value)
    spread = variance(moves, classes.known) * likelihood**2
    ends = bounded(likelihood, spread, 1 / kish(classes.known), classes.df, heavy=True)
    low, high = (-np.log(np.maximum(end, SMALLEST)) for end in ends[::-1])
    return Estimate(value, low, high, moves)


def recalibration(
    value: np.ndarray, moves: np.ndarray, model: np.ndarray, classes: Classes
) -> Estimate:
    """Calibration slope or intercept. model: the variance if images were independent [L]."""
    found, prior = variance(moves, classes.known), model * crowding(classes.m)
    wide = student(PRIOR + classes.df) * np.sqrt(moderated(found, prior, classes.df))
    return Estimate(value, value - wide, value + wide, moves)


def observed_to_expected(expected: np.ndarray, images: np.ndarray, classes: Classes) -> Estimate:
    """Positives over expected positives, with a symmetric interval of its logarithm.

    expected: probabilities, summed over each patient's images [P, L]; images: their number. The
    working model of the logarithm's variance: positives of independent patients.
    """
    positives, total = classes.m.sum(axis=0), expected.sum(axis=0)
    value = ratio(positives, total)
    moves = np.nan_to_num(ratio(classes.m - value * expected, total))
    share = ratio(positives, images.sum(axis=0))
    found, model = ratio(variance(moves, images), value**2), ratio(1 - share, kish(classes.m))
    wide = student(PRIOR + classes.df) * np.sqrt(moderated(found, model, classes.df))
    return Estimate(value, value * np.exp(-wide), value * np.exp(wide), moves)
