"""`preflight`: what a killed run left is cleared, and what a living one holds is not."""

import signal
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from cxrgrid.cluster import preflight

WORKFLOW = SimpleNamespace(is_main_process=True)
CODE = "import sys, time; from types import SimpleNamespace as Namespace; "
CODE += "from cxrgrid.cluster import preflight; preflight.enter(Namespace(is_main_process=True)); "
CODE += "print(1, flush=True); time.sleep(60)"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder in which another run lives; that run, and the lock of Snakemake's."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(preflight, "HELD", [])
    before = signal.getsignal(signal.SIGUSR1)
    other = subprocess.Popen([sys.executable, "-c", CODE], stdout=subprocess.PIPE, text=True)
    assert other.stdout.readline() == "1\n"
    preflight.LOCKS.mkdir()
    lock = preflight.LOCKS / "0.output.lock"
    lock.write_text("results/x\n")
    yield other, lock
    other.kill()
    other.wait()
    for held in preflight.HELD:
        held.close()
    signal.signal(signal.SIGUSR1, before)


def test_the_lock_of_a_living_run_stays(folder):
    _, lock = folder
    preflight.enter(WORKFLOW)
    assert lock.exists()


def test_the_lock_of_a_killed_run_goes(folder):
    other, lock = folder
    other.kill()
    other.wait()
    preflight.enter(WORKFLOW)
    assert not lock.exists()


def test_a_run_on_another_machine_may_live(folder):
    other, lock = folder
    other.kill()
    other.wait()
    (file,) = preflight.RUNS.glob("*.run")
    file.rename(file.with_name(file.name.replace(socket.gethostname(), "login2")))
    preflight.enter(WORKFLOW)
    assert lock.exists()


def test_a_job_leaves_locks_alone_and_the_time_limits_warning_to_the_trainer(folder):
    other, lock = folder
    other.kill()
    other.wait()
    preflight.enter(SimpleNamespace(is_main_process=False))
    assert lock.exists() and len(list(preflight.RUNS.glob("*.run"))) == 1
    assert signal.getsignal(signal.SIGUSR1) == signal.SIG_IGN


def test_a_slurm_that_does_not_answer_ends_the_run_and_forgets_no_killed_one(folder, monkeypatch):
    other, _ = folder
    (before,) = preflight.RUNS.glob("*.run")
    other.kill()
    other.wait()
    preflight.enter(WORKFLOW)
    monkeypatch.setattr(preflight.slurm, "answers", lambda: False)
    executor = SimpleNamespace(run_uuid="ours", name_study=lambda study: None)
    with pytest.raises(SystemExit, match="Slurm does not answer"):
        preflight.begin(SimpleNamespace(scheduler=SimpleNamespace(_executor=executor)), "mine")
    assert before.exists()


def test_a_folder_without_runs_is_entered(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(preflight, "HELD", [])
    preflight.enter(WORKFLOW)
    assert len(list(Path(".snakemake/runs").glob("*.run"))) == 1
    preflight.HELD[0].close()
