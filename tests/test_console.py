"""The console of `snakemake`: one line per finished job, failures and why, no rule bodies."""

import os
import pty
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from snakemake_logger_plugin_cxrgrid.job import Job, configs, in_short, rerun, said
from snakemake_logger_plugin_cxrgrid.tally import Tally
from test_architecture import ROOT
from warm_python import warm_python

CELL = "{dataset}/{recipe}/seed{seed}"
SNAKEFILE = f"""
rule all:
    input: expand("out/{CELL}.txt", dataset=["ward", "clinic"], recipe="default", seed=[0])
rule train:
    output: "out/{CELL}.txt"
    log: "out/{CELL}.log"
    shell:
        "(echo epoch; if [ -e broken ] && [ {{wildcards.dataset}} = clinic ]; then"
        " echo 'error: the loss is not finite in epoch 1'; exit 1; fi;"
        " echo 'val AUROC 0.79 in epoch 2 of 3'; touch {{output}}) > {{log}} 2>&1"
"""
WARD = "train    ward seed 0"


@pytest.fixture
def folder(tmp_path) -> Path:
    """A workflow of two jobs that train nothing."""
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
    return tmp_path


def run(folder: Path, *arguments: str) -> tuple[int, str]:
    """Status and output of a snakemake whose output goes to a pipe."""
    done = subprocess.run(command(*arguments), cwd=folder, stdout=-1, stderr=subprocess.STDOUT)
    return done.returncode, done.stdout.decode()


def command(*arguments: str) -> list[str]:
    """Snakemake with our console, one job at a time."""
    base = [warm_python(), "-m", "snakemake", "--cores", "1", "--keep-going"]
    return [*base, "--logger", "cxrgrid", *arguments]


def log(folder: Path) -> str:
    """Snakemake's own log of the last run."""
    return sorted((folder / ".snakemake/log").glob("*.log"))[-1].read_text()


def test_one_line_per_job_with_its_result_and_the_whole_in_the_log(folder):
    status, said = run(folder)
    assert status == 0, said
    assert said.startswith("2 jobs: train 2\n")
    assert said.count("val AUROC 0.79 in epoch 2 of 3") == 2
    assert WARD in said and "1/2" in said and "2 of 2 jobs done, in " in said
    for body in ("rule train", "Finished jobid", "echo", "\033", "\r"):
        assert body not in said
    assert "rule train" in log(folder) and "Shell command: (echo epoch" in log(folder)


def test_a_failure_has_its_cause_its_log_and_its_command(folder):
    (folder / "broken").touch()
    status, said = run(folder, "--retries", "1", "--config", "some=thing")
    assert status == 1
    assert said.count("failed  train clinic seed 0 after ") == 2 and "again   train clinic" in said
    assert "NaN: the loss is not finite in epoch 1" in said
    assert "log: out/clinic/default/seed0.log" in said
    again = "rerun: snakemake out/clinic/default/seed0.txt --config some=thing"
    assert again in said
    assert WARD in said and "1 of 2 jobs done, 1 failed, in " in said
    assert "echo epoch" not in said and "CalledProcessError" not in said


def test_a_log_that_was_never_written_is_not_named(tmp_path):
    (tmp_path / "empty.log").touch()
    (tmp_path / "7.log").write_text("slurm_script: not found\n")
    logs = [str(tmp_path / name) for name in ("none.log", "empty.log", "7.log")]
    assert said(logs) == logs[2:]


def test_on_a_terminal_a_last_line_is_written_over_and_taken_away(folder):
    ours, theirs = pty.openpty()
    done = subprocess.Popen(command(), cwd=folder, stdout=theirs, stderr=theirs)
    os.close(theirs)
    said = read_all(ours)
    assert done.wait() == 0
    assert "\r\033[K" in said and "0/2  train" in said and f"1/2  {WARD[:5]}" in said
    assert said.rstrip("\r\n").endswith("\r\033[K") and "\033[90m" in said


def read_all(descriptor: int) -> str:
    """Text that a terminal has shown until its other side is closed."""
    read = b""
    while True:
        try:
            chunk = os.read(descriptor, 65536)
        except OSError:
            return read.decode()
        if not chunk:
            return read.decode()
        read += chunk


def test_a_dry_run_lists_jobs_with_reasons_and_p_shows_commands(folder):
    status, said = run(folder, "-n")
    assert status == 0
    assert re.search(rf"^{WARD} +missing output files$", said, re.M) and "total        3" in said
    assert "echo" not in said and "rule train" not in said and said.count("Job stats") == 1
    assert "Shell command: (echo epoch" in run(folder, "-n", "-p")[1]


def test_a_config_file_at_fault_is_one_line(folder):
    (folder / "study.yaml").write_text("a: 1\n\tb: 2\n")
    for more in ([], ["-p"]):
        status, said = run(folder, "-n", "--configfile", "study.yaml", *more)
        assert status == 1 and said.count("error: study.yaml, line 2: begins with a tab") == 1
    assert configs(["-n", "--configfile", "a", "b", "-c1", "--configfile=c"]) == ["a", "b", "c"]


def test_quiet_is_snakemakes_own_and_what_is_done_is_said(folder):
    assert run(folder, "--quiet", "all") == (0, "")
    assert "Nothing to be done" in run(folder)[1]


def job(rule: str, began: float, **wildcards: str) -> Job:
    """A job without files."""
    return Job(rule, wildcards, [], [], None, began)


def test_names_are_short():
    cell = {"dataset": "ward", "backbone": "resnet10t", "init": "scratch"}
    trained = job("train", 0, **cell, recipe="default", seed="0")
    assert trained.title == "train ward/resnet10t/scratch seed 0"
    moved = job("predict", 0, **cell, recipe="long", seed="1", target="clinic")
    assert moved.name == "ward/resnet10t/scratch/long seed 1 on clinic"
    assert job("score", 0, target="ward").title == "score ward"
    assert job("report", 0).title == "report"


def test_the_time_left_waits_for_a_training_and_counts_what_runs_side_by_side():
    tally = Tally()
    tally.plan({"split": 1, "train": 5, "all": 1, "total": 7})
    tally.began = 0
    tally.start(1, job("split", 0))
    tally.end(1, 1)
    tally.start(2, job("train", 1))
    tally.start(3, job("train", 1))
    assert tally.seconds_left(100) is None
    tally.end(2, 101)
    tally.end(3, 101)
    # Three of 100 s, two at a time, as trainings did since the first of them.
    assert tally.seconds_left(101) == pytest.approx(300 / 2)
    assert tally.counter() == "3/6"


def test_a_rerun_keeps_config_and_place_but_no_targets():
    typed = "old --configfile a.yaml b.yaml -n --profile slurm other --config x=1 --cores 4"
    kept = "--configfile a.yaml b.yaml --profile slurm --config x=1"
    assert rerun("new", typed.split()) == f"snakemake new {kept}"
    stored = "--default-storage-provider fs --storage-s3-retries=2 --default-storage-prefix /x"
    assert rerun("new", ["old", *stored.split(), "-n"]) == f"snakemake new {stored}"
    assert rerun("new", ["--configfile=a.yaml", "old"]) == "snakemake new --configfile=a.yaml"


def test_reasons_are_told_without_their_lists():
    reason = "Missing output files: a, b; Params have changed since last execution: {'x; y': 1}"
    assert in_short(reason) == "missing output files; params have changed since last execution"


def test_the_default_profile_chooses_it_and_others_do_not_undo_it():
    found = {
        path.parent.name: yaml.safe_load(path.read_text()) for path in ROOT.glob("profiles/*/*")
    }
    assert found["default"]["logger"] == ["cxrgrid"]
    for name, profile in found.items():
        assert not {"quiet", "printshellcmds", "verbose"} & set(profile), name
        assert name == "default" or "logger" not in profile
