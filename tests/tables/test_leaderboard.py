"""The leaderboard says over which labels its means are, and where they are too high."""

from types import SimpleNamespace

import pandas as pd
import pytest

from cxrgrid.config.cell import AXES
from cxrgrid.config.study import Report
from cxrgrid.reporting import label_counts
from cxrgrid.tables import leaderboard


def frames(positives, metric="auroc"):
    """As much of the frames of one dataset as the notes ask for."""
    labels = list("abc")
    tested = {"dataset": "ward", "label": labels, "positives": positives, "negatives": 100}
    tested = pd.DataFrame(tested)
    return SimpleNamespace(
        facts={"ward": {"labels": labels}},
        grid=SimpleNamespace(study=SimpleNamespace(report=Report())),
        metric=metric,
        tested=tested,
        rare=lambda name: label_counts.rare(tested, name, 10),
    )


def test_labels_that_are_left_out_of_the_mean_are_named():
    rows = pd.DataFrame({"dataset": ["ward"]})
    [note] = leaderboard.notes(rows, frames([60, 20, 4]))
    assert note.startswith("Means over 2 of 3 labels.") and note.endswith(": c.")
    assert not leaderboard.notes(rows, frames([60, 20, 12]))
    assert not leaderboard.notes(rows, frames([6, 2, 4]))  # none has as many: all are averaged
    _, high = leaderboard.notes(rows, frames([60, 20, 4], "ap"))
    assert "too high on average" in high and "fewer than 50 positive images of b." in high
    assert "Its intervals allow for that" in high
    assert len(leaderboard.notes(rows, frames([60, 70, 4], "ap"))) == 1


def test_the_mean_of_f1_over_labels_is_said_to_have_short_intervals_with_few_patients():
    small, large = (pd.DataFrame({"dataset": ["ward"], "patients": [n]}) for n in (40, 400))
    [note] = leaderboard.notes(small, frames([60, 20, 12], "f1"))
    assert note.startswith("Intervals of F1 as a mean over labels are too short")
    assert not leaderboard.notes(large, frames([60, 20, 12], "f1"))
    assert not leaderboard.notes(small, frames([60, 20, 12]))


def test_the_prevalence_beside_average_precision_is_that_of_the_labels_averaged():
    known = frames([60, 20, 4])
    rows = pd.DataFrame({"label": list("abc") * 2, "metric": ["ap"] * 3 + ["prevalence"] * 3})
    rows["value"] = [0.5, 0.5, 0.5, 0.4, 0.2, 0.05]
    rows = rows.assign(**dict.fromkeys(AXES, "x"), subset="all").assign(dataset="ward")
    assert leaderboard.prevalence(rows, known)["prevalence"].item() == pytest.approx(0.3)
