"""The choice of each fold alone stands beside the one of all, where there are folds."""

import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from conftest import CONFIG
from cxrgrid.comparison import choice
from cxrgrid.config.cell import CONFIGURATION
from cxrgrid.config.grid import Grid
from cxrgrid.reporting import nested_choice

FOLDS = 3


def study(folds="all", choose="none") -> Grid:
    """One dataset, two levels, two seeds, three folds."""
    ward = CONFIG["datasets"]["ward"] | {"split": {"folds": FOLDS}}
    grid = {"datasets": ["ward"], "backbones": ["resnet10t"], "seeds": [0, 1]}
    recipes = {"default": {"lr": [0.1, 0.2], "choose": choose}}
    grid |= {"folds": folds} if folds else {}
    return Grid(CONFIG | {"datasets": {"ward": ward}, "grid": grid, "recipes": recipes})


def cells(grid, values) -> pd.DataFrame:
    """Cells with the values of {recipe: one per fold}, the same in both seeds."""
    rows = [
        cell.axes() | {"done": True, "value": values[cell.recipe][cell.fold], "n": 8, "patients": 4}
        for cell in grid.cells
    ]
    return pd.DataFrame(rows)


VAL = {"default": [0.9, 0.8, 0.6], "default-lr0.2": [0.5, 0.7, 0.9]}  # means 0.767 and 0.7
TEST = {"default": [0.60, 0.70, 0.80], "default-lr0.2": [0.50, 0.90, 0.55]}


def frames(grid, test=TEST):
    """As much of `Frames` as the sentence needs."""
    headline = cells(grid, test)
    found = SimpleNamespace(validation=choice.table(grid, cells(grid, VAL)), metric_name="AUROC")
    found.by_fold = lambda: SimpleNamespace(headline=lambda: headline)
    return found


def test_each_fold_chooses_by_its_own_validation_images():
    table = choice.table(study(), cells(study(), VAL)).set_index("recipe")
    assert table["recommended"].to_dict() == {"default": True, "default-lr0.2": False}
    assert table["recommended_in"].to_dict() == {"default": "0 1", "default-lr0.2": "2"}
    assert set(table["chosen_in"]) == {"0 1 2"}, "without a search each level stands for itself"
    searched = choice.table(study(choose="validation"), cells(study(choose="validation"), VAL))
    assert list(searched["chosen_in"]) == list(searched["recommended_in"]) == ["0 1", "2"]


def test_the_nested_value_is_the_mean_over_folds_of_what_each_has_chosen():
    said = nested_choice.sentence(frames(study()), "ward")
    assert (
        np.mean([0.60, 0.70, 0.80]) == pytest.approx(0.7) and "AUROC on test images, 0.700" in said
    )
    assert f"it is {np.mean([0.60, 0.70, 0.55]):.3f}" in said and "3 folds" in said
    [search] = nested_choice.of_searches(frames(study(choose="validation")), "ward")
    assert search.startswith("resnet10t / scratch / default: ") and "0.617" in search


def test_a_choice_that_all_folds_share_is_said_without_a_number():
    every = frames(study())
    every.validation = choice.table(study(), cells(study(), VAL | {"default": [0.9, 0.8, 0.95]}))
    assert "Each of the 3 folds chooses the same" in nested_choice.sentence(every, "ward")
    assert nested_choice.doubt(every, "ward") == ""
    assert nested_choice.doubt(frames(study()), "ward") == nested_choice.sentence(
        frames(study()), "ward"
    )


def test_without_folds_or_rivals_or_values_nothing_is_said():
    single = study(folds=())
    table = choice.table(single, cells(single, VAL))
    assert set(table["chosen_in"]) == {""}
    assert nested_choice.sentence(SimpleNamespace(validation=table), "ward") == ""
    assert nested_choice.of_searches(frames(study()), "ward") == []
    lacking = frames(study(), TEST | {"default-lr0.2": [0.5, 0.9, math.nan]})
    assert nested_choice.sentence(lacking, "ward") == ""
    assert set(CONFIGURATION) < set(table)
