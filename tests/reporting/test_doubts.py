"""Doubts are told where there is a reason, and only there."""

from types import SimpleNamespace

import msgspec
import pandas as pd

from conftest import CONFIG
from cxrgrid.config.grid import Grid
from cxrgrid.reporting import doubts


def test_trainings_that_cannot_be_repeated_are_counted():
    cells = Grid(CONFIG).cells
    assert doubts.unrepeatable(cells) == ""
    loose = msgspec.structs.replace(cells[0], deterministic=False)
    assert doubts.unrepeatable([loose, *cells]).startswith(f"1 of {len(cells) + 1} cells were")


def test_labels_too_rare_on_validation_images_are_said_to_have_no_say_in_the_choice():
    rows = [("ward", "val", "Effusion", 4, 26), ("ward", "val", "Nodule", 5, 25)]
    rows += [("ward", "test", "Nodule", 1, 60), ("atlas", "val", "Effusion", 9, 9)]
    counts = pd.DataFrame(rows, columns=["dataset", "split", "label", "positives", "negatives"])
    grid = Grid(CONFIG | {"report": {"minimum": 5}})
    frames = SimpleNamespace(counts=counts, grid=grid)
    assert doubts.few_to_choose("ward", frames) == (
        "ward: chosen by the validation images of Nodule alone, as the others have fewer than 5 "
        "positive or negative ones."
    )
    assert doubts.few_to_choose("atlas", frames) == ""


def test_a_validation_value_of_fewer_labels_does_not_compare_with_the_test_value():
    rows = [("ward", "val", "Effusion", 4, 26), ("ward", "val", "Nodule", 5, 25)]
    rows += [("ward", "test", "Effusion", 8, 53), ("ward", "test", "Nodule", 9, 52)]
    counts = pd.DataFrame(rows, columns=["dataset", "split", "label", "positives", "negatives"])
    frames = SimpleNamespace(counts=counts, grid=Grid(CONFIG | {"report": {"minimum": 5}}))
    text = doubts.few_to_choose("ward", frames)
    assert text.endswith("; test values are means over more labels, and do not compare with it.")
