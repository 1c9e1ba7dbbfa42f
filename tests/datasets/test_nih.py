"""ChestX-ray14's layout: the table as published, the files wherever a mirror puts them."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cxrgrid.config.errors import UserError
from cxrgrid.datasets import nih

ROWS = [
    "00000001_000.png,Cardiomegaly|Emphysema,0,1,57,M,PA,2682,2749,0.143,0.143",
    "00000001_001.png,No Finding,1,1,58,M,AP,2894,2729,0.143,0.143",
    "00000007_000.png,Hernia,0,7,81,F,PA,2500,2048,0.168,0.168",
]
BLANK = np.zeros((8, 8), np.uint8)
COHORT = [
    {"patient": 1, "study": 0, "view": "PA", "sex": "F", "age": 61.0, "split": "train",
     "labels": ["Effusion", "Atelectasis"]},
    {"patient": 1, "study": 1, "view": "AP", "sex": "F", "age": 61.0, "split": "train",
     "labels": []},
    {"patient": 2, "study": 0, "view": "PA", "sex": "M", "age": 33.0, "split": "val",
     "labels": ["Hernia"]},
    {"patient": 5, "study": 0, "view": "AP", "sex": "M", "age": 88.0, "split": "test",
     "labels": ["Pleural_Thickening", "Mass"]},
]  # fmt: skip


def layout(root: Path, rows=ROWS, header=nih.HEADER, csv=nih.CSVS[0], folder="images") -> Path:
    """A ChestX-ray14 of empty files: `read` looks at names only."""
    (root / folder).mkdir(parents=True, exist_ok=True)
    (root / csv).write_text("\n".join([header, *rows]) + "\n")
    for row in rows:
        (root / folder / row.split(",")[0]).touch()
    return root


def test_labels_patients_and_people_survive_the_disk(tmp_path):
    nih.write(tmp_path, COHORT, lambda row: BLANK)
    frame = nih.read(tmp_path, {})
    for row, (_, read) in zip(COHORT, frame.iterrows(), strict=True):
        assert {label for label in nih.LABELS if read[label] == 1} == set(row["labels"])
        assert read["patient"] == f"{row['patient']:08d}"
        assert read["patient"] == Path(read["image"]).name[:8]
        assert (read["view"], read["sex"], read["age"]) == (row["view"], row["sex"], row["age"])
        assert read["split:official"] == ("test" if row["split"] == "test" else "trainval")
        assert (tmp_path / read["image"]).is_file()


def test_header_is_byte_for_byte_the_published_one(tmp_path):
    nih.write(tmp_path, COHORT, lambda row: BLANK)
    first = (tmp_path / "Data_Entry_2017_v2020.csv").read_bytes().split(b"\n")[0]
    assert first == (
        b"Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,"
        b"View Position,OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]"
    )


@pytest.mark.parametrize("folder", ["images_003/images", "images", "images_001", "."])
def test_files_are_found_by_name_in_every_mirror(tmp_path, folder):
    frame = nih.read(layout(tmp_path, folder=folder), {})
    assert list(frame["image"]) == [(Path(folder) / row.split(",")[0]).as_posix() for row in ROWS]
    assert frame["Cardiomegaly"].tolist() == [1, 0, 0]
    assert frame[nih.LABELS].iloc[1].sum() == 0


def test_linked_folders_are_followed(tmp_path):
    elsewhere = layout(tmp_path / "big_disk")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "images").symlink_to(elsewhere / "images")
    (tmp_path / "data" / nih.CSVS[0]).symlink_to(elsewhere / nih.CSVS[0])
    assert len(nih.read(tmp_path / "data", {})) == len(ROWS)


def test_first_release_has_one_more_column_and_impossible_ages(tmp_path):
    rows = [f"{row}," for row in ROWS]
    rows[1], rows[2] = rows[1].replace(",58,", ",411,"), rows[2].replace(",81,", ",018M,")
    frame = nih.read(layout(tmp_path, rows, nih.HEADER + ",", "Data_Entry_2017.csv"), {})
    assert frame["age"].tolist() == pytest.approx([57, np.nan, 1.5], nan_ok=True)
    assert any("1 ages above 100" in note for note in frame.attrs["notes"])


def test_rows_without_a_file_are_counted_out(tmp_path):
    layout(tmp_path, [*ROWS, ROWS[0]])
    (tmp_path / "images" / "00000007_000.png").unlink()
    steps = nih.read(tmp_path, {}).attrs["accounting"]
    assert [(step["images"], step["patients"]) for step in steps] == [(4, 2), (3, 2), (2, 1)]


def test_without_the_lists_there_is_no_official_split(tmp_path):
    assert "split:official" not in nih.read(layout(tmp_path), {})


def without_csv(root):
    (root / nih.CSVS[0]).unlink()


def without_images(root):
    for path in root.rglob("*.png"):
        path.unlink()


def with_other_table(root):
    (root / nih.CSVS[0]).write_text("Path,Sex,Age\na.png,M,3\n")


def with_empty_table(root):
    (root / nih.CSVS[0]).write_text("")


def with_unknown_label(root):
    layout(root, [ROWS[0].replace("Emphysema", "Emphysem")])


def with_rows_out_of_step(root):
    layout(root, [ROWS[0].replace(",0,1,57", ",0,2,57")])


def with_list_that_is_no_text(root):
    for name in nih.LISTS:
        (root / name).write_bytes(b"\x1f\x8bpacked")


BROKEN = [
    (with_list_that_is_no_text, ["train_val_list.txt", "cannot be read"]),
    (without_csv, ["no Data_Entry_2017_v2020.csv", "Download", "datasets.<name>.root"]),
    (without_images, ["none of the 3 PNG", "datasets.<name>.root"]),
    (with_other_table, ["Data_Entry_2017_v2020.csv", "Path,Sex,Age", "Image Index"]),
    (with_empty_table, ["Data_Entry_2017_v2020.csv", "Image Index"]),
    (with_unknown_label, ["'Emphysem'"]),
    (with_rows_out_of_step, ["00000001_000.png", "00000002"]),
]


@pytest.mark.parametrize(
    ("damage", "words"), BROKEN, ids=lambda case: getattr(case, "__name__", "")
)
def test_a_broken_layout_is_named_in_one_line(tmp_path, damage, words):
    layout(tmp_path)
    damage(tmp_path)
    with pytest.raises(UserError) as error:
        nih.read(tmp_path, {})
    message = str(error.value)
    assert "\n" not in message
    for word in words:
        assert word in message


def test_the_whole_published_table_has_the_published_counts():
    folder = os.environ.get("CXRGRID_METADATA", "")
    found = sorted(Path(folder).glob("Data_Entry_2017_v2020.csv*")) if folder else []
    if not found:
        pytest.skip("CXRGRID_METADATA names no folder with Data_Entry_2017_v2020.csv(.gz)")
    frame = nih.parse(pd.read_csv(found[0], usecols=nih.COLUMNS, dtype=str, keep_default_na=False))
    assert (len(frame), frame["patient"].nunique()) == (112_120, 30_805)
    assert frame["view"].value_counts().to_dict() == {"PA": 67_310, "AP": 44_810}
    assert frame["sex"].value_counts().to_dict() == {"M": 63_340, "F": 48_780}
    assert (frame[nih.LABELS].sum(axis=1) == 0).sum() == 60_361
    assert frame["Infiltration"].sum() == 19_894
    assert frame["Hernia"].sum() == 227
    assert frame["age"].max() == 95
