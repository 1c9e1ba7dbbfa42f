"""Publishers' sets as people have them: other endings, batches, one level off, unusable rows."""

import csv
import gzip
import importlib
import json
import re
from pathlib import Path

import pandas as pd
import pytest

from cxrgrid import phantom
from cxrgrid.config.errors import UserError
from cxrgrid.datasets import chexpert, nih, padchest
from cxrgrid.drafting import layouts
from cxrgrid.drafting.questions import Question
from long_tests import by_turns

ENDINGS = {"nih": ".jpg", "chexpert": ".png", "mimic": ".dcm", "siim": ".png", "padchest": ".JPG"}
DECIMAL = re.compile(r"^(-?\d+)\.(\d+)$")
IMAGES = (".png", ".jpg", ".dcm")


@pytest.fixture
def draw(tmp_path):
    """Draws a phantom in an adapter's layout and returns the adapter, its folder and its table."""

    def drawn(name):
        wanted = json.dumps({"adapter": name, "patients": 12, "size": 32})
        phantom.main([wanted, "--out", str(tmp_path / name)])
        adapter = importlib.import_module(f"cxrgrid.datasets.{name}")
        return adapter, tmp_path / name, adapter.read(tmp_path / name, {})

    return drawn


def rename(root: Path, ending: str) -> None:
    for path in [path for path in root.rglob("*") if path.suffix in IMAGES]:
        path.rename(path.with_suffix(ending))


@pytest.mark.parametrize("name", ENDINGS)
def test_images_under_another_ending_are_found_and_said(draw, name):
    adapter, root, whole = draw(name)
    rename(root, ENDINGS[name])
    assert adapter.recognise(root)
    found = adapter.read(root, {})
    assert (found["image"].str.rsplit(".").str[-1] == ENDINGS[name][1:]).all()
    labels = ["patient", *adapter.LABELS]
    if name == "siim":
        labels = adapter.LABELS  # each image is its own patient
    pd.testing.assert_frame_equal(found[labels], whole[labels])
    assert name == "siim" or any(f"as {ENDINGS[name]}" in note for note in found.attrs["notes"])


@pytest.mark.parametrize("name", ENDINGS)
def test_what_lies_there_instead_of_images_is_said(draw, name):
    adapter, root, _ = draw(name)
    rename(root, ".npy")
    with pytest.raises(UserError, match=r"is there \(in it lie \d+ \.npy"):
        adapter.read(root, {})


def test_a_folder_one_level_off_says_where_the_table_lies(draw):
    _, root, _ = draw("nih")
    for given in (root.parent, root / "images_001"):
        with pytest.raises(UserError, match=f"it lies in {root}: give that folder"):
            nih.read(given, {})


def test_kaggles_sample_of_chestxray14_is_read(draw):
    _, root, whole = draw("nih")
    (root / "Data_Entry_2017_v2020.csv").rename(root / "sample_labels.csv")
    assert nih.recognise(root)
    pd.testing.assert_frame_equal(nih.read(root, {}), whole)


def test_another_table_of_that_name_is_not_chestxray14s(tmp_path):
    (tmp_path / "sample_labels.csv").write_text("image,label\n")
    assert not nih.recognise(tmp_path)


def batches(root: Path) -> Path:
    """The release's folder in the parts of its download."""
    release = root / chexpert.FOLDERS[0]
    first = root / "CheXpert-v1.0 batch 1 (validate & csv)"
    first.mkdir()
    for path in sorted(release.glob("*.csv")) + [release / "valid"]:
        path.rename(first / path.name)
    for number, patient in enumerate(sorted((release / "train").iterdir())):
        batch = root / f"CheXpert-v1.0 batch {2 + number % 3} (train {1 + number % 3})"
        batch.mkdir(exist_ok=True)
        patient.rename(batch / patient.name)
    (release / "train").rmdir()
    release.rmdir()
    return first


def test_chexpert_is_read_in_batches_and_one_alone_is_refused(draw):
    _, root, whole = draw("chexpert")
    first = batches(root)
    assert chexpert.recognise(root) and chexpert.recognise(first)
    found = chexpert.read(root, {})
    columns = ["patient", "study", "split:official", *chexpert.LABELS]
    order = ["study", "view"]
    left, right = (frame.sort_values([*order, "image"])[columns] for frame in (found, whole))
    pd.testing.assert_frame_equal(left.reset_index(drop=True), right.reset_index(drop=True))
    assert all((root / image).is_file() for image in found["image"])
    with pytest.raises(UserError, match="give the folder above, .*, which joins them"):
        chexpert.read(first, {})


def test_padchest_rows_that_are_not_to_be_used_are_no_negatives(draw):
    _, root, whole = draw("padchest")
    table = root / padchest.STEM
    rows = pd.read_csv(table, dtype=str, keep_default_na=False)
    marks = ["['exclude']", "[' suboptimal study', 'nodule']", "['unchanged']"]
    rows.loc[:3, "Labels"] = [*marks, "['nodule', ' unchanged']"]
    rows.to_csv(table, index=False)
    found = padchest.read(root, {})
    assert len(found) == len(whole) - 2
    assert found.attrs["accounting"][-1]["step"] == "not marked exclude or suboptimal study"
    unchanged = found[found[padchest.LABELS].isna().any(axis=1)]
    assert len(unchanged) == 2 and unchanged["nodule"].sum() == 1
    assert not (unchanged[padchest.LABELS] == 0).any(axis=None)
    told = " ".join(found.attrs["notes"])
    assert "Images marked exclude or suboptimal study, left out: 2." in told
    assert "Images marked unchanged, whose other findings are read as unknown: 2." in told


SAVED = ["nih", "chexpert", "padchest", "mimic", "rsna", "siim", "chexpert_plus", "chexpert_test"]
SAVED += ["vindr", "vindr_pcxr"]


@pytest.mark.parametrize("name", by_turns(SAVED, 3))
def test_tables_that_a_german_spreadsheet_saved_are_read_as_published(draw, name):
    adapter, root, whole = draw(name)
    for path in [path for path in root.rglob("*") if path.name.endswith((".csv", ".csv.gz"))]:
        opened = gzip.open if path.suffix == ".gz" else open
        with opened(path, "rt", newline="") as file:
            rows = [[DECIMAL.sub(r"\1,\2", field) for field in row] for row in csv.reader(file)]
        with opened(path, "wt", newline="", encoding="utf-8-sig") as file:
            csv.writer(file, delimiter=";").writerows(rows)
    assert adapter.recognise(root)
    pd.testing.assert_frame_equal(adapter.read(root, {}), whole)


def test_ids_that_a_spreadsheet_has_cut_are_refused(draw):
    _, root, _ = draw("padchest")
    rows = pd.read_csv(root / padchest.STEM, dtype=str)
    rows.assign(PatientID="8,40262E+37").to_csv(root / padchest.STEM, sep=";", index=False)
    with pytest.raises(UserError, match="'PatientID': '8,40262E.37' was a longer number before"):
        padchest.read(root, {})


def test_a_table_one_folder_up_is_read_and_a_part_of_its_folders_is_a_question(draw):
    _, root, whole = draw("padchest")
    with pytest.raises(Question, match="which is laid out as 'padchest'; give that folder"):
        layouts.find(root / "0", "")
    (root / "images").mkdir()
    for folder in ("0", "1"):
        (root / folder).rename(root / "images" / folder)
    found = padchest.read(root / "images", {})
    pd.testing.assert_frame_equal(found, whole)
    assert layouts.find(root / "images", "") == {"adapter": "padchest", "root": root.as_posix()}
