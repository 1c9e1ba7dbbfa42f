"""Validation metrics of an epoch, one of which picks the best epoch."""

from collections.abc import Callable

import numpy as np
from torch import Tensor

from cxrgrid import models
from cxrgrid.evaluation import metrics

DECIDED = {
    "f1": metrics.f1,
    "balanced_accuracy": metrics.balanced_accuracy,
    "sensitivity": metrics.sensitivity,
}


def validation_metrics(
    labels: np.ndarray, logits: Tensor, task: str, monitor: str
) -> dict[str, float]:
    """`val_auroc`, `val_accuracy`, `val_f1`, and `val_{monitor}` unless that is the loss.

    labels: [N, L], NaN unknown; logits: the same shape. Each a mean over the labels that have both
    classes, NaN if none has; `accuracy` is the share of images whose class is predicted, or of
    known labels that are decided right where labels stand alone.
    """
    # Ranks as the probabilities do, and does not saturate.
    ranking = logits.double().log_softmax(1) if task == "multiclass" else logits.double()
    found = {"val_auroc": float(metrics.mean_auroc(labels, ranking.numpy()))}
    for name in dict.fromkeys(["accuracy", "f1", monitor]):
        if name not in ("auroc", "loss"):
            found[f"val_{name}"] = measured(labels, logits, task, name)
    return found


def measured(labels: np.ndarray, logits: Tensor, task: str, monitor: str) -> float:
    """Value of another monitor, with decisions at 0.5, or for multi-class by the largest."""
    scores = models.probabilities(logits.double(), task)
    if task == "multiclass":
        named = scores.argmax(axis=1)[:, None] == np.arange(scores.shape[1])
    else:
        named = scores >= 0.5
    if monitor == "accuracy":
        return accuracy(labels, named, task)
    if monitor == "ap":
        return over_labels(labels, scores, metrics.average_precision)
    return over_labels(
        labels, named, lambda y, decided: DECIDED[monitor](*metrics.confusion(y, decided))
    )


def accuracy(labels: np.ndarray, named: np.ndarray, task: str) -> float:
    """Share of images, or where labels stand alone of known labels, that are decided right."""
    known = np.isfinite(labels)
    if task != "multiclass":
        return float(metrics.ratio(((labels == 1) == named)[known].sum(), known.sum()))
    known = known.all(axis=1)
    right = (labels == 1) & named
    return float(metrics.ratio(right[known].any(axis=1).sum(), known.sum()))


def over_labels(labels: np.ndarray, scores: np.ndarray, metric: Callable) -> float:
    """Mean of a metric over the labels that have both classes."""
    both = [n for n in range(labels.shape[1]) if metrics.has_both(labels[:, n])]
    values = [float(metric(labels[:, n], scores[:, n])) for n in both]
    return float(np.mean(values)) if values else float("nan")
