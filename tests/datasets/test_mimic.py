"""MIMIC-CXR-JPG's layout: labels by study, images below their patients, tables gzipped or not."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cxrgrid.config.errors import UserError
from cxrgrid.datasets import mimic

IMAGES = [  # patient, study, dicom, view, split
    (10000032, 50414267, "02aa804e", "PA", "train"),
    (10000032, 50414267, "174413ec", "LATERAL", "train"),
    (10000032, 53189527, "2a2277a9", "LL", "train"),
    (10000764, 57375967, "096052b7", "", "validate"),
    (11000011, 51029426, "3a7e5f0b", "AP", "test"),
]
LABELS = {50414267: {"Edema": -1.0, "Pneumonia": 1.0}, 53189527: {"No Finding": 1.0}}
LABELS |= {57375967: {"Edema": 0.0, "Fracture": 1.0}}  # 51029426 has none
BLANK = np.zeros((8, 8), np.uint8)


def tables() -> dict[str, pd.DataFrame]:
    """The four tables, with each column that the release has."""
    keys = [{"dicom_id": d, "subject_id": p, "study_id": s} for p, s, d, _, _ in IMAGES]
    meta = [
        {**dict.fromkeys(mimic.METADATA, ""), **key, "ViewPosition": image[3]}
        for key, image in zip(keys, IMAGES, strict=True)
    ]
    labels = [
        {"subject_id": 1, "study_id": study, **dict.fromkeys(mimic.LABELS), **given}
        for study, given in LABELS.items()
    ]
    negbio = [row | {"Edema": 1.0} for row in labels]
    split = [key | {"split": image[4]} for key, image in zip(keys, IMAGES, strict=True)]
    made = {"metadata": meta, "chexpert": labels, "negbio": negbio, "split": split}
    return {kind: pd.DataFrame(rows) for kind, rows in made.items()}


def layout(root: Path, end=".csv.gz", release=".", change=None) -> Path:
    """A MIMIC-CXR-JPG of empty files."""
    base = root / release
    base.mkdir(parents=True, exist_ok=True)
    made = tables()
    if change:
        change(made)
    for kind, rows in made.items():
        rows.to_csv(base / f"mimic-cxr-2.0.0-{kind}{end}", index=False)
    for patient, study, dicom, _, _ in IMAGES:
        folder = base / f"files/p{patient // 1_000_000}/p{patient}/s{study}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{dicom}.jpg").touch()
    return root


@pytest.mark.parametrize("end", [".csv", ".csv.gz"])
@pytest.mark.parametrize("release", mimic.RELEASES)
def test_a_studys_labels_stand_for_each_of_its_images(tmp_path, end, release):
    root = layout(tmp_path, end, release)
    frame = mimic.read(root, {}).set_index("study")
    assert all((root / image).is_file() for image in frame["image"])
    assert frame.loc["50414267", "Edema"].tolist() == [-1, -1]
    assert frame.loc["50414267", "Pneumonia"].tolist() == [1, 1]
    assert frame.loc["57375967", "Edema"] == 0 and frame.loc["53189527", "No Finding"] == 1
    assert frame[mimic.LABELS].notna().sum().sum() == 2 * 2 + 1 + 2


def test_views_and_splits_have_the_names_that_they_have_elsewhere(tmp_path):
    frame = mimic.read(layout(tmp_path), {})
    assert frame["view"].tolist() == ["PA", "LATERAL", "LATERAL", None]
    assert frame["split:official"].tolist() == ["train"] * 3 + ["val"]
    assert frame["patient"].tolist() == ["10000032"] * 3 + ["10000764"]
    assert frame["sex"].isna().all() and frame["age"].isna().all()


def test_negbio_has_labels_of_its_own(tmp_path):
    frame = mimic.read(layout(tmp_path), {"labeler": "negbio"})
    assert (
        frame["Edema"].tolist() == [1] * 4 and "Labels are those of negbio." in frame.attrs["notes"]
    )


def test_what_is_not_on_disk_and_what_has_no_labels_is_counted_out(tmp_path):
    layout(tmp_path)
    (tmp_path / "files/p10/p10000032/s50414267/02aa804e.jpg").unlink()
    steps = mimic.read(tmp_path, {}).attrs["accounting"]
    assert [tuple(step.values()) for step in steps] == [
        ("rows in the metadata", 5, 3),
        ("image file found", 4, 3),
        ("study has chexpert labels", 3, 2),
    ]


def test_without_its_table_there_is_no_official_split(tmp_path):
    layout(tmp_path)
    (tmp_path / "mimic-cxr-2.0.0-split.csv.gz").unlink()
    assert "split:official" not in mimic.read(tmp_path, {})


def test_a_phantom_survives_the_disk(tmp_path):
    person = {"patient": 3, "sex": "F", "age": 61.0, "split": "val"}
    shown = [["Edema"], ["Edema"], [], ["Fracture"]]
    views = ["PA", "LATERAL", "AP", "PA"]
    cohort = [
        {**person, "study": n, "view": view, "labels": labels, "findings": {}}
        for n, (view, labels) in enumerate(zip(views, shown, strict=True))
    ]
    mimic.write(tmp_path, cohort, lambda row: BLANK)
    frame = mimic.read(tmp_path, {}).sort_values(["study", "view"], ascending=[True, False])
    assert frame.groupby("study").size().tolist() == [2, 1, 1]
    assert frame["view"].tolist() == ["PA", "LATERAL", "AP", "PA"]
    assert set(frame["split:official"]) == {"val"} and frame["patient"].nunique() == 1
    for labels, (_, read) in zip(shown, frame.iterrows(), strict=True):
        assert {label for label in mimic.LABELS if read[label] in (1, -1)} >= set(labels)
    header = gzip.decompress((tmp_path / "mimic-cxr-2.0.0-metadata.csv.gz").read_bytes())
    assert header.split(b"\n")[0] == ",".join(mimic.METADATA).encode()
    header = gzip.decompress((tmp_path / "mimic-cxr-2.0.0-chexpert.csv.gz").read_bytes())
    assert header.split(b"\n")[0] == (
        b"subject_id,study_id,Atelectasis,Cardiomegaly,Consolidation,Edema,"
        b"Enlarged Cardiomediastinum,Fracture,Lung Lesion,Lung Opacity,No Finding,"
        b"Pleural Effusion,Pleural Other,Pneumonia,Pneumothorax,Support Devices"
    )


def without_metadata(root):
    (root / "mimic-cxr-2.0.0-metadata.csv.gz").unlink()


def without_labels(root):
    (root / "mimic-cxr-2.0.0-chexpert.csv.gz").unlink()


def without_images(root):
    for path in root.rglob("*.jpg"):
        path.unlink()


def cut_off(root):
    path = root / "mimic-cxr-2.0.0-chexpert.csv.gz"
    path.write_bytes(path.read_bytes()[:60])


def with_study_twice(root):
    def change(made):
        made["chexpert"] = pd.concat([made["chexpert"]] * 2)

    layout(root, change=change)


def with_other_columns(root):
    def change(made):
        made["metadata"] = made["metadata"].rename(columns={"ViewPosition": "View"})

    layout(root, change=change)


def with_other_split(root):
    layout(root, change=lambda made: made["split"].replace("train", "dev", inplace=True))


def damaged(root):
    path = next(root.rglob("*chexpert.csv.gz"))
    data = path.read_bytes()
    path.write_bytes(data[:-60] + bytes(byte ^ 255 for byte in data[-60:]))


BROKEN = [
    (damaged, ["chexpert.csv.gz", "not the table"]),
    (without_metadata, ["metadata.csv", "Ask for", "datasets.<name>.root"]),
    (without_labels, ["chexpert.csv", "Ask for"]),
    (without_images, ["none of the 5 images", "first files/p10/p10000032/s50414267/"]),
    (cut_off, ["chexpert.csv.gz", "not the table"]),
    (with_study_twice, ["study 50414267 has two rows"]),
    (with_other_columns, ["metadata.csv.gz", "ViewPosition"]),
    (with_other_split, ["split: 'dev'", "validate"]),
]


@pytest.mark.parametrize(
    ("damage", "words"), BROKEN, ids=lambda case: getattr(case, "__name__", "")
)
def test_a_broken_layout_is_named_in_one_line(tmp_path, damage, words):
    layout(tmp_path)
    damage(tmp_path)
    with pytest.raises(UserError) as error:
        mimic.read(tmp_path, {})
    assert "\n" not in str(error.value)
    for word in words:
        assert word in str(error.value)


def test_a_label_that_is_none_is_named_with_its_study(tmp_path):
    def change(made):
        made["chexpert"].loc[0, "Edema"] = 2.0

    with pytest.raises(UserError, match="study 50414267: Edema is 2, not 1, 0, -1"):
        mimic.read(layout(tmp_path, change=change), {})
