"""Several datasets as one training part: the union's bits, masks, and no test image among them."""

import json
import signal

import msgspec
import numpy as np
import pytest

from cxrgrid import train
from cxrgrid.config.errors import UserError
from cxrgrid.data.pooled_part import PooledPixels
from cxrgrid.data.split_arrays import load_training, load_validation
from cxrgrid.inference.trained_cell import read_trained
from cxrgrid.io.parquet import read_parquet, write_parquet
from cxrgrid.reporting import model_card
from cxrgrid.training.checkpoint import state_key
from test_train import SIZE, make_cell
from training.test_checkpoint import break_at

LABELS = ["A", "B"]
PARTS = {"train": 40, "val": 16, "test": 16}


def draw(seed: int, n: int = sum(PARTS.values())):
    """Images with a bright square per label, their labels, and one patient for every two."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, (n, 2)).astype(float)
    pixels = rng.integers(0, 90, (n, SIZE, SIZE), dtype=np.uint8)
    pixels[labels[:, 0] == 1, 8:16, 4:12] += 120
    pixels[labels[:, 1] == 1, 8:16, 20:28] += 120
    columns = {"image": [f"{i:02}.png" for i in range(n)]}
    columns |= {
        "patient": [f"p{i // 2}" for i in range(n)],
        "split": np.repeat([*PARTS], [*PARTS.values()]),
    }
    return pixels, columns | {"row": np.arange(n), "A": labels[:, 0], "B": labels[:, 1]}


def write(folder, pixels, columns, rows=None, names=None, task="multilabel"):
    """A dataset's folder with some of the rows, its labels named otherwise or left out (None)."""
    rows = np.arange(len(pixels)) if rows is None else rows
    names = names or {label: label for label in LABELS}
    kept = {name: np.array(values)[rows] for name, values in columns.items() if name not in LABELS}
    kept["row"] = np.arange(len(rows))
    labels = [name for name in names.values() if name]
    kept |= {name: np.array(columns[label])[rows] for label, name in names.items() if name}
    policy = {kind: dict.fromkeys(labels, "ignore") for kind in ("uncertain", "blank")}
    policy["counts"] = {label: {"uncertain": 0, "blank": 0} for label in labels}
    facts = {"dataset": folder.name, "task": task, "labels": labels, "split": "patient"}
    facts |= {"split_hash": folder.name, "image": {"size": SIZE}, "policy": policy}
    write_parquet(kept, folder / "table.parquet", facts)
    np.save(folder / "pixels.npy", pixels[rows])
    return folder


def forbid(path, *images):
    """A file as `pool` writes it, with some (dataset, image)."""
    columns = {"dataset": [name for name, _ in images], "image": [image for _, image in images]}
    write_parquet({name: np.array(values, str) for name, values in columns.items()}, path, {})
    return path


def pooling(names=None, **settings):
    """A cell of `one` that trains on `one` and `two`."""
    there = {
        "one": {label: label for label in LABELS},
        "two": names or dict(zip(LABELS, LABELS, strict=True)),
    }
    settings = {"train_on": ["one", "two"], "labels_there": there} | settings
    return make_cell(dataset="one", **settings)


@pytest.fixture(scope="module")
def halves(tmp_path_factory):
    """A dataset `all`, and the same in two: `one` with half the training, all else of it."""
    folder = tmp_path_factory.mktemp("halves")
    pixels, columns = draw(0)
    everything = np.arange(len(pixels))
    write(folder / "all", pixels, columns)
    write(folder / "one", pixels, columns, everything[(everything < 20) | (everything >= 40)])
    write(folder / "two", pixels, columns, everything[(everything >= 20) & (everything < 44)])
    return folder


def trained(cell, folders, out, *more):
    words = [
        msgspec.json.encode(cell).decode(),
        "--data",
        *map(str, folders),
        "--out",
        str(out),
        *more,
    ]
    train.main(words)
    return out


def bits(out, dataset):
    """All that a training leaves but its coordinates and times."""
    history = read_parquet(out / "history.parquet")[0].drop_columns(
        ["seconds", "images_per_second"]
    )
    tables = [read_parquet(out / f"predictions/{name}.parquet")[0] for name in ("val", dataset)]
    numbers = [table.to_pylist() for table in (history, *tables)]
    return (out / "model.safetensors").read_bytes(), json.dumps(numbers)


def test_a_pooled_cell_of_two_halves_is_the_cell_of_their_union(halves, tmp_path):
    settings = {"rotate": 10, "dropout": 0.2, "pos_weight": True}
    one = trained(make_cell(dataset="all", **settings), [halves / "all"], tmp_path / "all")
    pool = forbid(tmp_path / "pool.parquet")
    both = [halves / "one", halves / "two"]
    two = trained(pooling(**settings), both, tmp_path / "pooled", "--pool", str(pool))
    assert bits(one, "all") == bits(two, "one")
    facts = read_parquet(two / "history.parquet")[1]
    assert {name: part["images"] for name, part in facts["pool"].items()} == {"one": 20, "two": 20}
    assert facts["images"] == {"train": 40, "val": 16}


def test_a_stop_changes_no_bit_and_other_data_start_afresh(halves, tmp_path, monkeypatch):
    pool, cell = forbid(tmp_path / "pool.parquet"), pooling(dataset_sampling="balanced")
    both, flags = [halves / "one", halves / "two"], ["--pool", str(tmp_path / "pool.parquet")]
    whole = trained(cell, both, tmp_path / "whole", *flags)
    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        break_at(patch, "set_lr", 8, lambda: signal.raise_signal(signal.SIGTERM))
        trained(cell, both, tmp_path / "stopped", *flags)
    assert (tmp_path / "stopped" / train.STATE).is_file()
    assert bits(trained(cell, both, tmp_path / "stopped", *flags), "one") == bits(whole, "one")
    facts = load_training(both, cell, pool)[1]
    other = load_training(both, cell, forbid(tmp_path / "x.parquet", ("two", "20.png")))[1]
    assert state_key(cell, facts) != state_key(cell, other)


def test_a_label_that_a_dataset_does_not_know_is_masked_and_a_renamed_one_is_found(tmp_path):
    pixels, columns = draw(1)
    own = write(tmp_path / "one", pixels, columns)
    other = write(tmp_path / "two", pixels, columns, names={"A": None, "B": "b"})
    cell = pooling(names={"B": "b"})
    split, facts = load_training([own, other], cell, forbid(tmp_path / "pool.parquet"))
    truth = np.stack([columns["A"], columns["B"]], axis=1)[:40]
    np.testing.assert_array_equal(split.labels[:40], truth)
    np.testing.assert_array_equal(split.labels[40:, 1], truth[:, 1])
    assert np.isnan(split.labels[40:, 0]).all() and split.labels.dtype == np.float32
    assert facts["labels"] == LABELS and facts["dataset"] == "one"
    assert facts["pool"]["two"]["labels"] == {"B": "b"}
    np.testing.assert_array_equal(split.dataset, np.repeat([0, 1], 40))
    np.testing.assert_array_equal(split.pixels[split.rows], np.concatenate([pixels[:40]] * 2))


def test_each_dataset_has_its_own_policy_and_a_recipes_goes_by_the_cells_names(tmp_path):
    pixels, columns = draw(2)
    for name, doubt in (("one", "A"), ("two", "a")):
        folder = write(tmp_path / name, pixels, columns, names={"A": doubt, "B": "B"})
        table, facts = read_parquet(folder / "table.parquet")
        raw = np.where(np.arange(len(pixels)) < 10, -1.0, table[doubt].to_numpy())
        word = "one" if name == "one" else "zero"
        facts["policy"]["uncertain"][doubt] = word
        taken = np.where(raw == -1, float(word == "one"), raw)
        kept = {n: table[n].to_numpy(zero_copy_only=False) for n in table.column_names}
        write_parquet(kept | {doubt: taken, f"raw:{doubt}": raw}, folder / "table.parquet", facts)
    folders, pool = [tmp_path / "one", tmp_path / "two"], forbid(tmp_path / "pool.parquet")
    names = {"A": "a", "B": "B"}

    def doubtful(**settings):
        labels = load_training(folders, pooling(names, **settings), pool)[0].labels[:, 0]
        return labels[:10], labels[40:50]

    own, other = doubtful()
    assert (own == 1).all() and (other == 0).all()
    for setting in ("ignore", {"A": "ignore"}):
        assert all(np.isnan(part).all() for part in doubtful(uncertain=setting))
    own, other = doubtful(uncertain={"B": "ignore"})
    assert (own == 1).all() and (other == 0).all()


def test_images_like_test_images_neither_train_nor_choose_the_epoch(halves, tmp_path):
    both = [halves / "one", halves / "two"]
    pool = forbid(
        tmp_path / "pool.parquet", ("two", "21.png"), ("two", "41.png"), ("one", "41.png")
    )
    cell = pooling(validate_on="train_on")
    split, facts = load_training(both, cell, pool)
    assert "21.png" not in split.image and len(split.image) == 39
    assert [facts["pool"][name]["left_out"] for name in ("one", "two")] == [0, 1]
    val = load_validation(both, cell, pool)
    assert len(val.image) == 16 + 4 - 2 and "41.png" not in val.image
    with pytest.raises(UserError, match="name with --pool the file"):
        load_training(both, cell)
    with pytest.raises(UserError, match="trains on two too; name its folder"):
        load_training(both[:1], cell, pool)


def test_the_epoch_is_chosen_on_all_validation_images_only_if_said(halves, tmp_path):
    both, pool = [halves / "one", halves / "two"], forbid(tmp_path / "pool.parquet")
    assert len(load_validation(both, pooling(), pool).image) == 16
    out = trained(pooling(validate_on="train_on"), both, tmp_path / "out", "--pool", str(pool))
    assert read_parquet(out / "history.parquet")[1]["images"]["val"] == 20
    # Thresholds rest on the cell's own validation images, whichever chose the epoch.
    own = read_parquet(out / "predictions/val.parquet")[0]["image"].to_pylist()
    assert own == [f"{at}.png" for at in range(40, 56)]


def test_left_out_of_training_the_own_dataset_is_tested_all_the_same(halves, tmp_path):
    pool = forbid(tmp_path / "pool.parquet")
    there = {"two": dict(zip(LABELS, LABELS, strict=True))}
    cell = make_cell(dataset="one", train_on=["two"], labels_there=there)
    out = trained(cell, [halves / "one", halves / "two"], tmp_path / "out", "--pool", str(pool))
    assert list(read_parquet(out / "history.parquet")[1]["pool"]) == ["two"]
    tested = read_parquet(out / "predictions/one.parquet")[0]["image"].to_pylist()
    assert tested == [f"{at}.png" for at in range(56, 72)]
    # `apply` warns of images that a cell has learned from: here its own training images are none.
    assert set(read_trained(out, halves / "one").learnt.values()) == {"val"}


def test_a_model_card_names_every_dataset_and_what_was_masked_there():
    part = {"images": 1200, "labels": {"Effusion": "Pleural Effusion"}}
    line = model_card.pooled("chexpert", part, ["Effusion", "Hernia"])
    assert line.startswith("- Trained on 1,200 images of `chexpert`, not for Hernia;")


def test_shares_are_of_each_datasets_patients_and_a_lost_label_is_one_line(halves, tmp_path):
    both, pool = [halves / "one", halves / "two"], forbid(tmp_path / "pool.parquet")
    split, _ = load_training(both, pooling(train_share=0.5), pool)
    assert np.bincount(split.dataset).tolist() == [10, 10]
    pixels, columns = draw(3)
    columns["A"] = np.zeros(len(pixels))
    columns["A"][[3, 45]] = 1  # one training image of the whole pool shows it
    folders = [write(tmp_path / name, pixels, columns) for name in ("one", "two")]
    seed = next(
        s
        for s in range(20)
        if "03.png" not in lost_of(folders, pool, tmp_path, train_share=0.1, seed=s)
    )
    with pytest.raises(UserError, match="leaves no training image that shows A"):
        load_training(folders, pooling(train_share=0.1, seed=seed), pool)


def lost_of(folders, pool, tmp_path, **settings):
    """Images of a share, whatever label is lost."""
    try:
        return load_training(folders, pooling(**settings), pool)[0].image
    except UserError:
        return []


def test_competing_classes_need_no_mask_and_other_classes_are_left_out(tmp_path):
    pixels, columns = draw(4)
    columns["B"] = 1 - columns["A"]
    own = write(tmp_path / "one", pixels, columns, task="multiclass")
    third = columns | {"A": np.where(np.arange(len(pixels)) % 3, columns["A"], 0)}
    other = write(tmp_path / "two", pixels, third, names={"A": "A", "B": None}, task="multiclass")
    cell = pooling(names={"A": "A"}, loss="ce")
    split, _ = load_training([own, other], cell, forbid(tmp_path / "pool.parquet"))
    assert (split.labels.sum(axis=1) == 1).all()
    assert (split.labels[split.dataset == 1] == [1, 0]).all()
    assert (split.dataset == 1).sum() == third["A"][:40].sum()


def test_pooled_arrays_are_read_as_one():
    arrays = [
        np.random.default_rng(n).integers(256, size=(n, 4, 5), dtype=np.uint8) for n in (3, 1, 6)
    ]
    pooled, whole = PooledPixels(arrays), np.concatenate(arrays)
    assert pooled.shape == whole.shape
    rows = np.random.default_rng(0).integers(0, 10, 30)
    np.testing.assert_array_equal(pooled[rows], whole[rows])
    np.testing.assert_array_equal(pooled[4], whole[4])
    assert pooled[0].nbytes == 20
