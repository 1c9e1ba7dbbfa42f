"""Thresholds, fitted on validation images only, after recalibration.

Names of the rules in the scores: `youden`, `0.5`, `sensitivity 0.9`, `specificity 0.9`; for
multi-class `argmax`: the highest score decides, and there is no threshold.
"""

from dataclasses import dataclass, field

import numpy as np

from cxrgrid.config.operating_points import ARGMAX, Target, fitted, rule
from cxrgrid.evaluation import metrics, recalibration, tolerance
from cxrgrid.evaluation.predictions import Predictions
from cxrgrid.evaluation.recalibration import Recalibration

FALLBACK = 0.5


@dataclass(frozen=True)
class Fit:
    """Thresholds and recalibration of a model.

    thresholds: by rule, the score from which each label counts as present [L] (NaN for
    multi-class); reasons: by (rule, label), why a threshold is the fallback; by: what the scores
    are recalibrated by before thresholds apply; assurances: by rule with a target, the chance that
    new patients reach it [L].
    """

    thresholds: dict[str, np.ndarray]
    reasons: dict[tuple[str, str], str]
    by: Recalibration
    assurances: dict[str, np.ndarray] = field(default_factory=dict)


def threshold(labels: np.ndarray, scores: np.ndarray, point: str | float | Target) -> float:
    """Threshold of one label [N]; NaN if it cannot be fitted."""
    if isinstance(point, Target) and point.sensitivity:
        return target_sensitivity(labels, scores, point.sensitivity)
    if isinstance(point, Target):
        return target_specificity(labels, scores, point.specificity)
    if not fitted(point):
        return float(point)
    return metrics.youden(labels, scores) if point == "youden" else best_f1(labels, scores)


def best_f1(labels: np.ndarray, scores: np.ndarray) -> float:
    """Threshold that maximises F1; of equal maxima the highest.

    NaN if a class is absent or a score is NaN.
    """
    known = ~np.isnan(labels)
    labels, scores = labels[known], scores[known]
    if not metrics.has_both(labels) or np.isnan(scores).any():
        return float("nan")
    down = np.argsort(-scores, kind="stable")
    last = np.flatnonzero(np.diff(metrics.tie_groups(scores[down]), append=-1))
    found = np.cumsum(labels[down] == 1)
    shares = 2 * found[last] / (last + 1 + found[-1])
    return float(scores[down][last[np.argmax(shares)]])


def target_sensitivity(labels: np.ndarray, scores: np.ndarray, target: float) -> float:
    """Highest threshold with a sensitivity of at least `target`.

    NaN if there is no positive or a score is NaN.
    """
    found = -np.sort(-scores[labels == 1])
    if not len(found) or np.isnan(found).any():
        return float("nan")
    return float(found[max(1, int(np.ceil(target * len(found) - 1e-9))) - 1])


def target_specificity(labels: np.ndarray, scores: np.ndarray, target: float) -> float:
    """Lowest threshold with a specificity of at least `target`: just above a score.

    NaN if there is no negative or a score is NaN.
    """
    cleared = np.sort(scores[labels == 0])
    if not len(cleared) or np.isnan(cleared).any():
        return float("nan")
    at = int(np.ceil(target * len(cleared) - 1e-9))
    return float(np.nextafter(cleared[at - 1], np.inf)) if at else float(cleared[0])


def fit(val: Predictions | None, facts: dict, points: tuple, calibrate: str) -> Fit:
    """Thresholds of all rules; without `val`, only thresholds that are numbers.

    calibrate: one of `recalibration.KINDS`.
    facts: `labels` and `task` of the predictions that are scored.
    """
    labels = facts["labels"]
    by = recalibration.fit(val, labels, calibrate)
    if facts["task"] == "multiclass":
        return Fit({ARGMAX: np.full(len(labels), np.nan)}, {}, by)
    val = recalibration.recalibrated(val, by) if val else None
    made = Fit({}, {}, by)
    for point in points:
        add(made, val, labels, point)
    return made


def add(made: Fit, val: Predictions | None, labels: list[str], point: str | float | Target) -> None:
    """Add the thresholds of one rule."""
    name, each = rule(point), [point] * len(labels)
    if val and isinstance(point, Target):
        found = [tolerance.of_point(y, val.patient, point) for y in val.labels.T]
        each = [stricter(point, share) for share, *_ in found]
        made.assurances[name] = np.array([chance for _, chance, _ in found])
        for label, (_, chance, needed) in zip(labels, found, strict=True):
            if needed:
                made.reasons[name, label] = (
                    f"too few validation images for confidence {point.confidence:g}: {chance:.2f} "
                    f"is reached; {needed:.0f} independent ones of the class are needed"
                )
    pairs = (
        zip(val.labels.T, val.scores.T, each, strict=True)
        if val
        else [((), (), point)] * len(labels)
    )
    chosen = np.array([threshold(*pair) for pair in pairs])
    made.thresholds[name] = np.where(np.isnan(chosen), FALLBACK, chosen)
    for at in np.flatnonzero(np.isnan(chosen)):
        why = f"{FALLBACK}, as a class is absent among the validation images"
        made.reasons[name, labels[at]] = why


def stricter(point: Target, share: float) -> Target:
    """The target on these images that a confidence asks for; the point's own where it has none."""
    if not point.confidence or np.isnan(share):
        return point
    kind = "sensitivity" if point.sensitivity else "specificity"
    return Target(**{kind: share})


def decide(scores: np.ndarray, cut: np.ndarray) -> np.ndarray:
    """Decision for each image and label, bool [N, L]; for multi-class, exactly one class."""
    if np.isnan(cut).all():
        return np.arange(scores.shape[1]) == scores.argmax(axis=1)[:, None]
    return scores >= cut
