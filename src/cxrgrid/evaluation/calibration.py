"""Calibration of probabilities: Brier score, log loss, calibration error, slope, intercepts, O:E.

All are computed from sums over images, so that one matrix product serves all resamples: `terms` are
the summands of each image, `values` the metrics that follow from the sums. Labels [N, L] are 1, 0
or NaN, which adds nothing; scores [N, L] are probabilities. Numpy only.

The calibration error has 15 bins, as Guo et al. 2017 (arXiv 1706.04599), of equal numbers of images
and not of equal width, as Roelofs et al. 2022 (arXiv 2012.08668) advise: most findings are rare,
and nearly all of their images would share one bin. Intercept and slope are those of Cox 1958,
`logit P(y = 1) = intercept + slope * logit(p)`: 0 and 1 if calibrated, a slope below 1 if too
confident. Calibration in the large is the intercept where the slope is 1: 0 if probabilities are
right on average in log odds; observed to expected (O:E) is the number of positives over the sum of
the probabilities (Van Calster et al. 2019, BMC Med 17:230). In a resample the fits are one Newton
step from the fit to all images, the one-step bootstrap of Moulton and Zeger 1991 (Comput. Stat.
Data Anal. 11:53-63).
"""

from dataclasses import dataclass

import numpy as np

from cxrgrid.evaluation.metrics import has_both, ratio

BINS = 15
METRICS = ("brier", "log_loss", "calibration_error", "calibration_slope", "calibration_intercept")
METRICS += ("calibration_in_the_large", "observed_to_expected")
SMALLEST = np.finfo(np.float64).eps  # for the log loss, as in scikit-learn
SHORT = 2.0**-24  # nearer to 0 or 1 a single-precision probability says nothing
STEPS = 50


@dataclass(frozen=True)
class Calibration:
    """Summands of each image. terms: by name, float64 [N, L] or [N, L * BINS].

    fits: intercept, slope, and intercept where the slope is 1 [3, L].
    """

    terms: dict[str, np.ndarray]
    fits: np.ndarray

    def values(self, sums: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """`METRICS`, each [R, L], from the weighted sums of the terms [R, ...]."""
        known, positives = sums["known"], sums["present"]
        gaps = np.abs(sums["gap"]).reshape(*known.shape, BINS).sum(axis=2)
        values = {name: ratio(sums[name], known) for name in ("brier", "log_loss")}
        values["calibration_error"] = ratio(gaps, known)
        both = (positives > 0) & (positives < known)
        step = solve(*(sums[name] for name in ("g0", "g1", "h00", "h01", "h11")))
        steps = (*step, ratio(sums["e0"], sums["k00"]))
        names = ("intercept", "slope", "in_the_large")
        for name, start, change in zip(names, self.fits, steps, strict=True):
            values[f"calibration_{name}"] = np.where(both, start + change, np.nan)
        values["observed_to_expected"] = np.where(both, ratio(positives, sums["expected"]), np.nan)
        return values


def prepare(
    labels: np.ndarray, scores: np.ndarray, log_odds: np.ndarray | None = None
) -> Calibration:
    """The summands of labels and scores, [N, L] each; log_odds: of the scores, if known."""
    known, truth = ~np.isnan(labels), np.nan_to_num(labels)
    x = logit(scores) if log_odds is None else log_odds
    loss = loss_of(truth, scores) if log_odds is None else np.logaddexp(0, (1 - 2 * truth) * x)
    pairs = list(zip(labels.T, scores.T, strict=True))
    both = zip(labels.T, x.T, strict=True)
    fits = np.array([(*recalibrate(*pair), in_the_large(*pair)) for pair in both]).T
    said = expit(np.nan_to_num(fits[0] + fits[1] * x))
    spread = said * (1 - said)
    terms = {"known": np.ones_like(scores), "present": truth, "brier": (truth - scores) ** 2}
    terms |= {"log_loss": loss, "g0": truth - said, "g1": (truth - said) * x}
    terms |= {"h00": spread, "h01": spread * x, "h11": spread * x * x, "expected": scores}
    moved = expit(np.nan_to_num(fits[2]) + x)
    terms |= {"e0": truth - moved, "k00": moved * (1 - moved)}
    terms = {name: np.where(known, term, 0) for name, term in terms.items()}
    return Calibration(terms | {"gap": np.concatenate([gap(y, p) for y, p in pairs], 1)}, fits)


def loss_of(truth: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Log loss of each probability, limited as in scikit-learn."""
    sure = np.clip(scores, SMALLEST, 1 - SMALLEST)
    return -truth * np.log(sure) - (1 - truth) * np.log1p(-sure)


def gap(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Label minus score in the column of the image's bin, [N, BINS]; zero for unknown labels."""
    known = np.flatnonzero(~np.isnan(labels))
    columns = np.zeros((len(labels), BINS))
    columns[known, bins(scores[known])] = (labels - scores)[known]
    return columns


def bins(scores: np.ndarray, count: int = BINS) -> np.ndarray:
    """Bin of each score [N]; bins are as equally filled as ties allow."""
    if not len(scores):
        return np.zeros(0, np.intp)
    shares = np.arange(1, count) / count
    return np.searchsorted(np.quantile(scores, shares, method="inverted_cdf"), scores)


def logit(scores: np.ndarray) -> np.ndarray:
    """Log odds of probabilities, limited to about ±17."""
    scores = np.clip(scores, SHORT, 1 - SHORT)
    return np.log(scores) - np.log1p(-scores)


def expit(x: np.ndarray) -> np.ndarray:
    """Probabilities of log odds."""
    return 0.5 * (1 + np.tanh(x / 2))


def solve(g0, g1, h00, h01, h11):
    """The Newton step of two parameters; NaN where the curvature is not positive."""
    determinant = h00 * h11 - h01 * h01
    determinant = np.where(determinant > 1e-12 * h00 * h11, determinant, np.nan)
    return (h11 * g0 - h01 * g1) / determinant, (h00 * g1 - h01 * g0) / determinant


def recalibrate(labels: np.ndarray, x: np.ndarray) -> tuple[float, float]:
    """Intercept and slope of one label [N] by its log odds x.

    NaN if a class is absent or the scores separate.
    """
    known = ~np.isnan(labels)
    y, x = labels[known], x[known]
    if not has_both(y) or x[y == 1].min() >= x[y == 0].max() or x[y == 1].max() <= x[y == 0].min():
        return np.nan, np.nan
    columns = np.stack([np.ones_like(x), x])
    fit = np.zeros(2)
    for _ in range(STEPS):
        said = expit(fit @ columns)
        g0, g1 = columns @ (y - said)
        spread = said * (1 - said)
        step = np.array(solve(g0, g1, spread.sum(), spread @ x, spread @ (x * x)))
        step *= min(1, 2 / max(np.abs(step).max(), 1e-300))  # a far start may overshoot
        fit = fit + step
        if not np.abs(step).max() > 1e-11:
            return tuple(fit)
    return np.nan, np.nan


def in_the_large(labels: np.ndarray, x: np.ndarray) -> float:
    """Intercept of one label [N] by its log odds x, the slope fixed at 1; NaN if a class is absent.

    The root of a monotone function, by Newton steps within a bracket.
    """
    known = ~np.isnan(labels)
    y, x = labels[known], x[known]
    if not has_both(y):
        return np.nan
    found, share = 0.0, y.mean()
    low, high = np.log(share / (1 - share)) - x.max(), np.log(share / (1 - share)) - x.min()
    for _ in range(STEPS):
        said = expit(found + x)
        excess = y.sum() - said.sum()
        low, high = (found, high) if excess > 0 else (low, found)
        step = float(ratio(excess, (said * (1 - said)).sum()))
        found, before = found + step, found
        if not low <= found <= high:
            found = (low + high) / 2
        if not abs(found - before) > 1e-11:
            return found
    return found


# ------------------------------------------------------------------ one label, any weights


def measured(metric: str, labels: np.ndarray, scores: np.ndarray, weights: np.ndarray | None):
    """One of `METRICS` of one label: [R], or a float without weights."""
    made = prepare(labels[:, None], scores[:, None])
    rows = np.ones((1, len(labels))) if weights is None else weights.astype(np.float64)
    values = made.values({name: rows @ term for name, term in made.terms.items()})[metric][:, 0]
    return float(values[0]) if weights is None else values


def brier(labels: np.ndarray, scores: np.ndarray, weights: np.ndarray | None = None):
    """Mean squared difference of label and probability, as scikit-learn's `brier_score_loss`."""
    return measured("brier", labels, scores, weights)


def log_loss(labels: np.ndarray, scores: np.ndarray, weights: np.ndarray | None = None):
    """Mean negative log likelihood in nats, as scikit-learn's `log_loss`."""
    return measured("log_loss", labels, scores, weights)


def calibration_error(labels: np.ndarray, scores: np.ndarray, weights: np.ndarray | None = None):
    """Expected calibration error: |share of positives - mean score|, averaged over images."""
    return measured("calibration_error", labels, scores, weights)


# ------------------------------------------------------------------ search


def golden(loss, low: float, high: float) -> float:
    """Minimiser of a unimodal loss, to 1e-6."""
    share = (np.sqrt(5) - 1) / 2
    while high - low > 1e-6:
        left, right = high - share * (high - low), low + share * (high - low)
        low, high = (low, right) if loss(left) < loss(right) else (left, high)
    return (low + high) / 2
