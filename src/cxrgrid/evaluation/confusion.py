"""Confusion matrix of multi-class predictions."""

import numpy as np
import pandas as pd

COLUMNS = ["truth", "decision", "n"]


def counts(predictions: pd.DataFrame, labels: list[str]) -> pd.DataFrame:
    """One row per truth and decision: `truth`, `decision`, `n` images, also if n is 0.

    predictions: `y:<label>` (exactly one is 1) and `p:<label>`; the decision is the label with the
    highest score, the first of several. Images of unknown class do not count.
    """
    truth = predictions[[f"y:{label}" for label in labels]].to_numpy(float)
    scores = predictions[[f"p:{label}" for label in labels]].to_numpy(float)
    known = (truth == 1).sum(axis=1) == 1
    at = np.ravel_multi_index(
        (truth[known].argmax(axis=1), scores[known].argmax(axis=1)), (len(labels),) * 2
    )
    found = np.bincount(at, minlength=len(labels) ** 2)
    pairs = [(truth, decision) for truth in labels for decision in labels]
    return pd.DataFrame(pairs, columns=COLUMNS[:2]).assign(n=found)
