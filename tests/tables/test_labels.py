"""The table of labels marks those that rest on too few images."""

from types import SimpleNamespace

import numpy as np
import pandas as pd

from cxrgrid.config.cell import AXES
from cxrgrid.config.study import Report
from cxrgrid.tables import labels


def test_a_label_with_few_positives_or_negatives_has_a_star_on_each_rate():
    counts = {"n": [100, 100, 100, 19], "positives": [9, 10, 91, 10]}
    rows = pd.DataFrame(counts).assign(**dict.fromkeys(AXES, "x"), label=list("abcd"))
    rates = ("auroc", "low", "high", *labels.METRICS, "error_rate")
    rows = rows.assign(**dict.fromkeys(rates, 0.5))
    frames = SimpleNamespace(grid=SimpleNamespace(study=SimpleNamespace(report=Report(minimum=10))))
    found = labels.show(rows, frames)
    for column in ("AUROC (95 % interval)", "AP", "sensitivity", "specificity", "F1"):
        np.testing.assert_array_equal(found[column].str.endswith(" *"), [True, False, True, True])
    assert "report.minimum" in labels.CAPTION


def test_an_auroc_near_one_of_few_images_is_said_to_have_no_interval_that_covers():
    rows = pd.DataFrame({"label": list("abc"), "n": 100, "positives": [9, 9, 50]})
    rows = rows.assign(dataset="ward", auroc=[0.97, 0.9, 0.99])
    study = SimpleNamespace(report=Report(), datasets={})
    frames = SimpleNamespace(grid=SimpleNamespace(study=study, tested=lambda: ["ward"]))
    [note] = labels.notes(rows, frames)
    assert note.startswith("AUROC of 0.95 or more on few images: a. ")
    assert not labels.notes(rows[1:], frames)
