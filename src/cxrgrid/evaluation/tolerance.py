"""Chance that a target of sensitivity or specificity that is met in validation holds later.

The share of new positives that score at or above the j-th highest of m validation positives has a
Beta(j, m - j + 1) distribution, whatever the scores' own (Wilks, Ann Math Statist 12 (1941) 91-96).
So a threshold with exactly the target on m images reaches it in new patients in about half of the
cases or fewer, and a stricter one can be chosen that reaches it with a given confidence. Images of
one patient are not independent: m is as many as Kish's effective number of patients.
"""

from collections.abc import Sequence

import numpy as np

from cxrgrid.config.operating_points import Target
from cxrgrid.evaluation.influence import kish


def beta_above(a: np.ndarray, b: np.ndarray, share: float) -> np.ndarray:
    """Probability that a Beta(a, b) variable is above a share."""
    from scipy.special import betainc  # not for every scoring: the import takes longer than that

    return 1 - betainc(a, b, share)


def effective(kept: np.ndarray, patients: Sequence[str]) -> float:
    """Effective number of the images where `kept` [N], with those of one patient together."""
    counts = np.unique(np.asarray(patients)[kept], return_counts=True)[1].astype(float)
    return float(kish(counts[:, None])[0]) if len(counts) else 0.0


def assurances(total: int, number: float, target: float) -> np.ndarray:
    """Chance that new images reach the target if 1, 2, ..., `total` of these are right [total]."""
    right = np.arange(1, total + 1) * number / total
    return beta_above(right, number - right + 1, target)


def least(total: int, number: float, target: float, confidence: float) -> int:
    """Fewest of the images that have to be right for the target; all where that does not suffice.

    confidence: 0 for the target on these images alone.
    """
    plain = max(1, int(np.ceil(target * total - 1e-9)))
    if not confidence or not total:
        return plain
    enough = np.flatnonzero(assurances(total, number, target) >= confidence)
    return max(plain, int(enough[0]) + 1) if len(enough) else total


def of_point(
    labels: np.ndarray, patients: Sequence[str], point: Target
) -> tuple[float, float, float]:
    """Target on these images, the chance that new patients reach the point's, and images needed.

    The target is the point's, or a stricter one for its confidence. The number of independent
    images that the confidence takes at least is 0 where these suffice. NaN without an image.
    """
    target = point.sensitivity or point.specificity
    kept = labels == (1 if point.sensitivity else 0)
    total = int(kept.sum())
    if not total:
        return np.nan, np.nan, 0
    number = effective(kept, patients)
    right = least(total, number, target, point.confidence)
    chance = float(assurances(total, number, target)[right - 1])
    lacking = chance < point.confidence
    needed = np.ceil(np.log(1 - point.confidence) / np.log(target)) if lacking and target < 1 else 0
    return right / total, chance, float(np.inf if lacking and target == 1 else needed)
