"""A run that fails ends with the reason and the remedy; its handler does not fail itself."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from cxrgrid import status
from cxrgrid.cluster import aftermath, run_config, slurm
from cxrgrid.cluster.failed_steps import failures, steps
from cxrgrid.config.errors import UserError
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


def test_a_study_is_known_from_the_start_of_its_first_run_on(folder, monkeypatch, capsys):
    """Its first files are those of the data, which serve all."""
    grid = Grid(STUDY)
    monkeypatch.setattr(aftermath.forecast, "begin", lambda *_: None)
    monkeypatch.setattr(aftermath.preflight, "begin", lambda *_: None)
    Path(run_config.FROZEN).mkdir()
    Path(run_config.FROZEN, "0123.json").write_text(grid.to_json())
    with pytest.raises(UserError, match="no study has run here"):
        status.main([])  # it was planned, say
    run_config.storage_of("bad").write_text("/store")
    aftermath.began(None, grid)
    with pytest.raises(UserError, match="ln -s /store/results/bad results/bad"):
        status.main([])
    run_config.storage_of("bad").unlink()
    aftermath.began(None, grid)
    status.main([])
    assert "bad: 2 cells: 2 never tried" in capsys.readouterr().out


def test_ctrl_c_while_slurm_is_waited_for_is_one_line(folder, monkeypatch):
    def wait(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(aftermath.forecast, "begin", lambda *_: None)
    monkeypatch.setattr(aftermath.preflight, "begin", wait)
    with pytest.raises(SystemExit, match="interrupted before the first job"):
        aftermath.began(None, Grid(STUDY))
    assert not Path("results/bad").exists()


def test_the_arrays_of_a_dataset_are_steps_each():
    grid = Grid(STUDY | {"recipes": {"default": {"image": {"size": [64, 96]}}}})
    found = {step.wildcards for step in steps(grid) if step.rule == "pixels"}
    assert {image for _, image in found} == set(grid.arrays("d")) and len(found) > 1


def test_results_of_a_release_with_fewer_figures_have_not_failed(folder):
    leave("bad/report/figure.log", "drawing roc\n")
    assert [found.step.rule for found in failures(Grid(STUDY))] == ["figure"]
    leave("bad/report/figures/roc.svg", "drawn")
    assert failures(Grid(STUDY)) == []


def test_a_pool_that_failed_is_named(folder):
    other = {"adapter": "nih", "root": "images", "labels": ["Effusion"]}
    datasets = {"d": other, "e": other}
    recipes = {"default": {"train_on": ["own", "e"]}}
    grid = Grid(STUDY | {"datasets": datasets, "recipes": recipes})
    leave("bad/pools/d+e.pool.log")
    (found,) = failures(grid)
    assert (found.step.name, found.reason) == ("pool d+e", REASON)
    assert found.rerun.split()[1] == "results/bad/pools/d+e.parquet"


def test_status_names_a_failed_step_where_no_cell_was_tried(folder, capsys):
    leave("data/d/index.log")
    leave("bad/study.json", Grid(STUDY).to_json())
    status.main(["bad", "--failed"])
    assert f"index d  failed  {REASON}" in capsys.readouterr().out


def workflow(**more) -> SimpleNamespace:
    """The parts of Snakemake's workflow that the handlers look at."""
    settings = SimpleNamespace(configfiles=[], config_args=[])
    return SimpleNamespace(main_snakefile="no such", config_settings=settings, **more)


def test_a_report_that_cannot_be_made_is_one_line(folder):
    (line,) = aftermath.report(workflow(), Grid(STUDY))
    assert "No report of the cells that are done could be made; results/bad/report" in line


def test_the_report_of_what_is_done_is_made_where_the_results_lie(folder, monkeypatch):
    stored = ["--default-storage-provider", "fs", "--default-storage-prefix", "/store"]
    monkeypatch.setattr(aftermath.sys, "argv", ["snakemake", *stored, "-n"])
    seen = []
    monkeypatch.setattr(aftermath, "said", lambda words, more: seen.append(words) or (0, []))
    aftermath.report(workflow(), Grid(STUDY))
    run_config.storage_of("bad").parent.mkdir(parents=True, exist_ok=True)
    run_config.storage_of("bad").write_text("/store")
    aftermath.report(workflow(), Grid(STUDY))
    here, there = seen
    assert there == [*here, *stored] and "/store" not in here


def test_a_failure_that_no_log_of_ours_tells_is_told_by_snakemakes(folder, monkeypatch, capsys):
    Path("snakemake.log").write_text("a\nMissingOutputException in rule index:\nno file x\nb\n")
    shown = []
    monkeypatch.setattr(aftermath.atexit, "register", lambda show, lines: shown.extend(lines))
    leave("bad/study.json", Grid(STUDY).to_json())
    aftermath.failed(workflow(), Grid(STUDY), ["snakemake.log"])
    told = "MissingOutputException in rule index: no file x (snakemake.log)"
    for more in ([], ["--failed"]):
        status.main(["bad", *more])
        assert told in capsys.readouterr().out
    leave("data/d/index.log")
    status.main(["bad"])
    assert told not in capsys.readouterr().out, "a step's own log says more"
    dag = SimpleNamespace(needrun_jobs=list)
    scheduler = SimpleNamespace(_executor=None)
    aftermath.began(SimpleNamespace(dag=dag, scheduler=scheduler), Grid(STUDY))
    assert run_config.last_failure("bad") == ""


def test_the_handler_never_fails(folder, monkeypatch):
    shown = []
    monkeypatch.setattr(aftermath.atexit, "register", lambda show, lines: shown.extend(lines))
    monkeypatch.setattr(aftermath, "said", None)
    aftermath.failed(workflow(), Grid(STUDY), ["gone.log"])
    assert shown[0] == "Snakemake's log: gone.log" and "TypeError" in shown[1]


def test_of_a_module_both_its_handlers_and_the_main_ones_are_called(folder, monkeypatch):
    calls = []
    monkeypatch.setattr(aftermath, "began", lambda *given: calls.append("began"))
    monkeypatch.setattr(aftermath, "failed", lambda *given: calls.append("failed"))
    main, module = (SimpleNamespace(is_main_snakefile=lambda n=n: n) for n in (True, False))
    own = {"_onstart": lambda log: calls.append("start"), "_onerror": calls.append}
    for modifier in (main, module):
        found = workflow(modifier=modifier, **own)
        aftermath.attach(found, Grid(STUDY))
        found._onstart("log")
        found._onerror("error")
    assert calls == ["start", "error", "began", "start", "failed", "error"]


def test_status_knows_a_study_whose_first_run_wrote_no_study_json(folder, capsys):
    leave("bad/cells/d/resnet10t/scratch/default/seed0/train.log", "error: cell: no\n")
    copy = Path(run_config.FROZEN) / "0123.json"
    copy.parent.mkdir(parents=True)
    copy.write_text(Grid(STUDY).to_json())
    for words in (["bad"], ["results/bad"], []):
        status.main(words)
        assert "1 failed, 1 never tried" in capsys.readouterr().out
    with pytest.raises(UserError, match="there are: bad"):
        status.main(["bda"])


def test_the_last_lines_of_a_failed_run_of_one_cell_are_reason_and_remedy(folder):
    (folder / "study.yaml").write_text(yaml.safe_dump(STUDY))
    for kind in ("a", "b"):
        (folder / "images" / kind).mkdir()
        (folder / f"images/{kind}/0.png").write_text("no image")
    target = "results/bad/cells/d/resnet10t/scratch/default/seed0/model.safetensors"
    command = [sys.executable, "-m", "snakemake", target, "--snakefile", str(ROOT / "Snakefile")]
    command += ["--configfile", "study.yaml", "--cores", "1"]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": f"{ROOT}/src"}
    )
    last = [line for line in done.stderr.splitlines() if line][-3:]
    assert done.returncode == 1
    assert last[1].startswith("pixels d  failed  error: ")
    rerun = (
        f"snakemake results/data/d/pixels.npy --configfile study.yaml --snakefile {ROOT}/Snakefile"
    )
    assert last[2].strip() == f"rerun: {rerun}"
