"""The audit counts what is there, and stops at a patient who stands in two splits."""

import json
import os
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from cxrgrid import audit, index, pixels, split
from cxrgrid.config.errors import UserError
from cxrgrid.data import split_lists
from cxrgrid.datasets import nih
from cxrgrid.io.parquet import read_parquet, write_parquet

SETTINGS = {"dataset": "mine", "adapter": "folder", "labels": ["A", "B"], "task": "auto"}
FILES = {"index": "index.parquet", "files": "pixels.parquet", "table": "table.parquet"}
FILES |= {"pixels": "pixels.npy", "out": "audit.json"}


def draw(folder, patients=20):
    """Images of patients, two each, in three class folders; one file is no image."""
    rng = np.random.default_rng(0)
    for patient in range(patients):
        place = folder / "images" / "ABC"[patient % 3]
        place.mkdir(parents=True, exist_ok=True)
        for number in range(2):
            grey = rng.integers(256, size=(16, 16), dtype=np.uint8)
            Image.fromarray(grey).save(place / f"p{patient}_{number}.png")
    (folder / "images/A/p99_0.png").write_text("no image")


def make(folder, name="patient", **change):
    """The dataset's files up to table.parquet; `name`: of the split."""
    root = {"root": str(folder / "images"), "patient": r"p(\d+)", "columns": {}}
    table, facts = index.build(SETTINGS | root | change)
    write_parquet(table, folder / "index.parquet", facts)
    recipe = json.dumps({"size": 16, "resize": "squash", "unreadable": 0.1})
    paths = [f"--{name}={folder / FILES[name]}" for name in ("index", "files")]
    pixels.main([recipe, *paths, f"--out={folder / 'pixels.npy'}"])
    settings = json.dumps({"name": name, "fractions": [0.5, 0.25, 0.25], "seed": 0})
    split.main([settings, *paths, f"--out={folder / 'table.parquet'}"])


def run(folder, *more):
    audit.main([*(f"--{name}={folder / path}" for name, path in FILES.items()), *more])
    return json.loads((folder / "audit.json").read_text())


def repaint(folder, array):
    """pixels.npy with other pixels, as if its images had been decoded so."""
    np.save(folder / "pixels.npy", array)
    table, facts = read_parquet(folder / "pixels.parquet")
    frame = table.to_pandas()
    there = frame["row"] >= 0
    rows = frame.loc[there, "row"]
    frame.loc[there, "crc32"] = [zlib.crc32(array[row].tobytes()) for row in rows]
    write_parquet(frame, folder / "pixels.parquet", facts)


@pytest.fixture
def dataset(tmp_path):
    draw(tmp_path)
    make(tmp_path)
    return tmp_path


def rewrite(folder, change):
    """table.parquet with `change` made to its frame."""
    table, facts = read_parquet(folder / "table.parquet")
    write_parquet(change(table.to_pandas()), folder / "table.parquet", facts)


def test_it_adds_up_from_raw_to_the_splits(dataset):
    found = run(dataset)
    steps = {step["step"]: step["images"] for step in found["accounting"]}
    # 7 patients are A, 7 are B, 6 are C, which the labels leave out; and one file is no image.
    assert steps == {
        "image files": 41,
        "in a class folder": 41,
        "of the chosen classes": 29,
        "readable": 28,
        **{f"of these in {name}": part["images"] for name, part in found["splits"].items()},
    }
    assert sum(steps[f"of these in {name}"] for name in audit.SPLITS) == steps["readable"]
    assert sum(part["images"] for part in found["splits"].values()) == 28
    assert sum(part["patients"] for part in found["splits"].values()) == 14
    positives = [part["positives"] for part in found["splits"].values()]
    assert sum(part["A"] for part in positives) == sum(part["B"] for part in positives) == 14
    assert found["aside"] == [
        {"image": "A/p99_0.png", "reason": "not an image that Pillow can read"}
    ]
    assert found["patients_in_two_splits"] == {} and found["equal_images_in_two_splits"] == []
    assert (
        len(found["warnings"]) == 1 and "set aside: 1, namely A/p99_0.png" in found["warnings"][0]
    )


def test_it_is_the_same_each_time(dataset):
    run(dataset)
    first = (dataset / "audit.json").read_bytes()
    run(dataset)
    assert (dataset / "audit.json").read_bytes() == first


def move_one(frame):
    """One image of a patient in train is put into test."""
    at = frame.index[frame["split"] == "train"][0]
    return frame.assign(split=frame["split"].where(frame.index != at, "test"))


def test_a_patient_in_two_splits_stops_it(dataset):
    rewrite(dataset, move_one)
    with pytest.raises(
        UserError,
        match=r"Patients in more than one split: 1, namely 0 \(test, train\).*allow_leakage: true",
    ):
        run(dataset)
    assert not (dataset / "audit.json").exists()
    found = run(dataset, "--allow-leakage")
    assert found["patients_in_two_splits"] == {"0": ["test", "train"]}
    assert any("Patients in more than one split" in warning for warning in found["warnings"])


def test_a_split_by_image_was_asked_for_and_is_said_loudly(tmp_path):
    draw(tmp_path)
    make(tmp_path, name="image")
    found = run(tmp_path)
    assert found["split"] == "image" and found["patients_in_two_splits"]
    assert found["warnings"][0].startswith("Split by image, as asked for by name: ")
    assert "test images" in found["warnings"][0]


def test_equal_images_in_two_splits_are_named(dataset):
    table = read_parquet(dataset / "table.parquet")[0].to_pandas().set_index("split")
    train, test = table.loc["train"].iloc[0], table.loc["test"].iloc[0]
    array = np.load(dataset / "pixels.npy")
    array[test["row"]] = array[train["row"]]
    other = table.loc["val"].iloc[:2]
    array[other["row"].iloc[0]] = array[other["row"].iloc[1]]  # within one split: no matter
    repaint(dataset, array)
    found = run(dataset)
    assert found["equal_images_in_two_splits"] == [sorted([train["image"], test["image"]])]
    assert any(train["image"] in warning for warning in found["warnings"])


def test_a_flipped_bit_among_the_pixels_is_found_with_its_image(dataset):
    files = read_parquet(dataset / "pixels.parquet")[0].to_pandas().set_index("row")
    content = bytearray((dataset / "pixels.npy").read_bytes())
    content[128 + 5 * 16 * 16 + 7] ^= 1  # behind the header, in the row 5
    (dataset / "pixels.npy").write_bytes(content)
    with pytest.raises(UserError, match="1 image changed since decoding: ") as refused:
        run(dataset)
    assert files.loc[5, "image"] in str(refused.value)


def test_pixels_of_before_have_no_checksums_and_are_audited_all_the_same(dataset):
    table, facts = read_parquet(dataset / "pixels.parquet")
    write_parquet(table.drop(["crc32"]), dataset / "pixels.parquet", facts)
    assert run(dataset)["aside"][0]["image"] == "A/p99_0.png"


def test_a_near_copy_in_another_split_is_named_and_hashes_are_kept(dataset):
    table = read_parquet(dataset / "table.parquet")[0].to_pandas().set_index("split")
    train, test = table.loc["train"].iloc[0], table.loc["test"].iloc[0]
    array = np.load(dataset / "pixels.npy")
    copy = np.clip(array[train["row"]].astype(int) + 9, 0, 255)
    array[test["row"]] = copy
    repaint(dataset, array)
    found = run(dataset, f"--hashes={dataset / 'hashes.npy'}")
    assert found["equal_images_in_two_splits"] == []
    [pair] = found["near_images_in_two_splits"]["first"]
    assert pair["images"] == [train["image"], test["image"]]
    assert any("near-identical" in text and train["image"] in text for text in found["warnings"])
    assert np.load(dataset / "hashes.npy").shape == (len(array), 32)


def test_training_images_of_one_list_that_another_tests_are_counted():
    table = pd.DataFrame(
        {"image": list("abcdef"), "split": ["train"] * 3 + ["val", "test", "test"]}
    )
    index = table.assign(
        **{"split:official": ["trainval", "test", "test", None, "trainval", "test"]}
    )
    own, other = audit.overlaps(table, index, "community")
    shared = {"train_of": "official", "test_of": "community", "images": 1, "test_images": 2}
    assert own == shared | {"lists": True}
    shared = {"train_of": "community", "test_of": "official", "images": 2, "test_images": 3}
    assert other == shared | {"lists": True}
    assert "2 of 3" in audit.mixed(other)
    assert not any(pair["lists"] for pair in audit.overlaps(table, index, "patient, fold 0 of 2"))


def test_real_lists_the_community_trains_on_17920_official_test_images():
    folder = Path(os.environ.get("CXRGRID_METADATA", "nowhere"))
    if not (folder / "community_train_list.txt.gz").is_file():
        pytest.skip("CXRGRID_METADATA names no folder with community_train_list.txt.gz")
    rows = pd.read_csv(
        folder / "Data_Entry_2017_v2020.csv.gz",
        usecols=nih.COLUMNS,
        dtype=str,
        keep_default_na=False,
    )
    frame = nih.parse(rows).rename(columns={"name": "image"})
    official = {
        name: part
        for part, file in (("trainval", "train_val_list"), ("test", "test_list"))
        for name in split_lists.read_list(folder / f"{file}.txt.gz")
    }
    frame = frame.assign(
        row=np.arange(len(frame)), **{"split:official": frame["image"].map(official)}
    )
    assert frame["split:official"].value_counts().to_dict() == {"trainval": 86_524, "test": 25_596}
    settings = {"fractions": [0.7, 0.1, 0.2], "seed": 0, "name": "community"}
    settings["files"] = {
        part: str(folder / f"community_{part}_list.txt.gz") for part in audit.SPLITS
    }
    facts = {"labels": nih.LABELS, "task": "multilabel", "accounting": []}
    table, _ = split.divide(frame, facts, settings)
    assert table["split"].value_counts().to_dict() == {
        "train": 78_468, "val": 11_219, "test": 22_433
    }  # fmt: skip
    assert audit.cross(table) == {}
    pairs = audit.overlaps(table, frame, "community")
    counts = {(pair["train_of"], pair["test_of"]): pair["images"] for pair in pairs}
    assert counts == {("community", "official"): 17_920, ("official", "community"): 17_220}
    assert any("17,920 of 25,596" in audit.mixed(pair) for pair in pairs)


def test_unknown_patients_are_said(tmp_path):
    draw(tmp_path)
    make(tmp_path, patient="")
    found = run(tmp_path)
    assert found["images_without_known_patient"] == 28
    assert any("patient is unknown: 28 of 28" in text for text in found["warnings"])


def test_a_label_without_positives_is_a_warning():
    frame = pd.DataFrame({"split": ["train", "val", "test"], "X": [1.0, 0.0, 1.0]})
    assert audit.no_positive_warnings(frame, ["X"]) == [
        "No val image shows X: it cannot pick an epoch."
    ]


def drop(frame):
    return frame.iloc[1:]


def relabel(frame):
    return frame.assign(A=1 - frame["A"])


def shift(frame):
    return frame.assign(row=frame["row"].iloc[::-1].to_numpy())


@pytest.mark.parametrize("change, what", [(drop, "images"), (relabel, "labels"), (shift, "pixels")])
def test_tables_that_do_not_fit_together_are_refused(dataset, change, what):
    rewrite(dataset, change)
    with pytest.raises(UserError, match=f"rests on other {what}"):
        run(dataset)


def test_soft_labels_pass_and_count_as_neither_positive_nor_negative(tmp_path):
    draw(tmp_path)
    paths = sorted(path for path in (tmp_path / "images").rglob("*.png"))
    values = [f"{n % 3 - 1}" for n in range(len(paths))]
    lines = [
        f"{path.relative_to(tmp_path / 'images')},{path.name.split('_')[0]},{value}"
        for path, value in zip(paths, values, strict=True)
    ]
    (tmp_path / "images/labels.csv").write_text("\n".join(["image,patient,A", *lines]) + "\n")
    columns = {"file": "labels.csv", "image": "image", "patient": "patient", "split": ""}
    make(tmp_path, adapter="csv", columns=columns, labels=["A"], uncertain="smooth")
    splits = run(tmp_path)["splits"]
    # 41 files, the last of A unreadable: of 40 readable ones a third each is 1, 0 and uncertain.
    assert sum(part["positives"]["A"] for part in splits.values()) == values.count("1")
    assert splits["train"]["unknown"]["A"] == 0
    assert splits["val"]["unknown"]["A"] + splits["test"]["unknown"]["A"] > 0
