"""The baseline beside an accuracy is over the labels that the accuracy is a mean of."""

from types import SimpleNamespace

import pandas as pd
import pytest

from conftest import CONFIG
from cxrgrid.config.grid import Grid
from cxrgrid.tables import subset_models

PREVALENCES = {"Effusion": 0.3, "Nodule": 0.2, "Hernia": 0.02}


def scored(subset, labels):
    """Rows of one training in a subset: accuracy as a mean, baselines of each label."""
    start = {"dataset": "ward", "backbone": "resnet18", "init": "scratch", "recipe": "default"}
    start |= {"fold": 0, "seed": 0, "subset": subset, "target": "ward", "n": 60, "patients": 40}
    rows = [{"label": "macro", "metric": name, "value": 0.7} for name in subset_models.METRICS]
    for label in labels:
        share = PREVALENCES[label]
        rows.append({"label": label, "metric": "prevalence", "value": share})
        rows.append({"label": label, "metric": "majority_accuracy", "value": 1 - share})
    return [start | row | {"low": 0.6, "high": 0.8} for row in rows]


def test_a_label_that_is_in_no_mean_is_in_no_baseline():
    rows = scored("all", PREVALENCES) + scored("women", ["Effusion", "Nodule"])
    frames = SimpleNamespace(
        metrics=pd.DataFrame(rows), grid=Grid(CONFIG), rare=lambda name: ["Hernia"]
    )
    table = subset_models.build(frames).set_index("subset")
    assert table.loc["all", "prevalence"] == pytest.approx(0.25)
    assert table.loc["all", "majority_accuracy"] == pytest.approx(0.75)
    assert table.loc["women", "majority_accuracy"] == pytest.approx(0.75)


def test_means_of_sensitivity_with_few_patients_are_said_to_have_short_intervals():
    rows = pd.DataFrame({"dataset": ["ward"] * 2, "subset": ["all", "women"]})
    rows = rows.assign(patients=[400, 40], **dict.fromkeys(subset_models.METRICS, 0.7))
    frames = SimpleNamespace(facts={"ward": {"labels": list(PREVALENCES)}})
    [note] = subset_models.notes(rows, frames)
    assert note.startswith("Intervals of sensitivity as a mean") and "100 patients (women)" in note
    frames.facts["ward"]["labels"] = ["Effusion"]
    assert not subset_models.notes(rows, frames)
