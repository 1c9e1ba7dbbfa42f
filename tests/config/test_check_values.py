"""Values that no setting could use are named with their place and a remedy."""

import datetime
import math
from pathlib import Path

import pytest

from cxrgrid.config import check_values
from cxrgrid.config.errors import UserError, suggest
from cxrgrid.config.grid import Grid
from demo_config import DEMO, replaced

WARD = "datasets.ward"
VALUES = [
    ("weights", None, ["weights: is empty", "comments"]),
    ("recipes.default", None, ["recipes.default: is empty"]),
    (f"{WARD}.image", None, [f"{WARD}.image: is empty"]),
    (f"{WARD}.labels", ["Nodule", None], [f"{WARD}.labels[1]: is empty"]),
    ("recipes.default.lr", math.inf, ["recipes.default.lr: inf is not a finite"]),
    ("recipes.default.lr", [0.1, math.nan], ["recipes.default.lr[1]: nan"]),
    ("study", datetime.date(2024, 1, 2), ["study: YAML reads 2024-01-02 as a date", "quotes"]),
    ("study", 2024, ["study: expected text, got a whole number; put it in quotes"]),
    ("study", True, ["study: expected text, got true or false; YAML reads yes, no"]),
    ("weights", {True: "timm"}, ["weights: the name True is no text; put it in quotes"]),
    ("weights", {"p": ""}, ["weights.p: '' says nothing", "timm"]),
    ("weights", [], ["weights: expected settings (name: value), got []"]),
    ("datasets", "ward", ["datasets: expected settings (name: value), got 'ward'"]),
    ("weights.pretrained", "~/a.safetensors", ["weights.pretrained: ~ is not expanded", "'/"]),
    (f"{WARD}.root", "$HOME/nih", [f"{WARD}.root: $HOME is not expanded", f"{Path.home()}/nih"]),
    ("grid.backbones", "resnet18", ["grid.backbones: expected a list, got text; write [a, b]"]),
    ("grid.seeds", [0, 1, 0], ["grid.seeds[2]: 0 is listed twice"]),
    ("grid.backbones", ["resnet18", "resnet18"], ["grid.backbones[1]: 'resnet18' is listed twice"]),
    ("grid.seeds", [], ["grid.seeds: an empty list makes no cell"]),
    (f"{WARD}.labels", ["Nodule", "Nodule"], [f"{WARD}.labels[1]: 'Nodule' is listed twice"]),
    ("report.figures", ["roc", "roc"], ["report.figures[1]: 'roc'"]),
    ("recipes.default.optimizer", "AdamW", ["'AdamW'", "did you mean 'adamw'?"]),
    (f"{WARD}.adapter", "NIH", ["did you mean 'nih'?"]),
    (f"{WARD}.columns.test", "1", [f"{WARD}.columns.test: a value of columns.split; name that"]),
]


@pytest.mark.parametrize(("path", "value", "said"), VALUES, ids=[f"{p}={v}" for p, v, _ in VALUES])
def test_a_value_is_refused_with_its_place(path, value, said):
    with pytest.raises(UserError) as error:
        Grid(replaced(DEMO, path, value))
    assert "\n" not in str(error.value)
    for words in said:
        assert words in str(error.value)


def test_an_init_without_weights_says_what_to_add():
    config = {name: value for name, value in DEMO.items() if name != "weights"}
    with pytest.raises(UserError, match="add `weights: {pretrained: timm}`"):
        Grid(config)


def test_a_setting_that_is_empty_by_default_may_be_null():
    assert {"phantom", "sample", "files", "join", "seed"} <= check_values.nullable()
    Grid(replaced(DEMO, f"{WARD}.sample", None))


def test_the_nearest_name_is_found_in_any_case():
    assert suggest("AdamW", ["adam", "adamw"]) == "did you mean 'adamw'?"
    assert suggest("effusion", ["Effusion", "Edema"]) == "did you mean 'Effusion'?"


def near(root: str) -> str:
    """Message for a dataset whose folder is not there."""
    with pytest.raises(UserError) as error:
        Grid(replaced(DEMO, WARD, {"adapter": "nih", "root": root})).check_files()
    return str(error.value)


def test_a_mistyped_root_names_the_near_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("data/CXR8/images").mkdir(parents=True)
    Path("data/table.csv").touch()
    assert "did you mean 'data/CXR8/images'?" in near("data/cxr8/images")
    assert f"did you mean '{tmp_path}/data/CXR8'?" in near(f"{tmp_path}/daat/CXR8")
    assert "'data/table.csv' is a file: give the folder" in near("data/table.csv")
    assert "Download" in near("data/padchest"), "nothing is near: how to get it"


@pytest.mark.parametrize(
    ("path", "value", "names"),
    [
        ("datasets.Ward", DEMO["datasets"]["ward"], "datasets: 'ward' and 'Ward'"),
        ("recipes.Source", {}, "recipes: 'source' and 'Source'"),
        ("weights.PRETRAINED", "timm", "weights: 'pretrained' and 'PRETRAINED'"),
        ("weights.Scratch", "timm", "weights: 'Scratch' and 'scratch'"),
        (f"{WARD}.tests", {"PA": {"view": ["PA"]}, "pa": {"view": ["AP"]}}, "subsets: 'PA' and"),
        (f"{WARD}.subsets", {"F": {"sex": ["F"]}, "f": {"age": [0, 9]}}, "subsets: 'F' and 'f'"),
    ],
)
def test_names_that_differ_in_capital_letters_alone_are_refused(path, value, names):
    with pytest.raises(UserError, match=f"{names}.* differ in capital letters alone"):
        Grid(replaced(DEMO, path, value))


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        ("grid.folds", "any", "no choice 'any'; known: all, a list"),
        ("transfer", "al", "no choice 'al'; known: all, none, a list"),
        ("recipes.default.channels", [1, 2], "no choice 2; known: 1, 3"),
        ("recipes.default.compile", "overhead", "known: true or false, reduce-overhead"),
    ],
)
def test_a_value_that_is_no_choice_is_told_with_the_choices(place, value, words):
    with pytest.raises(UserError, match=f"{place}: .*{words}"):
        Grid(replaced(DEMO, place, value))
