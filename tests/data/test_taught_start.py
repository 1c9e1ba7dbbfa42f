"""A start that has trained on the test images of another dataset's cell is no start for it."""

import json

import msgspec
import numpy as np
import pytest

from cxrgrid import train
from cxrgrid.config.cell import Cell
from cxrgrid.config.errors import UserError
from cxrgrid.data.near_duplicates import phash
from cxrgrid.data.taught_start import check_start
from cxrgrid.io.parquet import write_parquet

SPLITS = ["train"] * 20 + ["val"] * 4 + ["test"] * 6
AXES = {"study": "t", "backbone": "test_resnet", "init": "scratch", "recipe": "default", "seed": 0}


def noise(seed):
    return np.random.default_rng(seed).integers(256, size=(30, 32, 32), dtype=np.uint8)


def prepare(folder, pixels):
    table = {"image": list(map(str, range(30))), "split": SPLITS, "row": np.arange(30)}
    write_parquet(table, folder / "table.parquet", {})
    np.save(folder / "hashes.npy", phash(pixels))


def start(tmp_path, held_out=(), weights="", **settings):
    """A finished cell to start from; the path of its weights."""
    cell = msgspec.convert({**AXES, "weights": str(weights), **settings}, Cell)
    out = tmp_path / "t/cells" / cell.path()
    out.mkdir(parents=True)
    (out / "cell.json").write_bytes(msgspec.json.encode(cell))
    facts = {"held_out": list(held_out)} if held_out else {}
    write_parquet({"epoch": [1]}, out / "history.parquet", facts)
    return out / "model.safetensors"


@pytest.fixture
def check(tmp_path):
    """Function that checks a cell of `ward`, whose test images 24 to 29 `twin` trains on."""
    ward, twin = noise(1), noise(2)
    twin[:6] = np.clip(ward[24:] * 0.9 + 5, 0, 255)  # darker copies
    prepare(tmp_path / "data/ward", ward)
    prepare(tmp_path / "data/twin", twin)
    prepare(tmp_path / "data/far", noise(3))

    def checked(weights):
        cell = {**AXES, "dataset": "ward", "init": "pre", "weights": str(weights)}
        check_start(msgspec.convert(cell, Cell), tmp_path / "data/ward")

    return checked


def test_the_same_images_under_another_name_are_one_line(tmp_path, check):
    with pytest.raises(UserError, match="6 of 6 test images of ward are like images of twin") as e:
        check(start(tmp_path, dataset="twin"))
    assert "\n" not in str(e.value) and "start ward from other weights than pre" in str(e.value)


def test_of_a_chain_of_starts_each_counts_and_other_images_are_no_reason(tmp_path, check):
    twin = start(tmp_path, dataset="twin")
    check(start(tmp_path, dataset="far", recipe="alone"))
    with pytest.raises(UserError, match="which its start twin/test_resnet/scratch/default/seed0"):
        check(start(tmp_path, dataset="far", weights=twin))


def test_a_chain_of_starts_is_followed_among_copies_of_results(tmp_path, check):
    copies = tmp_path / "copies/results"
    twin = start(copies, dataset="twin").relative_to(copies.parent)
    with pytest.raises(UserError, match="which its start twin/test_resnet/scratch/default/seed0"):
        check(start(copies, dataset="far", weights=twin))


def test_a_start_that_has_left_the_test_images_out_is_one(tmp_path, check):
    pooled = {"dataset": "twin", "train_on": ["far", "twin"]}
    check(start(tmp_path, held_out=["far", "twin", "ward"], recipe="a", **pooled))
    with pytest.raises(UserError, match="like images of twin"):
        check(start(tmp_path, held_out=["far", "twin"], recipe="b", **pooled))


def test_a_file_or_a_dataset_that_is_not_there_is_passed_over(tmp_path, check):
    check(tmp_path / "checkpoint.safetensors")
    check("")
    check(start(tmp_path, dataset="gone"))


def test_no_training_begins(tmp_path, check):
    cell = {**AXES, "dataset": "ward", "weights": str(start(tmp_path, dataset="twin"))}
    words = [json.dumps(cell), "--data", str(tmp_path / "data/ward"), f"--out={tmp_path / 'out'}"]
    with pytest.raises(UserError, match="are like images of twin"):
        train.main(words)
