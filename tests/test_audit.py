"""The audit counts what is there, and stops at a patient who stands in two splits."""

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from cxrgrid import audit, index, pixels, split
from cxrgrid.config import UserError
from cxrgrid.data import read_parquet, write_parquet

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


def make(folder, **change):
    """The dataset's files up to table.parquet."""
    root = {"root": str(folder / "images"), "patient": r"p(\d+)", "columns": {}}
    table, facts = index.build(SETTINGS | root | change)
    write_parquet(table, folder / "index.parquet", facts)
    recipe = json.dumps({"size": 16, "resize": "squash", "unreadable": 0.1})
    paths = [f"--{name}={folder / FILES[name]}" for name in ("index", "files")]
    pixels.main([recipe, *paths, f"--out={folder / 'pixels.npy'}"])
    by_patient = json.dumps({"name": "patient", "fractions": [0.5, 0.25, 0.25], "seed": 0})
    split.main([by_patient, *paths, f"--out={folder / 'table.parquet'}"])


def run(folder, *more):
    audit.main([*(f"--{name}={folder / path}" for name, path in FILES.items()), *more])
    return json.loads((folder / "audit.json").read_text())


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
    }
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


def test_equal_images_in_two_splits_are_named(dataset):
    table = read_parquet(dataset / "table.parquet")[0].to_pandas().set_index("split")
    train, test = table.loc["train"].iloc[0], table.loc["test"].iloc[0]
    array = np.load(dataset / "pixels.npy")
    array[test["row"]] = array[train["row"]]
    other = table.loc["val"].iloc[:2]
    array[other["row"].iloc[0]] = array[other["row"].iloc[1]]  # within one split: no matter
    np.save(dataset / "pixels.npy", array)
    found = run(dataset)
    assert found["equal_images_in_two_splits"] == [sorted([train["image"], test["image"]])]
    assert any(train["image"] in warning for warning in found["warnings"])


def test_unknown_patients_are_said(tmp_path):
    draw(tmp_path)
    make(tmp_path, patient="")
    found = run(tmp_path)
    assert found["images_without_known_patient"] == 28
    assert any("patient is unknown: 28 of 28" in text for text in found["warnings"])


def test_a_label_without_positives_is_a_warning():
    frame = pd.DataFrame({"split": ["train", "val", "test"], "X": [1.0, 0.0, 1.0]})
    assert audit.unseen(frame, ["X"]) == ["No val image shows X: it cannot pick an epoch."]


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
