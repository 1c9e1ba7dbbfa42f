"""`status`, and `progress` and `slurm` below it: what is said of a cell follows from its files."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pandas as pd
import pytest

from conftest import CONFIG, MISSING
from cxrgrid import collect, status
from cxrgrid.cluster import progress, slurm, training_progress
from cxrgrid.cluster.training_progress import TrainingProgress
from cxrgrid.config.errors import UserError
from cxrgrid.config.grid import Grid
from cxrgrid.io import locks

EPOCH = "epoch 3/8  train loss 0.5000  val loss 0.6  val AUROC 0.7  lr 1e-3  30.0 s  9 images/s\n"
JOB = "slurmstepd: error: *** JOB 12 ON n1 CANCELLED AT 2026-01-01T00:00:00"
MEMORY = "slurmstepd: error: Detected 1 oom_kill event in StepId=12.batch.\n"
WORDS = MISSING.replace("/seed", "__").replace("/", "_")  # fold 0 has an empty wildcard


def look(study, capsys, *options) -> str:
    """Output of the command for a study."""
    capsys.readouterr()
    status.main([str(study), *options])
    return capsys.readouterr().out


def cell(study, capsys) -> dict:
    """The one cell of the study in conftest that is not done, as JSON says it."""
    cells = json.loads(look(study, capsys, "--json"))["demo"]
    (found,) = [one for one in cells if one["state"] != "done"]
    return found


@pytest.fixture
def folder(study, monkeypatch) -> Path:
    """The folder of the cell that has not finished; Slurm and processes are not asked."""
    monkeypatch.chdir(study.parents[2])
    monkeypatch.setattr(slurm, "ask", lambda *command: [])
    found = study.parent / "cells" / MISSING
    found.mkdir(parents=True, exist_ok=True)
    return found


def test_one_line_a_cell_and_totals(study, folder, capsys):
    shown = look(study, capsys).splitlines()
    assert shown[0].startswith("demo: 16 cells: 15 done, 1 never tried;")
    assert len([line for line in shown[1:] if line.strip()]) == 16
    assert "\033" not in "".join(shown)


def test_a_bad_file_of_one_study_does_not_hide_the_others(study, folder, capsys):
    bad = study.parents[1] / "bad/study.json"
    bad.parent.mkdir()
    bad.write_text('{"study": "bad", "datasets": {}, "colour": 1}')
    status.main([])
    said = capsys.readouterr()
    assert said.out.startswith("demo: 16 cells")
    assert said.err.startswith("warning: results/bad/study.json: config: no setting 'colour'")
    with pytest.raises(UserError, match="bad/study.json: config: no setting 'colour'"):
        status.main(["bad"])


ENDS = [
    ("error: cell x: the loss is not finite in epoch 2\n", "", "NaN"),
    ("Traceback (most recent call last):\nOSError: [Errno 28] No space left\n", "", "disk full"),
    ("error: x/state.pt: not written (Read-only file system); …\n", "", "read-only disk"),
    (
        "Traceback (most\ntorch.OutOfMemoryError: CUDA out of memory. Tried\n",
        "",
        "out of GPU memory",
    ),
    ("error: results/data/ward/table.parquet: not a readable file\n", "", "bad data"),
    (EPOCH, "", "stopped"),
    (EPOCH + "stopped by SIGUSR1 in epoch 4; goes on\n", "", "time limit"),
    (EPOCH, JOB + " DUE TO TIME LIMIT ***\n", "time limit"),
    (EPOCH, JOB + " DUE TO NODE FAILURE, SEE SLURMCTLD LOG ***\n", "node failure"),
    (EPOCH + "stopped by SIGTERM in epoch 4; goes on\n", JOB + " ***\n", "cancelled"),
    (EPOCH, MEMORY + "srun: error: n1: task 0: Out Of Memory\n", "out of memory"),
    (EPOCH, "", "stopped"),
]


@pytest.mark.parametrize(("log", "job", "cause"), ENDS)
def test_a_failed_cell_says_why_as_cells_csv_does(study, folder, capsys, log, job, cause):
    (folder / "train.log").write_text(log)
    path = Path(f"logs/slurm/demo/rule_train/{WORDS}/12.log")
    path.parent.mkdir(parents=True)
    path.write_text(job)
    if not job:
        path.unlink()
    found = cell(study, capsys)
    assert (found["state"], found["cause"]) == ("failed", cause)
    assert found["rerun"] in look(study, capsys, "--failed")
    collect.main([str(study), "--out-dir", str(study.parent / "report")])
    cells = pd.read_csv(study.parent / "report/cells.csv")
    (row,) = cells[cells["state"] == "missing"].to_dict("records")
    assert (row["reason"], row["rerun"]) == (found["reason"], found["rerun"])


FAULTS = [
    (
        "/var/spool/job7/slurm_script: line 4: /env/bin/python: No such file or directory\n",
        "",
    ),
    ("/var/spool/job7/slurm_script: 4: module: not found\n", "command missing on the node"),
    ("Traceback (most recent\nFileNotFoundError: [Errno 2] No such file: 'which'\n", "error"),
    ("error: cxrgrid has changed since this run began\n", "error"),
    (
        "Error in rule train:\n  message: None\nRuleException:\nCalledProcessError in file x\n",
        "stopped",
    ),
    ("Exiting because a job execution failed.\nWorkflowError:\nAt least one\n", "stopped"),
    ("/usr/bin/python3: No module named snakemake\n", ""),
    ("OSError: [Errno 28] No space left on device: '/tmp/tmpab'\n", "disk full"),
    (
        "MissingOutputException in rule train:\nJob 0 completed, files missing after 60 seconds\n"
        "and so on\n",
        "output late",
    ),
    ("1 of 1 steps (100%) done\n", "output late"),
    ("OSError: [Errno 30] Read-only file system: 'results/x'\n", "read-only disk"),
]


@pytest.mark.parametrize(("job", "cause"), FAULTS)
def test_what_went_wrong_around_a_training_is_told_of_its_jobs_log(
    study, folder, capsys, job, cause
):
    old = "error: the loss is not finite\n"  # of the attempt before one that never came so far
    (folder / "train.log").write_text(EPOCH if cause else old)
    path = Path(f"logs/slurm/demo/rule_train/{WORDS}/12.log")
    path.parent.mkdir(parents=True)
    path.write_text(f"host: n1\n{job}")
    found = cell(study, capsys)
    assert found["cause"] == (cause or "no Python environment on the node")
    assert found["reason"].endswith(job.splitlines()[0]) or cause


def test_a_later_job_counts_not_an_earlier_one(study, folder, capsys):
    (folder / "train.log").write_text(EPOCH)
    for number, text in ((9, JOB + " DUE TO TIME LIMIT ***\n"), (10, MEMORY)):
        path = Path(f"logs/slurm/demo/rule_train/{WORDS}/{number}.log")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert cell(study, capsys)["cause"] == "out of memory"


def test_a_finished_cell_of_other_settings_has_a_state_of_its_own(study, folder, capsys):
    path = next(path for path in sorted((study.parent / "cells").rglob("cell.json")))
    path.write_text(json.dumps(json.loads(path.read_text()) | {"lr": 0.5, "epochs": 3}))
    said = look(study, capsys)
    assert "14 done, 1 settings changed, 1 never tried" in said
    assert "settings changed  epochs was 3, is " in said and "lr was 0.5, is " in said
    where = f"results/demo/{path.parent.relative_to(study.parent)}/model.safetensors"
    assert f"rerun: snakemake {where} --configfile" in said
    assert "0 failed" not in said and "no failure is known" in look(study, capsys, "--failed")


def answers(monkeypatch, **lines):
    monkeypatch.setattr(slurm, "ask", lambda *command: lines.get(command[0], []))


def test_a_cell_in_the_queue_waits_or_runs(study, folder, capsys, monkeypatch):
    (folder / "train.log").write_text(EPOCH)
    row = f"7|cxrgrid_demo_u|rule_train_wildcards_{WORDS}|PENDING|Priority|0:00|{Path.cwd()}"
    answers(monkeypatch, squeue=[row])
    found = cell(study, capsys)
    assert (found["state"], found["reason"], found["job"]) == ("waiting", "Priority", "7")
    row = row.replace("PENDING|Priority|0:00", "RUNNING|None|1-02:03:04")
    answers(monkeypatch, squeue=[row])
    found = cell(study, capsys)
    assert (found["state"], found["epoch"]) == ("running", None), "an older version says no more"
    assert "running      no progress reported yet  job 7" in look(study, capsys)
    with monkeypatch.context() as patch:
        patch.setattr(progress, "finished", lambda *_: True)
        assert "running      trained; its job ends  job 7" in look(study, capsys)
    first = TrainingProgress(20, 3, 12, 1.5, None, "val_auroc", None, None, [])
    training_progress.write(first, folder)
    assert "running      epoch 1/20, 25%  job 7" in look(study, capsys), "its pace is not known"
    rows = [{"epoch": 1, "val_auroc": 0.7, "best": True}, {"epoch": 2, "val_auroc": 0.6}]
    training_progress.write(
        TrainingProgress(20, 3, 12, 64.0, 150.0, "val_auroc", 1, 0.7, rows), folder
    )
    found = cell(study, capsys)
    assert (found["state"], found["epoch"], found["step"]) == ("running", 3, 3)
    assert (found["left"], found["seconds"], found["value"]) == (150, 93784, 0.7)
    shown = look(study, capsys)
    assert "epoch 3/20, 25%  best val_auroc 0.7000  2 min 30 s left  job 7" in shown
    for other in (row.replace(str(Path.cwd()), "/elsewhere"), row.replace("_demo_", "_mine_")):
        answers(monkeypatch, squeue=[other])
        assert cell(study, capsys)["state"] == "failed"


def test_what_is_in_the_queue_besides_the_cells_is_shown_and_has_not_failed(
    study, folder, capsys, monkeypatch
):
    """On a node, where its log has come but not its file; beside it another study's report."""
    shutil.rmtree(Path("results/data"), ignore_errors=True)
    log = Path("results/data/ward/pixels.log")
    log.parent.mkdir(parents=True)
    log.write_text("decoding\n")
    jobs = [
        ("pixels_wildcards_ward_", "RUNNING|None"),
        ("index_wildcards_ward", "PENDING|Priority"),
    ]
    jobs.append(("report", "RUNNING|None"))
    rows = [f"{n}|cxrgrid_mine_u|rule_{job}|{why}|0:09" for n, (job, why) in enumerate(jobs, 7)]
    answers(monkeypatch, squeue=[f"{row}|{Path.cwd()}" for row in rows])
    said = look(study, capsys)
    assert "demo: 2 in the queue besides the cells\n" in said
    assert "index ward  waiting  Priority  job 8\npixels ward  running  job 7\n" in said
    assert "pixels ward" not in look(study, capsys, "--failed")
    answers(monkeypatch)
    assert "pixels ward  failed" in look(study, capsys, "--failed")


def test_a_slurm_that_does_not_answer_is_told_where_jobs_were_sent(
    study, folder, capsys, monkeypatch, tmp_path
):
    (tmp_path / "squeue").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "squeue").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    for sent in (False, True):
        if sent:
            Path("logs/slurm").mkdir(parents=True)
        status.main(["demo"])
        assert ("Slurm does not answer (squeue)" in capsys.readouterr().err) == sent


def test_a_study_of_the_same_cells_shows_neither_failed_nor_running_ones_of_another(
    study, folder, capsys
):
    twin = study.parents[1] / "twin/study.json"
    twin.parent.mkdir()
    twin.write_text(json.dumps({**CONFIG, "study": "twin"}))

    def states(name):
        status.main(["demo", "twin", "--json"])
        return {one["state"] for one in json.loads(capsys.readouterr().out)[name]}

    capsys.readouterr()
    (folder / "train.log").write_text("error: the loss is not finite\n")
    assert states("demo") == {"done", "failed"} and states("twin") == {"never tried"}
    with locks.claim(folder):
        assert states("demo") == {"done", "running"} and states("twin") == {"never tried"}


def test_what_became_of_another_studys_cell_is_not_told_of_this_one(study, folder, capsys):
    path = Path(f"logs/slurm/mine/rule_train/{WORDS}/12.log")
    path.parent.mkdir(parents=True)
    path.write_text(MEMORY)
    assert cell(study, capsys)["state"] == "never tried"


def test_a_cell_of_other_settings_is_named_as_such(study, folder, capsys):
    """As after an edited config and the command for one cell: it trained, and did not fail."""
    [asked] = [c for c in Grid(CONFIG).cells if c.path() == MISSING]
    edited = msgspec.structs.replace(asked, lr=0.5)
    (folder / "cell.json").write_bytes(msgspec.json.encode(edited))
    (folder / "predictions").mkdir(exist_ok=True)
    for name in ("val", "ward"):
        (folder / f"predictions/{name}.parquet").touch()
    (folder / "train.log").write_text("val AUROC 0.9 in epoch 1 of 1\n")
    found = cell(study, capsys)
    assert (found["state"], found["cause"]) == ("settings changed", "other settings")
    assert found["reason"] == f"lr was 0.5, is {asked.lr}"


def test_our_own_lines_in_a_jobs_log_say_what_slurm_left_out(study, folder, capsys):
    """Of a job that a site's preemption ended, say, and of one that sbatch refused."""
    (folder / "train.log").write_text(EPOCH)
    log = Path(f"logs/slurm/demo/rule_train/{WORDS}/12.log")
    slurm.note(log, "job 12 ended: PREEMPTED")
    assert cell(study, capsys)["cause"] == "preempted"
    slurm.note(log, "job 12 ended: LOST")
    assert cell(study, capsys)["cause"] == "lost by Slurm"
    slurm.note(log.with_name(slurm.REFUSED), "not sent: sbatch: error: no such partition")
    found = cell(study, capsys)
    assert found["cause"] == "refused by Slurm" and "no such partition" in found["reason"]


def test_accounting_tells_what_the_logs_do_not(study, folder, capsys, monkeypatch):
    path = Path(f"logs/slurm/demo/rule_train/{WORDS}/12.log")
    path.parent.mkdir(parents=True)
    path.write_text("")
    answers(monkeypatch, sacct=["12|CANCELLED by 0"])
    assert cell(study, capsys)["cause"] == "cancelled"


def test_a_training_on_this_machine_is_seen(study, folder, capsys):
    code = "import time; time.sleep(600)"
    command = [sys.executable, "-c", code, "-m", "cxrgrid.train", "--out", os.path.relpath(folder)]
    with subprocess.Popen(command) as process:
        end = time.monotonic() + 120
        while cell(study, capsys)["state"] != "running" and time.monotonic() < end:
            time.sleep(0.1)
        assert cell(study, capsys)["state"] == "running"
        process.kill()
    assert cell(study, capsys)["state"] == "never tried"


def test_the_forecast_is_the_mean_of_its_kind(study, folder):
    cells = Grid(CONFIG).cells
    found = [progress.Progress(each, "done", seconds=100.0) for each in cells]
    assert progress.forecast(found) == 0
    kind = progress.kind(cells[0])
    alike = [at for at, each in enumerate(cells) if progress.kind(each) == kind]
    found[alike[0]] = progress.Progress(cells[alike[0]], "done", seconds=400.0)
    found[alike[1]] = progress.Progress(cells[alike[1]], "never tried")
    rest = [found[at].seconds for at in alike if at != alike[1]]
    assert progress.forecast(found) == pytest.approx(sum(rest) / len(rest))
    assert progress.forecast([progress.Progress(cells[0], "waiting")]) is None


def test_a_study_that_is_not_there_is_one_line(study, folder):
    with pytest.raises(UserError, match="no such study; there are: demo"):
        status.main(["dmo"])
