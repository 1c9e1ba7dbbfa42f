"""`lock`: one process at a time, and none after its holder's end, however it ended."""

import os
import signal
import subprocess
import sys

import pytest

from cxrgrid.config.errors import UserError
from cxrgrid.io import locks

HOLDER = "import sys, time; from cxrgrid.io import locks; from pathlib import Path; "
HOLDER += "held = locks.hold(Path(sys.argv[1])); print(bool(held), flush=True); time.sleep(60)"


def holder(path) -> subprocess.Popen:
    """Another process that holds `path`."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "True\n"
    return process


def test_a_lock_ends_with_its_holder_even_if_that_is_killed(tmp_path):
    other = holder(tmp_path / "a.lock")
    assert locks.hold(tmp_path / "a.lock") is None
    other.send_signal(signal.SIGKILL)
    other.wait()
    assert locks.hold(tmp_path / "a.lock") is not None


def test_a_cell_is_claimed_by_one_process_only(tmp_path):
    other = holder(tmp_path / "train.lock")
    with pytest.raises(UserError, match="another process is training this cell"):
        locks.claim(tmp_path)
    other.kill()
    other.wait()
    assert locks.claim(tmp_path)


def test_each_training_gets_a_gpu_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setattr(locks.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,5")
    first = locks.own_gpu()
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "2"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,5")
    second = locks.own_gpu()
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "5"
    first.close()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,5")
    third = locks.own_gpu()
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "2"
    assert second and third


@pytest.mark.parametrize(("job", "gpus"), [("1", "0,1"), (None, "3"), (None, "")])
def test_where_there_is_nothing_to_choose_nothing_is_changed(monkeypatch, job, gpus):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", gpus)
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    if job:
        monkeypatch.setenv("SLURM_JOB_ID", job)
    assert locks.own_gpu() is None
    assert os.environ["CUDA_VISIBLE_DEVICES"] == gpus
