"""CheXpert's layout: v1.0 and small, by study and view, uncertain and blank labels as they are."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cxrgrid.config.errors import UserError
from cxrgrid.datasets import chexpert

SMALL, FULL = chexpert.FOLDERS
ROWS = [
    "train/patient00001/study1/view1_frontal.jpg,Female,68,Frontal,AP,1.0,,,,,,,,,0.0,,,,1.0",
    "train/patient00002/study2/view1_frontal.jpg,Male,87,Frontal,PA,,,-1.0,1.0,,-1.0,,,,,-1.0,,1.0,",
    "train/patient00002/study2/view2_lateral.jpg,Male,87,Lateral,,,,-1.0,1.0,,-1.0,,,,,-1.0,,1.0,",
    "train/patient00003/study1/view1_frontal.jpg,Unknown,0,Frontal,LL,,,,,,,,,,,,,,",
]
VALID = "valid/patient64541/study1/view1_frontal.jpg,Male,73,Frontal,AP," + ",".join(["0.0"] * 14)
BLANK = np.zeros((8, 8), np.uint8)
COHORT = [
    {"patient": 1, "study": 0, "view": "PA", "sex": "F", "age": 61.0, "split": "train",
     "labels": ["Edema", "Pleural Effusion"], "findings": {"Devices": 0.4}},
    {"patient": 1, "study": 1, "view": "LATERAL", "sex": "F", "age": 61.0, "split": "train",
     "labels": ["Edema", "Pleural Effusion"]},
    {"patient": 1, "study": 2, "view": "AP", "sex": "F", "age": 61.0, "split": "train",
     "labels": []},
    {"patient": 5, "study": 0, "view": "AP", "sex": "M", "age": 33.0, "split": "test",
     "labels": ["Fracture"]},
]  # fmt: skip


def layout(root: Path, release=SMALL, below=True, rows=ROWS, valid=(VALID,), header=None) -> Path:
    """A CheXpert of empty files, as `root`/release or as `root` itself."""
    base = root / release if below else root
    base.mkdir(parents=True, exist_ok=True)
    for part, lines in {"train": rows, "valid": valid}.items():
        text = [header or chexpert.HEADER, *(f"{release}/{line}" for line in lines)]
        (base / f"{part}.csv").write_text("\n".join(text) + "\n")
        for line in lines:
            path = base / line.split(",")[0]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    return root


@pytest.mark.parametrize("release", chexpert.FOLDERS)
@pytest.mark.parametrize("below", [True, False], ids=["in the folder above", "as root"])
def test_both_releases_are_found_where_they_are_unpacked(tmp_path, release, below):
    root = layout(tmp_path, release, below)
    frame = chexpert.read(root, {})
    assert len(frame) == 5 and all((root / image).is_file() for image in frame["image"])
    assert frame["patient"].tolist() == [f"patient{n:05}" for n in (1, 2, 2, 3, 64541)]
    assert frame["study"].nunique() == 4
    assert frame["split:official"].tolist() == ["trainval"] * 4 + ["test"]


def test_views_people_and_labels_are_what_the_file_says(tmp_path):
    frame = chexpert.read(layout(tmp_path), {})
    assert frame["view"].tolist() == ["AP", "PA", "LATERAL", None, "AP"]
    assert frame["sex"].tolist() == ["F", "M", "M", None, "M"]
    assert frame["age"].tolist() == pytest.approx([68, 87, 87, np.nan, 73], nan_ok=True)
    one = frame.iloc[1]
    assert {label for label in chexpert.LABELS if one[label] == 1} == {"Lung Opacity", "Fracture"}
    assert {label for label in chexpert.LABELS if one[label] == -1} == {
        "Cardiomegaly",
        "Edema",
        "Pleural Effusion",
    }
    assert one[chexpert.LABELS].isna().sum() == 9
    assert frame[chexpert.LABELS].iloc[4].eq(0).all()
    said = " ".join(frame.attrs["notes"])
    assert (
        "view was taken as unknown: 1." in said and "Ages of 0 years, taken as unknown: 1" in said
    )


def test_without_sex_age_and_view_the_name_tells_what_it_can(tmp_path):
    layout(tmp_path)
    for part in ("train", "valid"):
        path = tmp_path / SMALL / f"{part}.csv"
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        table[["Path", *chexpert.LABELS]].to_csv(path, index=False)
    frame = chexpert.read(tmp_path, {})
    assert frame["view"].tolist() == [None, None, "LATERAL", None, None]
    assert frame["sex"].isna().all() and frame["age"].isna().all()


def test_rows_without_a_file_and_repeated_rows_are_counted_out(tmp_path):
    layout(tmp_path, rows=[*ROWS, ROWS[0]])
    (tmp_path / SMALL / ROWS[1].split(",")[0]).unlink()
    steps = chexpert.read(tmp_path, {}).attrs["accounting"]
    assert [(step["images"], step["patients"]) for step in steps] == [(6, 4), (5, 4), (4, 4)]


def test_header_is_byte_for_byte_the_published_one(tmp_path):
    chexpert.write(tmp_path, COHORT, lambda row: BLANK)
    for part in ("train", "valid"):
        first = (tmp_path / SMALL / f"{part}.csv").read_bytes().split(b"\n")[0]
        assert first == (
            b"Path,Sex,Age,Frontal/Lateral,AP/PA,No Finding,Enlarged Cardiomediastinum,"
            b"Cardiomegaly,Lung Opacity,Lung Lesion,Edema,Consolidation,Pneumonia,Atelectasis,"
            b"Pneumothorax,Pleural Effusion,Pleural Other,Fracture,Support Devices"
        )


def test_a_phantom_survives_the_disk(tmp_path):
    chexpert.write(tmp_path, COHORT, lambda row: BLANK)
    frame = chexpert.read(tmp_path, {})
    assert frame["patient"].tolist() == ["patient00001"] * 3 + ["patient00005"]
    assert frame["view"].tolist() == ["PA", "LATERAL", "AP", "AP"]
    # Films that show the same are of one study, whose labels they share.
    assert [study.split("/")[1] for study in frame["study"]] == ["study1", "study1"] + [
        "study2",
        "study1",
    ]
    assert frame[chexpert.LABELS[:-1]].iloc[0].equals(frame[chexpert.LABELS[:-1]].iloc[1])
    for row, (_, read) in zip(COHORT, frame.iterrows(), strict=True):
        assert {label for label in chexpert.LABELS if read[label] in (1, -1)} >= set(row["labels"])
        assert (read["sex"], read["age"]) == (row["sex"], row["age"])
        assert read["Support Devices"] == 1 or "findings" not in row
    assert frame["No Finding"].tolist() == pytest.approx([np.nan, np.nan, 1, np.nan], nan_ok=True)


def test_a_byte_order_mark_is_no_part_of_the_header(tmp_path):
    layout(tmp_path)
    path = tmp_path / SMALL / "train.csv"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert len(chexpert.read(tmp_path, {})) == 5


BROKEN = [
    ({"header": chexpert.HEADER.replace(",", ";")}, ["no column 'Path'", "Path;Sex;Age"]),
    ({"rows": [ROWS[0] + ",1.0,1.0"]}, ["train.csv or valid.csv", "the path '68'"]),
    ({"header": chexpert.HEADER.replace("Edema", "Oedema")}, ["no column 'Edema'", "Path,Sex"]),
    ({"rows": [ROWS[0].replace(",1.0", ",2.0")]}, ["No Finding is '2.0'", "patient00001"]),
    ({"rows": [ROWS[0].replace("train/", "other/")]}, ["other/patient00001", "is not like"]),
    ({"rows": [ROWS[0].replace("train/", "train/../../")]}, ["is not like"]),
]


@pytest.mark.parametrize(("change", "words"), BROKEN, ids=[case[1][0] for case in BROKEN])
def test_a_broken_table_is_named_in_one_line(tmp_path, change, words):
    layout(tmp_path, **change)
    with pytest.raises(UserError) as error:
        chexpert.read(tmp_path, {})
    assert "\n" not in str(error.value)
    for word in words:
        assert word in str(error.value)


def test_a_folder_without_table_or_images_says_how_to_get_them(tmp_path):
    with pytest.raises(UserError, match=r"no train\.csv.*Ask for CheXpert.*datasets\.<name>\.root"):
        chexpert.read(tmp_path, {})
    layout(tmp_path)
    for path in tmp_path.rglob("*.jpg"):
        path.unlink()
    with pytest.raises(UserError, match="none of the 5 images"):
        chexpert.read(tmp_path, {})


# 1, 0 and -1, as published; the rest of the 223,414 rows is blank.
COUNTS = {
    "No Finding": (22_381, 0, 0),
    "Enlarged Cardiomediastinum": (10_798, 21_638, 12_403),
    "Cardiomegaly": (27_000, 11_116, 8_087),
    "Lung Opacity": (105_581, 6_599, 5_598),
    "Lung Lesion": (9_186, 1_270, 1_488),
    "Edema": (52_246, 20_726, 12_984),
    "Consolidation": (14_783, 28_097, 27_742),
    "Pneumonia": (6_039, 2_799, 18_770),
    "Atelectasis": (33_376, 1_328, 33_739),
    "Pneumothorax": (19_448, 56_341, 3_145),
    "Pleural Effusion": (86_187, 35_396, 11_628),
    "Pleural Other": (3_523, 316, 2_653),
    "Fracture": (9_040, 2_512, 642),
    "Support Devices": (116_001, 6_137, 1_079),
}


def test_the_whole_published_table_has_the_published_counts():
    folder = os.environ.get("CXRGRID_METADATA", "")
    found = sorted(Path(folder).glob("chexpert_train.csv*")) if folder else []
    if not found:
        pytest.skip("CXRGRID_METADATA names no folder with chexpert_train.csv(.gz)")
    frame = chexpert.parse(chexpert.read_csv(found[0]))
    assert (len(frame), frame["study"].nunique()) == (223_414, 187_641)
    assert frame["patient"].nunique() == 64_540 and frame["image"].is_unique
    views = {"AP": 161_590, "LATERAL": 32_387, "PA": 29_420}
    assert frame["view"].value_counts().to_dict() == views and frame["view"].isna().sum() == 17
    assert frame["sex"].isna().sum() == 1 and frame["age"].isna().sum() == 3
    for label, counts in COUNTS.items():
        assert tuple((frame[label] == value).sum() for value in (1, 0, -1)) == counts, label
