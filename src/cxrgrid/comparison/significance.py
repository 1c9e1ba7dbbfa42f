"""Tests for paired decisions, for families of tests, and for models on several datasets."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
from scipy.stats import binom, f, norm, rankdata, studentized_range

ORDERS = 500_000  # at a time, in the exact distribution of Friedman's test


def mcnemar(only_a: int, only_b: int) -> tuple[float, float]:
    """McNemar's test: exact and mid-p two-sided p-value of equal accuracy.

    only_a, only_b: numbers of images on which only one model is right. McNemar, Psychometrika 12
    (1947) 153; mid-p: Fagerland, Lydersen & Laake, BMC Med Res Methodol 13 (2013) 91. Images are
    assumed to be independent. Both are 1 if the models never disagree.
    """
    disagreed, fewer = only_a + only_b, min(only_a, only_b)
    if not disagreed:
        return 1.0, 1.0
    tails = 2 * binom.cdf(fewer, disagreed, 0.5)
    return float(min(1, tails)), float(min(1, tails - binom.pmf(fewer, disagreed, 0.5)))


def holm(p: np.ndarray) -> np.ndarray:
    """p-values [M] of a family of tests, adjusted for its family-wise error.

    Holm, Scand J Statist 6 (1979) 65-70. NaN, a planned test without a result yet, counts in the
    family's size and stays NaN, so that no other p-value is too small while it is missing.
    """
    order = np.argsort(p, kind="stable")  # NaN last
    stepped = p[order] * np.arange(len(p), 0, -1)
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(1, np.maximum.accumulate(stepped))
    return adjusted


@dataclass(frozen=True)
class Ranks:
    """Mean ranks of K models over N datasets, 1 is the best; critical: Nemenyi's difference.

    ranks: [N, K], ties averaged; p: of Friedman's test, exact for few datasets and models, else in
    Iman and Davenport's form; both correct for ties.
    """

    ranks: np.ndarray
    critical: float
    p: float

    @property
    def mean(self) -> np.ndarray:
        """Mean rank of each model [K]."""
        return self.ranks.mean(axis=0)

    def alike(self) -> list[tuple[int, int]]:
        """(first, last) of the longest runs of models, by mean rank, whose ends do not differ."""
        order = np.argsort(self.mean, kind="stable")
        mean, runs, end = self.mean[order], [], -1
        for first in range(len(mean)):
            last = int(np.flatnonzero(mean - mean[first] <= self.critical)[-1])
            if last > first and last > end:
                runs.append((first, last))
            end = max(end, last)
        return runs


def rank(values: np.ndarray, alpha: float = 0.05) -> Ranks:
    """Friedman's test and Nemenyi's critical difference of values [N datasets, K models].

    Higher is better; N, K >= 2, no NaN. Demšar, JMLR 7 (2006) 1-30, section 3.2.2. The sample
    are the datasets: with few of them the power is low, whatever the number of images.
    """
    n, k = values.shape
    ranks = rankdata(-values, axis=1)
    spread = studentized_range.ppf(1 - alpha, k, np.inf) / np.sqrt(2)
    critical = float(spread * np.sqrt(k * (k + 1) / (6 * n)))
    between = n * ((ranks.mean(axis=0) - (k + 1) / 2) ** 2).sum()
    total = ((ranks - (k + 1) / 2) ** 2).sum()
    within = (total - between) / ((n - 1) * (k - 1))
    if total == 0:
        return Ranks(ranks, critical, 1.0)
    p = exact_friedman(ranks)
    if p is None:
        statistic = between / (k - 1) / within if within > 1e-12 else np.inf
        p = float(f.sf(statistic, k - 1, (k - 1) * (n - 1)))
    return Ranks(ranks, critical, p)


def exact_friedman(ranks: np.ndarray) -> float | None:
    """Share of all orders of the ranks within datasets [N, K] that set models as far apart.

    None where there are more than ten datasets, six models or `ORDERS` sums of ranks to look at:
    Iman and Davenport's F is close there. It is infinite where few datasets rank all alike.
    """
    n, k = ranks.shape
    if n > 10 or k > 6:
        return None
    rows = np.rint(2 * ranks).astype(int)  # a tie has half a rank
    sums, chance = np.zeros((1, k), int), np.ones(1)
    for row in rows:
        orders = np.array(list(permutations(row)))
        if len(sums) * len(orders) > ORDERS:
            return None
        added = np.sort((sums[:, None] + orders).reshape(-1, k), axis=1)
        sums, at = np.unique(added, axis=0, return_inverse=True)
        chance = np.bincount(at.ravel(), np.repeat(chance, len(orders)) / len(orders))
    apart = ((sums - rows.sum() / k) ** 2).sum(axis=1)
    found = ((rows.sum(axis=0) - rows.sum() / k) ** 2).sum()
    return float(min(1, chance[apart >= found - 1e-6].sum()))


def delong(labels: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """AUROC of each of K columns of scores, [K], and their covariance [K, K].

    labels: [N], 1, 0 or NaN (left out); scores: [N, K] on the same images; ties count half.
    NaN where a class is absent or a score is NaN; covariance NaN where a class has one image only.
    """
    known = ~np.isnan(labels)
    sick, well = scores[known & (labels == 1)], scores[known & (labels == 0)]
    m, n, k = len(sick), len(well), scores.shape[1]
    if not (m and n) or np.isnan(scores[known]).any():
        return np.full(k, np.nan), np.full((k, k), np.nan)
    together = rankdata(np.concatenate([sick, well]), axis=0)
    # The share of negatives below each positive, of positives above each negative; ties half.
    beaten = (together[:m] - rankdata(sick, axis=0)) / n
    beating = 1 - (together[m:] - rankdata(well, axis=0)) / m
    if min(m, n) < 2:
        return beaten.mean(axis=0), np.full((k, k), np.nan)
    covariance = np.cov(beaten.T).reshape(k, k) / m + np.cov(beating.T).reshape(k, k) / n
    return beaten.mean(axis=0), covariance


def difference(labels: np.ndarray, a: np.ndarray, b: np.ndarray) -> tuple[float, float, float]:
    """AUROC of `a` minus that of `b` [N] on the same images, its standard error, two-sided p.

    p is 1 if both rank the images equally, so that there is no error and no difference.
    """
    auroc, covariance = delong(labels, np.stack([a, b], axis=1))
    found = float(auroc[0] - auroc[1])
    variance = float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    error = float(np.sqrt(max(variance, 0))) if not np.isnan(variance) else float("nan")
    if error < 1e-12:
        return found, error, 1.0 if abs(found) < 1e-12 else 0.0
    return found, error, float(2 * norm.sf(abs(found) / error))


def one_image_each(patients: Sequence[str], labels: np.ndarray) -> bool:
    """True if no patient has two images with a known label [N], as DeLong's method requires."""
    counted = np.asarray(patients, object)[~np.isnan(labels)]
    return len(set(counted)) == len(counted)
