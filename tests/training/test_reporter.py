"""Progress of a running training: correct, written seldom, and never in the way."""

import time

import pytest

from cxrgrid import train
from cxrgrid.cluster import training_progress
from cxrgrid.training import reporter
from test_train import make_cell, make_data, run


class Died(BaseException):
    """The process is gone."""


@pytest.fixture
def clock(monkeypatch):
    """The time, in seconds; a test sets it."""
    now = [100.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    return now


def rows(count: int) -> list[dict]:
    return [
        {"epoch": n + 1, "val_auroc": 0.6, "seconds": 4.0, "best": n == 0} for n in range(count)
    ]


def test_it_is_written_once_every_few_seconds(tmp_path, clock, monkeypatch):
    written = []
    monkeypatch.setattr(reporter, "write", lambda progress, folder: written.append(clock[0]))
    one = reporter.Reporter(make_cell(epochs=4), tmp_path)
    for step in range(1000):
        clock[0] = 100 + step / 50
        one.tell([], step, 1000, step / 50)
    assert len(written) == 20 / reporter.SECONDS


def test_what_is_left_follows_the_pace_of_this_attempt(tmp_path, clock):
    one = reporter.Reporter(make_cell(epochs=4), tmp_path)
    one.tell(rows(1), 0, 10, 0.0)
    assert training_progress.read(tmp_path).left is None
    clock[0] += 12  # half an epoch, with its part of the evaluation
    one.tell(rows(1), 5, 10, 2.5)
    found = training_progress.read(tmp_path)
    assert found.left == pytest.approx(2.5 * 24)
    assert (found.epoch, found.step, found.steps, found.seconds) == (2, 5, 10, 6.5)
    assert (found.best_epoch, found.monitor, found.value) == (1, "val_auroc", 0.6)


def test_a_training_that_died_has_told_and_one_that_is_done_is_silent(tmp_path, monkeypatch):
    monkeypatch.setattr(reporter, "SECONDS", 0.0)
    data, out, cell = make_data(tmp_path / "toy"), tmp_path / "out", make_cell(epochs=2)

    def die(*arguments):
        raise Died

    with monkeypatch.context() as patch, pytest.raises(Died):
        patch.setattr(train, "write_predictions", die)
        run(cell, data, out)
    found = training_progress.read(out)
    assert [row["epoch"] for row in found.history] == [1, 2]
    assert found.left == pytest.approx(0) and found.epochs == found.epoch == 2
    run(cell, data, out)
    assert not (out / training_progress.FILE).exists()


def test_where_it_cannot_be_written_training_goes_on(tmp_path, monkeypatch):
    def full(progress, folder):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(reporter, "write", full)
    out = run(make_cell(epochs=1), make_data(tmp_path / "toy"), tmp_path / "out")
    assert (out / "history.parquet").is_file()


@pytest.mark.parametrize("text", [None, "", "{", '{"epochs": "many"}'])
def test_a_file_that_says_nothing_is_no_progress(tmp_path, text):
    if text is not None:
        (tmp_path / training_progress.FILE).write_text(text)
    assert training_progress.read(tmp_path) is None
