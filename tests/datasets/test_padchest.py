"""PadChest: its table with lists in Python's spelling, 16-bit files in numbered folders."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cxrgrid.config.errors import UserError
from cxrgrid.data import publisher_files
from cxrgrid.datasets import padchest

ROWS = [
    {"ImageID": "1_a.png", "StudyID": "1", "PatientID": "p1", "Projection": "PA",
     "PatientSex_DICOM": "F", "PatientBirth": "1930.0", "StudyDate_DICOM": "20140915",
     "Labels": "\"['normal']\""},
    {"ImageID": "1_b.png", "StudyID": "1", "PatientID": "p1", "Projection": "L",
     "PatientSex_DICOM": "O", "PatientBirth": "2030.0", "StudyDate_DICOM": "20140915",
     "Labels": "\"['scoliosis', ' pleural effusion', 'pleural effusion', 'NSG tube']\""},
    {"ImageID": "2_a.png", "StudyID": "2", "PatientID": "p2", "Projection": "AP_horizontal",
     "PatientSex_DICOM": "nan", "PatientBirth": "nan", "MethodLabel": "RNN_model",
     "Labels": "nan"},
]  # fmt: skip
COHORT = [
    {"patient": n // 2 + 1, "study": n % 2, "view": ["PA", "LATERAL"][n % 2], "sex": "FM"[n % 2],
     "age": 40.0 + n, "split": "train", "labels": ["nodule", "cardiomegaly"][: n % 3]}
    for n in range(9)
]  # fmt: skip


def layout(root: Path, rows=ROWS, header=padchest.HEADER) -> Path:
    """PadChest's table beside empty files in one folder."""
    lines = [",".join(row.get(name, "") for name in padchest.HEADER.split(",")) for row in rows]
    (root / padchest.STEM).write_text("\n".join([header, *lines]))
    (root / "54").mkdir()
    for row in rows:
        (root / "54" / row["ImageID"]).touch()
    return root


def test_lists_in_pythons_spelling_are_labels(tmp_path):
    frame = padchest.read(layout(tmp_path), {})
    assert frame[padchest.LABELS].iloc[0].sum() == 0
    present = frame[padchest.LABELS].iloc[1]
    assert set(present[present == 1].index) == {"scoliosis", "pleural effusion"}
    assert frame[padchest.LABELS].iloc[2].isna().all()
    assert "Images without any label, read as unknown: 1." in frame.attrs["notes"]


def test_people_and_views_are_the_contracts(tmp_path):
    frame = padchest.read(layout(tmp_path), {})
    assert frame["image"].tolist() == ["54/1_a.png", "54/1_b.png", "54/2_a.png"]
    assert frame["view"].tolist() == ["PA", "LATERAL", "AP"]
    assert frame["sex"].fillna("").tolist() == ["F", "", ""]
    assert frame["age"].tolist() == pytest.approx([84, np.nan, np.nan], nan_ok=True)
    assert frame["patient"].tolist() == ["p1", "p1", "p2"]


def test_a_row_without_a_patient_is_its_own(tmp_path):
    frame = padchest.read(layout(tmp_path, [{**ROWS[0], "PatientID": ""}]), {})
    assert frame["patient"].tolist() == ["1_a.png"]
    assert any("without a patient" in note for note in frame.attrs["notes"])


def test_images_without_a_file_are_counted_out(tmp_path):
    (layout(tmp_path, [*ROWS, ROWS[0]]) / "54/2_a.png").unlink()
    steps = padchest.read(tmp_path, {}).attrs["accounting"]
    assert [(step["images"], step["patients"]) for step in steps] == [(4, 2), (3, 2), (2, 1)]


def test_labels_people_and_sixteen_bits_survive_the_disk(tmp_path):
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    padchest.write(tmp_path, COHORT, lambda row: grey)
    frame = padchest.read(tmp_path, {}).sort_values("study", ignore_index=True)
    for row, (_, read) in zip(COHORT, frame.iterrows(), strict=True):
        assert {label for label in padchest.LABELS if read[label]} == set(row["labels"])
        assert int(read["patient"]) == row["patient"]
        assert (read["view"], read["sex"], read["age"]) == (row["view"], row["sex"], row["age"])
        with Image.open(tmp_path / read["image"]) as image:
            assert (np.asarray(image) == grey * np.uint16(16)).all()


def test_the_header_has_the_36_published_columns(tmp_path):
    padchest.write(tmp_path, COHORT, lambda row: np.zeros((8, 8), np.uint8))
    first = (tmp_path / padchest.STEM).read_text().splitlines()[0].split(",")
    assert len(first) == 36 and first[1:3] == ["ImageID", "ImageDir"]


BROKEN = [
    ({"rows": [{**ROWS[0], "Labels": "normal"}]}, "'normal' is no list of names"),
    ({"header": padchest.HEADER.replace("PatientID", "Patient")}, "no column 'PatientID'"),
]


@pytest.mark.parametrize(("change", "said"), BROKEN)
def test_a_broken_table_is_named(tmp_path, change, said):
    with pytest.raises(UserError, match=said):
        padchest.read(layout(tmp_path, **change), {})


def test_a_folder_without_table_or_images_is_answered_with_how_to_get_them(tmp_path):
    with pytest.raises(UserError, match=r"no PADCHEST_.*datasets\.<name>\.root"):
        padchest.read(tmp_path, {})
    layout(tmp_path)
    for path in tmp_path.rglob("*.png"):
        path.unlink()
    with pytest.raises(UserError, match="none of the 3 PNG files"):
        padchest.read(tmp_path, {})


def test_the_whole_published_table_has_the_published_counts():
    folder = os.environ.get("CXRGRID_METADATA", "")
    found = sorted(Path(folder).glob("PADCHEST_*.csv*")) if folder else []
    if not found:
        pytest.skip("CXRGRID_METADATA names no folder with PadChest's table")
    frame = padchest.parse(publisher_files.read_table(found[0], padchest.COLUMNS))
    assert (len(frame), frame["patient"].nunique(), frame["study"].nunique()) == (
        160_861,
        67_625,
        109_931,
    )
    assert frame["view"].value_counts().to_dict() == {
        "PA": 91_728,
        "LATERAL": 49_579,
        "AP": 14_346 + 4_559,
        "COSTAL": 630,
    }
    assert frame["scoliosis"].isna().sum() == 103
