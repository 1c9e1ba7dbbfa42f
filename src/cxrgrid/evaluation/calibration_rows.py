"""Rows of the smooth calibration curves of one model: index, its chance level, and points."""

from collections.abc import Iterator

import numpy as np

from cxrgrid.evaluation.all_metrics import Evaluation
from cxrgrid.evaluation.calibration_curve import Curve

METRICS = ("ici", "ici_chance")


def index_rows(curves: dict[str, Curve], made: Evaluation) -> Iterator[dict]:
    """`label`, `metric`, `value` and `reason` of the integrated calibration index of each label.

    And of `macro`, the mean over the averaged labels that have a curve. `ici_chance` is the index
    that right probabilities would be expected to reach on these images.
    """
    for metric, name in zip(METRICS, ("ici", "chance"), strict=True):
        found = {label: getattr(curve, name) for label, curve in curves.items()}
        for label in made.labels:
            yield row(label, metric, found.get(label, np.nan), None)
        over = [n for n, one in zip(made.labels, made.averaged, strict=True) if one and n in found]
        mean = float(np.mean([found[label] for label in over])) if over else np.nan
        yield row("macro", metric, mean, len(over))


def row(label: str, metric: str, value: float, labels: int | None) -> dict:
    """The columns of one value."""
    why = "too few positives or negatives for a curve" if np.isnan(value) else None
    names = {"label": label, "metric": metric, "threshold_rule": ""}
    numbers = {"value": value, "low": np.nan, "high": np.nan}
    return {**names, **numbers, "labels_scored": labels, "reason": why, "groups": None}


def points(curves: dict[str, Curve]) -> Iterator[dict]:
    """Points of the curves as rows of the curves file: `smooth`, with its band."""
    for label, curve in curves.items():
        columns = (curve.x, curve.y, curve.low, curve.high, curve.n)
        for x, y, low, high, n in zip(*columns, strict=True):
            numbers = {"x": float(x), "y": float(y), "low": float(low), "high": float(high)}
            yield {"label": label, "curve": "smooth", **numbers, "n": int(n)}
