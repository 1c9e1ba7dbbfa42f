"""Influence of each patient on a metric, cluster-robust variances, Kish's effective numbers.

A patient's influence is the sum over its images of the derivative of the metric by the image's
weight. Images of one patient go together in it, so its spread over patients is that of the metric
over other patients, however alike the images of a patient are. Numpy only.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cxrgrid.evaluation.metrics import Order, Ranking, ratio, tie_groups


@dataclass(frozen=True)
class Patients:
    """Images grouped by patient. names: sorted [P]; images: those of a patient side by side [N];
    start: of each patient among these [P]."""

    names: np.ndarray
    images: np.ndarray
    start: np.ndarray

    def sums(self, terms: np.ndarray) -> np.ndarray:
        """Sums over the images of each patient: [N, L] to [P, L]."""
        return np.add.reduceat(terms[self.images], self.start, axis=0, dtype=np.float64)


def patients(names: Sequence[str]) -> Patients:
    """Group images by the patient of each [N]."""
    found, patient, counts = np.unique(names, return_inverse=True, return_counts=True)
    start = np.concatenate([[0], np.cumsum(counts)[:-1]])
    return Patients(found, np.argsort(patient, kind="stable"), start)


def crowding(images: np.ndarray) -> np.ndarray:
    """Images over patients as `kish` counts them, of images of each patient [P, L]: [L]."""
    return images.sum(axis=0) / kish(images)


def kish(images: np.ndarray) -> np.ndarray:
    """As how many patients with equally many images the images [P, L] of each count [L].

    Kish, Survey Sampling (1965), section 8.2. NaN where there are none.
    """
    return ratio(images.sum(axis=0) ** 2, (images**2).sum(axis=0))


def factor(images: np.ndarray) -> np.ndarray:
    """I / (I - 1), with I patients that have any of the images [P, L]; NaN below two [L]."""
    there = (images > 0).sum(axis=0)
    return ratio(np.where(there > 1, there, np.nan), there - 1)


def variance(influence: np.ndarray, images: np.ndarray) -> np.ndarray:
    """Variance of a value over other patients, from influences [P, L] and images of each [P, L]."""
    return factor(images) * (influence**2).sum(axis=0)


def share(part: np.ndarray, whole: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A proportion [L] and its influences [P, L], from both counts of each patient [P, L]."""
    value, images = ratio(part.sum(axis=0), whole.sum(axis=0)), whole.sum(axis=0)
    return value, np.nan_to_num((part - np.nan_to_num(value) * whole) / np.maximum(images, 1))


def ranked(order: Order, labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Influence of each image on AUROC and on average precision: [2, N]; 0 where unknown.

    AUROC: a positive's share of negatives below it, less the AUROC, by the number of positives; a
    negative's likewise. Average precision: its derivative by the image's weight (infinitesimal
    jackknife). labels, scores: [N], sorted as `order` says, without NaN scores. NaN without both
    classes.
    """
    positive = labels[order.images] == 1
    rung = tie_groups(scores[order.images])
    found = np.zeros((2, len(labels)))
    if not len(rung):
        return found
    at = np.stack([np.bincount(rung, weights=kind) for kind in (positive, ~positive)])
    (m, n), through = at.sum(axis=1), at.cumsum(axis=1)
    if not m or not n:
        return found
    below, above = (n - through[1] + at[1] / 2) / n, (through[0] - at[0] / 2) / m
    value = at[0] @ below / m
    of_auroc = np.where(positive, (below[rung] - value) / m, (above[rung] - value) / n)
    found[:, order.images] = of_auroc, of_precision(at, through, rung, positive)
    return found


def moved(
    orders: Sequence[Order], labels: np.ndarray, scores: np.ndarray, patients: Patients
) -> np.ndarray:
    """Influences of patients on AUROC by positives, by negatives, and on AP: [3, P, L].

    labels, scores: [N, L]; orders: of each label.
    """
    columns = zip(orders, labels.T, scores.T, strict=True)
    auroc, ap = np.stack([ranked(*column) for column in columns], axis=2)
    parts = np.where(labels == 1, auroc, 0), np.where(labels == 0, auroc, 0), ap
    return np.stack([patients.sums(part) for part in parts])


def of_precision(
    at: np.ndarray, through: np.ndarray, rung: np.ndarray, positive: np.ndarray
) -> np.ndarray:
    """Influence on average precision of the sorted images.

    at, through: positives and negatives on each rung, and on it or above [2, K].
    """
    called, m = through.sum(axis=0), at[0].sum()
    precision = through[0] / called
    value = at[0] @ precision / m
    # An image moves the precision at its own rung and at every lower one that holds positives.
    gain, loss = (np.cumsum((at[0] * each / called**2)[::-1])[::-1] for each in through[::-1])
    return np.where(positive, precision[rung] - value + gain[rung], -loss[rung]) / m


def self_counted(ranking: Ranking, images: float) -> float:
    """Part of an average precision that is there because each positive counts itself.

    Of few positives it is large, and most where positives are ranked like negatives. ranking: of
    all images once; images: those of a patient's positives, alike, that count with each.
    """
    found, through = ranking.positives.cumsum(axis=1), ranking.through
    others = np.maximum(found - images, 0)
    without = np.where(others + through > 0, ratio(others, others + through), 1)
    lost = (ratio(found, found + through) - without) * ranking.positives
    return float(ratio(lost.sum(), ranking.positives.sum()))


def obuchowski(a: np.ndarray, b: np.ndarray, m: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Variance of AUROC [L] with several images a patient (Obuchowski, Biometrics 53 (1997) 567).

    a, b: influences of a patient's positives and negatives [P, L]; m, n: how many it has [P, L].
    Where each patient has one image it is DeLong's.
    """
    both = 2 * factor(m + n) * (a * b).sum(axis=0)
    return variance(a, m) + variance(b, n) + both


def matthews(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Matthews correlation [L] and its derivative by each count [4, L].

    counts: tp, fp, tn, fn [4, L]. NaN where label or decision is the same throughout.
    """
    tp, fp, tn, fn = counts
    called, cleared, sick, well = tp + fp, tn + fn, tp + fn, tn + fp
    margins = np.sqrt(called * sick) * np.sqrt(well * cleared)
    value = ratio(tp * tn - fp * fn, margins)
    ends = [(called, sick), (called, well), (cleared, well), (cleared, sick)]
    loss = np.stack([ratio(1.0, a) + ratio(1.0, b) for a, b in ends])
    return value, ratio(np.stack([tn, -fn, tp, -fp]), margins) - value / 2 * loss


def gorodkin(tp: np.ndarray, fp: np.ndarray, m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """R_K of classes that compete [1], and the influence of each patient [P, 1].

    tp, fp, m: right and wrong decisions for each class, and its images, by patient [P, classes].
    """
    said, right = tp + fp, tp.sum(axis=1)
    t, p, images = m.sum(axis=0), said.sum(axis=0), m.sum(axis=1)
    n = images.sum()
    of_truth, of_calls = n**2 - t @ t, n**2 - p @ p
    margins = np.sqrt(of_truth * of_calls)
    value = ratio(right.sum() * n - t @ p, margins)
    gain = right.sum() * images + n * right - said @ t - m @ p
    loss = ratio(n * images - said @ p, of_calls) + ratio(n * images - m @ t, of_truth)
    return value[None], np.nan_to_num(ratio(gain, margins) - value * loss)[:, None]
