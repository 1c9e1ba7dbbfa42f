"""How often a class was taken for another: counts of truth by decision, where classes compete."""

import numpy as np
import pandas as pd

COLUMNS = ["truth", "decision", "n"]


def counts(predictions: pd.DataFrame, labels: list[str]) -> pd.DataFrame:
    """One row a truth and decision: `truth`, `decision`, `n` images, those with none included.

    predictions: `y:<label>` (exactly one is 1) and `p:<label>`; the highest score decides, the
    first where several are highest. An image whose class is not known does not count.
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
