"""Splits, and several tables: what `new` makes of parts that files, columns or folders tell."""

import json
from pathlib import Path

import pytest
import yaml

from cxrgrid.config.errors import UserError
from cxrgrid.drafting import layouts
from drawn_tables import (
    EFFUSION,
    PEOPLE,
    PLAIN,
    drafted,
    effusion,
    film,
    lay,
    mass,
    patient,
    rows,
    stems,
)
from long_tests import by_turns

pytestmark = pytest.mark.usefixtures("own_folder")


def test_what_looks_like_a_split_is_no_label_and_is_said(capsys):
    lay(Path("mine"), rows(**PLAIN, is_test=mass, fold=lambda _, n: n % 5))
    assert drafted("mine")[0]["labels"] == ["Effusion", "Mass"]
    said = capsys.readouterr().out
    assert said.count("may say a split, which is not used") == 1


def held_out(_, n):
    return int(n % 4 == 0)


FLAGS = {
    "a_flag": ({"is_test": held_out}, "1"),
    "in_words": ({"isTest": lambda *of: bool(held_out(*of))}, "True"),
    "as_pandas_writes_it": ({"test_set": lambda *of: float(held_out(*of))}, "1"),
    "its_contrary_beside_it": ({"train": lambda *of: 1 - held_out(*of), "in_test": held_out}, "1"),
}


@pytest.mark.parametrize("name", by_turns(list(FLAGS), 2))
def test_a_flag_of_test_images_is_the_split(name):
    columns, value = FLAGS[name]
    lay(Path("mine"), rows(**PLAIN, **columns))
    entry, frame = drafted("mine")
    assert entry["labels"] == ["Effusion", "Mass"] and entry["split"] == {"name": "column"}
    assert entry["columns"]["split"] == list(columns)[-1] and entry["columns"]["test"] == value
    assert frame["split:column"].tolist() == [("trainval", "test")[held_out(*of)] for of in PEOPLE]


def test_a_flag_that_parts_a_patients_images_is_not_the_split():
    lay(Path("mine"), rows(**PLAIN, is_test=lambda name, _: int(name[-1]) - 1))
    assert drafted("mine")[0]["split"] == {"name": "patient"}
    assert "12 patients stand in two parts" in Path("studies/mine.yaml").read_text()


OFFERED = {
    "folds": ({"fold": lambda _, n: n % 5}, "0", 6),
    "folds_from_one": ({"cv_fold_id": lambda _, n: n % 4 + 1}, "1", 6),
    "training_images": ({"train": lambda *of: 1 - held_out(*of)}, "0", 6),
    "a_test_or_a_finding": ({"test": held_out}, "1", 6),
}


@pytest.mark.parametrize("name", by_turns(list(OFFERED), 2))
def test_what_may_be_a_split_is_offered_as_a_comment_that_can_be_taken(name):
    columns, value, images = OFFERED[name]
    lay(Path("mine"), rows(**PLAIN, **columns))
    entry, _ = drafted("mine")
    assert entry["split"] == {"name": "patient"} and "split" not in entry["columns"]
    text = Path("studies/mine.yaml").read_text()
    lines = [line for line in text.splitlines() if f"is the test set, {images} images" in line]
    taken = yaml.safe_load("\n".join(line.replace("# ", "", 1) for line in lines))
    assert taken["columns"]["test"] == value and taken["split"] == {"name": "column"}
    frame = layouts.read(entry | taken, "mine")
    assert frame["split:column"].value_counts()["test"] == images


@pytest.mark.parametrize("fold", [lambda name, _: int(name[-1]) - 1, lambda _, n: n * 7])
def test_numbers_that_are_no_folds_are_not_offered(fold):
    lay(Path("mine"), rows(**PLAIN, fold=fold))
    entry, _ = drafted("mine")
    assert entry["split"] == {"name": "patient"} and "split" not in entry["columns"]
    assert "is the test set" not in Path("studies/mine.yaml").read_text()


def test_a_value_that_no_row_has_is_named():
    lay(Path("mine"), rows(**PLAIN, fold=held_out))
    entry, _ = drafted("mine")
    entry["columns"] |= {"split": "fold", "test": "9"}
    with pytest.raises(UserError, match="column 'fold': no row has '9', as columns.test says"):
        layouts.read(entry, "mine")


def test_lists_of_parts_beside_folders_of_parts_are_read(capsys):
    lines = {"train": [], "test": []}
    for name, n in PEOPLE:
        part = "test" if n > 8 else "train"
        film(Path(f"mine/{part}/{name}.png"), n)
        lines[part].append(f"{n} {name}.png {'positive' if n % 2 else 'negative'} rsna")
    for part, text in lines.items():
        Path(f"mine/{part}.txt").write_text("\n".join(text) + "\n")
    entry, frame = drafted("mine")
    assert entry["columns"]["parts"] == {"train": "train.txt", "test": "test.txt"}
    assert entry["labels"] == ["column 3"] and len(frame) == 24
    assert frame["column 3"].tolist() == [EFFUSION[stem] for stem in stems(frame)]
    assert frame["split:column"].value_counts().to_dict() == {"train": 18, "test": 6}


def test_a_table_of_codes_is_joined_and_not_taken_for_one_of_images():
    for n in range(24):
        film(Path(f"mine/{n}.png"), n)
    lines = ["image,patient,class_id", *(f"{n}.png,p{n // 2},{n // 2 % 3}" for n in range(24))]
    Path("mine/labels.csv").write_text("\n".join(lines) + "\n")
    assert drafted("mine")[0]["labels"] == ["0", "1", "2"]
    Path("mine/classes.csv").write_text("class_id,class_name\n0,well\n1,ill\n2,worse\n")
    entry, frame = drafted("mine", "--force")
    assert entry["columns"]["join"] == {"file": "classes.csv", "by": "class_id"}
    assert frame[["well", "ill", "worse"]].sum().tolist() == [8, 8, 8]


def test_parts_of_a_json_file_are_a_split_and_its_images_may_lack_a_label():
    lay(Path("mine"), "", "empty.txt")
    listed = [{"image": f"img/{name}.png", "label": EFFUSION[name]} for name in EFFUSION]
    data = {"training": listed[:16], "test": listed[16:20] + [{"image": listed[20]["image"]}]}
    Path("mine/dataset.json").write_text(json.dumps(data))
    entry, frame = drafted("mine")
    assert entry["columns"]["split"] == "split" and frame["label"].isna().sum() == 1
    assert frame["split:column"].value_counts().to_dict() == {"train": 16, "test": 5}


def test_answers_to_be_handed_in_are_no_labels(capsys):
    root = lay(Path("mine"), rows(**PLAIN), "train.csv")
    (root / "sample_submission.csv").write_text(rows(**PLAIN))
    assert drafted("mine")[0]["columns"]["file"] == "train.csv"
    assert "not used: mine/sample_submission.csv" in capsys.readouterr().out


def test_train_and_test_tables_are_parts():
    root = lay(Path("mine"), "", "empty.txt")
    lines = rows(**PLAIN).splitlines()
    (root / "train.csv").write_text("\n".join(lines[:17]) + "\n")
    (root / "Test.csv").write_text("\n".join([lines[0], *lines[17:]]) + "\n")
    entry, frame = drafted("mine")
    assert entry["columns"]["parts"] == {"train": "train.csv", "test": "Test.csv"}
    assert entry["split"] == {"name": "column"}
    assert frame["split:column"].value_counts().to_dict() == {"train": 16, "test": 8}


@pytest.mark.parametrize("end", ["valid", "test"])
def test_two_tables_of_parts_may_have_their_columns_in_another_order(end):
    root = lay(Path("mine"), "", "empty.txt")
    lines = [line.split(",") for line in rows(**PLAIN).splitlines()]
    (root / "train.csv").write_text("\n".join(map(",".join, lines[:17])))
    (root / f"{end}.csv").write_text("\n".join(",".join(x[::-1]) for x in [lines[0], *lines[17:]]))
    entry, frame = drafted("mine")
    assert len(frame) == 24 and frame["Effusion"].tolist() == list(EFFUSION.values())
    assert entry["split"] == {"name": "patient" if end == "valid" else "column"}


def test_a_table_of_train_and_val_beside_one_of_train_is_a_question():
    root = lay(Path("mine"), "", "empty.txt")
    lines = rows(**PLAIN).splitlines()
    (root / "trainval.csv").write_text("\n".join(lines[:17]))
    (root / "train.csv").write_text("\n".join([lines[0], *lines[17:]]))
    with pytest.raises(UserError, match="each names images and labels"):
        drafted("mine")


def test_a_third_table_and_a_second_column_of_images_are_said_to_be_unused(capsys):
    root = lay(Path("mine"), rows(study=lambda name, n: name, second=lambda n, _: f"img/{n}.jpg"))
    for name, n in PEOPLE:
        film(root / f"img/{name}.jpg", n)
    studies = [f"{name},p{n:02},{EFFUSION[name]}" for name, n in PEOPLE]
    (root / "studies.csv").write_text("\n".join(["study,patient,Effusion", *studies]) + "\n")
    people = [f"p{n:02},{50 + n}" for n in range(12)]
    (root / "zones.csv").write_text("\n".join(["patient,height", *people]) + "\n")
    assert drafted("mine")[1]["Effusion"].tolist() == list(EFFUSION.values())
    said = capsys.readouterr().out
    assert "not used: mine/zones.csv: says height of each patient" in said
    assert "The column 'second' names images, too" in said


def test_a_table_of_patients_is_joined():
    root = lay(Path("mine"), rows(patient=patient))
    people = ["patient,sex,age,Effusion", *(f"p{n:02},F,{50 + n},{n % 2}" for n in range(12))]
    (root / "people.csv").write_text("\n".join(people) + "\n")
    entry, frame = drafted("mine")
    assert entry["columns"]["join"] == {"file": "people.csv", "by": "patient"}
    assert frame["Effusion"].tolist() == list(EFFUSION.values()) and frame["age"][3] == 51


def test_two_whole_tables_are_a_question():
    root = lay(Path("mine"), rows(**PLAIN))
    (root / "old.csv").write_text(rows(patient=patient, Effusion=mass))
    with pytest.raises(
        UserError, match="labels.csv and mine/old.csv: each names images and labels"
    ):
        drafted("mine")
    assert drafted("mine/old.csv")[0]["labels"] == ["Effusion"]


def test_a_table_of_test_images_without_labels_is_said_to_be_unused(capsys):
    data = rows(patient=patient, Effusion=effusion, Mass=mass).splitlines()
    lay(Path("mine"), "\n".join(data[:17]), "train.csv")
    test = [line.rsplit(",", 2)[0] for line in [data[0], *data[17:]]]
    Path("mine/test.csv").write_text("\n".join(test))
    _, frame = drafted("mine")
    assert len(frame) == 16
    assert "not used: mine/test.csv: names images, but no labels" in capsys.readouterr().out


def test_tables_of_parts_whose_images_have_the_same_names_are_read_by_their_folders():
    for part, count in {"train": 16, "test": 8}.items():
        lines = [f"{n:03}.png,{n % 2 if part == 'train' else 1 - n % 2}" for n in range(count)]
        for n in range(count):
            film(Path(f"mine/{part}/{n:03}.png"), n + (part == "test") * 50)
        Path(f"mine/{part}.csv").write_text("\n".join(["image,Effusion", *lines]) + "\n")
    _, frame = drafted("mine")
    wanted = {f"train/{n:03}.png": n % 2 for n in range(16)}
    wanted |= {f"test/{n:03}.png": 1 - n % 2 for n in range(8)}
    assert frame.set_index("image")["Effusion"].to_dict() == wanted
