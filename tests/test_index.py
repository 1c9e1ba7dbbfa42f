"""Whatever the adapter, the index is one checked table with one meaning."""

import json
import os

import numpy as np
import pandas as pd
import pytest

from cxrgrid import index
from cxrgrid.config.checks import ADAPTERS, adapter_facts, modules
from cxrgrid.config.errors import UserError
from cxrgrid.datasets import folder
from cxrgrid.io.parquet import read_parquet

COLUMNS = {"file": "labels.csv", "image": "image", "patient": "patient", "split": ""}
SETTINGS = {"adapter": "folder", "dataset": "mine", "labels": [], "task": "auto", "patient": ""}
SETTINGS |= {"columns": COLUMNS}


@pytest.fixture
def root(tmp_path):
    for path in ("A/2.png", "A/1.png", "B/3.png", "C/4.png", "C/5.png"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).touch()
    return tmp_path


@pytest.fixture
def table(tmp_path):
    """A CSV dataset of three images; only its labels differ from test to test."""

    def write(*rows):
        lines = [f"{n}.png,p{n},{row}" for n, row in enumerate(rows)]
        for n in range(len(rows)):
            (tmp_path / f"{n}.png").touch()
        (tmp_path / "labels.csv").write_text("\n".join(["image,patient,X,Y", *lines]))
        return tmp_path

    return write


def build(root, **change):
    made, facts = index.build(SETTINGS | {"root": str(root)} | change)
    return made.to_pandas(), facts


def test_all_labels_in_the_adapters_order_unless_some_are_chosen(root):
    assert build(root)[1]["labels"] == ["A", "B", "C"]
    frame, facts = build(root, labels=["C", "A"])
    assert facts["labels"] == ["C", "A"] and "B" not in frame
    assert frame["image"].tolist() == ["A/1.png", "A/2.png", "C/4.png", "C/5.png"]
    assert (frame["C"] + frame["A"] == 1).all()


def test_images_of_other_classes_are_left_out_and_counted(root):
    _, facts = build(root, labels=["A", "B"])
    steps = [(step["step"], step["images"]) for step in facts["accounting"]]
    assert steps[-2:] == [("in a class folder", 5), ("of the chosen classes", 3)]


def test_a_file_name_that_is_not_utf_8_is_named(root, monkeypatch):
    """`folder` leaves such files out; what another adapter lets through is one clear line."""
    read = folder.read

    def strange(*arguments):
        frame = read(*arguments)
        frame.loc[0, "image"] = os.fsdecode(b"n\xe9e.png")
        return frame

    monkeypatch.setattr(folder, "read", strange)
    with pytest.raises(UserError, match=r"xe9.* is not UTF-8; rename it"):
        build(root)


def test_as_several_labels_no_image_is_left_out(root):
    frame, facts = build(root, labels=["A"], task="multilabel")
    assert frame["A"].tolist() == [1, 1, 0, 0, 0] and facts["task"] == "multilabel"


def test_the_file_holds_table_and_facts(root, tmp_path):
    settings = json.dumps(SETTINGS | {"root": str(root)})
    index.main([settings, "--out", str(tmp_path / "out/index.parquet")])
    made, facts = read_parquet(tmp_path / "out/index.parquet")
    assert made.column_names == [*index.TEXT, "age", "A", "B", "C"]
    assert {str(made.schema.field(name).type) for name in index.TEXT} == {"string"}
    assert made["sex"].null_count == made.num_rows == 5
    assert facts["dataset"] == "mine" and facts["root"] == str(root)
    assert facts["source"] == folder.SOURCE and facts["credentialed"] is False
    assert facts["task"] == "multiclass" and facts["notes"]


def test_a_missing_root_is_answered_with_how_to_get_the_data(tmp_path):
    with pytest.raises(UserError, match=r"datasets\.mine\.root: no folder .*Put the images"):
        build(tmp_path / "nowhere")


def test_an_unknown_label_is_answered_with_the_nearest(root):
    (root / "A").rename(root / "Normal")
    with pytest.raises(UserError, match="no label 'normal'; did you mean 'Normal'"):
        build(root, labels=["normal", "B"])


def test_classes_may_come_from_a_csv(table):
    root = table("1,0", "1,", "0,1", "0,0")
    frame, facts = build(root, adapter="csv", labels=["X", "Y"], task="multiclass")
    assert frame["image"].tolist() == ["0.png", "1.png", "2.png"]
    assert frame["Y"].tolist() == [0, 0, 1]  # who is X is not Y, also where the field is empty
    assert facts["accounting"][-1] == {"step": "of the chosen classes", "images": 3, "patients": 3}


def test_classes_that_do_not_exclude_each_other_are_refused(table):
    root = table("1,0", "1,1")
    with pytest.raises(UserError, match="'1.png' is X and Y.*task: multilabel"):
        build(root, adapter="csv", labels=["X", "Y"], task="multiclass")


def test_no_image_of_the_chosen_classes_is_refused(table):
    with pytest.raises(UserError, match="no image has one of"):
        build(table("0,0", "0,0"), adapter="csv", labels=["X", "Y"], task="multiclass")


def good():
    columns = {"image": ["a", "b"], "patient": ["p", "q"], "study": ["a", "b"]}
    columns |= {"view": None, "sex": None, "age": np.nan, "X": [0.0, np.nan]}
    return pd.DataFrame(columns)


BREAK = {
    "no image": lambda frame: frame.iloc[:0],
    "no column": lambda frame: frame.drop(columns="X"),
    "an image twice": lambda frame: frame.assign(image="a"),
    "without a patient": lambda frame: frame.assign(patient=[None, "p"]),
    "neither 1, 0, uncertain": lambda frame: frame.assign(X=[0.5, 1]),
}


@pytest.mark.parametrize("fault", BREAK)
def test_an_adapter_that_breaks_the_contract_is_told_how(fault):
    index.check(good(), ["X"], "adapter x")
    with pytest.raises(UserError, match=f"adapter x: the table that it read .*{fault}"):
        index.check(BREAK[fault](good()), ["X"], "adapter x")


def test_a_label_with_a_reserved_name_is_refused():
    with pytest.raises(UserError, match="reserved name"):
        index.check(good().assign(split=1.0), ["split"], "adapter x")


def test_uncertain_and_blank_labels_follow_the_policy_that_is_printed(table):
    root = table("1,0", "-1,", "0,-1", "1,1")
    chosen = {"adapter": "csv", "labels": ["X", "Y"]}
    frame, facts = build(root, **chosen)
    assert frame["X"].isna().tolist() == [False, True, False, False]
    assert frame["Y"].isna().tolist() == [False, True, True, False]
    frame, facts = build(root, **chosen, uncertain={"X": "one", "Y": "smooth"}, blank="absent")
    assert frame["X"].tolist() == [1, 1, 0, 1]
    assert frame["Y"].tolist()[:2] == [0, 0] and 0.55 <= frame["Y"][2] <= 0.85
    assert facts["policy"]["uncertain"] == {"X": "one", "Y": "smooth"}
    assert facts["policy"]["counts"]["Y"] == {"uncertain": 1, "blank": 1}
    assert "Blank labels are taken as absent: Y 1." in facts["notes"]


def test_the_policy_counts_the_images_that_are_taken(table):
    root = table(*["-1,1"] * 6, *["1,"] * 6)
    wanted = {"labels": ["X", "Y"], "sample": {"n": 4, "by": ["Y"]}}
    _, facts = build(root, adapter="csv", **wanted)
    assert facts["policy"]["counts"] == {
        "X": {"uncertain": 2, "blank": 0},
        "Y": {"uncertain": 0, "blank": 2},
    }


def test_a_policy_for_a_label_that_is_not_there_is_refused(root):
    with pytest.raises(UserError, match=r"datasets\.mine\.uncertain: no label 'D'"):
        build(root, uncertain={"D": "one"})


def test_every_filter_is_a_line_of_the_accounting(table):
    root = table(*["1,0"] * 3, *["0,1"] * 5)
    (root / "labels.csv").write_text(
        "image,patient,X,Y,view,sex,age\n"
        + "".join(f"{n}.png,p{n // 2},{n % 2},1,PA,{'FM'[n > 5]},{20 + n}\n" for n in range(8))
    )
    wanted = {"view": ["frontal"], "sex": ["F"], "age": [21, 80]}
    wanted |= {"one_per_patient": True, "sample": {"n": 2, "by": ["X"]}}
    frame, facts = build(root, adapter="csv", labels=["X", "Y"], **wanted)
    assert [(step["step"], step["images"]) for step in facts["accounting"][2:]] == [
        ("image file found", 8),
        ("view frontal", 8),
        ("sex F", 6),
        ("age 21 to 80", 5),
        ("one image a patient", 3),
        ("sample by X, seed 0", 2),
    ]
    assert facts["accounting"][-1]["patients"] == frame["patient"].nunique() == 2


def test_a_filter_that_leaves_nothing_is_named(root):
    with pytest.raises(UserError, match=r"datasets\.mine\.sex: no image is left of 5"):
        build(root, sex=["F"])
    with pytest.raises(UserError, match=r"datasets\.mine\.sample\.n: 9 images are asked for, 5"):
        build(root, sample={"n": 9})


@pytest.mark.parametrize("name", modules(ADAPTERS))
def test_every_adapter_says_what_the_policy_can_read(name):
    facts = adapter_facts(name)
    assert facts.get("BLANK", "ignore") in ("absent", "ignore")
    assert len(set(facts["LABELS"])) == len(facts["LABELS"])


def test_unlabelled_images_are_left_out_if_asked(table):
    settings = {
        **SETTINGS,
        "adapter": "csv",
        "labels": ["X", "Y"],
        "root": str(table("1,", ",", "0,0")),
    }
    assert len(index.build(settings)[0]) == 3
    got, facts = index.build({**settings, "unlabelled": "drop"})
    assert got["image"].to_pylist() == ["0.png", "2.png"]
    assert facts["accounting"][-1] == {"step": "a label is known", "images": 2, "patients": 2}


@pytest.mark.parametrize(
    ("several", "X", "Y"), [("drop", [1, 0], [0, 1]), ("first", [1, 1, 0], [0, 0, 1])]
)
def test_an_image_of_several_classes_is_dropped_or_of_the_first(table, several, X, Y):
    settings = {**SETTINGS, "adapter": "csv", "labels": ["X", "Y"], "task": "multiclass"}
    settings |= {"root": str(table("1,0", "1,1", "0,1"))}
    with pytest.raises(UserError, match="several"):
        index.build(settings)
    got = index.build({**settings, "several": several})[0]
    assert got["X"].to_pylist() == X and got["Y"].to_pylist() == Y
