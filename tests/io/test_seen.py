"""Data that changed on disk after they were read are noticed; a copy of the same is not."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cxrgrid import index
from cxrgrid.io import seen

ROWS = [f"img/{n}.png,p{n},{n % 2}" for n in range(12)]


@pytest.fixture
def prepared(tmp_path, monkeypatch):
    """A table and its images, as `index` has read them."""
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "mine"
    (root / "img").mkdir(parents=True)
    for n in range(12):
        Image.fromarray(np.full((16, 16), n, np.uint8)).save(root / f"img/{n}.png")
    (root / "labels.csv").write_text("\n".join(["image,patient,Mass", *ROWS]) + "\n")
    (root / "notes.csv").write_text("not,used\n")
    columns = {"file": "labels.csv", "image": "image", "patient": "patient"}
    settings = {"adapter": "csv", "dataset": "mine", "root": "mine", "labels": ["Mass"]}
    out = "results/data/mine/index.parquet"
    index.main([json.dumps(settings | {"columns": columns}), "--out", out])
    return Path("mine")


def changes():
    root, said = seen.changes(Path("results/data/mine"))
    assert root == "mine"
    return said


def correct(root):
    text = (root / "labels.csv").read_text()
    (root / "labels.csv").write_text(text.replace("p3,1", "p3,0"))


def replace(root):
    Image.fromarray(np.full((16, 16), 99, np.uint8)).save(root / "img/4.png")


def fresh(root):
    shutil.copytree(root, "copy")  # other times, the same bytes
    shutil.rmtree(root)
    shutil.move("copy", root)
    for path in root.rglob("*"):
        os.utime(path)


REAL = {
    "labels_corrected": (correct, ["labels.csv has changed"]),
    "table_gone": (lambda root: (root / "labels.csv").unlink(), ["labels.csv is gone"]),
    "image_replaced": (replace, ["1 of 12 images looked at has changed"]),
    "image_removed": (
        lambda root: (root / "img/4.png").unlink(),
        ["1 of 12 images looked at is gone", "the folder img holds 11 files, not 12"],
    ),
    "image_added": (
        lambda root: shutil.copy(root / "img/4.png", root / "img/new.png"),
        ["the folder img holds 13 files, not 12"],
    ),
}


@pytest.mark.parametrize("name", REAL)
def test_what_changed_is_said(prepared, name):
    assert changes() == []
    change, said = REAL[name]
    change(prepared)
    assert changes() == said


UNREAL = {
    "touched": lambda root: os.utime(root / "labels.csv"),
    "copied": fresh,
    "another_table": lambda root: (root / "notes.csv").write_text("more\n"),
    "moved_away": lambda root: shutil.move(root, "elsewhere"),
}


@pytest.mark.parametrize("name", UNREAL)
def test_what_did_not_change_is_not_said(prepared, name):
    UNREAL[name](prepared)
    assert changes() == []


def test_data_prepared_before_say_nothing(tmp_path):
    assert seen.changes(tmp_path) == ("", [])
