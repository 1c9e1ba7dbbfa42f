"""RSNA's layout: several boxes are one image."""

from pathlib import Path

import numpy as np
import pytest

from cxrgrid.config.errors import UserError
from cxrgrid.datasets import rsna

ROWS = ["a,,,,,0", "b,264.0,152.0,213.0,379.0,1", "b,562.0,152.0,256.0,453.0,1", "c,,,,,0"]
DETAILS = ["a,Normal", "b,Lung Opacity", "b,Lung Opacity", "c,No Lung Opacity / Not Normal"]
COHORT = [
    {"patient": n, "study": 0, "view": "PA", "sex": "FM"[n % 2], "age": 30.0 + n, "split": "train",
     "labels": [["Normal", "Lung Opacity", "Not Normal"][n % 3]]}
    for n in range(1, 13)
]  # fmt: skip


def layout(root: Path, rows=ROWS, details=DETAILS, suffix=".dcm") -> Path:
    """RSNA's tables beside empty files."""
    (root / "stage_2_train_images").mkdir()
    (root / rsna.TABLE).write_text("\n".join([",".join(rsna.BOX), *rows]) + "\n")
    if details:
        (root / rsna.DETAILS).write_text("\n".join(["patientId,class", *details]) + "\n")
    for name in {row.split(",")[0] for row in rows}:
        (root / "stage_2_train_images" / f"{name}{suffix}").touch()
    return root


@pytest.mark.parametrize("suffix", [".dcm", ".png"])
def test_several_boxes_are_one_image(tmp_path, suffix):
    frame = rsna.read(layout(tmp_path, suffix=suffix), {})
    assert frame[rsna.LABELS].values.tolist() == [[0, 1], [1, 0], [0, 0]]
    assert frame["image"].iloc[0] == f"stage_2_train_images/a{suffix}"
    assert [step["images"] for step in frame.attrs["accounting"]] == [4, 3, 3]
    assert (frame["patient"] == frame["image"]).all()


def test_without_the_detailed_classes_only_the_opacity_is_known(tmp_path):
    frame = rsna.read(layout(tmp_path, details=None), {})
    assert frame.attrs["labels"] == ["Lung Opacity"] and "Normal" not in frame


def test_labels_and_people_survive_the_disk(tmp_path):
    rsna.write(tmp_path, COHORT, lambda row: np.zeros((16, 16), np.uint8))
    frame = rsna.read(tmp_path, {})
    for row, (_, read) in zip(COHORT, frame.iterrows(), strict=True):
        assert [label for label in rsna.LABELS if read[label]] == [
            label for label in row["labels"] if label in rsna.LABELS
        ]
        assert (read["view"], read["sex"], read["age"]) == (row["view"], row["sex"], row["age"])
    lines = (tmp_path / rsna.TABLE).read_text().splitlines()
    assert lines[0] == "patientId,x,y,width,height,Target"
    opacities = [row for row in COHORT if row["labels"] == ["Lung Opacity"]]
    assert len(lines) == 1 + len(COHORT) + sum(row["patient"] % 2 for row in opacities)


BROKEN = [
    ({"rows": ["a,,,,,2"]}, "'2' is neither 0 nor 1"),
    ({"details": ["a,Normla"]}, "'Normla' is none of"),
]


@pytest.mark.parametrize(("change", "said"), BROKEN)
def test_a_value_outside_the_published_ones_is_named(tmp_path, change, said):
    with pytest.raises(UserError, match=said):
        rsna.read(layout(tmp_path, **change), {})


def test_a_folder_without_table_or_images_is_answered_with_how_to_get_them(tmp_path):
    with pytest.raises(UserError, match=r"no stage_2_train_labels\.csv.*datasets\.<name>\.root"):
        rsna.read(tmp_path, {})
    layout(tmp_path)
    for path in tmp_path.rglob("*.dcm"):
        path.unlink()
    with pytest.raises(UserError, match="none of the 3 images"):
        rsna.read(tmp_path, {})
