"""Any predictions file is read, and what cannot be scored in it is one clear line."""

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest

from cxrgrid.config.errors import UserError
from cxrgrid.evaluation.predictions import read_any
from cxrgrid.io.parquet import write_parquet

ROWS = """image,patient,y:Edema,p:Edema,y:Mass,p:Mass
1.png,007,1,0.9,0,0.2
2.png,007,0,0.4,,0.1
3.png,8,0,0.3,1,0.6
"""


@pytest.fixture
def csv(tmp_path):
    def write(text):
        path = tmp_path / "theirs.csv"
        path.write_text(text)
        return path

    return write


def test_csv_and_parquet_hold_the_same(csv, tmp_path):
    made = read_any(csv(ROWS))
    assert made.image == ["1.png", "2.png", "3.png"] and made.patient == ["007", "007", "8"]
    np.testing.assert_equal(made.labels, [[1, 0], [0, np.nan], [0, 1]])
    np.testing.assert_equal(made.scores, [[0.9, 0.2], [0.4, 0.1], [0.3, 0.6]])
    assert made.facts["labels"] == ["Edema", "Mass"] and made.facts["task"] == "multilabel"
    path = tmp_path / "theirs.parquet"
    names = {"image": pa.string(), "patient": pa.string()}
    options = pyarrow.csv.ConvertOptions(column_types=names)
    write_parquet(pyarrow.csv.read_csv(tmp_path / "theirs.csv", convert_options=options), path, {})
    again = read_any(path)
    assert again.image == made.image and again.patient == made.patient
    np.testing.assert_equal(again.labels, made.labels)


def test_without_patients_images_count_as_independent(csv, caplog):
    made = read_any(csv("image,y:a,p:a\nx,1,0.5\nz,0,0.25\n"))
    assert made.patient == ["x", "z"]
    assert "independent" in caplog.text


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("image,", "img,", ["no column 'image'", "'img'"]),
        ("p:Mass", "p:mass", ["no column 'p:Mass'", "'p:mass'"]),
        ("y:", "truth ", ["no column y:<label>"]),
        ("0.4", "1.7", ["'Edema'", "'2.png'", "1.7", "logits"]),
        ("0.4", "", ["'Edema'", "'2.png'", "nan"]),
        ("0.4", "high", ["p:Edema", "'high'", "no number"]),
        ("007,0", "007,2", ["'Edema'", "'2.png'", "is 2", "1, 0 or empty"]),
        ("2.png", "1.png", ["'1.png'", "twice"]),
        ("y:Mass", "y:Edema", ["'y:Edema'", "occurs 2 times"]),
        ("Mass", "macro", ["'macro'", "rename the label"]),
        ("8,", ",", ["'3.png'", "no patient"]),
        (ROWS[ROWS.index("1.png") :], "", ["no row"]),
    ],
)
def test_every_oddity_is_one_line(csv, old, new, words):
    with pytest.raises(UserError) as error:
        read_any(csv(ROWS.replace(old, new)))
    text = str(error.value)
    assert "\n" not in text and "theirs.csv" in text
    for word in words:
        assert word in text, text


def test_competing_classes_are_exactly_one(csv):
    with pytest.raises(UserError, match="'2.png' is not of exactly one class"):
        read_any(csv(ROWS), "multiclass")


def test_other_files_are_refused(tmp_path):
    with pytest.raises(UserError, match="a .parquet or a .csv"):
        read_any(tmp_path / "theirs.xlsx")
    with pytest.raises(UserError, match="no such file"):
        read_any(tmp_path / "theirs.csv")
