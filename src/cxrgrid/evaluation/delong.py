"""The variance of AUROCs that were measured on the same images, without resampling.

DeLong, DeLong & Clarke-Pearson, Biometrics 44 (1988) 837-845, by the ranks of Sun & Xu, IEEE
Signal Processing Letters 21 (2014) 1389-1393. It takes each image for independent of the others;
where a patient has several that count, it promises too much, and the bootstrap over patients holds.
"""

from collections.abc import Sequence

import numpy as np
from scipy.stats import norm, rankdata


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

    p is 1 where the two order the images alike, so that there is no error and no difference.
    """
    auroc, covariance = delong(labels, np.stack([a, b], axis=1))
    found = float(auroc[0] - auroc[1])
    variance = float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    error = float(np.sqrt(max(variance, 0))) if not np.isnan(variance) else float("nan")
    if error < 1e-12:
        return found, error, 1.0 if abs(found) < 1e-12 else 0.0
    return found, error, float(2 * norm.sf(abs(found) / error))


def one_image_each(patients: Sequence[str], labels: np.ndarray) -> bool:
    """Whether no patient has two images whose label [N] is known: what DeLong's method asks for."""
    counted = np.asarray(patients, object)[~np.isnan(labels)]
    return len(set(counted)) == len(counted)
