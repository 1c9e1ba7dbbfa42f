"""`confusion`: truth by decision agrees with scikit-learn; unknown classes do not count."""

import numpy as np
import pandas as pd
from sklearn.metrics import confusion_matrix

from cxrgrid.evaluation import confusion

LABELS = ["a", "b", "c"]


def test_counts_agree_with_scikit_learn():
    rng = np.random.default_rng(3)
    truth, scores = rng.integers(3, size=50), rng.random((50, 3))
    columns = {f"y:{name}": (truth == at).astype(float) for at, name in enumerate(LABELS)}
    columns |= {f"p:{name}": scores[:, at] for at, name in enumerate(LABELS)}
    frame = pd.DataFrame(columns)
    found = confusion.counts(frame, LABELS).pivot(index="truth", columns="decision", values="n")
    assert (found.to_numpy() == confusion_matrix(truth, scores.argmax(axis=1))).all()
    frame.loc[:9, [f"y:{name}" for name in LABELS]] = np.nan
    assert confusion.counts(frame, LABELS)["n"].sum() == 40
