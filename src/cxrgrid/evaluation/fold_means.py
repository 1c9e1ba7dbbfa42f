"""Means over the folds of a cross-validation, with intervals over the patients of each fold.

A metric of a cross-validated model is the mean of its values on the folds, each by the network that
has not seen that fold. Its interval refers to the mean performance of these networks on patients
like those tested (LeDell, Petersen & van der Laan, Electron J Stat 9 (2015) 1583-1607): the
influence of a patient is that on its own fold's value, divided by the number of folds, and patients
are resampled within folds. Probabilities of different networks are never ranked together.
"""

from collections.abc import Sequence

import numpy as np

from cxrgrid.evaluation.bootstrap import Resampled
from cxrgrid.evaluation.row_intervals import OfPatients
from cxrgrid.evaluation.wilson import stacked


def weights(values: np.ndarray) -> np.ndarray:
    """Weight of each fold in the mean [V, ...]: equal for folds whose value [V, ...] is defined."""
    defined = ~np.isnan(values)
    return defined / np.maximum(defined.sum(axis=0), 1)


def mean(values: np.ndarray) -> np.ndarray:
    """Mean over folds [V, ...] without those that are NaN; NaN if all are."""
    found = (np.nan_to_num(values) * weights(values)).sum(axis=0)
    return np.where(np.isnan(values).all(axis=0), np.nan, found)[()]


def resampled_mean(values: np.ndarray) -> np.ndarray:
    """Mean over folds of [V, 1 + R, ...]: row 0 is the value, the others resamples of all folds.

    A fold without a value is left out. A resample in which a fold loses its value is the mean of
    the others; NaN if these are fewer than half.
    """
    asked = ~np.isnan(values[:, :1])
    there = (asked & ~np.isnan(values)).sum(axis=0)
    found = mean(np.where(asked, values, np.nan))
    return np.where(2 * there >= np.maximum(asked.sum(axis=0), 1), found, np.nan)


def of_resampled(folds: Sequence[Resampled]) -> Resampled:
    """The mean over folds of a statistic; each patient is in one fold."""
    values = resampled_mean(np.stack([fold.values for fold in folds]))
    if folds[0].left_out is None:
        return Resampled(values)
    shares = weights(np.stack([fold.value for fold in folds]))
    moved = [
        values[0] - share * np.nan_to_num(fold.value - fold.left_out)
        for share, fold in zip(shares, folds, strict=True)
    ]
    return Resampled(values, np.concatenate(moved))


def of_patients(folds: Sequence[OfPatients]) -> OfPatients:
    """The mean over folds of a value with its influences; folds without one are left out."""
    there = [fold for fold in folds if not np.isnan(fold.value)] or list(folds[:1])
    names = np.unique(np.concatenate([fold.patients for fold in there]))
    sides = stacked([fold.among(names) for fold in there])
    return OfPatients(sides.combined(np.full(len(there), 1 / len(there))), names)


def ends(
    value: np.ndarray, low: np.ndarray, high: np.ndarray, excess: np.ndarray | float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Both ends of the mean over folds, from values and ends [V, ...] of folds without patients
    in common: variances recovered from the ends are added (MOVER, as in `wilson`).

    excess: `Estimate.excesses` [V, ...].
    """
    share = weights(value)
    down, up = (
        np.sqrt((np.nan_to_num(share * reach) ** 2).sum(axis=0))
        for reach in (value - low - excess, high - value)
    )
    centre = mean(value)
    return centre - down - np.nan_to_num(share * excess).sum(axis=0), centre + up
