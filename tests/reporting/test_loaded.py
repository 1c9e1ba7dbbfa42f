"""`cxrgrid.load`: the files of a study as data frames, and the notebook that shows it."""

import subprocess
import sys
from pathlib import Path

import nbformat
import pandas as pd
import pytest

import cxrgrid
from conftest import LABELS, MISSING
from cxrgrid.config.cell import AXES
from cxrgrid.config.errors import UserError
from cxrgrid.io.parquet import read_parquet
from demo_config import ROOT

CELL = {"dataset": "ward", "backbone": "resnet10t", "init": "scratch", "seed": 0}


def test_frames_are_the_files(finished):
    found = cxrgrid.load(finished.parent)
    assert cxrgrid.load(str(finished)).folder == found.folder
    for name, frame in (("metrics", found.scores), ("history", found.history)):
        lines = (finished.parent / f"report/{name}.csv").read_text().splitlines()
        assert len(frame) == len(lines) - 1 and set(AXES) <= set(frame)
    assert (found.cells["state"] == "done").sum() == 15 and len(found.cells) == 16
    assert repr(found) == "<cxrgrid results of 'demo': 15 of 16 cells done>"
    assert {"difference", "sentence"} <= set(found.comparisons)
    assert {"leaderboard", "labels"} <= set(found.tables)
    for name in found.tables:
        assert isinstance(found.table(name), pd.DataFrame)
    assert len(found.images("ward")) == 60


def test_predictions_are_those_of_the_cells_that_are_asked_for(finished):
    found = cxrgrid.load(finished.parent)
    rows = found.predictions(**CELL)
    path = finished.parent / "cells/ward/resnet10t/scratch/default/seed0/predictions/ward.parquet"
    wide = read_parquet(path)[0].to_pandas()
    assert len(rows) == len(wide) * 3 and rows["target"].unique().tolist() == ["ward"]
    for label in LABELS["ward"]:
        own = rows[rows["label"] == label]
        assert own["probability"].tolist() == wide[f"p:{label}"].tolist()
        assert own["truth"].tolist() == wide[f"y:{label}"].tolist()
    cells = found.predictions()[AXES].drop_duplicates()
    assert len(cells) == 15 and MISSING.split("/")[-1] == "seed1"
    assert found.predictions("transfer").empty
    assert list(found.predictions("transfer")) == list(rows)


def test_mistakes_are_one_line(finished):
    found = cxrgrid.load(finished.parent)
    with pytest.raises(UserError, match="no table 'leaderbord'; did you mean 'leaderboard'"):
        found.table("leaderbord")
    with pytest.raises(UserError, match="no axis 'backbones'"):
        found.predictions(backbones="resnet10t")
    with pytest.raises(UserError, match="no part 'train'"):
        found.predictions("train")
    with pytest.raises(UserError, match="no results of a study; there are: demo"):
        cxrgrid.load(finished.parents[1] / "dmo")


def test_the_notebook_runs_and_holds_no_outputs(finished, monkeypatch):
    monkeypatch.setenv("CXRGRID_RESULTS", str(finished.parent))
    book = nbformat.read(ROOT / "docs/results.ipynb", as_version=4)
    nbformat.validate(book)
    space: dict = {}
    for cell in book.cells:
        if cell.cell_type == "code":
            assert not cell.outputs and cell.execution_count is None
            exec(compile(cell.source, "results.ipynb", "exec"), space)
    assert len(space["auroc"]) > 0 and len(space["spread"]) > 0 and len(space["pairs"]) > 0


def test_importing_cxrgrid_stays_light_and_loading_needs_no_torch(finished):
    code = "import sys, cxrgrid; assert 'pandas' not in sys.modules; "
    code += f"cxrgrid.load({str(Path(finished.parent))!r}).predictions(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "torch" not in done.stdout.split()
