"""Recalibration of probabilities, fitted on validation images only.

Each label's log odds z become `intercept + z / temperature`. `temperature` has no intercept (Guo et
al. 2017, arXiv 1706.04599), so it cannot undo a shift of all log odds, as `pos_weight` or balanced
sampling leave. `platt` fits both (Platt 1999, Advances in Large Margin Classifiers, with his
smoothed targets, so that few or separated images give a finite fit). Where classes compete, one
temperature serves all, and `platt` adds an intercept for each class (bias-corrected temperature
scaling, Alexandari et al. 2020, arXiv 1901.06852): softmax(intercept + log p / temperature).
"""

from dataclasses import dataclass, replace

import numpy as np

from cxrgrid.evaluation import log_odds
from cxrgrid.evaluation.calibration import expit, golden, has_both, logit
from cxrgrid.evaluation.predictions import Predictions

KINDS = ("none", "temperature", "platt")
HOTTEST = 20.0  # temperatures lie between 1 / HOTTEST and HOTTEST
STEPS = 100
ABSENT = "not recalibrated, as a class is absent among the validation images"
LOOSE = 1e-4  # weight of a squared intercept of competing classes, whose sum is not determined


@dataclass(frozen=True)
class Recalibration:
    """Temperatures and intercepts [L]; 1 and 0 leave a label as it is.

    reasons: by label, why it is not fitted or at a bound.
    """

    temperatures: np.ndarray
    intercepts: np.ndarray
    reasons: dict[str, str]

    @property
    def idle(self) -> bool:
        """True if no probability changes."""
        return bool((self.temperatures == 1).all() and (self.intercepts == 0).all())


def fit(val: Predictions | None, labels: list[str], kind: str) -> Recalibration:
    """Recalibration of each label by validation images; kind: one of `KINDS`."""
    ones = Recalibration(np.ones(len(labels)), np.zeros(len(labels)), {})
    if not val or kind == "none":
        return ones
    if val.facts["task"] == "multiclass":
        return of_classes(val, kind)
    pairs = zip(val.labels.T, odds(val).T, strict=True)
    fits = [(platt if kind == "platt" else alone)(y, x) for y, x in pairs]
    intercepts, temperatures = np.array(fits).T
    lacking = [not has_both(y) for y in val.labels.T]
    return Recalibration(temperatures, intercepts, reasons(labels, temperatures, lacking))


def of_classes(val: Predictions, kind: str) -> Recalibration:
    """Recalibration of competing classes: one temperature, and with `platt` their intercepts."""
    labels, x = val.facts["labels"], log_shares(val)
    absent = not (val.labels == 1).any(axis=0).all()
    if kind == "platt" and not absent:
        intercepts, by = platt_of_classes(val.labels, x)
    else:
        intercepts, by = np.zeros(len(labels)), temperature(val.labels, x)
    temperatures = np.full(len(labels), by)
    found = reasons(labels, temperatures, [False] * len(labels))
    if kind == "platt" and absent:
        found = dict.fromkeys(labels, "no intercept, as a class is absent among validation images")
    return Recalibration(temperatures, intercepts, found)


def reasons(labels: list[str], temperatures: np.ndarray, lacking: list[bool]) -> dict[str, str]:
    """Reasons by label: a class is absent, or a temperature is at its bound."""
    found = {label: ABSENT for label, absent in zip(labels, lacking, strict=True) if absent}
    bounds = {1 / HOTTEST: f"1/{HOTTEST:g}", HOTTEST: f"{HOTTEST:g}"}
    for label, by in zip(labels, temperatures, strict=True):
        for bound in [bound for bound in bounds if abs(by / bound - 1) < 1e-4]:
            found[label] = f"the temperature is at its bound, {bounds[bound]}"
    return found


def recalibrated(made: Predictions, by: Recalibration) -> Predictions:
    """The predictions with recalibrated scores and log odds; the same object if none changes."""
    if by.idle:
        return made
    if made.facts["task"] == "multiclass":
        x = log_odds.competing(by.intercepts + log_shares(made) / by.temperatures)
    else:
        x = by.intercepts + odds(made) / by.temperatures
    return replace(made, scores=expit(x), log_odds=x)


def odds(made: Predictions) -> np.ndarray:
    """Log odds of the scores [N, L]; of a file without them, limited as `calibration.logit`."""
    return logit(made.scores) if made.log_odds is None else made.log_odds


def log_shares(made: Predictions) -> np.ndarray:
    """Logarithms of the probabilities of competing classes [N, classes]."""
    if made.log_odds is not None:
        return log_odds.log_probability(made.log_odds)
    return np.log(np.clip(made.scores, np.finfo(np.float32).tiny, 1))


# ------------------------------------------------------------------ one label


def alone(labels: np.ndarray, x: np.ndarray) -> tuple[float, float]:
    """Intercept 0, and the temperature of one label [N]."""
    return 0.0, temperature(labels, x)


def temperature(labels: np.ndarray, x: np.ndarray) -> float:
    """The T with the least log loss of `x / T`; 1 if nothing can be fitted.

    labels, x: [N] and log odds of one label, or [N, classes] and log probabilities. Found by golden
    section on log T.
    """
    known = ~np.isnan(labels) if labels.ndim == 1 else (labels == 1).sum(axis=1) == 1
    y, x = labels[known], x[known]
    if not len(y) or (y.ndim == 1 and not has_both(y)):
        return 1.0

    def loss(at: float) -> float:
        z = x / float(np.exp(at))
        if y.ndim == 1:
            return float(np.logaddexp(0, np.where(y == 1, -z, z)).mean())
        return float((np.logaddexp.reduce(z, axis=1) - z[y == 1]).mean())

    return float(np.exp(golden(loss, -np.log(HOTTEST), np.log(HOTTEST))))


def platt(labels: np.ndarray, x: np.ndarray) -> tuple[float, float]:
    """Intercept and temperature (1 / slope) of one label [N]; (0, 1) if a class is absent.

    A slope outside of the bounds of temperatures is set to the bound, a negative one to the least.
    """
    known = ~np.isnan(labels)
    y, x = labels[known], x[known]
    if not has_both(y):
        return 0.0, 1.0
    m, n = (y == 1).sum(), (y == 0).sum()
    target = np.where(y == 1, (m + 1) / (m + 2), 1 / (n + 2))
    centre, size = x.mean(), x.std()
    if size < 1e-12:
        return float(logit(target.mean()) - centre), 1.0
    features = np.stack([np.ones_like(x), (x - centre) / size], axis=1)
    intercept, slope = newton(features[:, None], target[:, None])
    intercept, slope = intercept - slope * centre / size, slope / size
    if not 1 / HOTTEST <= slope <= HOTTEST:
        slope = float(np.clip(slope, 1 / HOTTEST, HOTTEST))
        ones = np.ones((len(x), 1, 1))
        intercept = newton(ones, target[:, None], (slope * x)[:, None])[0]
    return float(intercept), float(1 / slope)


def platt_of_classes(labels: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, float]:
    """Intercepts [classes], of mean 0, and the temperature of competing classes.

    labels: 1 for the class of each image [N, classes]; x: log probabilities.
    """
    known = (labels == 1).sum(axis=1) == 1
    y, x = labels[known], x[known]
    classes = x.shape[1]
    ones = np.broadcast_to(np.eye(classes), (len(x), classes, classes))
    features = np.concatenate([x[:, :, None], ones], axis=2)
    slope, *intercepts = newton(features, y, loose=LOOSE)
    if not 1 / HOTTEST <= slope <= HOTTEST:
        slope = float(np.clip(slope, 1 / HOTTEST, HOTTEST))
        intercepts = newton(ones, y, slope * x, loose=LOOSE)
    return np.array(intercepts) - np.mean(intercepts), float(1 / slope)


def newton(
    features: np.ndarray, target: np.ndarray, start: np.ndarray | float = 0.0, loose: float = 0.0
) -> np.ndarray:
    """Coefficients [F] with the least log loss of `start + features @ coefficients`.

    features: [N, K, F] for K outputs: one is a label's log odds, several are classes that compete;
    target: [N, K]. Damped Newton steps on a convex loss. loose: weight of the squared coefficients.
    """
    fitted = np.zeros(features.shape[2])
    single = features.shape[1] == 1

    def loss(of: np.ndarray) -> float:
        z = start + features @ of
        whole = np.logaddexp(0, z[:, 0]) if single else np.logaddexp.reduce(z, axis=1)
        return float((whole - (target * z).sum(axis=1)).sum() + loose * (of @ of) / 2)

    for _ in range(STEPS):
        z = start + features @ fitted
        share = expit(z) if single else np.exp(z - np.logaddexp.reduce(z, axis=1, keepdims=True))
        slope = np.einsum("nkf,nk->f", features, share - target) + loose * fitted
        curve = np.einsum("nkf,nk,nkg->fg", features, share, features, optimize=True)
        mean = np.einsum("nkf,nk->nf", features, share)
        curve = curve - mean.T @ mean + (loose + 1e-10) * np.eye(len(fitted))
        step, now = np.linalg.solve(curve, slope), loss(fitted)
        by = next((by for by in 0.5 ** np.arange(30) if loss(fitted - by * step) <= now), 0.0)
        fitted = fitted - by * step
        if not np.abs(by * step).max() > 1e-9:
            break
    return fitted
