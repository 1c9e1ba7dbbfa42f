"""VinDr-CXR's layouts: readers vote, and two releases name things differently."""

from pathlib import Path

import numpy as np
import pytest

from cxrgrid.config.errors import UserError
from cxrgrid.data import dicom
from cxrgrid.datasets import vindr

READERS = {
    "a": [("R1", "ILD"), ("R2", "ILD"), ("R3", "No finding")],
    "b": [("R1", "ILD"), ("R2", "No finding"), ("R3", "Pneumonia")],
    "c": [("R4", "No finding"), ("R5", "No finding"), ("R6", "No finding")],
}
COLUMNS = ["ILD", "Pneumonia", "Other diseases", "No finding"]
COHORT = [
    {"patient": n, "study": 0, "view": "PA", "sex": "FM"[n % 2], "age": 30.0 + n,
     "split": "test" if n % 5 == 0 else "train", "labels": ["Nodule/Mass"] if n % 3 == 0 else []}
    for n in range(1, 13)
]  # fmt: skip


def layout(root: Path) -> Path:
    """PhysioNet's tables beside empty files."""
    (root / "annotations").mkdir()
    lines = [f"image_id,rad_id,{','.join(COLUMNS)}"]
    for image, readers in READERS.items():
        for reader, saw in readers:
            lines.append(f"{image},{reader}," + ",".join(str(int(c == saw)) for c in COLUMNS))
    (root / "annotations/image_labels_train.csv").write_text("\n".join(lines))
    header = ",".join(["image_id", *COLUMNS]).replace("Other diseases", "Other disease")
    (root / "annotations/image_labels_test.csv").write_text(f"{header}\nt,0,0,1,0\n")
    for name in ("train/a", "train/b", "train/c", "test/t"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / f"{name}.dicom").touch()
    return root


def test_two_of_three_readers_decide(tmp_path):
    frame = vindr.read(layout(tmp_path), {}).set_index("image")
    assert frame["ILD"].to_dict() == {
        "test/t.dicom": 0,
        "train/a.dicom": 1,
        "train/b.dicom": 0,
        "train/c.dicom": 0,
    }
    assert frame["Pneumonia"].sum() == 0
    assert any("two of three" in note for note in vindr.read(tmp_path, {}).attrs["notes"])


def test_other_disease_of_the_test_table_is_the_same_label(tmp_path):
    frame = vindr.read(layout(tmp_path), {}).set_index("image")
    assert frame["Other diseases"].to_dict()["test/t.dicom"] == 1
    assert frame["split:official"].tolist() == ["test", "trainval", "trainval", "trainval"]
    steps = vindr.read(tmp_path, {}).attrs["accounting"]
    assert [step["images"] for step in steps] == [10, 4, 4]


def test_kaggles_boxes_are_readings(tmp_path):
    lines = ["image_id,class_name,class_id,rad_id,x_min,y_min,x_max,y_max"]
    for image, readers in READERS.items():
        lines += [f"{image},{saw},1,{reader},,,," for reader, saw in readers]
    lines.append("a,ILD,5,R1,1,2,3,4")  # a second box of the same reader is no second vote
    (tmp_path / "train.csv").write_text("\n".join(lines))
    (tmp_path / "train").mkdir()
    for image in READERS:
        (tmp_path / f"train/{image}.dicom").touch()
    frame = vindr.read(tmp_path, {})
    assert frame["ILD"].tolist() == [1, 0, 0] and frame.attrs["labels"] == ["ILD", "Pneumonia"]


def test_labels_and_films_survive_the_disk(tmp_path):
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    vindr.write(tmp_path, COHORT, lambda row: grey)
    frame = vindr.read(tmp_path, {})
    number = frame["study"].map(lambda name: int(name, 16))
    for row in COHORT:
        [(_, read)] = frame[number == row["patient"]].iterrows()
        assert [label for label in vindr.LABELS if read[label]] == row["labels"]
        assert (read["view"], read["sex"], read["age"]) == (row["view"], row["sex"], row["age"])
        assert read["split:official"] == ("test" if row["split"] == "test" else "trainval")
        shown = np.asarray(dicom.read(tmp_path / read["image"], "voi")[0]).astype(int)
        assert np.abs(shown - grey).max() <= 1  # whichever way round it is stored


def test_a_value_that_is_neither_0_nor_1_is_named(tmp_path):
    path = layout(tmp_path) / "annotations/image_labels_test.csv"
    path.write_text(path.read_text().replace("t,0,0,1,0", "t,0,0,2,0"))
    with pytest.raises(UserError, match=r"image_labels_test\.csv: column 'Other diseases': '2'"):
        vindr.read(tmp_path, {})


def test_a_folder_without_tables_or_images_is_answered_with_how_to_get_them(tmp_path):
    with pytest.raises(UserError, match=r"no image_labels_train\.csv.*datasets\.<name>\.root"):
        vindr.read(tmp_path, {})
    layout(tmp_path)
    for path in tmp_path.rglob("*.dicom"):
        path.unlink()
    with pytest.raises(UserError, match="none of the 4 listed images"):
        vindr.read(tmp_path, {})
