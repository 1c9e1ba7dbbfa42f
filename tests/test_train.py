"""The trainer: it learns, it ignores what it must, and a stop changes no bit."""

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
from safetensors.torch import load_file, save_file
from sklearn.metrics import roc_auc_score

from cxrgrid import train
from cxrgrid.config.cell import Cell
from cxrgrid.config.errors import UserError
from cxrgrid.inference import trained_cell
from cxrgrid.io.parquet import read_parquet, write_parquet
from cxrgrid.models import checkpoint_file

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


def run(cell: Cell, data: Path, out: Path, *more: str) -> Path:
    """The command, in this process."""
    arguments = [msgspec.json.encode(cell).decode(), "--data", str(data), "--out", str(out)]
    train.main([*arguments, *more])
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


def test_trains_with_unknown_labels(tmp_path):
    out = run(make_cell(epochs=25), make_data(tmp_path / "data", masked=True), tmp_path / "out")
    history, _ = read_parquet(out / "history.parquet")
    assert max(history["val_auroc"].to_pylist()) > 0.9


@pytest.mark.parametrize(
    "option", [{"amp": True}, {"channels_last": True}, {"clip_grad": 1e6}, {"ema_decay": 0.5}]
)
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


def test_diverging_loss_names_cell_epoch_and_step(tmp_path, data):
    with pytest.raises(UserError, match=r"cell toy/test_resnet.*not finite in epoch \d, .*step \d"):
        run(make_cell(lr=1e30, optimizer="momentum", epochs=5), data, tmp_path)


def test_cell_json_runs_again(tmp_path, data):
    out = run(make_cell(), data, tmp_path / "a")
    train.main([str(out / "cell.json"), "--data", str(data), "--out", str(tmp_path / "b")])
    assert answers(out) == answers(tmp_path / "b")


@pytest.mark.long
def test_a_compiled_model_learns_the_same_and_keeps_its_names(tmp_path, data):
    plain = run(make_cell(), data, tmp_path / "a")
    compiled = run(make_cell(compile=True), data, tmp_path / "b")
    first, second = (load_file(out / "model.safetensors") for out in (plain, compiled))
    assert {name: tensor.shape for name, tensor in first.items()} == {
        name: tensor.shape for name, tensor in second.items()
    }
    tables = [read_parquet(out / "history.parquet") for out in (plain, compiled)]
    losses = [table["train_loss"].to_pylist() for table, _ in tables]
    assert losses[0] == pytest.approx(losses[1], rel=0.01)
    seconds = [facts["first_step_seconds"] for _, facts in tables]
    assert 0 < seconds[0] < seconds[1]


def test_a_label_without_a_positive_is_a_warning(tmp_path, capfd):
    data = make_data(tmp_path / "data")
    table, facts = read_parquet(data / "table.parquet")
    never = np.where(table["split"].to_numpy(zero_copy_only=False) == "train", 0.0, table["B"])
    columns = {name: table[name] for name in table.column_names} | {"B": never}
    write_parquet(columns, data / "table.parquet", facts)
    out = run(make_cell(epochs=1, pos_weight=True), data, tmp_path / "out")
    _, history = read_parquet(out / "history.parquet")
    assert len(history["warnings"]) == 1
    assert history["warnings"][0].startswith("label B: none of the 24 training images")
    assert f"warning: {history['warnings'][0]}" in capfd.readouterr().err


def test_a_start_is_told_in_the_history_and_its_input_stays_with_the_network(tmp_path, data):
    source = run(make_cell(epochs=1), data, tmp_path / "source")
    weights = load_file(source / "model.safetensors")
    given = {"cxrgrid": json.dumps({"mean": [0.5], "std": [0.125]})}
    save_file(weights, tmp_path / "w.safetensors", given)
    cell = make_cell(epochs=1, weights=str(tmp_path / "w.safetensors"))
    out = run(cell, data, tmp_path / "out")
    _, facts = read_parquet(out / "history.parquet")
    count = len(weights)
    assert facts["start"] == f"matched {count - 2} of {count} tensors; new: fc.*"
    assert checkpoint_file.metadata(out / "model.safetensors") == {"mean": [0.5], "std": [0.125]}
    assert trained_cell.load(out, cell, len(facts_of(out)["labels"]), 32).std.item() == 0.125
    assert "start" not in read_parquet(source / "history.parquet")[1]
    assert checkpoint_file.metadata(source / "model.safetensors") == {}


def facts_of(out):
    """Facts of a cell's validation predictions."""
    return read_parquet(out / "predictions/val.parquet")[1]


def test_weights_that_do_not_fit_are_one_line(tmp_path, data):
    start = run(make_cell(backbone="test_vit", epochs=1), data, tmp_path / "a")
    cell = make_cell(weights=str(start / "model.safetensors"))
    with pytest.raises(UserError, match="model.safetensors: holds no .*another backbone"):
        run(cell, data, tmp_path / "b")


@pytest.mark.parametrize(
    ("environment", "threads"),
    [
        ({"SLURM_CPUS_PER_TASK": "4", "OMP_NUM_THREADS": "2"}, 4),
        ({"OMP_NUM_THREADS": "2"}, 2),
        ({"OMP_NUM_THREADS": "2,1"}, 1),
        ({}, 1),
    ],
)
def test_threads_are_those_allotted(environment, threads):
    assert train.allotted(environment) == threads


@pytest.mark.parametrize("monitor", ["f1", "accuracy"])
def test_best_epoch_is_the_monitors(tmp_path, monitor):
    data = make_data(tmp_path / "data", task="multiclass")
    history, _ = read_parquet(
        run(make_cell(epochs=6, monitor=monitor), data, tmp_path / "out") / "history.parquet"
    )
    rows = history.to_pylist()
    best = next(row for row in rows if row["best"])
    assert best[f"val_{monitor}"] == max(row[f"val_{monitor}"] for row in rows)
    assert best["epoch"] == min(
        r["epoch"] for r in rows if r[f"val_{monitor}"] == best[f"val_{monitor}"]
    )
