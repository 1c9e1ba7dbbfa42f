"""Smooth calibration curve of a label, with a band, and the integrated calibration index.

The log odds of the truth are a restricted cubic spline of the predicted log odds with four knots
(Harrell, Regression Modeling Strategies (2015), section 2.4.5), fitted by maximum likelihood. The
integrated calibration index (ICI) is the mean distance of curve and probability over the images
(Austin and Steyerberg, Stat Med 38 (2019) 4051-4065). It is never 0 on few images, even if the
probabilities are right: `chance` is its expectation then, from the errors of the curve, which are
those of patients (sandwich estimate). Numpy only.
"""

from dataclasses import dataclass

import numpy as np

from cxrgrid.evaluation.calibration import expit
from cxrgrid.evaluation.influence import Patients, patients
from cxrgrid.evaluation.predictions import Predictions
from cxrgrid.evaluation.recalibration import odds
from cxrgrid.evaluation.row_intervals import ENOUGH
from cxrgrid.evaluation.wilson import PRIOR, student

KNOTS = (0.05, 0.35, 0.65, 0.95)  # quantiles of the log odds, as Harrell advises for four knots
POINTS = 60
STEPS = 30
LOOSE = 1e-3  # weight of the squared coefficients: separated classes give a finite curve


@dataclass(frozen=True)
class Curve:
    """Curve of one label at up to `POINTS` probabilities x.

    y, low, high: share of positives with its 95 % band, pointwise; n: images at or below each x;
    ici, chance: over all images.
    """

    x: np.ndarray
    y: np.ndarray
    low: np.ndarray
    high: np.ndarray
    n: np.ndarray
    ici: float
    chance: float


def of_labels(test: Predictions) -> dict[str, Curve]:
    """Curve of each label with at least three positives and negatives of as many patients."""
    found, names = {}, np.unique(test.patient, return_inverse=True)[1]
    columns, every = zip(test.facts["labels"], test.labels.T, odds(test).T, strict=True), None
    for label, truth, x in columns:
        known = ~np.isnan(truth)
        counts = [np.bincount(names[truth == kind]) for kind in (1, 0)]
        if min((count > 0).sum() for count in counts) < ENOUGH:
            continue
        if known.all():
            every = every or patients(names)
            found[label] = fit(truth, x, every)
        else:
            found[label] = fit(truth[known], x[known], patients(names[known]))
    return found


def fit(labels: np.ndarray, x: np.ndarray, of: Patients) -> Curve:
    """The curve of labels [N], 1 or 0, against log odds x [N]."""
    knots = np.unique(np.quantile(x, KNOTS))
    shift, size = x.mean(), max(float(x.std()), 1e-9)

    def features(at: np.ndarray) -> np.ndarray:
        return spline((at - shift) / size, (knots - shift) / size)

    columns = features(x)
    start = np.zeros(columns.shape[1])
    start[:2] = shift, size  # the line of right probabilities
    coefficients = maximum(columns, labels, start)
    covariance = sandwich(columns, labels, coefficients, of)
    at = np.unique(np.linspace(0, len(x) - 1, POINTS).astype(int))
    where = np.partition(x, at)[at]
    shown = features(where)
    middle, error = shown @ coefficients, errors(shown, covariance)
    rarer = min(labels.sum(), len(labels) - labels.sum())
    wide = float(student(PRIOR + max(rarer - 1, 0))) * error
    curve = expit(columns @ coefficients)
    own = expit(x)
    spread = np.sqrt(2 / np.pi) * own * (1 - own) * errors(columns, covariance)
    ends = (expit(each) for each in (middle, middle - wide, middle + wide))
    ici = float(np.abs(curve - own).mean())
    return Curve(expit(where), *ends, at + 1, ici, float(spread.mean()))


def spline(x: np.ndarray, knots: np.ndarray) -> np.ndarray:
    """Basis of a restricted cubic spline, linear beyond the outer knots [N, K]; K is 2 or more."""
    columns = [np.ones_like(x), x]
    if len(knots) > 2:
        last, before = knots[-1], knots[-2]
        size = (last - knots[0]) ** 2
        ends = (np.maximum(x - knot, 0) ** 3 / (last - before) for knot in (before, last))
        inner, outer = ends
        for knot in knots[:-2]:
            bend = np.maximum(x - knot, 0) ** 3
            columns.append((bend - inner * (last - knot) + outer * (before - knot)) / size)
    return np.stack(columns, axis=1)


def maximum(columns: np.ndarray, labels: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Coefficients of the logistic regression of labels [N] on columns [N, K]: Newton's method."""

    def loss(of: np.ndarray) -> float:
        z = columns @ of
        softplus = np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))
        return float(softplus.sum() - labels @ z + LOOSE * (of @ of) / 2)

    found, now = start, loss(start)
    for _ in range(STEPS):
        said = expit(columns @ found)
        slope = columns.T @ (said - labels) + LOOSE * found
        step = np.linalg.solve(curvature(columns, said), slope)
        for by in 0.5 ** np.arange(30):
            tried = loss(found - by * step)
            if tried <= now:
                break
        change, found, now = now - tried, found - by * step, tried
        if not change > 1e-7:
            break
    return found


def curvature(columns: np.ndarray, said: np.ndarray) -> np.ndarray:
    """Second derivative of the loss [K, K]."""
    weighted = columns * (said * (1 - said))[:, None]
    return weighted.T @ columns + LOOSE * np.eye(columns.shape[1])


def sandwich(
    columns: np.ndarray, labels: np.ndarray, coefficients: np.ndarray, of: Patients
) -> np.ndarray:
    """Covariance of the coefficients [K, K], with images of one patient together.

    Moderated as the intervals of scores are: drawn towards the model's own covariance.
    """
    said = expit(columns @ coefficients)
    model = np.linalg.inv(curvature(columns, said))
    moves = of.sums(columns * (labels - said)[:, None]) @ model
    count = len(of.names)
    found = moves.T @ moves * count / max(count - 1, 1)
    rarer = min(labels.sum(), len(labels) - labels.sum())
    df = max(rarer - 1, 0)
    return (PRIOR * model + df * found) / (PRIOR + df)


def errors(columns: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Standard error of the curve's log odds at each row of columns [N, K]."""
    return np.sqrt(np.maximum(np.einsum("nk,kl,nl->n", columns, covariance, columns), 0))
