"""The test release of CheXpert: labels by study or by image, and cells of others tested on it."""

import json

import numpy as np
import pandas as pd
import pytest

from conftest import CONFIG
from cxrgrid import phantom
from cxrgrid.config.errors import UserError
from cxrgrid.config.grid import Grid
from cxrgrid.datasets import chexpert_test
from cxrgrid.split import divide


@pytest.fixture
def root(tmp_path):
    drawn = json.dumps({"adapter": "chexpert_test", "patients": 10, "size": 32})
    phantom.main([drawn, "--out", str(tmp_path / "release")])
    return tmp_path / "release"


def test_a_label_of_a_study_is_that_of_each_of_its_images(root):
    frame = chexpert_test.read(root, {})
    truth = pd.read_csv(root / "groundtruth.csv").set_index("Study")
    assert len(frame) == len(list(root.glob("test/*/*/*.jpg")))
    for row in frame.itertuples():
        assert row.Cardiomegaly == truth.loc[f"CheXpert-v1.0/test/{row.study}", "Cardiomegaly"]
    assert set(frame["view"]) <= {"FRONTAL", "LATERAL"} and frame["age"].isna().all()


def test_labels_by_image_are_read_alike(root):
    by_study = chexpert_test.read(root, {})
    rows = by_study[["image", *chexpert_test.LABELS]].rename(columns={"image": "Path"})
    (root / "groundtruth.csv").unlink()
    rows.to_csv(root / "test_labels.csv", index=False)
    by_image = chexpert_test.read(root, {})
    pd.testing.assert_frame_equal(by_image, by_study)


def test_training_images_beside_it_are_left_alone(root):
    before = chexpert_test.read(root, {})
    other = root / "train/patient00001/study1"
    other.mkdir(parents=True)
    first = next(root.glob("test/*/*/*.jpg"))
    (other / "view1_frontal.jpg").write_bytes(first.read_bytes())
    pd.testing.assert_frame_equal(chexpert_test.read(root, {}), before)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace(",1", ",2", 1), "it has to be 1, 0 or empty"),
        (lambda text: text.replace("Study,", "Name,"), "no column Study or Path"),
        (lambda text: text.replace("/study1", "/x", 1), "is not like test/patient64741/study1"),
        (lambda text: text.replace("patient6", "patient7"), "names none of the"),
    ],
)
def test_a_table_of_another_kind_is_one_line(root, change, message):
    path = root / "groundtruth.csv"
    path.write_text(change(path.read_text()))
    with pytest.raises(UserError, match=message) as error:
        chexpert_test.read(root, {})
    assert "\n" not in str(error.value)


def test_a_column_that_lacks_is_unknown_and_said(root):
    path = root / "groundtruth.csv"
    pd.read_csv(path).drop(columns="Fracture").to_csv(path, index=False)
    frame = chexpert_test.read(root, {})
    assert frame["Fracture"].isna().all()
    assert "groundtruth.csv has no column Fracture: unknown." in frame.attrs["notes"]


# ------------------------------------------------------------------ a dataset that is only tested


def config(**grid):
    release = {"adapter": "chexpert_test", "phantom": {}, "split": {"name": "test"}}
    chexpert = {"adapter": "chexpert", "phantom": {}}
    blocks = {"datasets": ["chexpert"], "backbones": ["resnet10t"]} | grid
    return CONFIG | {
        "datasets": {"chexpert": chexpert, "release": release},
        "grid": blocks,
        "weights": {},
        "transfer": ["release"],
    }


def test_cells_of_chexpert_are_tested_on_the_release():
    grid = Grid(config())
    assert grid.transfers == {"chexpert": ["release"]}
    assert grid.tested() == ["chexpert", "release"]


def test_nothing_is_trained_on_a_dataset_of_test_images():
    with pytest.raises(UserError, match="nothing can be trained"):
        Grid(config(datasets=["chexpert", "release"]))
    joint = config() | {"recipes": {"default": {"train_on": ["chexpert", "release"]}}}
    with pytest.raises(UserError, match="release has test images only"):
        Grid(joint)
    folds = config()
    folds["datasets"]["release"]["split"] = {"name": "test", "folds": 3}
    with pytest.raises(UserError, match="has no training images to divide"):
        Grid(folds)


def test_every_image_is_tested(root):
    frame = chexpert_test.read(root, {}).assign(row=lambda rows: np.arange(len(rows)))
    facts = {"labels": chexpert_test.LABELS, "task": "multilabel", "accounting": []}
    settings = {"name": "test", "fractions": [0.7, 0.1, 0.2], "seed": 0}
    divided, found = divide(frame, facts, settings)
    assert set(divided["split"]) == {"test"} and len(divided) == len(frame)
    assert found["split"] == "test" and found["warnings"] == []
