"""Tables as people have them: what `new` writes reads every image with the right labels."""

import gzip
import io
import json
import re
import shlex
import unicodedata
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from cxrgrid import new
from cxrgrid.config.errors import UserError
from cxrgrid.config.grid import Grid
from cxrgrid.data import dicom, image_lookup, spreadsheets
from cxrgrid.drafting import layouts, questions
from drawn_tables import (
    EFFUSION,
    KINDS,
    MASS,
    PEOPLE,
    PLAIN,
    drafted,
    effusion,
    film,
    lay,
    mass,
    named,
    patient,
    rows,
    stems,
    word,
)
from long_tests import by_turns


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Each test in a folder of its own, where `studies` is made."""
    monkeypatch.chdir(tmp_path)


def found_in(name) -> list[str]:
    """Findings of an image."""
    return ["Effusion"] * EFFUSION[name] + ["Mass"] * MASS[name]


def as_json(table: str, lines=False) -> str:
    """A table as a list of objects, or an object a line."""
    return pd.read_csv(io.StringIO(table)).to_json(orient="records", lines=lines)


def listed(name, _):
    return f'"{[label for label, of in (("Effusion", EFFUSION), ("Mass", MASS)) if of[name]]}"'


TABLES = {
    "one_hot": rows(**PLAIN),
    "tabs": ("labels.tsv", rows(separator="\t", **PLAIN)),
    "semicolons": rows(separator=";", **PLAIN),
    "utf_16": rows(**PLAIN).encode("utf-16"),
    "gzip": ("labels.csv.gz", gzip.compress(rows(**PLAIN).encode())),
    "index_column": "\n".join(
        f"{'' if at == 0 else at - 1},{line}" for at, line in enumerate(rows(**PLAIN).splitlines())
    ),
    "yes_and_no": rows(patient=patient, Effusion=word("Yes", "No"), Mass=mass),
    "true_and_false": rows(patient=patient, Effusion=word("True", "False"), Mass=mass),
    "positive": rows(patient=patient, Effusion=word("positive", "negative"), Mass=mass),
    "uncertain_words": rows(patient=patient, Effusion=word("present", "absent"), Mass=mass),
    "bars": rows(patient=patient, finding=named("|")),
    "comma_and_space": rows(patient=patient, Findings=named(", ")),
    "semicolon_names": rows(patient=patient, Labels=named(";")),
    "python_list": rows(patient=patient, labels=listed),
    "stem": rows(image="{}", **PLAIN),
    "another_ending": rows(image="{}.dcm", **PLAIN),
    "upper_case": rows(image="IMG/{}.PNG", **PLAIN),
    "absolute": rows(image="/home/me/cxr/img/{}.png", **PLAIN),
    "windows": rows(image="C:\\cxr\\img\\{}.jpg", **PLAIN),
    "folder_prefix": rows(image="mine/files/{}.png", **PLAIN),
    "excel_says_its_separator": "sep=;\n" + rows(separator=";", **PLAIN),
    "a_comment_above": "# made by hand\n" + rows(**PLAIN),
    "spaces": rows(separator=" ", **PLAIN),
    "text_file": ("labels.txt", rows(separator="\t", **PLAIN)),
    "crosses": rows(
        patient=patient,
        Effusion=lambda name, _: "x" * EFFUSION[name],
        Mass=lambda name, _: "X" * MASS[name],
    ),
    "german": rows(patient=patient, Effusion=word("ja", "nein"), Mass=mass),
    "signs": rows(patient=patient, Effusion=word("+", "-"), Mass=mass),
    "json_list": rows(patient=patient, labels=named('"", ""', "", "[{}]")),
    "python_set": rows(patient=patient, labels=named("', '", form="{{'{}'}}")),
    "words_joined": rows(patient=patient, labels=named(" and ")),
    "a_row_per_finding": "image,patient,finding\n"
    + "".join(
        f"img/{name}.png,p{n:02},{finding}\n"
        for name, n in PEOPLE
        for finding in found_in(name) or ["No Finding"]
    ),
    "json": ("labels.json", as_json(rows(**PLAIN))),
    "json_lines": ("labels.jsonl", as_json(rows(**PLAIN), lines=True)),
    "numbered_columns": rows(
        patient=patient,
        **{
            "Finding 1": lambda name, _: (found_in(name) or ["None"])[0],
            "Finding 2": lambda name, _: (found_in(name) + ["", ""])[1],
        },
    ),
    "titles_above": "Films of the ward,,,\n,,,\n" + rows(**PLAIN),
    "a_line_of_text_above": "Films of the ward\n" + rows(separator=";", **PLAIN),
    "findings_on_lines": rows(patient=patient, findings=named("\n")),
    "a_column_twice": "".join(
        f"{line},{line.split(',')[-1]}\n" for line in rows(**PLAIN).splitlines()
    ),
    "upper_case_ending": ("LABELS.CSV", rows(**PLAIN)),
    "addresses": rows(image="https://a.org/x/{}.png?raw=true", **PLAIN),
    "below_one_level": ("about/labels.csv", rows(**PLAIN)),
    "above": ("../labels.csv", rows(**PLAIN)),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_understood_whatever_its_form(name):
    given = TABLES[name]
    file, data = given if isinstance(given, tuple) else ("labels.csv", given)
    entry, frame = drafted(lay(Path("mine"), data, file))
    assert entry["adapter"] == "csv" and sorted(entry["labels"]) == ["Effusion", "Mass"]
    assert stems(frame) == list(EFFUSION)
    known = frame.fillna({"Effusion": 0, "Mass": 0})
    assert known["Effusion"].tolist() == list(EFFUSION.values())
    assert known["Mass"].tolist() == list(MASS.values())
    assert frame["patient"].nunique() == 12
    assert frame["Effusion"].notna().all() or name == "python_list"


@pytest.mark.parametrize("suffix", ["xlsx", "parquet"])
def test_a_spreadsheet_or_a_parquet_file_is_understood(suffix):
    lay(Path("mine"), "", "empty.txt")
    lines = [line.split(",") for line in rows(**PLAIN).splitlines()]
    if suffix == "xlsx":
        spreadsheets.write_sheet(Path("mine/labels.xlsx"), lines)
    else:
        frame = pd.DataFrame(lines[1:], columns=lines[0])
        frame.astype({"Effusion": int, "Mass": int}).astype({"Mass": bool}).to_parquet(
            "mine/labels.parquet"
        )
    entry, frame = drafted("mine")
    assert entry["labels"] == ["Effusion", "Mass"] and stems(frame) == list(EFFUSION)
    assert frame["Effusion"].tolist() == list(EFFUSION.values())


CLASSES = {
    "class": (rows(patient=patient, **{"class": KINDS}), "class"),
    "any_name": (rows(patient=patient, grading=KINDS), "grading"),
    "beside_the_view": (rows(patient=patient, view=word("AP", "PA"), Diagnosis=KINDS), "Diagnosis"),
    "codes": (rows(patient=patient, label=lambda _, n: n % 3), "label"),
    "beside_yes_and_no": (rows(patient=patient, finding=KINDS, survival=word("Y", "N")), "finding"),
    "codes_and_names": (
        rows(patient=patient, label=word("1", "2"), class_name=KINDS),
        "class_name",
    ),
    "comma_in_a_name": (rows(patient=patient, kind=word('"ill, badly"', '"well"')), "kind"),
}


@pytest.mark.parametrize("name", CLASSES)
def test_one_column_of_class_names_makes_classes(name):
    table, column = CLASSES[name]
    entry, frame = drafted(lay(Path("mine"), table))
    assert entry["columns"]["classes"] == column and entry["task"] == "multiclass"
    assert "separator" not in entry["columns"]
    assert (frame[entry["labels"]].sum(axis=1) == 1).all() and len(frame) == 24


def test_two_columns_that_could_be_classes_are_a_question():
    lay(Path("mine"), rows(patient=patient, grade=KINDS, kind=word("a", "b")))
    with pytest.raises(UserError, match="'grade' and 'kind' could each hold the classes"):
        drafted("mine")
    entry, _ = drafted("mine", "--classes", "kind")
    assert entry["labels"] == ["a", "b"]


def test_a_column_of_classes_beside_another_of_ones_is_a_question():
    lay(Path("mine"), rows(patient=patient, diagnosis=KINDS, smoker=mass))
    with pytest.raises(UserError, match="could be in 'diagnosis'.*or smoker the labels"):
        drafted("mine")
    assert drafted("mine", "--classes", "each")[0]["labels"] == ["smoker"]
    assert drafted("mine", "--classes", "diagnosis", "--force")[0]["labels"] == ["ill", "well"]
    assert "--classes each  # smoker" in Path("studies/mine.yaml").read_text()


def test_a_column_that_says_the_classes_again_in_numbers_is_no_question():
    lay(Path("mine"), rows(patient=patient, target=effusion, diagnosis=KINDS))
    assert drafted("mine")[0]["columns"]["classes"] == "diagnosis"
    again = rows(**PLAIN, findings=named("|"))
    lay(Path("mine"), again)
    assert drafted("mine", "--force")[0]["labels"] == ["Effusion", "Mass"]


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


def test_a_column_that_is_nearly_a_label_is_said(capsys):
    lay(Path("mine"), rows(**PLAIN, Edema=lambda _, n: (0, 1, 9)[n % 3]))
    assert drafted("mine")[0]["labels"] == ["Effusion", "Mass"]
    assert "The column 'Edema' is no label, as it holds '9', too." in capsys.readouterr().out


def test_a_column_of_crosses_everywhere_does_not_hide_the_classes():
    lay(Path("mine"), rows(patient=patient, MeSH=lambda *_: "x", problems=KINDS))
    assert drafted("mine")[0]["labels"] == ["ill", "well"]


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


def test_images_that_are_still_packed_are_named():
    Path("mine").mkdir()
    Path("mine/images.zip").touch()
    Path("mine/labels.csv").write_text(rows(**PLAIN))
    with pytest.raises(UserError, match="unpack 'images.zip' first"):
        drafted("mine")


def test_letters_that_a_disk_writes_as_two_are_found():
    """macOS takes ü apart."""
    for n in range(12):
        film(Path("mine") / unicodedata.normalize("NFD", f"für {n}.png"), n)
    lines = [unicodedata.normalize("NFC", f"für {n}.png,{n % 2}") for n in range(12)]
    Path("mine/labels.csv").write_text("\n".join(["image,Effusion", *lines]) + "\n")
    assert len(drafted("mine")[1]) == 12


@pytest.mark.parametrize("folders", [("annotations", "images"), ("masks", "x")])
def test_masks_of_the_same_names_are_not_taken_for_the_images(folders, capsys):
    for name, n in PEOPLE:
        for folder in folders:
            film(Path(f"mine/{folder}/{name}.png"), n)
    Path("mine/labels.csv").write_text(rows(image="{}.png", **PLAIN))
    assert drafted("mine")[0]["root"] == f"mine/{folders[1]}"


def test_images_of_the_same_names_in_two_folders_are_a_question():
    for name, n in PEOPLE:
        for folder in "xy":
            film(Path(f"mine/{folder}/{name}.png"), n)
    Path("mine/labels.csv").write_text(rows(image="{}.png", **PLAIN))
    with pytest.raises(UserError, match="could be those in mine/x or in mine/y"):
        drafted("mine")
    assert drafted("mine/y")[0]["root"] == "mine/y"


def test_images_that_the_table_does_not_name_are_counted(capsys):
    film(lay(Path("mine"), rows(**PLAIN)) / "img/other.png", 3)
    drafted("mine")
    assert "1 images lie there that the table does not name, as" in capsys.readouterr().out


def test_films_of_another_kind_are_counted_once(monkeypatch, capsys):
    kind = {f"img/{name}.dcm": "CT" for name, n in PEOPLE if n > 10}
    monkeypatch.setattr(dicom, "no_films", lambda _, images: [kind.get(i, "") for i in images])
    for name, n in PEOPLE:
        who = {"patient": n, "study": int(name[-1]), "view": "PA", "sex": "F", "age": 40}
        dicom.write(Path(f"mine/img/{name}.dcm"), np.zeros((16, 16), np.uint8), who)
    Path("mine/labels.csv").write_text(rows(image="img/{}.dcm", **PLAIN))
    assert len(drafted("mine")[1]) == 22
    said = capsys.readouterr().out
    assert "left out: CT 2." in said and "does not name" not in said


def test_a_column_of_one_patient_is_not_passed_over():
    lay(Path("mine"), rows(patient=lambda *_: "p1", Effusion=effusion))
    with pytest.raises(UserError, match="3 patients are needed"):
        drafted("mine")


def test_a_table_of_another_program_is_named():
    lay(Path("mine"), "no table", "labels.ods")
    with pytest.raises(UserError, match="labels.ods: a table that is not read; save it as"):
        drafted("mine")


def test_a_row_of_totals_is_named():
    lay(Path("mine"), rows(patient=patient, Effusion=effusion) + "Total,,12\n")
    with pytest.raises(UserError, match="'Effusion' holds '12', too"):
        drafted("mine")


def test_a_patients_number_is_found_in_the_folder_of_the_patient():
    for n in range(12):
        film(Path(f"mine/images/patient_{n:03d}/{n % 3}.png"), n)
    lines = ["patient_id,Effusion,Mass", *(f"{n},{n % 2},{'' if n == 3 else 0}" for n in range(12))]
    Path("mine/labels.csv").write_text("\n".join([*lines[:-1], "11,1,1"]) + "\n")
    entry, frame = drafted("mine")
    assert entry["columns"]["match"] == "part" and len(frame) == 12
    assert frame["Effusion"].tolist() == [0, 1] * 6 and frame["patient"].nunique() == 12


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


def test_a_table_of_boxes_names_findings_and_images_without_one_are_counted(capsys):
    boxes = ["filename,x_min,y_min,x_max,y_max,label"]
    for name, n in PEOPLE:
        film(Path(f"mine/img/{name}.png"), n)
        boxes += [f"{name}.png,{n % 2},{n % 2},1,1,{finding}" for finding in found_in(name)]
    Path("mine/boxes.csv").write_text("\n".join(boxes) + "\n")
    entry, frame = drafted("mine")
    assert entry["labels"] == ["Effusion", "Mass"] and entry["columns"]["separator"] == "rows"
    assert len(frame) == sum(bool(found_in(name)) for name in EFFUSION)
    assert "8 images lie there that the table does not name" in capsys.readouterr().out


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


def test_images_in_several_folders_are_all_found():
    for name, n in PEOPLE:
        film(Path(f"mine/{'train' if n < 8 else 'test'}/{name}.png"), n)
    Path("mine/labels.csv").write_text(rows(image="{}.png", **PLAIN))
    entry, frame = drafted("mine")
    assert entry["columns"]["match"] == "tail" and len(frame) == 24


def test_boxes_in_cocos_form_are_findings():
    """Images without a box have none."""
    kinds = {"Effusion": 1, "Mass": 7}
    root = lay(Path("mine"), "", "empty.txt")
    boxes = [
        {"image_id": at, "category_id": kinds[kind], "bbox": [1, 1, 2, 2]}
        for at, (name, _) in enumerate(PEOPLE)
        for kind in found_in(name)
    ]
    data = {
        "images": [{"id": at, "file_name": f"{name}.png"} for at, (name, _) in enumerate(PEOPLE)],
        "annotations": boxes,
        "categories": [{"id": number, "name": name} for name, number in kinds.items()],
    }
    (root / "annotations.json").write_text(json.dumps(data))
    entry, frame = drafted("mine")
    assert entry["labels"] == ["Effusion", "Mass"] and entry["patient"]
    assert frame["Effusion"].tolist() == list(EFFUSION.values())
    assert frame["Mass"].tolist() == list(MASS.values())


def test_ids_that_pandas_wrote_as_floats_are_found_and_joined():
    for number in range(24):
        film(Path(f"mine/img/{number}.png"), number)
    lines = [f"{number}.0,{100 + number // 2}.0" for number in range(24)]
    Path("mine/images.csv").write_text("\n".join(["id,patient_id", *lines]) + "\n")
    people = [f"{100 + n},{n % 2},{'MF'[n % 2]},{40 + n:03d}Y" for n in range(12)]
    Path("mine/people.csv").write_text(
        "\n".join(["patient_id,Effusion,Patient Gender,Patient Age", *people]) + "\n"
    )
    _, frame = drafted("mine")
    frame = frame.sort_values("age", kind="stable")
    assert frame["patient"].nunique() == 12 and frame["age"].tolist()[::2] == [*range(40, 52)]
    assert frame["Effusion"].tolist() == [0, 0, 1, 1] * 6 == [int(s == "F") for s in frame["sex"]]


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


def test_studies_of_dicom_files_are_of_the_patients_in_their_headers():
    for name, n in PEOPLE:
        who = {"patient": n, "study": int(name[-1]), "view": "PA", "sex": "F", "age": 40}
        dicom.write(Path(f"mine/img/{name}.dcm"), np.zeros((16, 16), np.uint8), who)
    uids = [dicom.attributes(Path("mine"), [f"img/{p}.dcm"], "StudyInstanceUID") for p, _ in PEOPLE]
    lines = [f"{uid},{EFFUSION[name]}" for [uid], (name, _) in zip(uids, PEOPLE, strict=True)]
    Path("mine/labels.csv").write_text("\n".join(["uid,Effusion", *lines]) + "\n")
    entry, frame = drafted("mine")
    assert entry["columns"]["match"] == "StudyInstanceUID" and entry["patient"] == "PatientID"
    assert frame["patient"].nunique() == 12 and len(frame) == 24


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


@pytest.mark.parametrize("place", ["{}/1.png", "all/{}_PA_view.png", "a/{}/s1/1.png"])
def test_an_id_is_found_in_the_path(place):
    for n in range(12):
        film(Path("mine") / place.format(f"ACC{n}"), n)
    lines = ["id,Effusion", *(f"ACC{n},{n % 2}" for n in range(12))]
    Path("mine/labels.csv").write_text("\n".join(lines) + "\n")
    entry, frame = drafted("mine")
    assert entry["columns"]["match"] == "part" and len(frame) == 12
    order = sorted(range(12), key=lambda n: place.format(f"ACC{n}"))
    assert frame["Effusion"].tolist() == [n % 2 for n in order]


def test_what_new_writes_is_what_the_config_reads():
    entry, _ = drafted(lay(Path("mine"), rows(patient=patient, finding=named("|"))))
    assert entry["columns"] == {
        "file": "labels.csv", "image": "image", "patient": "patient",
        "classes": "finding", "separator": "|",
    }  # fmt: skip
    assert json.loads(json.dumps(entry)) == entry


@pytest.mark.parametrize(("file", "separator"), [("labels.csv", ","), ("train.txt", " ")])
def test_a_table_without_a_header_is_read_from_its_first_row_on(file, separator):
    data = "".join(f"img/{name}.png{separator}{KINDS(name, n)}\n" for name, n in PEOPLE)
    lay(Path("mine"), data, file)
    entry, frame = drafted("mine")
    assert len(frame) == 24 and entry["columns"]["image"] == "image"
    wanted = {name: KINDS(name, n) for name, n in PEOPLE}
    for stem, (_, row) in zip(stems(frame), frame.iterrows(), strict=True):
        assert row[wanted[stem]] == 1


def test_numbers_whose_zeros_a_spreadsheet_took_away_are_found():
    for number in range(24):
        film(Path(f"mine/img/{number:04d}.png"), number)
    lines = [f"{number},{number % 2},{int(number % 3 == 0)}" for number in range(24)]
    Path("mine/labels.csv").write_text("\n".join(["id,Effusion,Mass", *lines]) + "\n")
    _, frame = drafted("mine")
    assert [int(stem) for stem in stems(frame)] == list(range(24))
    assert frame["Effusion"].tolist() == [0, 1] * 12


def test_classes_that_differ_in_case_alone_are_one():
    spelled = ("well", "ill ", "Well")
    lay(Path("mine"), rows(patient=patient, diagnosis=lambda _, n: spelled[n % 3]))
    entry, frame = drafted("mine")
    assert len(entry["labels"]) == 2 and frame[entry["labels"]].sum().tolist() == [8, 16]


def test_tables_may_call_the_patient_by_two_names():
    lay(Path("mine"), rows(PatientID=patient))
    people = ["patient,Effusion,Mass", *(f"p{n:02},{n % 2},{int(n % 3 == 0)}" for n in range(12))]
    Path("mine/people.csv").write_text("\n".join(people) + "\n")
    entry, frame = drafted("mine")
    assert entry["columns"]["join"]["theirs"] == "patient"
    assert frame["Effusion"].tolist() == [EFFUSION[stem] for stem in stems(frame)]


def test_a_table_of_test_images_without_labels_is_said_to_be_unused(capsys):
    data = rows(patient=patient, Effusion=effusion, Mass=mass).splitlines()
    lay(Path("mine"), "\n".join(data[:17]), "train.csv")
    test = [line.rsplit(",", 2)[0] for line in [data[0], *data[17:]]]
    Path("mine/test.csv").write_text("\n".join(test))
    _, frame = drafted("mine")
    assert len(frame) == 16
    assert "not used: mine/test.csv: names images, but no labels" in capsys.readouterr().out


def two_columns() -> None:
    """A table with two columns that could hold the classes."""
    lay(Path("mine"), rows(patient=patient, finding=KINDS, diagnosis=word("ill", "well")))


def at_a_terminal(monkeypatch, *answers: str) -> None:
    """A person who types the answers."""
    typed = iter(answers)
    monkeypatch.setattr(questions, "can_answer", lambda: True)
    monkeypatch.setattr("builtins.input", lambda prompt: next(typed))


def test_a_person_at_a_terminal_is_asked_and_what_is_chosen_is_written(monkeypatch, capsys):
    two_columns()
    at_a_terminal(monkeypatch, "2")
    dataset, frame = drafted("mine")
    said = capsys.readouterr().out
    assert "could each hold the classes" in said and "3  none of these: stop" in said
    first = next(line for line in said.splitlines() if line.startswith("  2  "))
    assert dataset["columns"]["classes"] == first.split()[1].rstrip(":")
    assert frame.attrs["labels"] == sorted(dataset["labels"])


@pytest.mark.parametrize("answer", ["3", "", "0", "x"])
def test_who_does_not_choose_gets_the_line_that_says_how(monkeypatch, answer):
    two_columns()
    at_a_terminal(monkeypatch, answer)
    with pytest.raises(UserError, match="choose, as --classes"):
        drafted("mine")


def test_other_splits_and_starts_stand_as_comments_that_can_be_taken():
    data = rows(patient=patient, part=lambda _, n: "test" if n % 4 == 0 else "train", Mass=mass)
    lay(Path("mine"), data)
    drafted("mine")
    text = Path("studies/mine.yaml").read_text()
    assert "split: {name: column}" in text
    for line in ("split: {name: patient}", "inits: [scratch, imagenet]"):
        name = line.split(":")[0]
        assert f"# {line}" in text
        other = re.sub(rf"(?m)^( +){name}: .*\n", "", text).replace(f"# {line}", line)
        Grid(yaml.safe_load(other))


def test_other_patients_and_classes_stand_as_comments_that_can_be_taken():
    family = {"patient_id": patient, "patient_family": lambda _, n: n // 2}
    lay(Path("mine"), rows(**family, **{"class": KINDS, "grade": word("bad", "mild")}))
    drafted("mine")
    text = Path("studies/mine.yaml").read_text()
    [line] = [line for line in text.splitlines() if "# columns: " in line]
    assert "instead: 6 patients" in line
    taken = re.sub(r"(?m)^ +columns: .*\n", "", text).replace("# columns: ", "columns: ")
    [entry] = yaml.safe_load(taken)["datasets"].values()
    assert layouts.read(entry, "mine")["patient"].nunique() == 6
    [line] = [line for line in text.splitlines() if "# other classes: " in line]
    new.main(shlex.split(line.split("cxrgrid.new ")[1], comments=True))
    assert "classes: grade" in Path("studies/mine.yaml").read_text()


@pytest.mark.parametrize("place", ["img/{name}.png", "p{n:02}/{m}.png", "x/p{n:02}/{m}.png"])
def test_patients_that_only_names_or_folders_tell_are_found_beside_a_table(place):
    lines = ["image,Effusion,Mass"]
    for name, n in PEOPLE:
        file = place.format(name=name, n=n, m=name[-1])
        film(Path("mine") / file, n)
        lines.append(f"{file},{EFFUSION[name]},{MASS[name]}")
    Path("mine/labels.csv").write_text("\n".join(lines) + "\n")
    entry, frame = drafted("mine")
    assert entry["patient"] and "patient" not in entry["columns"]
    assert frame["patient"].nunique() == 12 and (frame.groupby("patient").size() == 2).all()


def test_patients_views_sexes_and_ages_of_dicom_files_are_their_headers():
    for name, n in PEOPLE:
        who = {"patient": n, "study": int(name[-1]), "view": "PA", "sex": "F", "age": 40 + n}
        dicom.write(Path(f"mine/img/{name}.dcm"), np.zeros((16, 16), np.uint8), who)
    Path("mine/labels.csv").write_text(rows(image="img/{}.dcm", Effusion=effusion, Mass=mass))
    entry, frame = drafted("mine")
    assert entry["patient"] == "PatientID" and frame["patient"].nunique() == 12
    assert set(frame["view"]) == {"PA"} and set(frame["sex"]) == {"F"} and frame["age"].max() == 51
    assert any("DICOM header" in note for note in frame.attrs["notes"])
    with pytest.raises(UserError, match="columns.patient is 'image' already; keep one of both"):
        entry["columns"]["patient"] = "image"
        Grid({"study": "mine", "datasets": {"mine": entry}, "recipes": {"default": {}},
              "grid": {"datasets": ["mine"], "backbones": ["resnet10t"]}})  # fmt: skip


def test_a_folder_inside_a_publishers_layout_names_the_one_that_is_meant(monkeypatch):
    header = "Path,Sex,Age,Frontal/Lateral,AP/PA,No Finding,Enlarged Cardiomediastinum\n"
    for n in range(30):
        film(Path(f"CheXpert-v1.0/train/patient{n:05d}/study1/view1_frontal.jpg"), n)
    Path("CheXpert-v1.0/train.csv").write_text(header)
    with pytest.raises(UserError, match="lies in CheXpert-v1.0, which is laid out as 'chexpert'"):
        drafted("CheXpert-v1.0/train")
    with pytest.raises(UserError, match="no column 'Cardiomegaly'"):
        drafted("CheXpert-v1.0")


@pytest.mark.parametrize("shown", ["5", "00005"])
@pytest.mark.parametrize("held", ["00005", "5"])
def test_an_id_in_a_header_is_found_with_or_without_its_zeros(monkeypatch, shown, held):
    monkeypatch.setattr(dicom, "attributes", lambda root, images, name: ["17", held])
    find = image_lookup.lookup(Path(), ["a", "b"], "PatientID")
    assert find(shown) == ["b"] and find("17") == ["a"] and find("18") == []


def test_many_labels_still_fit_on_a_screen(capsys):
    many = {f"finding {k:02d}": lambda name, n, k=k: int(n == k % 12) for k in range(40)}
    lay(Path("mine"), rows(patient=patient, **many))
    entry, _ = drafted("mine")
    said = capsys.readouterr().out
    assert len(entry["labels"]) == 40 and len(said.splitlines()) < 45
    assert "and 24 more, in the study file" in said and "more labels are like these" in said


def test_comments_with_separators_above_the_header_are_passed_over():
    above = "# exported by PACS, 2024\n# n=24\n"
    _, frame = drafted(lay(Path("own"), above + rows(patient=patient, Effusion=effusion)))
    assert frame["patient"].nunique() == 12
    assert frame["Effusion"].tolist() == list(EFFUSION.values())


def test_a_class_called_like_a_column_of_ours_is_named():
    with pytest.raises(UserError, match="a label 'patient': cxrgrid has a column of this name"):
        drafted(lay(Path("own"), rows(patient=patient, diagnosis=word("patient", "control"))))


def numbered(header: str) -> Path:
    """Images called by a number; a table whose first column counts its rows, in another order."""
    for n in range(24):
        film(Path(f"mine/img/{n + 1:04}.png"), n)
    lines = [f"{at + 1},{24 - at},{'ill' if at % 2 else 'well'}" for at in range(24)]
    Path("mine/labels.csv").write_text("\n".join([header, *lines]) + "\n")
    return Path("mine")


def test_a_running_number_is_not_taken_for_the_number_of_an_image():
    _, frame = drafted(numbered("sr_no,image,diagnosis"))
    assert frame.set_index("image")["ill"].to_dict() == {
        f"img/{n:04}.png": n % 2 for n in range(1, 25)
    }
    table = numbered("sr_no,image,diagnosis") / "labels.csv"
    more = [f"{25 + n},{n},{'well' if n % 2 == 0 else 'ill'}" for n in range(1, 9)]
    table.write_text("\n".join([table.read_text().strip(), *more]) + "\n")  # some images twice
    assert drafted("mine", "--force")[0]["columns"]["image"] == "image"
    with pytest.raises(UserError, match="columns 'sr_no' and 'number' could each name the images"):
        drafted(numbered("sr_no,number,diagnosis"), "--force")


@pytest.mark.parametrize("text", ["#N/A", "tbd", "?", "-", "not assessed"])
def test_a_text_beside_ones_and_zeros_is_unknown_and_said(text, capsys):
    def one(name, n):
        return text if n == 3 else EFFUSION[name]

    entry, frame = drafted(lay(Path("mine"), rows(patient=patient, Effusion=one)))
    assert entry["labels"] == ["Effusion"] and "classes" not in entry["columns"]
    odd = frame["patient"] == "p03"
    assert (frame.loc[~odd, "Effusion"].isin([0, 1])).all()
    assert not frame.loc[odd, "Effusion"].isin([0, 1]).any()
    assert f"Read as unknown or uncertain: {text!r} 2." in capsys.readouterr().out


def test_another_text_beside_ones_and_zeros_is_a_question():
    def one(name, n):
        return "see report" if n == 3 else EFFUSION[name]

    lay(Path("mine"), rows(patient=patient, Effusion=one))
    with pytest.raises(UserError, match="'Effusion' holds 1 and 0.* and also 'see report'"):
        drafted("mine")


def test_unknown_is_no_class_of_a_column_of_classes(capsys):
    def kind(name, n):
        return "unknown" if n == 3 else "ill" if EFFUSION[name] else "well"

    entry, frame = drafted(lay(Path("mine"), rows(patient=patient, diagnosis=kind)))
    assert entry["labels"] == ["ill", "well"]
    assert frame.loc[frame["patient"] == "p03", ["ill", "well"]].isna().all(axis=None)
    assert "'unknown' 2" in capsys.readouterr().out
    again = layouts.read(entry | {"labels": ["ill", "unknown", "well"]}, "mine")
    assert again["unknown"].sum() == 2  # a study that says so


@pytest.mark.parametrize("other", ["P{:02}", "p{:02} ", "{}", "{}.0"])
def test_ids_of_one_person_in_two_spellings_are_one_patient(other, capsys):
    def of(name, n):
        one = "p{:02}" if other[:1] in "pP" else "{:03}"
        return (other if name.endswith("2") else one).format(n)

    _, frame = drafted(lay(Path("mine"), rows(patient=of, Effusion=effusion)))
    assert frame.groupby("patient").size().tolist() == [2] * 12
    said = "ids differ in case, spaces or zeros alone" in capsys.readouterr().out
    assert said == (other != "p{:02} ")  # spaces at an end are passed over everywhere


@pytest.mark.parametrize("name", ["reader_id", "rad_ID", "Radiologist ID", "device_id", "site_id"])
def test_ids_of_readers_and_devices_are_no_patients(name):
    table = rows(**{name: lambda _, n: f"R{n % 4}", "Effusion": effusion})
    table = table.replace("img/p", "img/x")
    lay(Path("mine"), table)
    for path in Path("mine/img").glob("p*"):
        path.rename(path.with_name(path.name.replace("p", "x", 1)))
    assert "patient" not in drafted("mine")[0]["columns"]


def test_a_patients_number_that_repeats_goes_before_one_of_each_image():
    table = rows(patient_code=lambda name, _: f"X{name}", MRN=patient, Effusion=effusion)
    assert drafted(lay(Path("mine"), table))[0]["columns"]["patient"] == "MRN"


@pytest.mark.parametrize("above", ["/old/data/", ""])
def test_an_image_of_another_patient_is_not_taken_for_one_that_is_missing(above):
    for n in range(24):
        film(Path(f"mine/img/{'pat33' if n == 3 else f'pat{n:02}'}/scan{n:02}.png"), n)
    lines = [f"{above}pat{n:02}/scan{n:02}.png,pat{n:02},{n % 2}" for n in range(24)]
    Path("mine/labels.csv").write_text("\n".join(["path,patient,Effusion", *lines]) + "\n")
    _, frame = drafted("mine")
    assert len(frame) == 23 and "img/pat33/scan03.png" not in set(frame["image"])


def test_images_that_differ_in_their_ending_alone_are_named():
    lay(Path("mine"), rows(image="{}", patient=patient, Effusion=effusion))
    for path in Path("mine/img").iterdir():
        Image.open(path).save(path.with_suffix(".jpg"))
    with pytest.raises(UserError, match=r"may be 'img/p00_1.jpg' or 'img/p00_1.png'; write the"):
        drafted("mine")


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


def test_rows_that_name_a_finding_and_none_of_one_image_are_a_question():
    again = rows(patient=patient, label=word("sick", "normal"))
    again += "\n".join(f"img/{name}.png,p{n:02},normal" for name, n in PEOPLE[:4]) + "\n"
    lay(Path("mine"), again)
    with pytest.raises(UserError, match="rows of 'img/p01_1.png' name a finding and none at once"):
        drafted("mine")
    assert drafted("mine", "--classes", "label")[0]["columns"]["separator"] == "rows"
