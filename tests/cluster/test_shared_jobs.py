"""`shared_jobs` and `side_by_side`: several jobs in one of Slurm, each with an end of its own."""

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from snakemake.iocontainers import ResourceList

from cxrgrid.cluster import shared_jobs, side_by_side, slurm
from cxrgrid.cluster.shared_jobs import Gathering, Shared


def job(seed: int, attempt: int = 1, **asked):
    """A training as the executor gets it."""
    resources = {"cells_per_gpu": 2, "gpu": 1, "mem_mb": 8000, "runtime": 30} | asked
    return SimpleNamespace(
        rule=SimpleNamespace(name="train"),
        name="train",
        jobid=seed,
        attempt=attempt,
        wildcards=["ward", "resnet", "scratch", "default", "", str(seed)],
        threads=2,
        resources=ResourceList(fromdict=resources),
        is_group=lambda: False,
    )


def sent(found) -> list[list[int]]:
    """Seeds of the jobs that are sent, by Slurm job."""
    return [[one.jobid for one in getattr(each, "jobs", [each])] for each in found]


@pytest.fixture
def gathered(monkeypatch):
    """Add jobs at once: what is sent then, and what is when no others have come for a while."""
    now = [0.0]
    monkeypatch.setattr(shared_jobs.time, "monotonic", lambda: now[0])

    def gather(*jobs):
        gathering, found = Gathering(), []
        for one in jobs:
            gathering.add(one)
        for _ in range(2):
            found.append(sent(gathering.ready()))
            now[0] += shared_jobs.PAUSE
        assert not gathering.waiting
        return found

    return gather


def test_jobs_wait_until_a_shared_one_is_full_or_no_others_come(gathered):
    assert gathered(*map(job, range(5))) == [[[0, 1], [2, 3]], [[4]]]
    assert gathered(job(0, cells_per_gpu=8), job(1, cells_per_gpu=8)) == [[], [[0, 1]]]


def test_only_jobs_for_the_same_place_and_of_the_same_attempt_share_one(gathered):
    others = [job(1, attempt=2), job(2, slurm_partition="short"), job(3, gpu_model="a100")]
    found = gathered(job(0), *others, job(4, mem_mb=9000, runtime=60))
    assert found == [[[0, 4]], [[1], [2], [3]]]


def test_a_shared_job_asks_for_the_cpus_and_memory_of_all_and_the_longest_time():
    shared = Shared([job(0), job(1, mem_mb=16000, runtime=90)])
    asked = {name: shared.resources.get(name) for name in ("gpu", "mem_mb", "runtime")}
    assert asked == {"gpu": 1, "mem_mb": 24000, "runtime": 90} and shared.threads == 4
    facts = {"run_uuid": "x", "slurm_logfile": "x", "comment_str": "", "account": ""}
    text = shared_jobs.submission(shared, facts | {"partition": "", "workdir": ""})
    for part in ("--mem 24000", "-t 90", "--cpus-per-task=4", "ward_resnet_scratch_default__1"):
        assert part in text


def test_what_is_tried_before_a_run_is_as_large_as_what_is_sent():
    assert shared_jobs.several(job(0), 5).threads == 4
    assert shared_jobs.several(job(0), 1).threads == 2
    with pytest.raises(SystemExit, match="cells_per_gpu of rule train is 'many', and no whole"):
        shared_jobs.several(job(0, cells_per_gpu="many"), 5)


def test_fewer_share_a_job_where_names_are_too_long_for_slurm(gathered, monkeypatch):
    monkeypatch.setattr(shared_jobs, "COMMENT", 120)
    assert gathered(*(job(seed, cells_per_gpu=4) for seed in range(4))) == [[[0, 1, 2]], [[3]]]


def test_the_queue_names_each_job_that_shares_one_until_its_own_end(tmp_path, monkeypatch):
    comment = shared_jobs.comment([job(0), job(1)])
    row = f"7|cxrgrid_tiny_1|{comment}|RUNNING|None|1:00|{tmp_path}"
    monkeypatch.setattr(slurm, "ask", lambda *_: [row])
    names = [slurm.job_name("train", job(seed).wildcards) for seed in (0, 1)]
    assert [(one.number, one.what) for one in slurm.queue(tmp_path)] == [("7", n) for n in names]
    logs = tmp_path / slurm.LOGS / "tiny/rule_train/ward_resnet_scratch_default__0"
    logs.mkdir(parents=True)
    (logs / "7.end").write_text("FAILED")
    assert [one.what for one in slurm.queue(tmp_path)] == names[1:]


@pytest.fixture
def beside(tmp_path, monkeypatch):
    """Run commands side by side as job 7: whether all ended well, and the end of each."""
    monkeypatch.setattr(side_by_side, "SETTLES", 0)

    def run(**commands: str) -> tuple[bool, dict[str, str]]:
        file = tmp_path / "commands.json"
        file.write_text(json.dumps({str(tmp_path / name): text for name, text in commands.items()}))
        well = side_by_side.run(file, "7")
        return well, {path.parent.name: path.read_text() for path in tmp_path.glob("*/7.end")}

    return run


def test_each_has_a_log_and_an_end_of_its_own_and_is_not_run_twice(beside, tmp_path):
    well, ends = beside(good="echo fine", bad="echo no >&2; exit 3", killed="kill -9 $$")
    assert not well
    assert ends == {"good": "COMPLETED", "bad": "FAILED", "killed": "FAILED"}
    logs = {name: (tmp_path / name / "7.log").read_text() for name in ends}
    assert logs == {"good": "fine\n", "bad": "no\n", "killed": ""}
    assert beside(good="exit 1", bad="exit 1", killed="exit 1", new="true")[0]
    assert not beside(other="exit 1")[0]


def test_a_lack_of_memory_is_told_from_other_failures(beside, tmp_path, monkeypatch):
    """By the kernel's count of the job's own control group, of either version."""
    monkeypatch.setattr(side_by_side, "CGROUPS", tmp_path)
    counts = []
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, kind, place = line.split(":", 2)
        if kind in ("", "memory"):
            name = f"{kind}{place}/memory.{'oom_control' if kind else 'events'}"
            counts.append(tmp_path / name.lstrip("/"))
            counts[-1].parent.mkdir(parents=True, exist_ok=True)
            counts[-1].write_text("oom_kill 1\n")
    if not counts:
        pytest.skip("no control groups here")
    _, ends = beside(bad="exit 1", large=f"sleep 0.1; echo oom_kill 2 >{counts[0]}; exit 1")
    assert ends == {"bad": "FAILED", "large": "OUT_OF_MEMORY"}
    assert slurm.STATES[ends["large"]] == "out of memory"


def test_a_job_that_was_asked_to_end_has_an_end_only_if_it_finished(beside):
    well, ends = beside(stopped="kill -TERM $PPID; exit 1")
    assert not well and ends == {}
    assert beside(finished="kill -TERM $PPID; exit 0")[1] == {"finished": "COMPLETED"}
    # Slurm's warning before the time limit is not that: the job will not be started again.
    assert beside(warned="kill -USR1 $PPID; exit 1")[1]["warned"] == "FAILED"


def test_nothing_goes_on_beside_the_next_attempt(beside, tmp_path, monkeypatch):
    """A command that is killed leaves its training: it is asked to end, and later has to."""
    monkeypatch.setattr(side_by_side, "SAVES", 0.1)
    training = tmp_path / "training"
    training.write_text('trap "$1" TERM; echo on; while true; do sleep 0.01; done')
    commands = {}
    for name, asked in (("saves", "sleep 0.03; echo saved; exit"), ("stays", "")):
        started = f"until [ -s {tmp_path}/{name}/7.log ]; do sleep 0.01; done"
        commands[name] = f"sh {training} '{asked}' & {started}; kill -9 $$"
    beside(**commands)
    assert (tmp_path / "saves/7.log").read_text().splitlines()[-1] == "saved"
    assert not running(str(training))


def running(word: str) -> list[str]:
    """Processes with a word in their command, but for those that wait for their parent."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if word in (path / "cmdline").read_bytes().decode(errors="replace").split("\0"):
                found.append(path.name)
    return found


def test_a_shell_outlives_the_warning_before_the_time_limit(beside, tmp_path):
    assert beside(warned="kill -USR1 $$; echo on")[1] == {"warned": "COMPLETED"}


def test_the_step_knows_its_job_and_not_the_jobs_own_settings(tmp_path):
    """As in Snakemake's plugin: they contradict what the step asks for."""
    (tmp_path / "srun").write_text("#!/bin/sh\necho $SLURM_JOB_ID $SLURM_NTASKS $OTHER $*\n")
    (tmp_path / "srun").chmod(0o755)
    env = os.environ | {"SLURM_JOB_ID": "7", "SLURM_NTASKS": "2", "OTHER": "kept"}
    command = [sys.executable, "-m", "cxrgrid.cluster.side_by_side", "file", "srun", "-n1"]
    env["PATH"] = f"{tmp_path}:{env['PATH']}"
    said = subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout
    assert said.startswith("7 kept -n1 ") and said.endswith(".side_by_side file\n")
