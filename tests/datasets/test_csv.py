"""A CSV file is read as it is meant, or refused with file, line, column and value."""

import gzip
import math
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxrgrid.config.errors import UserError
from cxrgrid.data import dicom, spreadsheets, tables
from cxrgrid.datasets import csv

COLUMNS = {"file": "labels.csv", "image": "image", "patient": "patient", "split": ""}
SETTINGS = {"dataset": "mine", "labels": ["Mass", "Edema"], "columns": COLUMNS}
HEADER = "image,patient,Mass,Edema"
ROWS = ["b.png,p1,1,0", "a.png,p1,0,", "sub/c.png,p2,-1,1"]
IMAGES = ["a.png", "b.png", "sub/c.png"]
SCRAPS = [
    *IMAGES,
    *'10,,,,\n\n\r;\t"/.\x00\x1a ',
    "-1",
    "../",
    "nan",
    "x" * 300 + "/",
    "\ufeff",
    "ü",
]
SCRAPS += ["a.png,p1,1,0\n", "b.png,,0,\n", "image,patient,Mass,Edema\n"]


def read(root, lines, images=IMAGES, encoding="utf-8", **columns):
    for image in images:
        (root / image).parent.mkdir(parents=True, exist_ok=True)
        (root / image).touch()
    (root / "labels.csv").write_text("\n".join(lines) + "\n", encoding=encoding)
    return csv.read(root, SETTINGS | {"columns": COLUMNS | columns})


def test_values_are_present_absent_uncertain_and_blank(tmp_path):
    frame = read(tmp_path, [HEADER, *ROWS])
    assert frame["image"].tolist() == IMAGES and frame["patient"].tolist() == ["p1", "p1", "p2"]
    assert frame["Mass"].tolist() == [0, 1, -1]
    assert math.isnan(frame["Edema"][0]) and frame["Edema"].tolist()[1:] == [0, 1]
    assert frame.attrs["notes"] == []
    assert frame.attrs["labels"] == ["Mass", "Edema"]


def test_what_excel_and_windows_do_to_a_file_is_read(tmp_path):
    plain = read(tmp_path, [HEADER, *ROWS])
    rows = [" b.png , p1,1.0,0", "a.png,p1,0.0,", "", ".\\sub\\c.png,p2,-1.0,1", ",,,"]
    odd = read(tmp_path, [HEADER.replace(",", " , "), *rows], encoding="utf-8-sig")
    assert odd.drop(columns="study").equals(plain.drop(columns="study"))


def test_rows_of_an_image_that_differ_in_blank_fields_alone_are_one(tmp_path):
    rows = [*ROWS, "a.png,,0,1", "a.png,NA,,", "b.png,p1,1,0"]
    frame = read(tmp_path, [HEADER, *rows])
    assert frame["image"].tolist() == IMAGES and frame["patient"].tolist() == ["p1", "p1", "p2"]
    assert frame["Mass"].tolist() == [0, 1, -1] and frame["Edema"].tolist() == [1, 0, 1]
    assert (
        "Images with rows that differ in blank fields alone, which are taken together: 1."
        in (frame.attrs["notes"])
    )


@pytest.mark.parametrize("row", ["a.png,p2,0,1", "a.png,p1,1,1", "a.png,,-1,"])
def test_rows_of_an_image_that_contradict_each_other_are_refused(tmp_path, row):
    with pytest.raises(UserError, match=r"lines 3 and 5 say different things of .*'a.png'"):
        read(tmp_path, [HEADER, *ROWS, row])


def test_columns_of_known_names_are_used(tmp_path):
    header, more = HEADER + ",Sex,AGE,view,study", [",male,63,pa,s1", ",F,-1,,s1", ",?,old,AP,s2"]
    frame = read(tmp_path, [header, *(row + end for row, end in zip(ROWS, more, strict=True))])
    assert frame["sex"].tolist() == ["F", "M", None]
    assert frame["view"].tolist() == [None, "PA", "AP"]
    assert frame["study"].tolist() == ["s1", "s1", "s2"]
    assert frame["age"].isna().tolist() == [True, False, True] and frame["age"][1] == 63


def test_a_split_column_is_a_shipped_list(tmp_path):
    ends = [",Train", ",validation", ","]
    lines = [HEADER + ",part", *(row + end for row, end in zip(ROWS, ends, strict=True))]
    assert read(tmp_path, lines, split="part")["split:column"].tolist() == ["val", "train", None]


def test_without_a_patient_each_image_is_its_own(tmp_path):
    frame = read(tmp_path, [HEADER, *ROWS], patient="")
    assert frame["patient"].equals(frame["image"])
    assert any(
        "without a patient" in note and note.endswith(": 3.") for note in frame.attrs["notes"]
    )
    blank = read(tmp_path, [HEADER, "a.png,,1,0", *ROWS[::2]])
    assert blank["patient"].tolist() == ["a.png", "p1", "p2"]


def test_repeated_rows_and_missing_files_are_dropped_and_counted(tmp_path):
    frame = read(tmp_path, [HEADER, *ROWS, ROWS[0], "./" + ROWS[0], "gone.png,p3,1,1"])
    assert frame["image"].tolist() == IMAGES
    steps = [(step["images"], step["patients"]) for step in frame.attrs["accounting"]]
    assert steps == [(6, 3), (4, 3), (3, 2)]
    assert [note.split()[-1] for note in frame.attrs["notes"]] == ["2.", "1."]


@pytest.mark.parametrize("nobody", ["", "nan", "NaN", "NA", "N/A", "None", "NULL", "<NA>"])
def test_a_patient_that_is_missing_is_nobody_else(tmp_path, nobody):
    frame = read(tmp_path, [HEADER, f"a.png,{nobody},1,0", f"b.png,{nobody},0,1", ROWS[2]])
    assert frame["patient"].tolist() == ["a.png", "b.png", "p2"]
    assert any(note.endswith("in several splits: 2.") for note in frame.attrs["notes"])


def test_a_header_broken_into_lines_is_one(tmp_path):
    header = 'image,patient,Mass,"Pleural\nEffusion"'
    (tmp_path / "labels.csv").write_text("\n".join([header, *ROWS]))
    assert tables.read_rows(tmp_path / "labels.csv").columns[-1] == "Pleural Effusion"


@pytest.mark.parametrize(
    "image", ["x" * 300 + ".png", "x" * 300 + "/a.png", "a.png/b.png", "é.png"]
)
def test_a_file_that_cannot_be_there_is_missing(tmp_path, image):
    frame = read(tmp_path, [HEADER, *ROWS, f"{image},p3,1,1"])
    assert frame["image"].tolist() == IMAGES
    assert "Listed images that are not on disk, left out: 1." in frame.attrs["notes"]


def test_an_image_may_have_any_letters(tmp_path):
    names = ["Brustkorb übersicht.png", "胸部.png", "a b\u202fc.png", "#1%20?.png"]
    rows = [f"{name},p{at},1,0" for at, name in enumerate(names)]
    assert read(tmp_path, [HEADER, *rows], names)["image"].tolist() == sorted(names)


BAD = {
    "value": ([HEADER, *ROWS, "d.png,p,maybe,0"], "line 5, column 'Mass': 'maybe' is no label"),
    "value_after_gap": ([HEADER, "", "d.png,p,2,0"], "line 3, column 'Mass': '2'"),
    "contradiction": ([HEADER, *ROWS, "a.png,p1,1,"], "lines 3 and 5 .*'a.png'"),
    "climbs": ([HEADER, "x/../../a.png,p,1,0"], r"line 2: the image 'x/../../a.png' is no path"),
    "absolute": ([HEADER, "/etc/a.png,p,1,0"], "no path below root"),
    "drive": ([HEADER, "C:\\a.png,p,1,0"], "no path below root"),
    "newline": ([HEADER, '"a\nb.png",p,1,0'], "no path below root"),
    "nul": ([HEADER, "a\x00.png,p,1,0"], "no path below root"),
    "word": ([HEADER, "a.png,p,none,0"], "'none' is no label"),
    "half": ([HEADER, "a.png,p,0.5,0"], "'0.5' is no label"),
    "minus_two": ([HEADER, "a.png,p,-2,0"], "'-2' is no label"),
    "open_quote": ([HEADER, 'a.png,"p,1,0', *ROWS], "EOF inside string"),
    "no_image": ([HEADER, ",p,1,0"], "line 2: the image '' is no path"),
    "header": (["image,patient,mass,Edema", *ROWS], "no column 'Mass'; did you mean 'mass'"),
    "no_header": (ROWS, "no column 'image'.* columns: column 1, column 2, column 3"),
    "twice": ([HEADER + ",Mass", "a.png,p,1,0,0"], "two columns 'Mass'"),
    "long_row": ([HEADER, "a.png,p,1,0,1"], "row 2 has 5 fields, the first one 4: put fields"),
    "empty": ([""], "labels.csv"),
    "rows": ([HEADER], "no row below it"),
    "all_gone": ([HEADER, "x.png,p,1,0"], "none of its images is there, first .*x.png"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_mistake_is_named_with_its_place(tmp_path, name):
    lines, message = BAD[name]
    with pytest.raises(UserError, match=message) as error:
        read(tmp_path, lines)
    assert "labels.csv" in str(error.value) and "\n" not in str(error.value)


def test_a_split_that_is_none_is_refused(tmp_path):
    with pytest.raises(UserError, match="line 2, column 'part': 'later' is no split"):
        read(tmp_path, [HEADER + ",part", ROWS[0] + ",later"], split="part")


def test_a_missing_file_is_answered_with_the_nearest(tmp_path):
    (tmp_path / "label.csv").touch()
    with pytest.raises(UserError, match="no such file; did you mean 'label.csv'"):
        csv.read(tmp_path, SETTINGS)


def packed(root, data: bytes, columns=COLUMNS, labels=("Mass", "Edema"), images=IMAGES):
    """The frame of a table whose bytes are given."""
    for image in images:
        (root / image).parent.mkdir(parents=True, exist_ok=True)
        (root / image).touch()
    (root / columns["file"]).write_bytes(data)
    return csv.read(root, {"dataset": "mine", "labels": list(labels), "columns": columns})


TEXT = "\n".join([HEADER, *ROWS]) + "\n"
FILES = {
    "semicolons": (TEXT.replace(",", ";").encode(), "labels.csv"),
    "decimal_commas": (
        TEXT.replace(",", ";").replace(";1;0\n", ";1,0;0,0\n").encode(),
        "labels.csv",
    ),
    "tabs": (TEXT.replace(",", "\t").encode(), "labels.tsv"),
    "bars": (TEXT.replace(",", "|").encode(), "labels.csv"),
    "utf_16": (TEXT.encode("utf-16"), "labels.csv"),
    "utf_16_without_mark": (TEXT.encode("utf-16-le"), "labels.csv"),
    "mark": (TEXT.encode("utf-8-sig"), "labels.csv"),
    "gzip": (gzip.compress(TEXT.encode()), "labels.csv.gz"),
    "gzip_unsaid": (gzip.compress(TEXT.encode()), "labels.csv"),
    "words": (TEXT.replace(",1,0", ",Yes,no").encode(), "labels.csv"),
    "truth": (TEXT.replace(",1,0", ",TRUE,false").encode(), "labels.csv"),
    "index_column": (
        "\n".join(f"{at},{line}" for at, line in enumerate(TEXT.splitlines())).encode(),
        "labels.csv",
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_a_table_is_the_same_in_whatever_file(tmp_path, name):
    (tmp_path / "plain").mkdir()
    plain = packed(tmp_path / "plain", TEXT.encode())
    data, file = FILES[name]
    assert packed(tmp_path, data, COLUMNS | {"file": file}).equals(plain)


@pytest.mark.parametrize("suffix", ["xlsx", "parquet"])
def test_a_spreadsheet_and_a_parquet_file_are_tables(tmp_path, suffix):
    (tmp_path / "plain").mkdir()
    plain = packed(tmp_path / "plain", TEXT.encode())
    rows = [line.split(",") for line in TEXT.splitlines()]
    if suffix == "xlsx":
        spreadsheets.write_sheet(tmp_path / "labels.xlsx", rows)
    else:
        frame = pd.DataFrame(rows[1:], columns=rows[0]).replace("", None)
        frame.astype({"Mass": float, "Edema": float}).to_parquet(tmp_path / "labels.parquet")
    data = (tmp_path / f"labels.{suffix}").read_bytes()
    assert packed(tmp_path, data, COLUMNS | {"file": f"labels.{suffix}"}).equals(plain)


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
def test_western_text_that_is_not_utf_8_is_read_and_said(tmp_path, encoding):
    text = "image,patient,Mass,Edema\nü.png,p,1,0\n"
    frame = packed(tmp_path, text.encode(encoding), images=["ü.png"])
    assert frame["image"].tolist() == ["ü.png"]
    assert "labels.csv: not UTF-8, read as Western European text" in frame.attrs["notes"][0]


FIELDS = {
    "one_name": (["Mass", "", "Edema"], ""),
    "bars": (["Mass|Hernia", "", "Edema"], "|"),
    "commas": (['"Hernia, Mass"', "", "Edema"], ","),
    "lists": (["\"['Mass', 'Hernia']\"", "", "['Edema']"], ","),
    "not_a_number": (["Mass", "NaN", "Edema"], ""),
}


@pytest.mark.parametrize("name", FIELDS)
def test_one_column_may_name_the_classes(tmp_path, name):
    fields, separator = FIELDS[name]
    lines = ["image,finding", *map(",".join, zip(IMAGES, fields, strict=True))]
    columns = {"file": "labels.csv", "classes": "finding", "separator": separator}
    frame = packed(tmp_path, "\n".join(lines).encode(), columns)
    assert frame["Mass"].fillna(-9).tolist() == [1, -9, 0]
    assert frame["Edema"].fillna(-9).tolist() == [0, -9, 1]


PLACES = {
    "stem": ("tail", ["a", "b", "c"]),
    "another_ending": ("tail", ["a.jpg", "b.dcm", "sub/c.jpeg"]),
    "case": ("tail", ["A.PNG", "b.Png", "Sub/C.png"]),
    "absolute": ("tail", ["/home/x/a.png", "/home/x/b.png", "/home/x/sub/c.png"]),
    "windows": ("tail", ["C:\\data\\a.png", "C:\\data\\b.png", "C:\\data\\sub\\c.png"]),
    "prefix": ("tail", ["images/a.png", "images/b.png", "images/sub/c.png"]),
}


@pytest.mark.parametrize("name", PLACES)
def test_an_image_is_found_by_the_tail_of_its_path(tmp_path, name):
    match, fields = PLACES[name]
    lines = ["image,Mass,Edema", *(f"{field},{at % 2},0" for at, field in enumerate(fields))]
    columns = {"file": "labels.csv", "match": match}
    frame = packed(tmp_path, "\n".join(lines).encode(), columns)
    assert frame["image"].tolist() == IMAGES and frame["Mass"].tolist() == [0, 1, 0]
    assert frame["patient"].equals(frame["image"])


def test_the_longest_tail_wins_and_a_tie_is_refused(tmp_path):
    images, columns = ["x/1.png", "y/1.png", "z/2.png"], {"file": "labels.csv", "match": "tail"}
    data = b"image,Mass,Edema\n/mnt/y/1.jpg,1,0\n2,0,1\n"
    assert packed(tmp_path, data, columns, images=images)["image"].tolist() == images[1:]
    with pytest.raises(UserError, match=r"line 2: '1' may be 'x/1.png' or 'y/1.png'"):
        packed(tmp_path, b"image,Mass,Edema\n1,1,0\n", columns, images=images)


def test_an_id_stands_for_every_image_of_its_folder_or_name(tmp_path):
    images = ["P1/s/1.png", "P1/s/2.png", "P10/1.png", "ACC7_PA.png", "ACC70_PA.png"]
    columns = {"file": "labels.csv", "match": "part"}
    data = b"image,Mass,Edema\np1,1,0\nACC7,0,1\n"
    frame = packed(tmp_path, data, columns, images=images)
    assert frame["image"].tolist() == ["ACC7_PA.png", "P1/s/1.png", "P1/s/2.png"]
    assert frame["patient"].tolist() == ["ACC7", "p1", "p1"] and frame["Mass"].tolist() == [0, 1, 1]


def test_an_image_may_be_named_by_its_dicom_uid(tmp_path):
    for patient in (1, 2):
        row = {"patient": patient, "study": 0, "view": "PA", "sex": "M", "age": 50}
        dicom.write(tmp_path / f"IM{patient}", np.zeros((8, 8), np.uint8), row)
    uid = f"{dicom.PREFIX}2.0.3"
    columns = {"file": "labels.csv", "match": "SOPInstanceUID"}
    frame = packed(tmp_path, f"image,Mass,Edema\n{uid},1,0\n".encode(), columns, images=[])
    assert frame["image"].tolist() == ["IM2"]


def test_a_table_for_each_part_and_one_of_patients(tmp_path):
    for name, image in (("train", "a.png"), ("test", "b.png")):
        (tmp_path / f"{name}.csv").write_text(f"image,patient,Mass,Edema\n{image},{name[0]},1,0\n")
    data = b'patient,sex,age\nt,F,"60,5"\n'
    columns = {"file": "patients.csv", "parts": {"train": "train.csv", "test": "test.csv"}}
    columns |= {"join": {"file": "patients.csv", "by": "patient"}, "patient": "patient"}
    frame = packed(tmp_path, data, columns)
    assert frame["split:column"].tolist() == ["train", "test"]
    assert frame["sex"].tolist() == ["F", "F"] and frame["age"].tolist() == [60.5, 60.5]
    with pytest.raises(UserError, match="several rows say different things of patient 't'"):
        packed(tmp_path, data + b"t,M,1\n", columns)


def test_images_that_lie_elsewhere_are_pointed_at(tmp_path):
    with pytest.raises(UserError, match=r"2 of 3 lie there .* 'a.png': set columns.match: tail"):
        read(tmp_path, [HEADER, "q/a.jpg,p,1,0", "q/b.jpg,p,1,0", "q/d.jpg,p,1,0"])


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(SCRAPS), max_size=30).map("".join), st.booleans())
def test_whatever_is_in_the_file_it_is_read_or_refused_in_one_line(text, headed):
    with tempfile.TemporaryDirectory() as folder:
        try:
            frame = read(Path(folder), [*[HEADER] * headed, text])
        except UserError as error:
            assert "\n" not in str(error)
        else:
            assert set(frame["image"]) <= set(IMAGES) and frame["image"].is_unique
