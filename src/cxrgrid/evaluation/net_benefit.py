"""Decision curves: net benefit of acting on the model at each threshold probability.

At threshold t a false positive costs t / (1 - t) of what a true positive gains, so net benefit is
(TP - FP * t / (1 - t)) / n (Vickers and Elkin, Med Decis Making 26 (2006) 565-574), beside acting
on all images and on none (0). It is a mean over images: its band is Student's, from the variance
between patients. Numpy only.
"""

from collections.abc import Iterator

import numpy as np

from cxrgrid.evaluation.metrics import has_both
from cxrgrid.evaluation.predictions import Predictions
from cxrgrid.evaluation.wilson import PRIOR, student

POINTS = np.array([0.01, 0.02, 0.03, 0.04, 0.05, 0.075, *np.arange(0.1, 0.91, 0.05).round(2)])


def points(test: Predictions) -> Iterator[dict]:
    """Rows of the curves file for each label with both classes.

    `net_benefit` with its band, and `net_benefit_all` of calling every image positive; x: threshold
    probability, n: images called positive.
    """
    patient = np.unique(test.patient, return_inverse=True)[1]
    for label, y, p in zip(test.facts["labels"], test.labels.T, test.scores.T, strict=True):
        if not has_both(y):
            continue
        known = ~np.isnan(y)
        made = curve(y[known], p[known], patient[known])
        for x, value, low, high, called, everyone in zip(POINTS, *made, strict=True):
            start = {"label": label, "x": float(x)}
            band = {"y": float(value), "low": float(low), "high": float(high)}
            yield {**start, "curve": "net_benefit", **band, "n": int(called)}
            none = {"y": float(everyone), "low": np.nan, "high": np.nan}
            yield {**start, "curve": "net_benefit_all", **none, "n": len(y[known])}


def curve(labels: np.ndarray, scores: np.ndarray, patient: np.ndarray) -> tuple:
    """Net benefit at `POINTS` with both ends of its band, images called, and that of calling all.

    labels: 1 or 0 [N]; patient: code of each image's patient [N].
    """
    down = np.argsort(-scores, kind="stable")
    y, who = labels[down], patient[down]
    called = len(scores) - np.searchsorted(scores[down][::-1], POINTS, side="left")
    sizes = np.bincount(patient)
    images, patients = len(labels), int((sizes > 0).sum())
    costs = POINTS / (1 - POINTS)
    value, error = np.empty((2, len(POINTS)))
    for at, (count, cost) in enumerate(zip(called, costs, strict=True)):
        gains = np.bincount(who[:count], np.where(y[:count] == 1, 1, -cost), len(sizes))
        value[at] = gains.sum() / images
        moves = gains - value[at] * sizes
        error[at] = np.sqrt((moves**2).sum() * patients / max(patients - 1, 1)) / images
    share = labels.mean()
    rarer = min((np.bincount(patient[labels == kind]) > 0).sum() for kind in (0, 1))
    wide = float(student(PRIOR + max(rarer - 1, 0))) * error
    return value, value - wide, value + wide, called, share - (1 - share) * costs
