"""Tables as people have them: what `new` writes reads every image with the right labels."""

import gzip
import io
import json
import re
import shlex
from pathlib import Path

import pandas as pd
import pytest
import yaml

from cxrgrid import new
from cxrgrid.config.errors import UserError
from cxrgrid.config.grid import Grid
from cxrgrid.data import spreadsheets
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
    found_in,
    lay,
    listed,
    mass,
    named,
    patient,
    rows,
    stems,
    word,
)

pytestmark = pytest.mark.usefixtures("own_folder")


def as_json(table: str, lines=False) -> str:
    """A table as a list of objects, or an object a line."""
    return pd.read_csv(io.StringIO(table)).to_json(orient="records", lines=lines)


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


def test_a_column_that_is_nearly_a_label_is_said(capsys):
    lay(Path("mine"), rows(**PLAIN, Edema=lambda _, n: (0, 1, 9)[n % 3]))
    assert drafted("mine")[0]["labels"] == ["Effusion", "Mass"]
    assert "The column 'Edema' is no label, as it holds '9', too." in capsys.readouterr().out


def test_a_column_of_crosses_everywhere_does_not_hide_the_classes():
    lay(Path("mine"), rows(patient=patient, MeSH=lambda *_: "x", problems=KINDS))
    assert drafted("mine")[0]["labels"] == ["ill", "well"]


def test_a_table_of_another_program_is_named():
    lay(Path("mine"), "no table", "labels.ods")
    with pytest.raises(UserError, match="labels.ods: a table that is not read; save it as"):
        drafted("mine")


def test_a_row_of_totals_is_named():
    lay(Path("mine"), rows(patient=patient, Effusion=effusion) + "Total,,12\n")
    with pytest.raises(UserError, match="'Effusion' holds '12', too"):
        drafted("mine")


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


def test_classes_that_differ_in_case_alone_are_one():
    spelled = ("well", "ill ", "Well")
    lay(Path("mine"), rows(patient=patient, diagnosis=lambda _, n: spelled[n % 3]))
    entry, frame = drafted("mine")
    assert len(entry["labels"]) == 2 and frame[entry["labels"]].sum().tolist() == [8, 16]


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


def test_rows_that_name_a_finding_and_none_of_one_image_are_a_question():
    again = rows(patient=patient, label=word("sick", "normal"))
    again += "\n".join(f"img/{name}.png,p{n:02},normal" for name, n in PEOPLE[:4]) + "\n"
    lay(Path("mine"), again)
    with pytest.raises(UserError, match="rows of 'img/p01_1.png' name a finding and none at once"):
        drafted("mine")
    assert drafted("mine", "--classes", "label")[0]["columns"]["separator"] == "rows"
