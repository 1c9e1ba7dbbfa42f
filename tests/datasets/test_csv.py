"""A CSV file is read as it is meant, or refused with file, line, column and value."""

import math
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxrgrid.config.errors import UserError
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
    assert csv.read_rows(tmp_path / "labels.csv").columns[-1] == "Pleural Effusion"


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
    "value": ([HEADER, *ROWS, "d.png,p,yes,0"], "line 5, column 'Mass': 'yes' is no label"),
    "value_after_gap": ([HEADER, "", "d.png,p,2,0"], "line 3, column 'Mass': '2'"),
    "contradiction": ([HEADER, *ROWS, "a.png,p1,1,"], "lines 3 and 5 .*'a.png'"),
    "climbs": ([HEADER, "x/../../a.png,p,1,0"], r"line 2: the image 'x/../../a.png' is no path"),
    "absolute": ([HEADER, "/etc/a.png,p,1,0"], "no path below root"),
    "drive": ([HEADER, "C:\\a.png,p,1,0"], "no path below root"),
    "newline": ([HEADER, '"a\nb.png",p,1,0'], "no path below root"),
    "nul": ([HEADER, "a\x00.png,p,1,0"], "no path below root"),
    "word": ([HEADER, "a.png,p,yes,0"], "'yes' is no label"),
    "half": ([HEADER, "a.png,p,0.5,0"], "'0.5' is no label"),
    "minus_two": ([HEADER, "a.png,p,-2,0"], "'-2' is no label"),
    "open_quote": ([HEADER, 'a.png,"p,1,0', *ROWS], "EOF inside string"),
    "tabs": ([HEADER.replace(",", "\t"), "a.png\tp\t1\t0"], r"parted by '\\t'"),
    "no_image": ([HEADER, ",p,1,0"], "line 2: the image '' is no path"),
    "delimiter": ([HEADER.replace(",", ";"), "a.png;p;1;0"], "parted by ';'; save it with commas"),
    "header": (["image,patient,mass,Edema", *ROWS], "no column 'Mass'; did you mean 'mass'"),
    "no_header": (ROWS, "no column 'image'.* columns: b.png, p1, 1, 0"),
    "twice": ([HEADER + ",Mass", "a.png,p,1,0,1"], "two columns 'Mass'"),
    "long_row": ([HEADER, "a.png,p,1,0,1"], "Expected 4 fields in line 2, saw 5"),
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
    with pytest.raises(UserError, match="line 2, column 'part': 'dev' is no split"):
        read(tmp_path, [HEADER + ",part", ROWS[0] + ",dev"], split="part")


def test_a_missing_file_is_answered_with_the_nearest(tmp_path):
    (tmp_path / "label.csv").touch()
    with pytest.raises(UserError, match="no such file; did you mean 'label.csv'"):
        csv.read(tmp_path, SETTINGS)


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16"])
def test_text_that_is_not_utf_8_is_refused(tmp_path, encoding):
    with pytest.raises(UserError, match="not a table of comma-separated UTF-8"):
        read(tmp_path, [HEADER, "ü.png,p,1,0"], encoding=encoding)


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
