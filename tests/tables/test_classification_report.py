"""The classification report is scikit-learn's, with `zero_division` as the table says."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import classification_report as theirs

from cxrgrid.evaluation.all_metrics import Evaluation
from cxrgrid.evaluation.predictions import Predictions
from cxrgrid.tables import classification_report as table

LABELS = ["Effusion", "Nodule", "Hernia"]
MODEL = {"dataset": "ward", "backbone": "resnet18", "init": "scratch", "recipe": "default"}


def ours(truth, scores) -> pd.DataFrame:
    """The table's rows of one model at a threshold of 0.5."""
    names = [str(at) for at in range(len(truth))]
    test = Predictions(names, names, truth, scores, {"task": "multilabel", "labels": LABELS})
    made = Evaluation(test, {"0.5": np.full(3, 0.5)})
    values = made.metrics(np.ones((1, len(truth))))[0]
    rows = pd.DataFrame(made.rows).assign(value=values, subset="all", **MODEL)
    rows["positives"] = rows["label"].map(dict(zip(LABELS, truth.sum(axis=0), strict=True)))
    rows["positives"] = rows["positives"].fillna(truth.sum())
    frames = SimpleNamespace(metrics=rows, facts={"ward": {"labels": LABELS}})
    return table.build(frames).set_index("label")


@pytest.mark.parametrize("unnamed", [False, True])
def test_every_number_is_that_of_scikit_learn(unnamed):
    """unnamed: no image is given the last label, so that its precision is not defined."""
    rng = np.random.default_rng(0)
    truth = (rng.random((200, 3)) < (0.5, 0.3, 0.1)).astype(float)
    scores = np.clip(0.3 * truth + rng.random((200, 3)) * 0.7, 0, 1)
    scores[:, 2] *= 0.4 if unnamed else 1
    found = ours(truth, scores)
    expected = theirs(
        truth, scores >= 0.5, target_names=LABELS, output_dict=True, zero_division=np.nan
    )
    names = {f"{name} avg": name for name in ("micro", "macro", "weighted")}
    for label, numbers in expected.items():
        if label == "samples avg":
            continue
        row = found.loc[names.get(label, label)]
        wanted = [numbers[name] for name in ("precision", "recall", "f1-score", "support")]
        assert list(row[["precision", "recall", "F1", "support"]]) == pytest.approx(
            wanted, nan_ok=True
        ), label
    assert np.isnan(found.loc["Hernia", "precision"]) == unnamed
    samples = theirs(truth, scores >= 0.5, output_dict=True, zero_division=1)["samples avg"]
    assert found.loc["samples", "F1"] == pytest.approx(samples["f1-score"])
    assert list(found.index) == [*LABELS, *table.AVERAGES]


def test_the_table_states_zero_division():
    assert "`zero_division=np.nan`" in table.METHOD and "`zero_division=1`" in table.METHOD


def test_a_label_that_is_in_some_averages_only_is_named():
    report = SimpleNamespace(study=SimpleNamespace(report=SimpleNamespace(minimum=10)))
    rows = pd.DataFrame([MODEL])
    [note] = table.notes(rows, SimpleNamespace(rare=lambda name: ["Hernia"], grid=report))
    assert note.startswith("In no macro or weighted average, with fewer than 10")
    assert note.endswith("in every support: Hernia.")
    assert not table.notes(rows, SimpleNamespace(rare=lambda name: [], grid=report))
