"""A pool from before two releases were known to share patients is named in one line."""

from pathlib import Path

import msgspec
import pytest

from cxrgrid.cluster import pooled_patients
from cxrgrid.config.grid import Grid
from cxrgrid.config.pooling import pool_file
from cxrgrid.io.parquet import write_parquet

LABELS = {"chexpert": ["Edema"], "chexpert_plus": ["Edema"], "nih": ["Edema"]}


def study(*adapters):
    datasets = {
        f"a{n}": {"adapter": a, "root": a, "labels": LABELS[a]} for n, a in enumerate(adapters)
    }
    axes = {"datasets": list(datasets), "backbones": ["resnet18"]}
    recipes = {"default": {"train_on": ["own", "others"]}}
    return Grid({"study": "s", "datasets": datasets, "grid": axes, "recipes": recipes})


@pytest.fixture
def lines(tmp_path, monkeypatch):
    """Function that finishes the first cell of a study with a pool of such facts, and plans."""
    monkeypatch.chdir(tmp_path)

    def planned(grid, facts, done=True):
        cell = grid.cells[0]
        folder = Path(grid.folder(cell))
        (folder / "predictions").mkdir(parents=True, exist_ok=True)
        (folder / "cell.json").write_bytes(msgspec.json.encode(cell))
        for name in ("val", cell.dataset) if done else ():
            (folder / f"predictions/{name}.parquet").touch()
        path = Path(pool_file(grid, cell))
        path.parent.mkdir(exist_ok=True)
        write_parquet({"image": []}, path, facts)
        return pooled_patients.warnings(grid)

    return planned


def test_a_finished_cell_of_an_older_pool_of_two_releases_is_said(lines):
    grid = study("chexpert", "chexpert_plus")
    assert lines(grid, {"held_out": ["a0", "a1"]}, done=False) == []
    [line] = lines(grid, {"held_out": ["a0", "a1"]})
    assert "before a0 and a1 were known to number their patients alike: 1 finished cell" in line
    assert "results/s/pools/a0+a1.parquet" in line and "\n" not in line
    assert lines(grid, {"numbered_alike": [["a0", "a1"]]}) == []


def test_other_publishers_and_one_publisher_twice_are_no_news(lines):
    assert lines(study("chexpert", "nih"), {}) == []
    assert lines(study("chexpert", "chexpert"), {}) == []
