"""The database's layouts: classes from folders, sources from spreadsheets."""

from pathlib import Path

import numpy as np
import pytest

from cxrgrid import index
from cxrgrid.config.errors import UserError
from cxrgrid.data import spreadsheets
from cxrgrid.datasets import covid_radiography as covid

NEW = {
    "COVID-19_Radiography_Dataset/COVID/images/COVID-1.png": "COVID",
    "COVID-19_Radiography_Dataset/COVID/images/COVID-2.png": "COVID",
    "COVID-19_Radiography_Dataset/Lung_Opacity/images/Lung_Opacity-1.png": "Lung_Opacity",
    "COVID-19_Radiography_Dataset/Normal/images/Normal-1.png": "Normal",
    "COVID-19_Radiography_Dataset/Viral Pneumonia/images/Viral Pneumonia-1.png": "Viral Pneumonia",
}
MASKS = [path.replace("images", "masks") for path in NEW]
OLD = {
    "COVID-19 Radiography Database/COVID-19/COVID-19 (1).png": "COVID",
    "COVID-19 Radiography Database/NORMAL/NORMAL (12).png": "Normal",
    "COVID-19 Radiography Database/Viral Pneumonia/Viral Pneumonia (3).png": "Viral Pneumonia",
}
COHORT = [
    {"patient": n, "study": 0, "split": "train", "labels": [covid.LABELS[n % 4]]} for n in range(12)
]


def layout(root: Path, names) -> Path:
    """A set of empty files: `read` looks at names only."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


@pytest.mark.parametrize("names", [NEW, OLD], ids=["new", "old"])
def test_folders_say_the_class_and_masks_are_no_images(tmp_path, names):
    frame = covid.read(layout(tmp_path, [*names, *(MASKS if names is NEW else [])]), {})
    assert frame.set_index("image")[frame.attrs["labels"]].idxmax(axis=1).to_dict() == names
    assert frame.attrs["labels"] == [name for name in covid.LABELS if name in names.values()]
    assert (frame[frame.attrs["labels"]].sum(axis=1) == 1).all()


def test_root_may_be_the_folder_of_the_classes(tmp_path):
    layout(tmp_path, NEW)
    assert len(covid.read(tmp_path / "COVID-19_Radiography_Dataset", {})) == len(NEW)


def test_each_image_is_its_own_patient_and_a_note_says_so(tmp_path):
    frame = covid.read(layout(tmp_path, NEW), {})
    assert (frame["patient"] == frame["image"]).all()
    assert any("No patient is known" in note for note in frame.attrs["notes"])


def test_sources_are_found_although_the_spreadsheet_spells_names_otherwise(tmp_path):
    layout(tmp_path, [*NEW, "COVID-19_Radiography_Dataset/Normal/images/Normal-2.png"])
    base = tmp_path / "COVID-19_Radiography_Dataset"
    rows = [covid.SHEET, ["NORMAL-1", "PNG", "256*256", "https://rsna.example"]]
    spreadsheets.write_sheet(base / "Normal.metadata.xlsx", rows)
    frame = covid.read(tmp_path, {}).set_index("image")["source"]
    assert (
        frame["COVID-19_Radiography_Dataset/Normal/images/Normal-1.png"] == "https://rsna.example"
    )
    assert frame.isna().sum() == len(NEW)
    notes = covid.read(tmp_path, {}).attrs["notes"]
    assert notes[-1] == "Sources of Normal: https://rsna.example (1)."


def test_labels_and_sources_survive_the_disk_and_the_index(tmp_path):
    covid.write(tmp_path, COHORT, lambda row: np.zeros((8, 8), np.uint8))
    frame = covid.read(tmp_path, {})
    assert frame[covid.LABELS].sum().tolist() == [3, 3, 3, 3]
    assert frame["source"].nunique() == 4 and frame["source"].notna().all()
    settings = {"adapter": "covid_radiography", "dataset": "covid", "root": str(tmp_path)}
    table, facts = index.build(settings | {"labels": [], "task": "auto"})
    assert table["source"].to_pylist() == frame["source"].tolist()
    assert facts["task"] == "multiclass"


def without_classes(root):
    for path in sorted(root.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()


def without_images(root):
    for path in root.rglob("*.png"):
        path.unlink()


def with_broken_sheet(root):
    (root / "COVID-19_Radiography_Dataset/COVID.metadata.xlsx").write_text("no sheet")


def with_other_sheet(root):
    rows = [["NAME", "URL"], ["COVID-1", "x"]]
    spreadsheets.write_sheet(root / "COVID-19_Radiography_Dataset/COVID.metadata.xlsx", rows)


BROKEN = [
    (without_classes, ["no class folders (COVID, Lung_Opacity", "datasets.<name>.root"]),
    (without_images, ["fewer than two class folders", "Download"]),
    (with_broken_sheet, ["COVID.metadata.xlsx", "not a spreadsheet"]),
    (with_other_sheet, ["COVID.metadata.xlsx", "'FILE NAME'"]),
]


@pytest.mark.parametrize(("damage", "words"), BROKEN)
def test_a_broken_layout_is_named_in_one_line(tmp_path, damage, words):
    damage(layout(tmp_path, NEW))
    with pytest.raises(UserError) as error:
        covid.read(tmp_path, {})
    assert "\n" not in str(error.value)
    for word in words:
        assert word in str(error.value)
