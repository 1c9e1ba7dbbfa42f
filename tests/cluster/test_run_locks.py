"""`run_locks`: results are locked as long as a run lives, and a new run waits for its end."""

import os
import signal
from types import SimpleNamespace

import pytest
from sites import Site

from cxrgrid.cluster import preflight, run_locks
from cxrgrid.io.locks import hold

HOST = "node1"


@pytest.fixture
def other(tmp_path, monkeypatch):
    """The held file of another run of this machine, beside the file of this one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(preflight.socket, "gethostname", lambda: HOST)
    ours = hold(preflight.RUNS.absolute() / f"{HOST}-2.run")
    monkeypatch.setattr(preflight, "HELD", [ours])
    held = hold(preflight.RUNS.absolute() / f"{HOST}-1.run")
    yield held
    held.close()
    ours.close()


@pytest.fixture
def persistence(other, monkeypatch):
    """Snakemake's notes on results, of which another run makes `a`, and ours would too."""
    monkeypatch.setattr(run_locks.Files, "_read_locks", run_locks.read_living)
    monkeypatch.setattr(run_locks.Files, "_write_locks", run_locks.write_own)
    monkeypatch.setattr(run_locks.Files, "_delete_locks", run_locks.delete_own)
    ours = run_locks.Files.__new__(run_locks.Files)
    ours._lockdir = ".snakemake/locks"
    ours.dag = SimpleNamespace(jobs=[SimpleNamespace(input=["x"], output=["a"])])
    monkeypatch.setattr(run_locks.Files, "all_inputfiles", lambda self: ["x"])
    monkeypatch.setattr(run_locks.Files, "all_outputfiles", lambda self: ["a"])
    (preflight.RUNS / f"{HOST}-1.output.lock").write_text("a\nb\n")
    return ours


def test_locks_hold_as_long_as_their_run_lives(persistence, other):
    assert persistence.locked
    other.close()
    assert not persistence.locked


def test_unlock_by_hand_frees_nothing_of_a_run_that_lives(persistence):
    persistence.cleanup_locks()  # which is all that `snakemake --unlock` does
    assert persistence.locked


def test_a_run_that_ends_frees_its_own_locks_alone(persistence, other, monkeypatch):
    monkeypatch.setattr(run_locks.Files, "all_outputfiles", lambda self: ["c"])
    with run_locks.lock_when_free(persistence):
        assert (preflight.RUNS / f"{HOST}-2.output.lock").read_text() == "c\n"
    assert [path.name for path in preflight.RUNS.glob("*.lock")] == [f"{HOST}-1.output.lock"]


def test_a_run_waits_for_the_end_of_another(persistence, other, monkeypatch, capsys):
    monkeypatch.setattr(run_locks.time, "sleep", lambda seconds: other.close())
    with run_locks.lock_when_free(persistence):
        assert (preflight.RUNS / f"{HOST}-2.output.lock").exists()
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and f"a snakemake on {HOST}" in said and "10 min at most" in said


def test_each_of_two_runs_that_wait_says_so(persistence, other, monkeypatch, capsys):
    """And while one looks, the other tries again."""
    waiting = [lambda seconds: other.close(), lambda seconds: gate.close()]
    monkeypatch.setattr(run_locks.time, "sleep", lambda seconds: waiting.pop()(seconds))
    gate = hold(preflight.RUNS / ".gate")
    with run_locks.lock_when_free(persistence):
        assert not waiting
    assert capsys.readouterr().err.count("Waiting for its end") == 1


@pytest.mark.parametrize(("host", "remedy"), [(HOST, "first$"), ("n7", "first, .*take_over=true$")])
def test_a_run_that_lives_on_is_named_in_one_line(persistence, other, monkeypatch, host, remedy):
    monkeypatch.setattr(run_locks, "PATIENCE", -1)
    for path in preflight.RUNS.glob(f"{HOST}-1.*"):
        path.rename(path.with_name(path.name.replace(HOST, host)))
    said = rf"^error: a snakemake on {host}, .* makes the same results; end it {remedy}"
    with pytest.raises(SystemExit, match=said), run_locks.lock_when_free(persistence):
        pass
    assert not (preflight.RUNS / f"{HOST}-2.output.lock").exists()


def test_locks_of_snakemakes_own_go_with_the_last_run(persistence, other, monkeypatch):
    """As a run of an older cxrgrid, which ends while this one waits, has left them."""
    preflight.LOCKS.mkdir()
    (preflight.LOCKS / "0.output.lock").write_text("a\n")
    monkeypatch.setattr(run_locks.time, "sleep", lambda seconds: other.close())
    with run_locks.lock_when_free(persistence):
        assert not list(preflight.LOCKS.glob("*.lock"))


def test_a_run_that_was_a_job_has_ended_when_slurm_says_so(other, tmp_path, monkeypatch):
    """On another node; a run that still gives signs of life lives, whatever a Slurm says."""
    for command, text in (("squeue", "echo 11; echo 12"), ("sinfo", "true")):
        (tmp_path / command).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / command).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    runs = {job: preflight.RUNS / f"n7-5.{job}.run" for job in ("10", "11")}
    runs["none"] = preflight.RUNS / "n7-5.run"
    for path in runs.values():
        path.touch()
    assert not any(map(preflight.ended, runs.values()))
    for path in runs.values():
        date = path.stat().st_mtime - preflight.LATE - 5
        os.utime(path, (date, date))
    assert [job for job, path in runs.items() if preflight.ended(path)] == ["10"]
    (tmp_path / "squeue").write_text("#!/bin/sh\nexit 1\n")
    assert not any(map(preflight.ended, runs.values())), "a Slurm that does not answer"


@pytest.mark.long
def test_the_same_command_while_the_first_is_ending_waits_and_goes_on(tmp_path):
    site = Site(tmp_path, os.environ | {"OMP_NUM_THREADS": "1"})
    command = ["results/data/ward/index.parquet", "--cores", "1"]
    first = again = site.start(*command)
    try:
        site.until(lambda: list(tmp_path.glob(".snakemake/runs/*.output.lock")))
        first.send_signal(signal.SIGSTOP)  # so that it takes its time
        again = site.start(*command)
        site.until(lambda: "makes the same results. Waiting" in site.said())
        first.send_signal(signal.SIGTERM)
        first.send_signal(signal.SIGCONT)
        status, said = site.finish(again)
        assert status == 0 and "Traceback" not in said, said
        assert first.wait(60) != 0 and (tmp_path / command[0]).is_file()
    finally:
        first.kill()
        again.kill()
