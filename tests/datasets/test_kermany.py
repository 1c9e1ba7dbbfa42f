"""The paediatric set's layout: class and child from names, in both releases."""

import os
from pathlib import Path

import numpy as np
import pytest

from cxrgrid.config.errors import UserError
from cxrgrid.datasets import kermany

V2 = {
    "train/PNEUMONIA/person1_bacteria_1.jpeg": ("train-person1", "Bacterial"),
    "train/PNEUMONIA/person1_bacteria_2.jpeg": ("train-person1", "Bacterial"),
    "train/PNEUMONIA/person1_virus_6.jpeg": ("train-person1", "Viral"),
    "train/NORMAL/IM-0115-0001.jpeg": ("train-IM-0115", "Normal"),
    "train/NORMAL/NORMAL2-IM-1427-0001.jpeg": ("train-NORMAL2-IM-1427", "Normal"),
    "val/PNEUMONIA/person1_bacteria_3.jpeg": ("train-person1", "Bacterial"),
    "test/PNEUMONIA/person1_virus_6.jpeg": ("test-person1", "Viral"),
    "test/NORMAL/IM-0115-0001-0002.jpeg": ("test-IM-0115", "Normal"),
}
V3 = {
    "train/PNEUMONIA/BACTERIA-1008087-0001.jpeg": ("BACTERIA-1008087", "Bacterial"),
    "train/NORMAL/NORMAL-1003233-0001.jpeg": ("NORMAL-1003233", "Normal"),
    "test/PNEUMONIA/VIRUS-1019050-0002.jpeg": ("VIRUS-1019050", "Viral"),
}
COHORT = [
    {"patient": patient, "study": study, "split": split, "labels": [label]}
    for patient, studies, split, label in [
        (1, 2, "train", "Normal"),
        (2, 1, "test", "Normal"),
        (3, 3, "train", "Viral"),
        (4, 1, "val", "Bacterial"),
        (5, 2, "test", "Bacterial"),
    ]
    for study in range(studies)
]


def layout(root: Path, names) -> Path:
    """A set of empty files: `read` looks at names only."""
    for name in names:
        path = root / "chest_xray" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


@pytest.mark.parametrize("names", [V2, V3], ids=["v2", "v3"])
def test_names_say_class_and_child(tmp_path, names):
    frame = kermany.read(layout(tmp_path, names), {})
    assert set(frame["image"]) == {f"chest_xray/{name}" for name in names}
    for _, row in frame.iterrows():
        patient, label = names[row["image"].removeprefix("chest_xray/")]
        assert row["patient"] == patient
        assert row[kermany.LABELS].to_dict() == {name: name == label for name in kermany.LABELS}
    assert frame["study"].is_unique


def test_numbers_restart_in_test_but_not_in_val(tmp_path):
    frame = kermany.read(layout(tmp_path, V2), {})
    patient = frame.set_index("image")["patient"]
    first = patient["chest_xray/train/PNEUMONIA/person1_bacteria_1.jpeg"]
    assert first == patient["chest_xray/val/PNEUMONIA/person1_bacteria_3.jpeg"]
    assert first != patient["chest_xray/test/PNEUMONIA/person1_virus_6.jpeg"]


def test_val_joins_train_in_the_official_split(tmp_path):
    frame = kermany.read(layout(tmp_path, V2), {})
    folder = frame["image"].str.split("/").str[1]
    assert (frame["split:official"] == folder.map(kermany.FOLDERS)).all()
    assert set(frame.loc[folder == "val", "split:official"]) == {"trainval"}


def test_root_may_be_chest_xray_itself(tmp_path):
    outside = kermany.read(layout(tmp_path, V2), {})
    inside = kermany.read(tmp_path / "chest_xray", {})
    assert [f"chest_xray/{image}" for image in inside["image"]] == outside["image"].tolist()
    assert inside["patient"].equals(outside["patient"])


def test_what_archives_add_is_not_read(tmp_path):
    layout(tmp_path, V2)
    layout(tmp_path / "chest_xray", V2)
    layout(tmp_path / "__MACOSX", V2)
    layout(tmp_path, ["train/NORMAL/._IM-0115-0001.jpeg", "train/NORMAL/.DS_Store"])
    assert len(kermany.read(tmp_path, {})) == len(V2)


def test_unknown_names_are_left_out_and_counted(tmp_path):
    frame = kermany.read(layout(tmp_path, [*V2, "train/NORMAL/scan7.jpeg"]), {})
    assert [step["images"] for step in frame.attrs["accounting"]] == [len(V2) + 1, len(V2)]
    assert any(note.startswith("1 files were left out") for note in frame.attrs["notes"])


def test_labels_and_patients_survive_the_disk(tmp_path):
    kermany.write(tmp_path, COHORT, lambda row: np.zeros((8, 8), np.uint8))
    frame = kermany.read(tmp_path, {})
    sizes = frame.groupby(["patient", "split:official"])[kermany.LABELS].sum()
    found = sorted(
        (split, *counts) for (_, split), counts in zip(sizes.index, sizes.values, strict=True)
    )
    assert found == sorted(
        [
            ("trainval", 2, 0, 0),
            ("test", 1, 0, 0),
            ("trainval", 0, 0, 3),
            ("trainval", 0, 1, 0),
            ("test", 0, 2, 0),
        ]
    )


BROKEN = [
    ([], ["no folder chest_xray", "Download", "datasets.<name>.root"]),
    (["train/NORMAL/IM-0115-0001.jpeg"], ["train and test"]),
    (["train/NORMAL/a.txt", "test/NORMAL/b.jpeg"], ["person1_bacteria_1.jpeg"]),
]


@pytest.mark.parametrize(("names", "words"), BROKEN)
def test_a_broken_layout_is_named_in_one_line(tmp_path, names, words):
    layout(tmp_path, names)
    with pytest.raises(UserError) as error:
        kermany.read(tmp_path, {})
    assert "\n" not in str(error.value)
    for word in words:
        assert word in str(error.value)


def test_the_whole_published_set_has_the_published_counts():
    folder = os.environ.get("CXRGRID_KERMANY", "")
    if not folder:
        pytest.skip("CXRGRID_KERMANY names no folder with the published chest_xray")
    frame = kermany.read(Path(folder), {})
    assert frame[kermany.LABELS].sum().tolist() == [1583, 2780, 1493]
    assert frame["split:official"].value_counts().to_dict() == {"trainval": 5232, "test": 624}
