"""`preflight`: what a killed run left is cleared, and what a living one holds is not."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from cxrgrid.cluster import patience, preflight, slurm
from cxrgrid.config.errors import UserError

WORKFLOW = SimpleNamespace(is_main_process=True)
CODE = "import sys, time; from types import SimpleNamespace as Namespace; "
CODE += "from cxrgrid.cluster import preflight; preflight.enter(Namespace(is_main_process=True)); "
CODE += "print(1, flush=True); time.sleep(60)"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder in which another run lives; that run, and the lock of Snakemake's."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(preflight, "HELD", [])
    monkeypatch.setattr(preflight, "beat", lambda path: None)  # which would end this process
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


@pytest.fixture
def elsewhere(folder) -> Path:
    """The file of a run on another machine, which has 2 jobs in the queue."""
    other, _ = folder
    other.kill()
    other.wait()
    (file,) = preflight.RUNS.glob("*.run")
    path = file.rename(file.with_name(file.name.replace(socket.gethostname(), "login2")))
    path.write_text("cxrgrid_mine_1")
    return path


@pytest.fixture
def queue(monkeypatch) -> dict[str, slurm.Job]:
    """Slurm's queue, by job number, and what is cancelled leaves it."""
    found = {
        number: slurm.Job(number, "cxrgrid_mine_1", "rule_train", "RUNNING", "", 0.0)
        for number in "78"
    }

    def cancel(numbers):
        for number in numbers:
            found.pop(number)

    monkeypatch.setattr(slurm, "known_queue", lambda place: list(found.values()))
    monkeypatch.setattr(slurm, "cancel", cancel)
    monkeypatch.setattr(preflight, "BEAT", 0.01)
    return found


def test_a_run_on_another_machine_that_gives_signs_of_life_stays(folder, elsewhere, queue):
    _, lock = folder
    preflight.enter(WORKFLOW)
    assert lock.exists() and elsewhere.exists()
    with pytest.raises(
        SystemExit, match=r"snakemake on login2, .* 2 jobs of this study .*take_over"
    ):
        preflight.end_orphans("mine")
    preflight.end_orphans("another")  # two studies at once are no harm
    assert set(queue) == {"7", "8"}


def test_a_run_on_another_machine_that_gives_none_has_ended(folder, elsewhere, queue, capsys):
    _, lock = folder
    long_ago = elsewhere.stat().st_mtime - 2 * preflight.GONE
    os.utime(elsewhere, (long_ago, long_ago))
    preflight.enter(WORKFLOW)
    assert not lock.exists()
    preflight.end_orphans("mine")
    assert not queue and not elsewhere.exists()
    assert "their trainings go on from their last state" in capsys.readouterr().err


def test_a_run_on_another_machine_is_taken_over_by_word(folder, elsewhere, queue):
    _, lock = folder
    preflight.enter(WORKFLOW, take_over=True)
    assert not lock.exists() and not elsewhere.exists()
    preflight.end_orphans("mine")
    assert not queue and list(preflight.RUNS.glob("*.taken")) == []


def test_a_run_that_was_taken_over_ends_at_its_next_sign_of_life(folder):
    code = CODE.replace("preflight.enter", "preflight.BEAT = 0.05; preflight.enter")
    code = code.replace("print(1", "print(*preflight.RUNS.glob('*.run')")
    mine = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    names = mine.stdout.readline().split()
    time.sleep(0.2)
    assert mine.poll() is None
    for name in names:
        Path(name).unlink()
    assert mine.wait(60) == 1


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


def test_other_engines_are_not_taken_for_slurm(monkeypatch):
    monkeypatch.setattr(preflight.slurm, "answers", lambda: pytest.fail("Slurm was asked"))
    executor = SimpleNamespace(run_uuid="as LSF's has one")
    preflight.begin(SimpleNamespace(scheduler=SimpleNamespace(_executor=executor)), "mine")


def test_a_queue_that_is_not_told_is_not_taken_for_an_empty_one(folder, elsewhere, monkeypatch):
    """Slurm answered a moment ago; now squeue fails, while jobs of a killed run may be there."""
    preflight.enter(WORKFLOW)
    monkeypatch.setattr(slurm, "told", lambda *command: None)
    monkeypatch.setattr(slurm.shutil, "which", lambda name: name)
    with pytest.raises(SystemExit, match="Slurm does not answer"):
        preflight.end_orphans("mine")
    assert elsewhere.exists()
    slurm.LOGS.mkdir(parents=True)
    with pytest.raises(UserError, match="jobs may run; merge when it does"):
        preflight.check_idle("merge")
    answers = [None, [slurm.Job("7", "cxrgrid_mine_1", "rule_train", "RUNNING", "", 0.0)], None, []]
    monkeypatch.setattr(slurm, "known_queue", lambda place: answers.pop(0))
    monkeypatch.setattr(preflight.time, "sleep", lambda seconds: None)
    preflight.wait(["7"])
    assert answers == []


def test_a_slow_slurm_is_waited_for_and_a_mute_one_given_up(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(patience, "SOON", 0.15)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    said = []
    for sinfo, most in (("true", 9), ("sleep 0.3", 9), ("exec sleep 9", 0.25), ("false", 9)):
        monkeypatch.setattr(patience, "LONG", most)
        (tmp_path / "sinfo").write_text(f"#!/bin/sh\n{sinfo}\n")
        (tmp_path / "sinfo").chmod(0o755)
        said.append((slurm.answers(), "has not answered" in capsys.readouterr().err))
    assert said == [(True, False), (True, True), (False, True), (False, False)]


def test_a_folder_without_runs_is_entered(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(preflight, "beat", lambda path: None)
    monkeypatch.setattr(preflight, "HELD", [])
    preflight.enter(WORKFLOW)
    assert len(list(Path(".snakemake/runs").glob("*.run"))) == 1
    preflight.HELD[0].close()
