"""Stopped anywhere, and started again: the same bits as never stopped."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest
import torch

from cxrgrid import predict, train
from cxrgrid.config.cell import Cell
from cxrgrid.config.errors import UserError
from cxrgrid.evaluation import metrics
from cxrgrid.io.parquet import read_parquet
from cxrgrid.io.signals import SIGNALS, Stop, Stopped
from cxrgrid.training import checkpoint, history
from cxrgrid.training.checkpoint import state_key
from long_tests import by_turns
from test_train import answers, make_cell, make_data, run

STEPS = 9  # of a run: 24 training images in batches of 8, three epochs
CELL = make_cell(
    rotate=10, shift=0.1, contrast=0.2, dropout=0.2, ema_decay=0.8, clip_grad=0.5, accumulate=2
)


class Died(BaseException):
    """An exception that no code of ours catches, as if the process were killed."""


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return make_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory, data) -> bytes:
    """The answers of a run that was never stopped."""
    return answers(run(CELL, data, tmp_path_factory.mktemp("whole")))


def break_at(monkeypatch, where: str, call: int, action, module=train) -> None:
    """Let `action` happen just before the given call (from 1) of a function."""
    real, calls = getattr(module, where), []

    def counting(*arguments, **options):
        calls.append(0)
        if len(calls) == call:
            action()
        return real(*arguments, **options)

    monkeypatch.setattr(module, where, counting)


def die() -> None:
    raise Died


def stop_at(out: Path, data: Path, monkeypatch, where: str, call: int, **options) -> None:
    """Run until a real signal comes at a call: it ends with its status, and keeps a state."""
    with monkeypatch.context() as patch, pytest.raises(SystemExit) as ended:
        break_at(patch, where, call, lambda: signal.raise_signal(signal.SIGTERM), **options)
        run(CELL, data, out)
    assert ended.value.code == 128 + signal.SIGTERM
    assert (out / train.STATE).is_file()


def die_at(cell: Cell, out: Path, data: Path, monkeypatch, where: str, call: int, **options):
    """Run, saving after each step, until all ends at a call."""
    with monkeypatch.context() as patch, pytest.raises(Died):
        break_at(patch, where, call, die, **options)
        run(cell, data, out, "--save-minutes", "0")


def steps_taken(monkeypatch) -> list:
    """One entry for each step that is taken from now on."""
    taken = []
    real = train.augment
    monkeypatch.setattr(train, "augment", lambda *a: taken.append(0) or real(*a))
    return taken


@pytest.mark.parametrize("step", by_turns([*range(1, STEPS + 1)], 4))
def test_a_signal_at_any_step(tmp_path, data, whole, monkeypatch, capfd, step):
    stop_at(tmp_path, data, monkeypatch, "augment", step)
    last = capfd.readouterr().err.splitlines()[-1]
    assert last.startswith(f"stopped by SIGTERM in epoch {(step + 2) // 3}, after ")
    taken = steps_taken(monkeypatch)
    assert answers(run(CELL, data, tmp_path)) == whole
    assert len(taken) == STEPS - step
    assert not (tmp_path / train.STATE).exists()


@pytest.mark.parametrize("step", by_turns([*range(2, STEPS + 1)], 4))
def test_death_at_any_step(tmp_path, data, whole, monkeypatch, step):
    die_at(CELL, tmp_path, data, monkeypatch, "augment", step)
    taken = steps_taken(monkeypatch)
    assert answers(run(CELL, data, tmp_path)) == whole
    assert len(taken) == STEPS - step + 1


@pytest.mark.parametrize("epoch", [1, 2, 3])
def test_a_signal_while_judging_leaves_only_judging(tmp_path, data, whole, monkeypatch, epoch):
    stop_at(tmp_path, data, monkeypatch, "validate", epoch)
    kept = torch.load(tmp_path / train.STATE, weights_only=True)
    assert (kept["step"], len(kept["history"])) == (3, epoch - 1)
    taken = steps_taken(monkeypatch)
    assert answers(run(CELL, data, tmp_path)) == whole
    assert len(taken) == STEPS - 3 * epoch


@pytest.mark.parametrize(
    ("where", "module"),
    [("mean_auroc", metrics), ("close_epoch", history), ("save_state", checkpoint)],
)
@pytest.mark.parametrize("call", by_turns([1, 2, 3], 1))
def test_death_around_the_end_of_an_epoch(tmp_path, data, whole, monkeypatch, where, module, call):
    die_at(CELL, tmp_path, data, monkeypatch, where, call, module=module)
    assert answers(run(CELL, data, tmp_path)) == whole


@pytest.mark.parametrize("save", [1, 2, 5])
def test_death_while_saving_leaves_the_state_before(tmp_path, data, whole, monkeypatch, save):
    real, calls = torch.save, []

    def half(content, file):
        calls.append(0)
        real(content, file)
        if len(calls) == save:
            file.truncate(1000)
            raise Died

    with monkeypatch.context() as patch, pytest.raises(Died):
        patch.setattr(checkpoint.torch, "save", half)
        run(CELL, data, tmp_path, "--save-minutes", "0")
    assert (tmp_path / train.STATE).exists() == (save > 1)
    assert answers(run(CELL, data, tmp_path)) == whole


def test_a_signal_while_saving_lets_it_finish(tmp_path, data, whole, monkeypatch):
    real, saves = checkpoint.save_state, []

    def interrupted(run, *arguments):
        saves.append((len(run.history), run.step))
        if len(saves) == 5:
            signal.raise_signal(signal.SIGTERM)
        real(run, *arguments)

    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(checkpoint, "save_state", interrupted)
        run(CELL, data, tmp_path, "--save-minutes", "0")
    kept = torch.load(tmp_path / train.STATE, weights_only=True)
    assert len(saves) == 6, "the next pause saves once more, and ends"
    assert (len(kept["history"]), kept["step"]) == saves[-1]
    assert answers(run(CELL, data, tmp_path)) == whole


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_the_best_weights_are_in_the_file_once_where_they_are_the_present_ones(
    tmp_path, data, monkeypatch, ema
):
    """And else beside them: read back they are those of the run, whatever was saved."""
    real, alone = checkpoint.save_state, []

    def read_back(run, path, key):
        real(run, path, key)
        state = torch.load(path, weights_only=True)
        assert all(map(torch.equal, state["best"].values(), run.best.values()))
        present = state["average" if ema else "model"]
        if run.best:
            name = next(iter(run.best))
            alone.append(state["best"][name].data_ptr() == present[name].data_ptr())

    monkeypatch.setattr(checkpoint, "save_state", read_back)
    run(make_cell(ema_decay=ema), data, tmp_path, "--save-minutes", "0")
    assert set(alone) == {True, False}


@pytest.mark.parametrize("call", by_turns([1, 2, 3], 1))
def test_death_while_writing_results(tmp_path, data, whole, monkeypatch, call):
    die_at(CELL, tmp_path, data, monkeypatch, "write_parquet", call)
    taken = steps_taken(monkeypatch)
    assert answers(run(CELL, data, tmp_path)) == whole
    assert taken == []


def test_a_signal_while_writing_results(tmp_path, data, whole, monkeypatch):
    stop_at(tmp_path, data, monkeypatch, "save_file", 1)
    assert answers(run(CELL, data, tmp_path)) == whole


LONG = make_cell(epochs=30, dropout=0.2, rotate=10)
# Slow steps, so that it is in mid-training however late this process looks.
SLOWLY = """
import time
from cxrgrid import train
from cxrgrid.io import cli
augment = train.augment
train.augment = lambda *arguments: (time.sleep(0.1), augment(*arguments))[1]
cli.run(train.main)
"""


@pytest.fixture(scope="module")
def long_whole(tmp_path_factory, data) -> bytes:
    return answers(run(LONG, data, tmp_path_factory.mktemp("long")))


@pytest.mark.slow
@pytest.mark.parametrize("name", by_turns(["SIGUSR1", "SIGTERM", "SIGKILL"], 0))
def test_a_real_process_stopped_in_mid_epoch(tmp_path, data, long_whole, name, capfd):
    command = [sys.executable, "-c", SLOWLY, msgspec.json.encode(LONG).decode()]
    command += ["--data", str(data), "--out", str(tmp_path), "--save-minutes", "0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while not (tmp_path / train.STATE).exists():
        assert process.poll() is None
        time.sleep(0.02)
    os.kill(process.pid, signal.Signals[name])
    _, log = process.communicate(timeout=60)  # Slurm warns 120 s before the end
    assert not (tmp_path / "model.safetensors").exists()
    if name == "SIGKILL":
        assert process.returncode == -signal.SIGKILL
    else:
        assert process.returncode == 128 + signal.Signals[name]
        assert log.splitlines()[-1].startswith(f"stopped by {name} ")
    assert answers(run(LONG, data, tmp_path)) == long_whole
    assert capfd.readouterr().err.startswith("going on ")


def test_the_first_signal_counts_and_handlers_are_put_back():
    before = [signal.getsignal(number) for number in SIGNALS]
    with Stop() as stop:
        stop.check("nowhere")
        signal.raise_signal(signal.SIGUSR1)
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(Stopped, match="stopped by SIGUSR1 here; the same command goes on"):
            stop.check("here")
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_saving_takes_a_small_share_of_the_time(tmp_path, data, whole, monkeypatch):
    saves = []
    monkeypatch.setattr(checkpoint, "save_state", lambda *_: saves.append(time.sleep(1)))
    assert answers(run(CELL, data, tmp_path)) == whole
    assert len(saves) == 1, "of three epochs, which together take less than 50 times that long"


def test_the_validation_answers_are_those_of_the_kept_network(tmp_path, data, monkeypatch):
    """They are kept with the best epoch's weights, and not computed again: the same bits."""
    monkeypatch.setattr(history, "is_better", lambda scores, rows, _: len(rows) < 2)
    out = run(CELL, data, tmp_path)
    assert read_parquet(out / "history.parquet")[0]["best"].to_pylist() == [False, True, False]
    again = tmp_path / "again.parquet"
    predict.main([str(out), "--data", str(data), "--part", "val", "--out", str(again)])
    kept = read_parquet(out / "predictions/val.parquet")[0]
    assert read_parquet(again)[0].equals(kept)


def test_fresh_ignores_the_state(tmp_path, data, whole, monkeypatch):
    die_at(CELL, tmp_path, data, monkeypatch, "augment", 5)
    taken = steps_taken(monkeypatch)
    assert answers(run(CELL, data, tmp_path, "--fresh")) == whole
    assert len(taken) == STEPS


def test_fresh_starts_where_the_state_cannot_be_read(tmp_path, data, whole):
    (tmp_path / train.STATE).write_bytes(b"")
    assert answers(run(CELL, data, tmp_path, "--fresh")) == whole


def test_state_of_other_settings_is_not_used(tmp_path, data, whole, monkeypatch, capfd):
    die_at(make_cell(lr=0.1), tmp_path, data, monkeypatch, "augment", 5)
    assert answers(run(CELL, data, tmp_path)) == whole
    assert "of other settings or data; not used" in capfd.readouterr().err


def test_a_state_belongs_to_what_its_labels_meant():
    facts = {"split_hash": "c0ffee", "image": {"size": 32}}
    meant = [facts | {"policy": {"uncertain": {"X": word}}} for word in ("zero", "one")]
    assert len({state_key(make_cell(), each) for each in [facts, *meant]}) == 3


def test_a_state_outlives_a_release_with_one_more_setting():
    kind = msgspec.defstruct("Later", [("newthing", bool, False)], bases=(Cell,), kw_only=True)
    later = kind(**msgspec.structs.asdict(make_cell()))
    assert state_key(later, {}) == state_key(make_cell(), {})
    assert state_key(msgspec.structs.replace(later, newthing=True), {}) != state_key(later, {})
    assert state_key(make_cell(results=2), {}) != state_key(make_cell(), {})


@pytest.mark.parametrize("length", [0, 1000, -1])
def test_broken_state_is_one_clear_line(tmp_path, data, monkeypatch, length):
    die_at(CELL, tmp_path, data, monkeypatch, "augment", 5)
    kept = tmp_path / train.STATE
    kept.write_bytes(kept.read_bytes()[:length])
    with pytest.raises(UserError, match="start afresh with --fresh, or remove it") as error:
        run(CELL, data, tmp_path)
    assert "\n" not in str(error.value)


def test_state_holds_no_code(tmp_path, data):
    """A state written by a stranger cannot run anything: torch reads it with weights_only."""

    class Evil:
        def __reduce__(self):
            return (os.system, (f"touch {tmp_path}/owned",))

    torch.save({"key": Evil()}, tmp_path / train.STATE)
    with pytest.raises(UserError):
        run(CELL, data, tmp_path)
    assert not (tmp_path / "owned").exists()


def test_the_first_step_whose_loss_is_not_finite_is_named(tmp_path, data, monkeypatch):
    calls = []

    def spoilt(images, *_):
        calls.append(0)
        return images * (float("nan") if len(calls) == 5 else 1)

    monkeypatch.setattr(train, "augment", spoilt)
    with pytest.raises(UserError, match=r"cell toy/test_resnet.* in epoch 2, step 2; try an lr"):
        run(make_cell(), data, tmp_path, "--save-minutes", "0")
    kept = torch.load(tmp_path / train.STATE, weights_only=True)
    assert (len(kept["history"]), kept["step"]) == (1, 1), (
        "a state with such weights must not replace a good one"
    )


def test_the_loss_of_a_resumed_epoch_is_over_all_its_steps(tmp_path, data, monkeypatch):
    plain = run(CELL, data, tmp_path / "a")
    stop_at(tmp_path / "b", data, monkeypatch, "augment", 2)
    resumed = run(CELL, data, tmp_path / "b")
    losses = [read_parquet(out / "history.parquet")[0]["train_loss"] for out in (plain, resumed)]
    assert losses[0] == losses[1]


STUDIES = [  # as published studies of chest X-rays trained
    {"optimizer": "adam", "schedule": "plateau", "plateau_epochs": 1, "pos_weight": True},
    {"optimizer": "adam", "schedule": "restarts", "restart_epochs": 2, "monitor": "f1"},
    {"schedule": "onecycle", "label_smoothing": 0.1, "optimizer": "adamw"},
    {"optimizer": "momentum", "schedule": "constant", "train": "head", "monitor": "loss"},
    {"steps_per_epoch": 2, "monitor": "sensitivity", "patience": 2, "freeze_epochs": 1},
    {"mixup": 0.4, "noise": 0.1, "erasing": 0.5, "crop": 0.5, "shear": 9, "sampling": "balanced"},
    {"loss": "asymmetric", "layer_decay": 0.7, "schedule_per": "epoch", "min_lr": 1e-5},
]


@pytest.mark.parametrize("settings", by_turns(STUDIES, 3), ids=[str(sorted(s)) for s in STUDIES])
def test_every_way_to_train_goes_on_with_the_same_bits(tmp_path, settings, monkeypatch):
    data = make_data(tmp_path / "data", masked=True)
    cell = make_cell(epochs=4, **settings)
    whole = answers(run(cell, data, tmp_path / "whole"))
    die_at(cell, tmp_path / "stopped", data, monkeypatch, "augment", 4)
    assert answers(run(cell, data, tmp_path / "stopped")) == whole
    history, _ = read_parquet(tmp_path / "whole/history.parquet")
    assert f"val_{cell.monitor}" in history.column_names


def test_a_state_that_cannot_be_read_now_is_not_called_broken(tmp_path, data, monkeypatch):
    """It may be days of work: too many open files, or a drive that is away, are no reason."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out/state.pt").write_bytes(b"whole")

    def refused(*arguments, **options):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), "state.pt")

    monkeypatch.setattr(torch, "load", refused)
    with pytest.raises(UserError, match="state.pt: too many open files; raise the limit") as error:
        run(CELL, data, tmp_path / "out")
    assert "remove" not in str(error.value) and (tmp_path / "out/state.pt").is_file()
