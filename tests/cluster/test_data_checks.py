"""Columns, labels and classes are checked when a run is planned, once per state of the data."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from cxrgrid.cluster import data_checks
from cxrgrid.config.errors import UserError
from cxrgrid.config.grid import Grid
from cxrgrid.datasets import csv, folder
from cxrgrid.io.parquet import write_parquet

MAIN, JOB = (SimpleNamespace(is_main_process=main) for main in (True, False))
PNG = b"\x89PNG"


@pytest.fixture
def root(tmp_path, monkeypatch) -> Path:
    """A folder of two classes, and a table of the same images."""
    monkeypatch.chdir(tmp_path)
    rows = ["image,Effusion,Nodule,split"]
    for kind in ("sick", "well"):
        for number in range(3):
            path = Path(f"mine/{kind}/{number}.png")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(PNG)
            rows.append(f"{kind}/{number}.png,{int(kind == 'sick')},0,train")
    Path("mine/labels.csv").write_text("\n".join(rows) + "\n")
    return Path("mine")


def grid(**dataset) -> Grid:
    """A study of one dataset."""
    given = {"root": "mine"} | dataset
    return Grid(
        {
            "study": "s",
            "datasets": {"d": given},
            "grid": {"datasets": ["d"], "backbones": ["resnet10t"]},
        }
    )


CSV = {"adapter": "csv", "labels": ["Effusion"]}
MISTAKES = [
    ({"adapter": "csv", "labels": ["Efusion"]}, ["labels.csv", "'Efusion'", "did you mean 'Eff"]),
    (CSV | {"columns": {"patient": "pid"}}, ["no column 'pid'", "image, Effusion, Nodule"]),
    (CSV | {"columns": {"file": "label.csv"}}, ["label.csv", "did you mean 'labels.csv'"]),
    ({"adapter": "csv", "labels": ["image"]}, ["labels.csv: a label 'image'", "rename it"]),
    (
        {"adapter": "csv", "labels": ["sick"], "columns": {"classes": "image"}},
        ["column 'image'", "no class 'sick'"],
    ),
    (CSV | {"columns": {"split": "Nodule"}}, ["column 'Nodule'", "is no split"]),
    (
        {"adapter": "folder", "labels": ["sick", "wells"]},
        ["no class 'wells'", "did you mean 'well'"],
    ),
    ({"adapter": "folder", "root": "mine/sick"}, ["two or more class folders"]),
    ({"adapter": "folder", "classes": "(x)"}, ["finds too few classes"]),
]


@pytest.mark.parametrize(("dataset", "said"), MISTAKES)
def test_a_mistake_stops_the_plan_in_one_line(root, dataset, said):
    with pytest.raises(UserError) as error:
        data_checks.check_data(MAIN, grid(**dataset))
    message = str(error.value)
    assert message.startswith("datasets.d") and "\n" not in message
    for words in said:
        assert words in message


@pytest.mark.parametrize(("adapter", "module"), [("csv", csv), ("folder", folder)])
def test_data_are_read_once_until_they_or_the_settings_change(root, monkeypatch, adapter, module):
    calls, check = [], module.check
    monkeypatch.setattr(
        module, "check", lambda *given: calls.append(given[1]["labels"]) or check(*given)
    )
    labels = {"csv": ["Effusion"], "folder": ["sick", "well"]}[adapter]
    for _ in range(3):
        data_checks.check_data(MAIN, grid(adapter=adapter, labels=labels))
    assert len(calls) == 1
    table, fresh = root / "labels.csv", root / "fresh/0.png"
    if adapter == "csv":
        table.write_text(table.read_text() + "well/2.png,0,0,train\n")
    else:
        fresh.parent.mkdir()
        fresh.write_bytes(PNG)
    data_checks.check_data(MAIN, grid(adapter=adapter, labels=labels))
    assert len(calls) == 2, "the data changed"
    other = {"csv": ["Nodule"], "folder": ["sick", "fresh"]}[adapter]
    data_checks.check_data(MAIN, grid(adapter=adapter, labels=other))
    assert len(calls) == 3, "the settings changed"


def test_jobs_and_prepared_data_are_not_checked(root):
    bad = grid(adapter="csv", labels=["Efusion"])
    data_checks.check_data(JOB, bad)
    index = Path("results/data/d/index.parquet")
    index.parent.mkdir(parents=True)
    index.touch()
    good = grid(adapter="csv", labels=["Effusion"])
    (root / "labels.csv").write_text("gone\n")
    data_checks.check_data(MAIN, good)
    with pytest.raises(UserError, match="no column"):
        data_checks.check_data(MAIN, bad)


@pytest.mark.parametrize("text", ["{", "[]", '{"d": 1}', '{"d": {}}', '{"d": {"settings": 1}}'])
def test_a_damaged_record_is_made_anew(root, text):
    data_checks.FOUND.parent.mkdir(parents=True)
    data_checks.FOUND.write_text(text)
    data_checks.check_data(MAIN, grid(**CSV))
    size = (root / "labels.csv").stat().st_size
    assert data_checks.remembered()["d"]["seen"]["mine/labels.csv"][0] == size


def test_more_folds_than_patients_are_said_at_the_plan_where_they_are_known(root):
    by_name = {"adapter": "folder", "patient": r"^(\d)\.png"}  # three patients
    config = grid(**by_name).config
    config["grid"] |= {"folds": "all"}

    def planned(**dataset):
        data_checks.check_data(
            MAIN, Grid(config | {"datasets": {"d": by_name | {"root": "mine"} | dataset}})
        )

    few = "datasets.d.split.folds: 40 folds of 3 patients; .*at most 3$"
    with pytest.raises(UserError, match=few):
        planned(split={"folds": 40})
    with pytest.raises(UserError, match="40 folds of 6 patients"):
        planned(**CSV, split={"folds": 40}, patient="")
    planned(split={"folds": 3})
    write_parquet({"patient": ["a", "b", "b"]}, "results/data/d/index.parquet", {})
    with pytest.raises(UserError, match="3 folds of 2 patients"):
        planned(split={"folds": 3})
    for fold in ("", "/fold1", "/fold2"):
        write_parquet({"image": []}, f"results/data/d{fold}/table.parquet", {})
    planned(split={"folds": 3})  # divided already
