"""Below the experiments stands at which threshold and over which labels their averages are."""

from types import SimpleNamespace

import pandas as pd

from cxrgrid.config.study import Report
from cxrgrid.tables import experiments


def frames(task="multilabel", rare=()):
    return SimpleNamespace(
        facts={"ward": {"task": task}},
        grid=SimpleNamespace(study=SimpleNamespace(report=Report())),
        rare=lambda name: list(rare),
    )


def test_macro_and_micro_averages_over_other_labels_are_told():
    rows = pd.DataFrame({"dataset": ["ward"], "reason": [None]})
    [point] = experiments.notes(rows, frames())
    assert point == "Precision, recall and F1 at the operating point `youden`, accuracy at 0.5."
    _, left = experiments.notes(rows, frames(rare=["Hernia"]))
    assert left.startswith("Means over labels, macro among them, leave out")
    assert left.endswith("micro and accuracy count them: Hernia.")
    assert not experiments.notes(rows, frames("multiclass", ["Hernia"]))
