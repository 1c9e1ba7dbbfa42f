"""A model by itself has the same interval in `compare` as among the scores."""

import numpy as np
import pytest

from cxrgrid.evaluation.all_metrics import Evaluation, Row
from cxrgrid.evaluation.own_intervals import own_intervals
from cxrgrid.evaluation.predictions import Predictions
from cxrgrid.evaluation.row_intervals import RowIntervals


def predictions(rare):
    """Three labels on 100 images of 40 patients; the last has few positives, or none."""
    rng = np.random.default_rng(1)
    labels = (rng.random((100, 3)) < (0.5, 0.3, 0.2)).astype(float)
    labels[rng.random((100, 3)) < 0.1] = np.nan
    labels[:, 2] = np.where(np.arange(100) < rare, 1, 0)
    scores = 1 / (1 + np.exp(-rng.normal(np.nan_to_num(labels), 1)))
    patient = [str(name) for name in rng.integers(40, size=100)]
    facts = {"task": "multilabel", "labels": ["a", "b", "c"]}
    return Predictions([str(at) for at in range(100)], patient, labels, scores, facts)


@pytest.mark.parametrize("rare", [0, 1, 8])
def test_the_bounds_are_those_of_the_score_rows(rare):
    test = predictions(rare)
    found = RowIntervals(Evaluation(test, {"0.6": np.full(3, 0.6)}))
    rows = dict(zip(found.made.rows, zip(*found.ends(), strict=True), strict=True))
    low, high = own_intervals(test, 0.6)
    for at, kind in enumerate((("auroc", ""), ("ap", ""), ("accuracy", "0.6"))):
        names = ["a", "b", "macro"] if rare < 3 else ["a", "b", "c", "macro"]
        columns = [["a", "b", "c", "macro"].index(name) for name in names]
        expected = np.array([rows[Row(name, *kind)] for name in names]).T
        np.testing.assert_allclose((low[at, columns], high[at, columns]), expected, atol=1e-12)
    assert np.isnan(low[:2, 2]).all() == (rare < 3)
