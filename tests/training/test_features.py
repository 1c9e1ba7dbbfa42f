"""A probe on features gives what training the classifier behind the whole network gives."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from cxrgrid import models, train
from cxrgrid.config.errors import UserError
from cxrgrid.inference import trained_cell
from cxrgrid.io import locks
from cxrgrid.io.parquet import read_parquet, write_parquet
from cxrgrid.io.signals import Stop, Stopped
from cxrgrid.models import probe
from cxrgrid.training import feature_store, features
from test_train import answers, make_cell, make_data, run

PROBE = {"train": "head", "epochs": 2, "batch_size": 32}


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return make_data(tmp_path_factory.mktemp("data"), n=152)


def about(out: Path) -> dict:
    """Fact `features` of a run's history."""
    return read_parquet(out / "history.parquet")[1]["features"]


def images_only(monkeypatch) -> None:
    """From here on each step runs the whole network."""
    monkeypatch.setattr(train, "set_up", lambda run, *_: features.Images(run.model, "a test"))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"backbone": "test_vit", "clip_grad": 0.1, "layer_decay": 0.7},
        {"backbone": "test_efficientnet", "channels": 3, "ema_decay": 0.5},
        {"amp": True, "channels_last": True, "optimizer": "momentum"},
    ],
    ids=["resnet", "vit", "efficientnet", "amp"],
)
def test_features_give_history_weights_and_predictions_to_the_bit(
    tmp_path, data, monkeypatch, settings
):
    cell = make_cell(**PROBE | settings)
    fast = answers(run(cell, data, tmp_path / "fast"))
    assert about(tmp_path / "fast")["used"]
    images_only(monkeypatch)
    assert fast == answers(run(cell, data, tmp_path / "slow"))
    assert about(tmp_path / "slow") == {"used": False, "reason": "a test"}


def test_each_image_is_computed_once_for_all_cells_and_shares(tmp_path):
    data = make_data(tmp_path / "data", n=152)
    few = about(run(make_cell(**PROBE, train_share=0.1), data, tmp_path / "few"))
    assert few["computed"] == 13 + 12 + 12 and few["read"] == 0
    # Another initial network is another key: with the same weights the seed does not matter.
    all_of = about(run(make_cell(**PROBE, lr=0.1), data, tmp_path / "all"))
    assert all_of["computed"] == 115 and all_of["read"] == 37
    assert about(run(make_cell(**PROBE, lr=0.2), data, tmp_path / "again"))["computed"] == 0
    assert about(run(make_cell(**PROBE, seed=1), data, tmp_path / "other"))["read"] == 0


def test_features_of_changed_pixels_are_computed_anew(tmp_path):
    data = make_data(tmp_path / "data", n=152)
    run(make_cell(**PROBE), data, tmp_path / "a")
    pixels = np.load(data / "pixels.npy")
    np.save(data / "pixels.npy", 255 - pixels)
    assert about(run(make_cell(**PROBE), data, tmp_path / "b"))["computed"] == 152
    assert answers(tmp_path / "a") != answers(tmp_path / "b")


def test_features_that_are_kept_are_those_of_the_network(tmp_path, data):
    out = run(make_cell(**PROBE), data, tmp_path)
    kept = [load_file(path) for path in (data / "features").glob("*/*.safetensors")]
    model = trained_cell.load(out, make_cell(**PROBE), 2, 32)
    image = torch.from_numpy(np.load(data / "pixels.npy")[7:8]).unsqueeze(1)
    own = probe.of_images(model, image, amp=False).numpy()[0]
    found = [part["features"][part["rows"] == 7] for part in kept if 7 in part["rows"]]
    alike = [one[0] for one in found if one.shape == (1, len(own))]
    assert any(np.allclose(one, own, atol=1e-6) for one in alike)


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"rotate": 5, "mixup": 0.2}, "rotate, mixup are on"),
        ({"dropout": 0.1}, "dropout is on"),
    ],
)
def test_what_changes_images_or_network_takes_the_ordinary_way_and_says_so(
    tmp_path, data, capfd, settings, why
):
    out = run(make_cell(**PROBE | {"epochs": 1} | settings), data, tmp_path)
    assert about(out) == {"used": False, "reason": why}
    assert f"features: not used, since {why}" in capfd.readouterr().err


def test_a_network_that_draws_by_chance_is_found_by_its_trial():
    model = models.build(make_cell(**PROBE), 2, 32)
    models.set_trainable(model, make_cell(**PROBE), 1)
    assert probe.tried(model, 1, 32) == (96,)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.layer1 = torch.nn.Sequential(model.layer1, torch.nn.Dropout(0.2))
    with pytest.raises(ValueError, match="by chance"):
        probe.tried(model, 1, 32)
    model.layer1 = model.layer1[0]
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_a_stop_keeps_the_features_so_far_and_the_run_goes_on_to_the_same_bits(
    tmp_path, monkeypatch
):
    whole = answers(run(make_cell(**PROBE), make_data(tmp_path / "a", n=152), tmp_path / "whole"))
    data, real = make_data(tmp_path / "b", n=152), probe.of_images
    monkeypatch.setattr(features, "BATCH", 32)

    def and_stop(*arguments):
        """A batch's features, after which a signal has come."""
        stop.receive(15, None)
        return real(*arguments)

    stop = Stop()
    monkeypatch.setattr(train, "Stop", lambda: stop)
    monkeypatch.setattr(features.probe, "of_images", and_stop)
    with pytest.raises(SystemExit):
        run(make_cell(**PROBE), data, tmp_path / "out")
    monkeypatch.setattr(features.probe, "of_images", real)
    monkeypatch.setattr(train, "Stop", Stop)
    run(make_cell(**PROBE), data, tmp_path / "out")
    assert about(tmp_path / "out")["read"] == 32  # of 128 images in four batches
    assert answers(tmp_path / "out") == whole


def test_another_training_that_computes_is_waited_for(tmp_path, monkeypatch):
    pixels = np.load(make_data(tmp_path, n=48) / "pixels.npy", mmap_mode="r")
    store, stop = feature_store.Store(pixels, {"a": 1}), Stop()
    other = locks.hold(store.folder / "lock")
    monkeypatch.setattr(feature_store.time, "sleep", lambda _: other.close())
    with store.held(stop):
        store.add(np.array([3, 1]), np.eye(2, dtype=np.float32))
    assert store.read(np.array([1, 2]))[0].tolist() == [1]
    stop.receive(15, None)
    again = feature_store.Store(pixels, {"a": 1})
    other = locks.hold(store.folder / "lock")
    with pytest.raises(Stopped), again.held(stop):
        pass


def test_a_broken_file_of_features_is_computed_anew(tmp_path):
    data = make_data(tmp_path / "data", n=152)
    first = answers(run(make_cell(**PROBE), data, tmp_path / "a"))
    for path in (data / "features").glob("*/*.safetensors"):
        path.write_bytes(path.read_bytes()[:50])
    assert answers(run(make_cell(**PROBE), data, tmp_path / "b")) == first


@pytest.mark.parametrize("task", ["multilabel", "multiclass"])
@pytest.mark.parametrize("head", ["logistic", "knn"])
def test_a_fitted_head_learns_and_is_read_back_as_it_predicted(tmp_path, head, task):
    data = make_data(tmp_path / "data", n=152, task=task)
    cell = make_cell(**PROBE, head=head, backbone="test_vit")
    out = run(cell, data, tmp_path / "out")
    history, facts = read_parquet(out / "history.parquet")
    assert history.num_rows == 1 and facts["features"]["used"]
    assert history["val_auroc"][0].as_py() > 0.6
    table = read_parquet(out / "predictions/toy.parquet")[0]
    model = trained_cell.load(out, cell, 2, 32)
    images = torch.from_numpy(np.load(data / "pixels.npy")[-12:]).unsqueeze(1)
    with torch.inference_mode():
        logits = model(models.normalise(models.grey(images), model))
    p = models.probabilities(logits, task)
    assert p[:, 0] == pytest.approx(table["p:A"].to_numpy(), abs=1e-5)


def test_a_fitted_head_without_features_is_one_line(tmp_path, data):
    cell = make_cell(**PROBE, head="knn", dropout=0.5)
    with pytest.raises(UserError, match="head: knn is fitted to features, but dropout is on; set"):
        run(cell, data, tmp_path)


def test_pooled_datasets_have_features_of_their_own(tmp_path):
    own, other = make_data(tmp_path / "own", n=152), make_data(tmp_path / "other", n=48)
    for folder in (own, other):
        table, facts = read_parquet(folder / "table.parquet")
        write_parquet(table, folder / "table.parquet", {**facts, "dataset": folder.name})
    write_parquet({"dataset": [], "image": []}, tmp_path / "pool.parquet", {"held_out": []})
    there = {folder: {"A": "A", "B": "B"} for folder in ("own", "other")}
    pool = {"train_on": ["own", "other"], "labels_there": there}
    cell = make_cell(**PROBE, dataset="own", **pool)
    command = [json.dumps(train.msgspec.to_builtins(cell)), "--data", str(own), str(other)]
    train.main([*command, "--out", str(tmp_path / "out"), "--pool", str(tmp_path / "pool.parquet")])
    assert about(tmp_path / "out")["computed"] == 128 + 24 + 24
    assert list((other / "features").glob("*/*.safetensors"))
