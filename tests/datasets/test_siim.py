"""SIIM's layouts: one image from several masks, labels from a table or from a file's name."""

import os
from pathlib import Path

import numpy as np
import pydicom
import pytest

from cxrgrid.config.errors import UserError
from cxrgrid.data import publisher_files
from cxrgrid.datasets import siim

BLANK = np.zeros((16, 16), np.uint8)
ROWS = ["1.2.3, -1", "1.2.4, 100 3 5 2", "1.2.4, 900 3", "1.2.5,-1"]
COHORT = [
    {"patient": n, "study": 0, "view": "AP" if n % 2 else "PA", "sex": "FM"[n % 2], "age": 40.0 + n,
     "split": "train", "labels": ["Pneumothorax"] if n in (2, 3, 9) else []}
    for n in range(1, 11)
]  # fmt: skip


def layout(root: Path, rows=ROWS, header="ImageId, EncodedPixels", table="train-rle.csv") -> Path:
    """A SIIM of empty files."""
    root.mkdir(exist_ok=True)
    (root / table).write_text("\n".join([header, *rows]) + "\n")
    for name in {row.split(",")[0] for row in rows}:
        folder = root / "dicom-images-train" / f"{name}.s" / f"{name}.t"
        folder.mkdir(parents=True)
        (folder / f"{name}.dcm").touch()
    return root


def test_several_masks_are_one_image(tmp_path):
    frame = siim.read(layout(tmp_path), {})
    assert frame["Pneumothorax"].tolist() == [0, 1, 0]
    assert frame["image"].iloc[1] == "dicom-images-train/1.2.4.s/1.2.4.t/1.2.4.dcm"
    assert [step["images"] for step in frame.attrs["accounting"]] == [4, 3, 3]
    assert (frame["patient"] == frame["image"]).all()
    assert any("No patient is published" in note for note in frame.attrs["notes"])


def test_labels_and_people_survive_the_disk(tmp_path):
    siim.write(tmp_path, COHORT, lambda row: BLANK + row["patient"])
    frame = siim.read(tmp_path, {})
    assert len(frame) == 10 and "split:official" not in frame
    by_study = frame.set_index(frame["study"].str.split(".").str[-3].astype(int))
    for row in COHORT:
        read = by_study.loc[row["patient"]]
        assert (read["view"], read["sex"], read["age"]) == (row["view"], row["sex"], row["age"])
        assert read["Pneumothorax"] == bool(row["labels"])
        film = pydicom.dcmread(tmp_path / read["image"])
        turned = film.PhotometricInterpretation == "MONOCHROME1"
        assert turned == (row["patient"] == 9)
        assert (film.pixel_array == (255 - row["patient"] if turned else row["patient"])).all()


def test_header_is_the_published_one_with_its_space(tmp_path):
    siim.write(tmp_path, COHORT, lambda row: BLANK)
    lines = (tmp_path / "train-rle.csv").read_text().splitlines()
    assert lines[0] == "ImageId, EncodedPixels"
    assert len(lines) == 1 + 10 + 2  # two of three positives have two masks


def test_the_test_folder_of_stage_two_is_the_official_test(tmp_path):
    layout(tmp_path, header="ImageId,EncodedPixels", table="stage_2_train.csv")
    (tmp_path / "dicom-images-train/1.2.5.s").rename(tmp_path / "1.2.5.s")
    (tmp_path / "dicom-images-test").mkdir()
    (tmp_path / "1.2.5.s").rename(tmp_path / "dicom-images-test/1.2.5.s")
    frame = siim.read(tmp_path, {})
    assert frame["split:official"].tolist() == ["test", "trainval", "trainval"]


def test_png_names_say_part_and_label(tmp_path):
    (tmp_path / "png_images").mkdir()
    for name in ("0_test_1_.png", "424_train_1_.png", "7_train_0_.png", "mask_7.png"):
        (tmp_path / "png_images" / name).touch()
    frame = siim.read(tmp_path, {})
    assert frame["Pneumothorax"].tolist() == [1, 1, 0]
    assert frame["split:official"].tolist() == ["test", "trainval", "trainval"]
    assert frame["age"].isna().all() and frame["view"].isna().all()


def test_images_without_a_file_are_counted_out(tmp_path):
    layout(tmp_path)
    next(tmp_path.rglob("1.2.3.dcm")).unlink()
    assert [step["images"] for step in siim.read(tmp_path, {}).attrs["accounting"]] == [4, 3, 2]


def without_table(root):
    (root / "train-rle.csv").unlink()


def without_images(root):
    for path in root.rglob("*.dcm"):
        path.unlink()


def with_other_table(root):
    (root / "train-rle.csv").write_text("image,label\n1,0\n")


def with_wrong_value(root):
    (root / "train-rle.csv").write_text("ImageId, EncodedPixels\n1.2.3, yes\n")


BROKEN = [
    (without_table, ["no stage_2_train.csv or train-rle.csv", "Download"]),
    (without_images, ["none of the 3 DICOM", "datasets.<name>.root"]),
    (with_other_table, ["train-rle.csv", "'ImageId'"]),
    (with_wrong_value, ["1.2.3", "'yes'"]),
]


@pytest.mark.parametrize(("damage", "words"), BROKEN)
def test_a_broken_layout_is_named_in_one_line(tmp_path, damage, words):
    damage(layout(tmp_path))
    with pytest.raises(UserError) as error:
        siim.read(tmp_path, {})
    assert "\n" not in str(error.value)
    for word in words:
        assert word in str(error.value)


def test_the_whole_published_table_has_the_published_counts():
    folder = os.environ.get("CXRGRID_METADATA", "")
    found = sorted(Path(folder).glob("*train-rle.csv*")) if folder else []
    if not found:
        pytest.skip("CXRGRID_METADATA names no folder with train-rle.csv(.gz)")
    rows = publisher_files.read_table(found[0], siim.COLUMNS).rename(columns={"ImageId": "patient"})
    frame = siim.parse(rows)
    assert (len(rows), len(frame), frame["Pneumothorax"].sum()) == (12_954, 12_047, 2_669)
