"""Points of the report's curves: ROC, precision-recall, reliability."""

import numpy as np

from cxrgrid.evaluation import calibration, metrics
from cxrgrid.evaluation.predictions import Predictions

POINTS = 200  # at most, for each curve


def curves(test: Predictions) -> list[dict]:
    """The points of every label that has both classes: `label`, `curve`, `x`, `y`, `n`.

    roc: x the share of negatives at or above a score, y of positives, n the images there. pr: x the
    recall, y the precision. reliability: for each bin of `calibration`, x the mean score, y the
    share of positives, n the images in it.
    """
    rows = []
    columns = (test.labels.T, test.scores.T, test.ranking.T)
    for label, y, p, ranked in zip(test.facts["labels"], *columns, strict=True):
        if not metrics.has_both(y):
            continue
        known = ~np.isnan(y)
        found = steps(y[known], ranked[known]) | {"reliability": reliability(y[known], p[known])}
        for curve, points in found.items():
            names = ("x", "y", "n")
            values = (dict(zip(names, map(float, point), strict=True)) for point in points.T)
            rows += [{"label": label, "curve": curve, **v, "n": int(v["n"])} for v in values]
    return rows


def steps(labels: np.ndarray, scores: np.ndarray) -> dict[str, np.ndarray]:
    """ROC and precision-recall, [3, points] each: x, y and number of images called positive."""
    down = np.argsort(-scores, kind="stable")
    last = np.flatnonzero(np.diff(metrics.tie_groups(scores[down]), append=-1))
    tp, called = np.cumsum(labels[down] == 1)[last], last + 1
    recall, fallout = tp / tp[-1], (called - tp) / max(1, called[-1] - tp[-1])
    start = np.zeros((3, 1))
    roc = np.concatenate([start, np.stack([fallout, recall, called])], axis=1)
    pr = np.stack([recall, tp / called, called])
    # Even steps along the ROC curve, so that steep and flat parts keep their shape.
    return {"roc": thin(roc, roc[0] + roc[1]), "pr": thin(pr, recall + fallout)}


def thin(points: np.ndarray, along: np.ndarray) -> np.ndarray:
    """At most `POINTS` of points [3, N], evenly spaced along a rising quantity [N], with ends."""
    if len(along) <= POINTS:
        return points
    wanted = np.linspace(along[0], along[-1], POINTS)
    at = np.minimum(np.searchsorted(along, wanted), len(along) - 1)
    return points[:, np.unique(at)]


def reliability(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Mean score, share of positives and images of each bin that is not empty: [3, bins]."""
    at = calibration.bins(scores)
    count = np.bincount(at, minlength=calibration.BINS)
    filled = count > 0
    sums = [np.bincount(at, weights, calibration.BINS)[filled] for weights in (scores, labels)]
    return np.stack([sums[0] / count[filled], sums[1] / count[filled], count[filled]])
