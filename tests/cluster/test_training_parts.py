"""A share that leaves a label without an image stops a run before its first training."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from conftest import CONFIG, write_dataset
from cxrgrid.cluster import forecast, training_parts
from cxrgrid.config.grid import Grid
from cxrgrid.config.pooling import pool_file
from cxrgrid.io.parquet import write_parquet


def job(rule, output="", **wildcards):
    rule, wildcards = SimpleNamespace(name=rule), SimpleNamespace(**wildcards)
    return SimpleNamespace(rule=rule, wildcards=wildcards, output=[output])


def planned(**settings) -> tuple[list, Grid]:
    """The trainings of one dataset of the study, and its grid."""
    grid = CONFIG["grid"] | {"datasets": ["ward"], "inits": ["scratch"]}
    found = Grid(CONFIG | {"grid": grid, "recipes": {"default": settings}})
    return [job("train", **cell.wildcards()) for cell in found.cells], found


@pytest.fixture(autouse=True)
def prepared(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("ward", "children"):
        write_dataset(Path("results/data"), name)


def test_a_share_added_to_prepared_data_is_refused_with_its_cell_and_label(capsys):
    jobs, grid = planned(train_share=[1, 0.01])
    said = training_parts.refusal(jobs, grid)
    assert "default-train_share0.01/seed0: train_share 0.01 (1 patients) leaves no" in said
    assert "Nodule" in said and "\n" not in said
    workflow = SimpleNamespace(dag=SimpleNamespace(needrun_jobs=lambda: jobs))
    with pytest.raises(SystemExit) as ended:
        forecast.begin(workflow, grid)
    assert str(ended.value) == f"error: {said}"


def test_what_can_be_trained_or_is_made_in_the_same_run_is_let_through():
    assert training_parts.refusal(*planned(train_share=[1, 0.9])) == ""
    jobs, grid = planned(train_share=0.01)
    split = job("split", output="results/data/ward/table.parquet")
    assert training_parts.refusal([*jobs, split], grid) == "", "the split tries it itself"


def test_a_share_of_pooled_datasets_is_tried_on_the_list_that_is_there():
    sampled = {"labels": ["Effusion", "Nodule", "Hernia"], "adapter": "nih", "phantom": {}}
    datasets = {"ward": sampled, "children": sampled}
    grid = CONFIG["grid"] | {"datasets": ["ward", "children"], "inits": ["scratch"]}
    recipes = {"default": {"train_on": ["own", "others"], "train_share": 0.01}}
    grid = Grid(CONFIG | {"grid": grid, "datasets": datasets, "recipes": recipes})
    cell = grid.cells[0]
    write_parquet({"dataset": [], "image": []}, Path(pool_file(grid, cell)), {"held_out": []})
    said = training_parts.refusal([job("train", **cell.wildcards())], grid)
    assert "train_share 0.01" in said or "train_where and train_share leaves no training" in said
