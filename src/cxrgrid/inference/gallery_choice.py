"""Choice of the gallery's images: examples of each label and outcome."""

import numpy as np
import pandas as pd

from cxrgrid.evaluation import thresholds

OUTCOMES = ("true positive", "false positive", "false negative", "true negative")
COLUMNS = ["row", "at", "label", "outcome", "sure", "probability", "threshold"]
LABELS = 8  # labels with a gallery, at most: a page is read, not searched


def choose(
    truth: np.ndarray, scores: np.ndarray, cut: np.ndarray, labels: list[str]
) -> pd.DataFrame:
    """Most and least certain image of each label and outcome: `COLUMNS`.

    truth: float [N, L], 1, 0 or NaN (in no outcome); scores: float [N, L]; cut: [L], NaN for
    multi-class. row, at: indices of image and label; sure: `most`, `least`, or `only` if the
    outcome has one image. Certainty is the distance from the threshold; for multi-class, from the
    highest of the other classes. Of many labels, those with the most positives are shown.
    """
    decided, margin = thresholds.decide(scores, cut), np.abs(margins(scores, cut))
    common = np.argsort(-(truth == 1).sum(axis=0), kind="stable")[:LABELS]
    rows = []
    for at in sorted(common):
        for outcome in OUTCOMES:
            right, said = outcome.split()
            wanted = decided[:, at] == (said == "positive")
            there = np.flatnonzero(wanted & (truth[:, at] == (wanted_truth(right, said))))
            for sure, row in ends(there, margin[there, at]):
                configuration = (row, at, labels[at], outcome, sure)
                rows.append((*configuration, float(scores[row, at]), float(cut[at])))
    return pd.DataFrame(rows, columns=COLUMNS)


def wanted_truth(right: str, said: str) -> float:
    """Truth of an outcome: decision `said`, correct (`true`) or not."""
    return float((right == "true") == (said == "positive"))


def ends(rows: np.ndarray, margin: np.ndarray) -> list[tuple[str, int]]:
    """The most and the least certain of some rows."""
    if len(rows) < 2:
        return [("only", int(row)) for row in rows]
    order = rows[np.argsort(-margin, kind="stable")]
    return [("most", int(order[0])), ("least", int(order[-1]))]


def margins(scores: np.ndarray, cut: np.ndarray) -> np.ndarray:
    """Distance of each score above the decision boundary [N, L]; below 0: decided absent."""
    if not np.isnan(cut).all():
        return scores - cut
    others = np.stack(
        [np.delete(scores, at, axis=1).max(axis=1) for at in range(scores.shape[1])], axis=1
    )
    return scores - others
