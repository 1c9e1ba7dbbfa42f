"""`slurm_executor`: how a job's end is told from what Slurm says, or does not say, of it."""

import asyncio
import logging
import os
import re
import shlex
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from snakemake.api import ExecutorPluginRegistry

from cxrgrid.cluster import patience, refusals, shared_jobs, slurm, slurm_executor

RUN = "cxrgrid_tiny_1"


class File:
    """An output of a job."""

    def __init__(self, there: bool):
        self.there = there

    async def exists(self) -> bool:
        return self.there


@pytest.fixture
def executor(tmp_path, monkeypatch):
    """An executor that has sent one job, 7; what it reports of it, in order."""
    found = object.__new__(slurm_executor.Executor)
    found.since, found.silent_since, found.told, found.run_uuid = {}, 0.0, set(), RUN
    found.stopping, found.ending = threading.Event(), threading.Event()
    found.sending, found.lock, found.active_jobs = SimpleNamespace(), threading.Lock(), []
    found.logger, found._submitted_job_clusters = logging.getLogger("test"), set()
    found.incomplete, found.said, found._next_seconds_between_status_checks = [], [], 1

    async def incomplete(job):
        return found.incomplete

    settings = SimpleNamespace(init_seconds_before_status_checks=1)
    found.workflow = SimpleNamespace(
        executor_settings=settings,
        execution_settings=SimpleNamespace(latency_wait=0),
        persistence=SimpleNamespace(incomplete=incomplete),
    )
    monkeypatch.setattr(found, "report_job_success", lambda job: found.said.append("done"))
    failed = lambda job, msg, aux_logs: found.said.append(msg)  # noqa: E731
    monkeypatch.setattr(found, "report_job_error", failed)
    monkeypatch.setattr(slurm_executor.slurm, "cancel", lambda ids: found.said.append("cancelled"))
    log = tmp_path / "7.log"
    log.touch()
    found.sent = SimpleNamespace(
        external_jobid="7", job=SimpleNamespace(output=[File(True)]), aux={"slurm_logfile": log}
    )
    return found


def look(executor, monkeypatch, tmp_path, squeue: str, sacct: str = "exit 1") -> list[str]:
    """Let the executor look at its job once, with commands that say so; ids of what goes on."""
    for name, text in (("squeue", squeue), ("sacct", sacct)):
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    async def goes_on():
        return [job.external_jobid async for job in executor.check_active_jobs([executor.sent])]

    return asyncio.run(goes_on())


def says(line: str) -> str:
    return f"echo {shlex.quote(line)}"


def test_it_stands_in_the_place_of_the_plugins():
    slurm_executor.install()
    assert ExecutorPluginRegistry().get_plugin("slurm").executor is slurm_executor.Executor


def test_slurm_is_not_asked_when_snakemake_loads_its_plugins(tmp_path):
    asked = tmp_path / "asked"
    for name in ("scontrol", "squeue"):
        (tmp_path / name).write_text(f"#!/bin/sh\ntouch {asked}\n")
        (tmp_path / name).chmod(0o755)
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    env["PATH"] = f"{tmp_path}:/usr/bin:/bin"

    def printed(code: str) -> list[str]:
        run = [sys.executable, "-c", code]  # as it is installed: not from this folder
        done = subprocess.run(run, env=env, capture_output=True, text=True, check=True)
        return done.stdout.split()

    listed = "from snakemake.api import ExecutorPluginRegistry as All; print(*All().plugins)"
    names = printed(listed)
    assert names.index("cxrgrid") < names.index("slurm") and not asked.exists()
    printed("import snakemake_executor_plugin_slurm")
    assert asked.exists(), "the plugin asks no more by itself: ours is not needed"


def test_a_jobs_cpus_are_not_bounded_by_the_machine_that_sends_it(executor, monkeypatch):
    monkeypatch.setattr(slurm_executor.PluginExecutor, "__post_init__", lambda self: None)
    monkeypatch.setattr(slurm_executor.head_job, "most_cpus", lambda: 64)
    monkeypatch.setattr(slurm_executor.slurm, "answers", lambda: True)
    executor.workflow.global_resources = {"_cores": 2}
    executor.__post_init__()
    assert executor.workflow.global_resources["_cores"] == 64


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        ({"gpu": 1}, " --gpus=1"),
        ({"gpu": 2, "gpu_model": "a100"}, " --gpus=a100:2"),
        ({"gpu": 1, "gpu_model": "a100-sxm4-40gb"}, " --gpus=a100-sxm4-40gb:1"),
        ({"gres": "shard:1", "gpu": 0}, " --gres=shard:1"),
    ],
)
def test_gpus_are_asked_for_by_number_kind_or_share(asked, sent):
    assert slurm_executor.gpus(SimpleNamespace(resources=Resources(asked))) == sent


class Resources(dict):
    """Resources of a job, also as attributes."""

    __getattr__ = dict.__getitem__


@pytest.mark.parametrize("state", ["PENDING", "RUNNING", "COMPLETING", "SUSPENDED"])
def test_what_is_in_the_queue_goes_on(executor, monkeypatch, tmp_path, state):
    assert look(executor, monkeypatch, tmp_path, says(f"7|{state}|None")) == ["7"]
    assert executor.said == []


REASONS = ["JobHeldAdmin", "PartitionTimeLimit", "AssocGrpGRESMinutes", "QOSMaxCpuPerJobLimit"]
REASONS += ["ReqNodeNotAvail, UnavailableNodes:n1"]


@pytest.mark.parametrize("reason", REASONS)
def test_a_wait_that_may_not_end_by_itself_is_told_once(
    executor, monkeypatch, tmp_path, caplog, reason
):
    for line in ("7|PENDING|Priority", "7|RUNNING|None", f"7|PENDING|{reason}") * 2:
        assert look(executor, monkeypatch, tmp_path, says(line)) == ["7"]
    (said,) = [record.message for record in caplog.records]
    assert said.startswith(f"1 job waits in the queue for {reason.split(',')[0]}, which may not")
    page = (Path(__file__).parents[2] / "docs/cluster.md").read_text()
    assert "## While it runs" in page, "the line names it"


def test_while_slurm_is_silent_all_goes_on(executor, monkeypatch, tmp_path, caplog):
    caplog.set_level("INFO")
    for _ in range(2):
        assert look(executor, monkeypatch, tmp_path, "exit 1") == ["7"]
    assert look(executor, monkeypatch, tmp_path, says("7|RUNNING|None")) == ["7"]
    assert caplog.records[0].message.startswith("Slurm does not answer")
    assert len(caplog.records) == 2 and executor.said == []


ENDS = [
    ("7|FAILED|x", "exit 1", "FAILED"),
    ("7|PREEMPTED|None", "exit 1", "PREEMPTED"),
    ("7|PENDING|launch failed requeued held", "exit 1", slurm.HELD),
    ("8|RUNNING|None", "exit 1", slurm.LEFT),
    ("", "echo '7|CANCELLED by 0|x'", "CANCELLED"),
    ("", "echo '7|RUNNING|Unknown'", slurm.LEFT),  # accounting that missed its end
]


@pytest.mark.parametrize(("squeue", "sacct", "state"), ENDS)
def test_an_end_is_a_failure_unless_the_results_are_whole(
    executor, monkeypatch, tmp_path, squeue, sacct, state
):
    executor.incomplete = executor.sent.job.output
    assert look(executor, monkeypatch, tmp_path, says(squeue), sacct) == []
    assert executor.said[-1] == f"Slurm job 7 ended as {state}. "
    doubted = state in ("PREEMPTED", slurm.HELD, slurm.LEFT)
    assert (executor.said[0] == "cancelled") == doubted, "nothing may run beside its retry"
    told = slurm.ending(Path(executor.sent.aux["slurm_logfile"]))
    assert told[0] == slurm.STATES.get(state, "")
    executor.incomplete, executor.said = [], []
    assert look(executor, monkeypatch, tmp_path, says(squeue), sacct) == []
    assert executor.said[-1] == "done"
    executor.sent.job.output = [File(False)]
    assert look(executor, monkeypatch, tmp_path, says(squeue), sacct) == []
    assert "ended as" in executor.said[-1]


def test_what_may_come_back_is_waited_for(executor, monkeypatch, tmp_path):
    executor.workflow.execution_settings.latency_wait = 60
    for line in ("7|PREEMPTED|None", "7|PENDING|Priority", "", "7|NODE_FAIL|None"):
        assert look(executor, monkeypatch, tmp_path, says(line)) == ["7"]
    assert executor.said == []


def test_an_end_that_slurm_tells_needs_no_files(executor, monkeypatch, tmp_path):
    """Snakemake waits for them, and says which are missing."""
    executor.sent.job.output = [File(False)]
    for squeue, sacct in (("7|COMPLETED|None", "exit 1"), ("", "echo '7|COMPLETED|x'")):
        assert look(executor, monkeypatch, tmp_path, says(squeue), sacct) == []
    assert executor.said == ["done", "done"]


@pytest.fixture
def sharing(executor, tmp_path):
    """The executor, whose job shares a Slurm job; the log of all, and what to write its end to."""
    log = Path(executor.sent.aux["slurm_logfile"])
    executor.sent.aux = {"slurm_logfile": log, "shared": tmp_path / "shared.log"}
    executor.sent.job.output = [File(False)]
    return executor, tmp_path / "shared.log", log.with_suffix(slurm.END)


def test_a_job_that_shares_one_may_end_before_it(sharing, monkeypatch, tmp_path):
    executor, _, end = sharing
    runs = says("7|RUNNING|None")
    assert look(executor, monkeypatch, tmp_path, runs) == ["7"]
    for state, said in (("FAILED", "Slurm job 7 ended as FAILED. "), ("COMPLETED", "done")):
        end.write_text(state)
        assert look(executor, monkeypatch, tmp_path, runs) == []
        assert executor.said == [said]
        executor.said = []
    end.write_text("COMPLETED")
    assert look(executor, monkeypatch, tmp_path, "exit 1") == [], "also while Slurm is silent"


def test_a_job_without_an_end_of_its_own_ends_as_the_shared_one(sharing, monkeypatch, tmp_path):
    executor, shared, _ = sharing
    said = "*** JOB 7 ON n1 CANCELLED AT 2026-11-27T00:00:00 DUE TO TIME LIMIT ***"
    shared.write_text(f"slurmstepd: error: {said}\n")
    assert look(executor, monkeypatch, tmp_path, says("7|TIMEOUT|x")) == []
    log = executor.sent.aux["slurm_logfile"]
    assert slurm.ending(log)[0] == "time limit" and said in log.read_text()


@pytest.mark.parametrize("state", ["FAILED", "OUT_OF_MEMORY", "CANCELLED"])
def test_an_end_in_a_shared_job_that_failed_may_be_seen_late(sharing, monkeypatch, tmp_path, state):
    executor, _, end = sharing
    executor.workflow.execution_settings.latency_wait = 60
    assert look(executor, monkeypatch, tmp_path, says(f"7|{state}|x")) == ["7"]
    end.write_text("COMPLETED")
    assert look(executor, monkeypatch, tmp_path, says(f"7|{state}|x")) == []
    assert executor.said == ["done"]


def training(folder):
    """A job that trains, with its log."""
    log = [str(folder / "train.log")]
    return SimpleNamespace(name="train", wildcards=["ward", "0"], log=log)


def test_the_log_of_a_training_that_runs_again_is_kept(executor, monkeypatch, tmp_path):
    """Each by the last job that the cell has had, whoever sent it."""
    executor.slurm_logdir, job = tmp_path / "logs", training(tmp_path)
    monkeypatch.setattr(slurm_executor.PluginExecutor, "run_job", lambda self, job: None)
    executor.run_job(job)  # the first: there is nothing yet
    folder = tmp_path / "logs/rule_train/ward_0"
    folder.mkdir(parents=True)
    for number in (9, 10):
        (folder / f"{number}.log").touch()
        (tmp_path / "train.log").write_text(f"of {number}")
        executor.run_job(job)
    found = {path.name: path.read_text() for path in folder.glob("*.txt")}
    assert found == {"9.train.txt": "of 9", "10.train.txt": "of 10"}


def test_a_job_is_sent_again_until_slurm_takes_it(executor, monkeypatch, tmp_path):
    answers = ["sbatch: error: Socket timed out", "sbatch: error: AssocMaxSubmitJobLimit", ""]
    monkeypatch.setattr(slurm_executor, "PAUSES", (0, 0))
    executor.slurm_logdir, job = tmp_path / "logs", training(tmp_path)
    strays, passed = [], []
    monkeypatch.setattr(executor, "strays_cancelled", lambda job: strays.append(job) or True)

    def send(self, job):
        if said := answers.pop(0):
            self._report_job_error_threadsafe(
                SimpleNamespace(job=job), f"The error message was '{said}'.\n call"
            )
        else:
            passed.append(job)

    monkeypatch.setattr(slurm_executor.PluginExecutor, "run_job", send)
    executor.run_job(job)
    assert (passed, strays, answers) == ([job], [job, job], [])
    executor.stopping.set()
    executor.run_job(job)
    assert passed == [job], "after Ctrl-c nothing is sent any more"


@pytest.mark.parametrize("seen", [True, False])
def test_a_job_whose_node_does_not_see_the_folder_is_told_as_such(
    executor, monkeypatch, tmp_path, seen
):
    log, executor.sent.job.output = executor.sent.aux["slurm_logfile"], [File(False)]
    if not seen:
        log.unlink()
    assert look(executor, monkeypatch, tmp_path, says("7|FAILED|NonZeroExitCode")) == []
    assert slurm.ending(log)[0] == ("" if seen else "folder not seen by the node")


MUTE = "exit 1"  # a squeue


def refused(executor, monkeypatch, tmp_path, squeue: str) -> list[str]:
    """Send a job that Slurm refuses, with such a `squeue`; SIGTERM at the second send, or soon."""
    (tmp_path / "squeue").write_text(f"#!/bin/sh\n{squeue}\n")
    (tmp_path / "squeue").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(slurm_executor, "PAUSES", (0.02, 0.02))
    executor.slurm_logdir, done = tmp_path / "logs", executor.said

    def refuse(self, job):
        done.append("sent")
        if len(done) > 1:
            executor.ending.set()
        told = "The error message was 'sbatch: error: Socket timed out'.\n call"
        self._report_job_error_threadsafe(SimpleNamespace(job=job), told)

    monkeypatch.setattr(slurm_executor.PluginExecutor, "run_job", refuse)
    place = "_report_job_error_threadsafe"
    monkeypatch.setattr(
        slurm_executor.PluginExecutor, place, lambda *arguments: done.append("failed")
    )
    soon = threading.Timer(5 if squeue != MUTE else 0.25, executor.ending.set)
    soon.start()
    executor.run_job(training(tmp_path))
    soon.cancel()
    return done


def test_nothing_is_sent_again_before_slurm_says_what_is_in_its_queue(
    executor, monkeypatch, tmp_path
):
    """The send that seemed to fail may have put the job there."""
    assert refused(executor, monkeypatch, tmp_path, MUTE) == ["sent", "failed"]


def test_a_job_is_sent_again_when_what_a_send_left_is_gone(executor, monkeypatch, tmp_path):
    """And SIGTERM ends the wait of one that Slurm goes on to refuse."""
    left = tmp_path / "left"
    left.write_text("9|rule_train_wildcards_ward_0|PENDING\n")
    cancelled = []

    def cancel(numbers):
        cancelled.extend(numbers)
        left.write_text("" if len(cancelled) > 1 else left.read_text())  # scancel failed at first

    monkeypatch.setattr(slurm_executor.slurm, "cancel", cancel)
    done = refused(executor, monkeypatch, tmp_path, f"cat {left}")
    assert cancelled == ["9", "9"]
    assert done == ["sent", "sent", "failed"]


def test_a_mute_sbatch_is_given_up_and_its_job_sent_again(tmp_path):
    (tmp_path / "sbatch").write_text("#!/bin/sh\nexec sleep 99\n")
    (tmp_path / "sbatch").chmod(0o755)
    call = shared_jobs.PATIENT.replace(str(patience.LONG), "0.1") + f"{tmp_path}/sbatch -J x"
    done = subprocess.run(call, shell=True, capture_output=True, text=True, timeout=9)
    said = f"SLURM sbatch failed. The error message was '{done.stderr.strip()}'.\n    sbatch call:"
    assert done.returncode and re.search(refusals.PASSING, said)
    assert refusals.in_short(said) == "Slurm does not answer (sbatch)"


def test_what_slurm_never_takes_fails_and_says_why(executor, monkeypatch, tmp_path):
    executor.slurm_logdir, told = tmp_path / "logs", []
    said = "The error message was 'sbatch: error: Invalid qos specification'.\n    sbatch call: x"
    job = SimpleNamespace(job=training(tmp_path))

    def refuse(self, _):
        self._report_job_error_threadsafe(job, said)

    monkeypatch.setattr(slurm_executor.PluginExecutor, "run_job", refuse)
    place = "_report_job_error_threadsafe"
    monkeypatch.setattr(slurm_executor.PluginExecutor, place, lambda self, *args: told.append(args))
    executor.run_job(job.job)
    assert told == [(job, said)]
    (log,) = tmp_path.glob("logs/rule_train/ward_0/*.log")
    assert slurm.ending(log) == (
        "refused by Slurm",
        "not sent: sbatch: error: Invalid qos specification",
    )
