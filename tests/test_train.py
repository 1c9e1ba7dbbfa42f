"""The trainer: it learns, it ignores what it must, and a stop changes no bit."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from cxrgrid import train
from cxrgrid.config import UserError
from cxrgrid.data import read_parquet, write_parquet
from cxrgrid.settings import Cell
from cxrgrid.state import state_key

SIZE = 32


def make_cell(**settings) -> Cell:
    """A cell of the smallest real backbone."""
    base = {"study": "t", "dataset": "toy", "backbone": "test_resnet", "init": "scratch"}
    base |= {"recipe": "default", "seed": 0, "weights": "", "epochs": 3, "batch_size": 8}
    return msgspec.convert({**base, "channels": 1, "lr": 0.003, **settings}, Cell)


def make_data(folder: Path, n: int = 48, task: str = "multilabel", masked: bool = False) -> Path:
    """A dataset folder: a bright square at the left is label A, one at the right label B."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, (n, 2)).astype(float)
    if task == "multiclass":
        labels[:, 1] = 1 - labels[:, 0]
    pixels = rng.integers(0, 90, (n, SIZE, SIZE), dtype=np.uint8)
    pixels[labels[:, 0] == 1, 8:16, 4:12] += 120
    pixels[labels[:, 1] == 1, 8:16, 20:28] += 120
    if masked:
        labels[::3, 1] = np.nan
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "pixels.npy", pixels)
    split = np.array(["train"] * (n - 24) + ["val"] * 12 + ["test"] * 12)
    columns = {"image": [f"{i}.png" for i in range(n)], "patient": [str(i) for i in range(n)]}
    columns |= {"split": split, "row": np.arange(n), "A": labels[:, 0], "B": labels[:, 1]}
    facts = {"task": task, "labels": ["A", "B"], "split": "patient", "split_hash": "abc"}
    write_parquet(columns, folder / "table.parquet", {**facts, "image": {"size": SIZE}})
    return folder


def run(cell: Cell, data: Path, out: Path) -> Path:
    """The command, in this process."""
    arguments = [msgspec.json.encode(cell).decode(), "--data", str(data), "--out", str(out)]
    train.main(arguments)
    return out


def answers(out: Path) -> bytes:
    """All bits of a run that must not depend on when it was stopped."""
    files = ["model.safetensors", "predictions/val.parquet", "predictions/toy.parquet"]
    history, _ = read_parquet(out / "history.parquet")
    curve = history.drop_columns(["seconds", "images_per_second"]).to_pylist()
    return b"".join((out / name).read_bytes() for name in files) + json.dumps(curve).encode()


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return make_data(tmp_path_factory.mktemp("data"))


@pytest.mark.parametrize("task", ["multilabel", "multiclass"])
def test_overfits_sixteen_images(tmp_path, task):
    data = make_data(tmp_path / "data", n=40, task=task)
    out = run(make_cell(epochs=40, monitor="loss", weight_decay=0), data, tmp_path / "out")
    history, facts = read_parquet(out / "history.parquet")
    assert facts["images"]["train"] == 16
    assert history["train_loss"].to_pylist()[-1] < 0.05


def test_learns_what_it_was_shown_and_keeps_the_best_epoch(tmp_path, data):
    out = run(make_cell(epochs=25), data, tmp_path)
    history, _ = read_parquet(out / "history.parquet")
    rows = history.to_pylist()
    best = max(row["val_auroc"] for row in rows)
    assert [row["epoch"] for row in rows if row["best"]] == [
        next(row["epoch"] for row in rows if row["val_auroc"] == best)
    ]
    table, facts = read_parquet(out / "predictions/val.parquet")
    assert facts["part"] == "val"
    aurocs = [roc_auc_score(table[f"y:{x}"], table[f"p:{x}"]) for x in facts["labels"]]
    assert np.mean(aurocs) == pytest.approx(best, abs=1e-9)
    assert best > 0.9


def test_same_cell_same_bits_and_another_seed_other_bits(tmp_path, data):
    first = answers(run(make_cell(rotate=10, dropout=0.2), data, tmp_path / "a"))
    assert first == answers(run(make_cell(rotate=10, dropout=0.2), data, tmp_path / "b"))
    assert first != answers(run(make_cell(rotate=10, dropout=0.2, seed=1), data, tmp_path / "c"))


class Stop(Exception):
    pass


@pytest.mark.parametrize("epoch", [1, 2, 3])
@pytest.mark.parametrize("moment", ["before_save", "after_save"])
def test_resume_equals_uninterrupted(tmp_path, data, monkeypatch, epoch, moment):
    cell = make_cell(rotate=10, shift=0.1, contrast=0.2, dropout=0.2, schedule="cosine")
    whole = answers(run(cell, data, tmp_path / "whole"))
    save = train.save_state

    def stopping(state, path, key):
        if moment == "after_save" or len(state.history) != epoch:
            save(state, path, key)
        if len(state.history) == epoch:
            raise Stop

    monkeypatch.setattr(train, "save_state", stopping)
    with pytest.raises(Stop):
        run(cell, data, tmp_path / "stopped")
    monkeypatch.setattr(train, "save_state", save)
    assert answers(run(cell, data, tmp_path / "stopped")) == whole
    assert not (tmp_path / "stopped" / train.STATE).exists()


@pytest.mark.slow
def test_killed_process_resumes_to_the_same_bits(tmp_path, data):
    cell = make_cell(epochs=60)
    whole = answers(run(cell, data, tmp_path / "whole"))
    out = tmp_path / "killed"
    command = [sys.executable, "-m", "cxrgrid.train", msgspec.json.encode(cell).decode()]
    command += ["--data", str(data), "--out", str(out)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    while not (out / train.STATE).exists():
        assert process.poll() is None
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (out / "model.safetensors").exists()
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    assert answers(out) == whole


def stopped_after_one_epoch(cell: Cell, data: Path, out: Path, monkeypatch) -> None:
    """Leave the state of a run that got as far as its first epoch."""
    save = train.save_state

    def stopping(*arguments):
        save(*arguments)
        raise Stop

    with monkeypatch.context() as patch, pytest.raises(Stop):
        patch.setattr(train, "save_state", stopping)
        run(cell, data, out)


def test_state_of_other_settings_is_not_used(tmp_path, data, monkeypatch, capfd):
    stopped_after_one_epoch(make_cell(lr=0.1), data, tmp_path / "a", monkeypatch)
    fresh = answers(run(make_cell(), data, tmp_path / "b"))
    assert answers(run(make_cell(), data, tmp_path / "a")) == fresh
    assert "of other settings or data; not used" in capfd.readouterr().err


def test_a_state_belongs_to_what_its_labels_meant():
    facts = {"split_hash": "c0ffee", "image": {"size": 32}}
    meant = [facts | {"policy": {"uncertain": {"X": word}}} for word in ("zero", "one")]
    assert len({state_key(make_cell(), each) for each in [facts, *meant]}) == 3


def test_broken_state_is_one_clear_line(tmp_path, data, monkeypatch):
    stopped_after_one_epoch(make_cell(), data, tmp_path, monkeypatch)
    state = tmp_path / train.STATE
    state.write_bytes(state.read_bytes()[:1000])
    with pytest.raises(UserError, match="remove it to start afresh"):
        run(make_cell(), data, tmp_path)


def test_trains_with_unknown_labels(tmp_path):
    out = run(make_cell(epochs=25), make_data(tmp_path / "data", masked=True), tmp_path / "out")
    history, _ = read_parquet(out / "history.parquet")
    assert max(history["val_auroc"].to_pylist()) > 0.9


@pytest.mark.parametrize("option", [{"amp": True}, {"channels_last": True}])
def test_speed_options_change_little(tmp_path, data, option):
    plain, _ = read_parquet(run(make_cell(), data, tmp_path / "a") / "history.parquet")
    fast, _ = read_parquet(run(make_cell(**option), data, tmp_path / "b") / "history.parquet")
    assert fast["train_loss"].to_pylist() == pytest.approx(
        plain["train_loss"].to_pylist(), rel=0.03
    )


def test_early_stop_after_patience(tmp_path, data):
    out = run(make_cell(epochs=50, lr=1e-9, schedule="constant", patience=2), data, tmp_path)
    history, _ = read_parquet(out / "history.parquet")
    rows = history.to_pylist()
    best = next(row["epoch"] for row in rows if row["best"])
    assert len(rows) == best + 2 < 50


def test_diverging_loss_names_cell_and_epoch(tmp_path, data):
    with pytest.raises(UserError, match=r"cell toy/test_resnet.*not finite in epoch \d"):
        run(make_cell(lr=1e30, optimizer="momentum", epochs=5), data, tmp_path)


def test_state_holds_no_code(tmp_path, data, monkeypatch):
    """A state written by a stranger cannot run anything: torch reads it with weights_only."""
    stopped_after_one_epoch(make_cell(), data, tmp_path, monkeypatch)

    class Evil:
        def __reduce__(self):
            return (os.system, (f"touch {tmp_path}/owned",))

    torch.save({"key": Evil()}, tmp_path / train.STATE)
    with pytest.raises(UserError):
        run(make_cell(), data, tmp_path)
    assert not (tmp_path / "owned").exists()


def test_cell_json_runs_again(tmp_path, data):
    out = run(make_cell(), data, tmp_path / "a")
    train.main([str(out / "cell.json"), "--data", str(data), "--out", str(tmp_path / "b")])
    assert answers(out) == answers(tmp_path / "b")
