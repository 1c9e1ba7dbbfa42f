"""A run that fails ends with the reason and the remedy; its handler does not fail itself."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from cxrgrid import status
from cxrgrid.cluster import aftermath, slurm
from cxrgrid.cluster.failed_steps import failures
from cxrgrid.config.grid import Grid

ROOT = Path(__file__).parents[2]
STUDY = {
    "study": "bad",
    "datasets": {"d": {"adapter": "folder", "root": "images"}},
    "weights": {"published": "timm"},
    "grid": {"datasets": ["d"], "backbones": ["resnet10t"], "inits": ["scratch", "published"]},
}
REASON = "error: images: no image in it"


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """The working folder, without Slurm, whose path holds a space and a quote."""
    folder = tmp_path / "it's mine"
    (folder / "images").mkdir(parents=True)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(slurm, "ask", lambda *command: [])
    return folder


def leave(log: str, text: str = f"{REASON}\n") -> None:
    """Write a log below results/."""
    path = Path("results") / log
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


STEPS = {
    "data/d/index.log": "results/data/d/index.parquet",
    "data/d/pixels.log": "results/data/d/pixels.npy",
    "weights/resnet10t.weights.log": "results/weights/resnet10t.safetensors",
    "bad/scores/d.score.log": "results/bad/scores/d.parquet",
    "bad/report/compare.log": "results/bad/report/comparisons.csv",
    "bad/study.log": "results/bad/study.json",
}


@pytest.mark.parametrize("log", STEPS)
def test_a_failed_step_is_named_with_its_reason_and_its_command(folder, log):
    leave(log)
    (found,) = failures(Grid(STUDY))
    assert (found.reason, found.rerun.split()[1]) == (REASON, STEPS[log])
    leave(STEPS[log].removeprefix("results/"), "made")
    assert failures(Grid(STUDY)) == []


def test_status_names_a_failed_step_where_no_cell_was_tried(folder, capsys):
    leave("data/d/index.log")
    leave("bad/study.json", Grid(STUDY).to_json())
    status.main(["bad", "--failed"])
    assert f"index d  failed  {REASON}" in capsys.readouterr().out


def test_a_report_that_cannot_be_made_is_one_line(folder):
    (line,) = aftermath.report("no such Snakefile", Grid(STUDY))
    assert "No report of the cells that are done could be made; results/bad/report" in line


def test_the_last_lines_of_a_failed_run_of_one_cell_are_reason_and_remedy(folder):
    (folder / "study.yaml").write_text(yaml.safe_dump(STUDY))
    target = "results/bad/cells/d/resnet10t/scratch/default/seed0/model.safetensors"
    command = [sys.executable, "-m", "snakemake", target, "--snakefile", str(ROOT / "Snakefile")]
    command += ["--configfile", "study.yaml", "--cores", "1"]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": f"{ROOT}/src"}
    )
    last = [line for line in done.stderr.splitlines() if line][-3:]
    assert done.returncode == 1
    assert last[1].startswith("index d  failed  error: images: no image")
    rerun = "snakemake results/data/d/index.parquet --configfile study.yaml"
    assert last[2].strip() == f"rerun: {rerun}"
