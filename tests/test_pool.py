"""Images of pooled datasets that are like a test image are found, by pixels and by patient."""

import json
from itertools import permutations

import numpy as np
import pytest

from cxrgrid import pool
from cxrgrid.config.errors import UserError
from cxrgrid.data import near_duplicates
from cxrgrid.io.parquet import read_parquet, write_parquet

STANFORD = ("chexpert", "chexpert_plus", "chexpert_test")  # releases that share patient ids


def write(folder, pixels, adapter="nih", root="data/nih", first=0):
    """A dataset of 30 images: 20 train, 4 validate, 6 test; two images per patient."""
    splits = ["train"] * 20 + ["val"] * 4 + ["test"] * 6
    table = {"image": [f"{n:02}.png" for n in range(30)], "split": splits, "row": np.arange(30)}
    table |= {"patient": [f"p{first + n // 2}" for n in range(30)]}
    facts = {"dataset": folder.name, "adapter": adapter, "root": root}
    write_parquet(table, folder / "table.parquet", facts)
    np.save(folder / "hashes.npy", near_duplicates.phash(pixels))
    return folder


def noise(seed):
    return np.random.default_rng(seed).integers(256, size=(30, 32, 32), dtype=np.uint8)


def found(tmp_path, trained, tested):
    """{(dataset, image): (held_out, like, reason)} of the file that the command writes."""
    words = [
        *map(str, trained),
        "--tested",
        *map(str, tested),
        "--out",
        str(tmp_path / "pool.parquet"),
    ]
    pool.main(words)
    rows = read_parquet(tmp_path / "pool.parquet")[0].to_pylist()
    return {(r["dataset"], r["image"]): (r["held_out"], r["like"], r["reason"]) for r in rows}


def test_images_like_test_images_are_found_in_training_and_validation_only(tmp_path):
    one, two = noise(1), noise(2)
    two[3] = one[26]  # training like a test image
    two[21] = np.clip(one[27] * 0.9 + 5, 0, 255)  # validation, and darker
    two[28] = one[29]  # test like test
    two[4] = one[5]  # training like training
    one[0] = one[25]  # within one dataset
    a, b = write(tmp_path / "a", one), write(tmp_path / "b", two, "chexpert", "data/chexpert")
    near = "near-identical image"
    assert found(tmp_path, [a, b], [a, b]) == {
        ("b", "03.png"): ("a", "26.png", near),
        ("b", "21.png"): ("a", "27.png", near),
        ("a", "00.png"): ("a", "25.png", near),
    }
    # Of a dataset that is only tested, nothing is listed; of one that is not tested, nothing hides.
    assert set(found(tmp_path, [b], [a])) == {("b", "03.png"), ("b", "21.png")}
    assert found(tmp_path, [b], [b]) == {}


def test_training_images_like_validation_images_of_another_pooled_dataset_are_found(tmp_path):
    one, two = noise(5), noise(6)
    two[3], two[22] = one[20], one[21]  # training like validation; validation like validation
    two[4] = two[23]  # within one dataset
    a, b = write(tmp_path / "a", one), write(tmp_path / "b", two, "chexpert", "data/chexpert")
    assert list(found(tmp_path, [a, b], [a, b])) == [("b", "03.png")]
    assert found(tmp_path, [b], [a, b]) == {}  # a is tested only: its validation plays no part


@pytest.mark.parametrize(
    ("adapter", "roots", "count"),
    [
        ("nih", ("here", "there"), 2),  # one publisher numbers its patients
        ("csv", ("here", "here"), 2),  # one folder
        ("csv", ("here", "there"), 0),
        ("nih", ("a/phantom", "b/phantom"), 0),
        *((each, ("here", "there"), 2) for each in permutations(STANFORD, 2)),
        (("chexpert", "nih"), ("here", "there"), 0),
        (("chexpert", "chexpert_plus"), ("a/phantom", "b/phantom"), 0),
    ],
)
def test_a_test_patients_other_images_count_where_patients_are_numbered_alike(
    tmp_path, adapter, roots, count
):
    one, other = (adapter, adapter) if isinstance(adapter, str) else adapter
    a = write(tmp_path / "a", noise(3), one, roots[0])
    b = write(tmp_path / "b", noise(4), other, roots[1], first=14)  # its first is a's last patient
    rows = found(tmp_path, [b], [a, b])
    alike = read_parquet(tmp_path / "pool.parquet")[1]["numbered_alike"]
    assert len(rows) == count and alike == [["a", "b"]] * (count > 0)
    assert set(rows.values()) <= {("a", "28.png", "same patient")}


def test_a_share_that_leaves_a_label_without_a_patient_stops_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    labels = {"one": "Effusion", "two": "Pleural Effusion"}
    for seed, (name, adapter) in enumerate({"one": "nih", "two": "chexpert"}.items()):
        folder = write(tmp_path / "results/data" / name, noise(seed), adapter)
        table, facts = read_parquet(folder / "table.parquet")
        shows = np.where(np.arange(30) == 2 * seed, 1.0, 0.0)  # one patient of each
        columns = {n: table[n].to_pylist() for n in table.column_names} | {labels[name]: shows}
        facts |= {"labels": [labels[name]], "task": "multilabel"}
        write_parquet(columns, folder / "table.parquet", facts)
    datasets = {
        name: {"adapter": adapter, "root": "x", "labels": [labels[name]]}
        for name, adapter in {"one": "nih", "two": "chexpert"}.items()
    }
    axes = {"datasets": ["one"], "backbones": ["resnet18"], "seeds": list(range(8))}
    recipes = {"default": {"train_on": ["own", "two"], "train_share": 0.2}}
    config = {"study": "t", "datasets": datasets, "grid": axes, "recipes": recipes}
    (tmp_path / "study.json").write_text(json.dumps(config))
    folders = ["results/data/one", "results/data/two"]
    words = [*folders, "--tested", *folders, "--out", "pool.parquet", "--study", "study.json"]
    with pytest.raises(UserError, match="cell one/.*leaves no training image that shows Effusion"):
        pool.main(words)
    assert not (tmp_path / "pool.parquet").exists()
    config["recipes"]["default"]["train_share"] = 1
    (tmp_path / "study.json").write_text(json.dumps(config))
    pool.main(words)
    assert (tmp_path / "pool.parquet").is_file()
