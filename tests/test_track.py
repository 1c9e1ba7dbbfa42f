"""`track` writes the study's numbers once, whatever ran in between."""

import importlib
import json
import subprocess
import sys

import msgspec
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from conftest import CONFIG, MISSING
from cxrgrid import track
from cxrgrid.cluster import slurm, training_progress
from cxrgrid.cluster.training_progress import TrainingProgress
from cxrgrid.config.errors import UserError
from cxrgrid.config.grid import Grid
from cxrgrid.io.parquet import read_parquet, write_parquet

CELL = "ward/resnet10t/scratch/default/seed0"
ROW = {"train_loss": 0.5, "val_loss": 0.6, "val_auroc": 0.7, "lr": 1e-3, "seconds": 30.0}


@pytest.fixture
def missing(study, monkeypatch):
    """The folder of the cell that has not finished; Slurm is not asked."""
    monkeypatch.chdir(study.parents[2])
    monkeypatch.setattr(slurm, "ask", lambda *command: [])
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    found = study.parent / "cells" / MISSING
    found.mkdir(parents=True, exist_ok=True)
    cell = next(cell for cell in Grid(CONFIG).cells if cell.path() == MISSING)
    (found / "cell.json").write_bytes(msgspec.json.encode(cell))
    return found


def trains(folder, epochs):
    """Progress of a training after so many epochs."""
    rows = [{"epoch": epoch, **ROW, "best": epoch == 1} for epoch in range(1, epochs + 1)]
    made = TrainingProgress(8, 0, 3, 30.0 * epochs, None, "val_auroc", 1, 0.7, rows)
    training_progress.write(made, folder)


def events(folder, cell=CELL):
    """A run's scalars: {name: [(step, value), …]}, and the settings that its hparams hold."""
    read = EventAccumulator(str(folder / "demo" / cell), size_guidance={"scalars": 0}).Reload()
    scalars = {
        name: [(one.step, one.value) for one in read.Scalars(name)]
        for name in read.Tags()["scalars"]
    }
    return scalars, read.SummaryMetadata("_hparams_/session_start_info").plugin_data.content


def client(folder):
    from mlflow.tracking import MlflowClient

    return MlflowClient(tracking_uri=f"file:{folder}")


def of_cell(found, cell=CELL):
    """MLflow's runs of a cell."""
    experiment = found.get_experiment_by_name("demo").experiment_id
    return found.search_runs([experiment], f"tags.`cxrgrid.cell` = '{cell}'")


def truth(study, cell=CELL):
    """The history and the AUROC of a cell, from its files."""
    history = read_parquet(study.parent / "cells" / cell / "history.parquet")[0].to_pylist()
    rows = read_parquet(study.parent / "scores/ward.parquet")[0].to_pylist()
    (auroc,) = [
        row
        for row in rows
        if (row["backbone"], row["init"], row["seed"]) == ("resnet10t", "scratch", 0)
        and (row["label"], row["metric"], row["subset"]) == ("macro", "auroc", "all")
    ]
    return history, auroc


def test_tensorboard_has_every_epoch_the_settings_and_the_scores(study, missing, tmp_path):
    track.main([str(study), "--tensorboard", str(tmp_path / "runs")])
    scalars, settings = events(tmp_path / "runs")
    history, auroc = truth(study)
    for name in ("train_loss", "val_loss", "val_auroc", "lr"):
        wanted = [(row["epoch"], pytest.approx(row[name])) for row in history]
        assert scalars[name] == wanted, name
    for end, column in (("", "value"), ("_low", "low"), ("_high", "high")):
        assert scalars[f"test/auroc{end}/macro"] == [(0, pytest.approx(auroc[column]))]
    assert scalars["cost/parameters"] == [(0, 4_900_000)]
    assert b"batch_size" in settings and b"resnet10t" in settings
    assert not (tmp_path / "runs/demo" / MISSING).exists()


def test_mlflow_has_every_epoch_the_settings_and_the_scores(study, missing, tmp_path):
    track.main([str(study), "--mlflow", f"file:{tmp_path / 'ml'}"])
    found = client(tmp_path / "ml")
    (run,) = of_cell(found)
    history, auroc = truth(study)
    logged = found.get_metric_history(run.info.run_id, "val_loss")
    assert {(one.step, one.value) for one in logged} == {
        (row["epoch"], row["val_loss"]) for row in history
    }
    assert run.data.metrics["test/auroc/macro"] == auroc["value"]
    assert run.data.params["backbone"] == "resnet10t" and run.data.params["lr"] == "0.001"
    assert run.info.status == "FINISHED"
    assert len(of_cell(found, MISSING)) == 0


@pytest.mark.parametrize("sink", ["--tensorboard", "--mlflow"])
def test_a_second_call_adds_nothing(study, missing, tmp_path, sink):
    where = tmp_path / "sink"
    asked = [str(study), sink, str(where) if sink == "--tensorboard" else f"file:{where}"]
    track.main(asked)
    before = {path: path.read_bytes() for path in where.rglob("*") if path.is_file()}
    track.main(asked)
    assert {path: path.read_bytes() for path in where.rglob("*") if path.is_file()} == before


def test_a_cell_at_work_is_followed_and_no_epoch_is_written_twice(study, missing, tmp_path):
    asked = [str(study), "--tensorboard", str(tmp_path / "runs")]
    for epochs in (2, 3, 3):
        trains(missing, epochs)
        track.main(asked)
    scalars, _ = events(tmp_path / "runs", MISSING)
    assert [step for step, _ in scalars["val_auroc"]] == [1, 2, 3]
    assert not any(name.startswith("test/") for name in scalars)
    # Begun anew after it was lost, it has fewer epochs for a while.
    for epochs in (1, 5):
        trains(missing, epochs)
        track.main(asked)
    scalars, _ = events(tmp_path / "runs", MISSING)
    assert [step for step, _ in scalars["train_loss"]] == [1, 2, 3, 4, 5]
    assert "best" not in scalars


def test_a_training_of_other_settings_is_not_this_cell(study, missing, tmp_path):
    cell = json.loads((missing / "cell.json").read_text())
    (missing / "cell.json").write_text(json.dumps(cell | {"lr": 0.5}))
    trains(missing, 1)
    track.main([str(study), "--tensorboard", str(tmp_path / "runs")])
    assert not (tmp_path / "runs/demo" / MISSING).exists()


@pytest.mark.long
def test_other_settings_begin_anew(study, missing, tmp_path):
    sinks = ["--tensorboard", str(tmp_path / "runs"), "--mlflow", f"file:{tmp_path / 'ml'}"]
    track.main([str(study), *sinks])
    config = CONFIG | {"recipes": {"default": {"lr": 0.002}}}
    study.write_text(json.dumps(config))
    folder = study.parent / "cells" / CELL
    cell = next(cell for cell in Grid(config).cells if cell.path() == CELL)
    (folder / "cell.json").write_bytes(msgspec.json.encode(cell))
    table, facts = read_parquet(folder / "history.parquet")
    write_parquet(table.slice(0, 5).to_pydict(), folder / "history.parquet", facts)
    track.main([str(study), *sinks])
    scalars, _ = events(tmp_path / "runs")
    assert [step for step, _ in scalars["lr"]] == [1, 2, 3, 4, 5]
    assert sorted(run.data.params["lr"] for run in of_cell(client(tmp_path / "ml"))) == [
        "0.001",
        "0.002",
    ]


STAND_IN = """
from types import SimpleNamespace
class Error(Exception): pass
errors, runs, refuse = SimpleNamespace(Error=Error), {}, []
class Run(dict):
    summary = property(lambda self: self["scores"])
    def log(self, values, step):
        assert step > max(self["steps"], default=0), "Weights & Biases drops a step that is past"
        self["steps"][step] = values
    def finish(self, exit_code):
        self["ends"].append(exit_code)
def init(id, **more):
    if refuse: raise Error("api key\\nnot configured")
    assert more["resume"] == "allow" and id.isalnum()
    return runs.setdefault(id, Run(steps={}, scores={}, ends=[], **more))
"""


@pytest.fixture
def wandb(tmp_path, monkeypatch):
    """A module in the place of Weights & Biases' client, which keeps what it is told."""
    (tmp_path / "stand_in").mkdir()
    (tmp_path / "stand_in/wandb.py").write_text(STAND_IN)
    monkeypatch.syspath_prepend(tmp_path / "stand_in")
    monkeypatch.delitem(sys.modules, "wandb", raising=False)
    yield importlib.import_module("wandb")
    sys.modules.pop("wandb")


def test_wandb_has_every_epoch_the_settings_and_the_scores_once(study, missing, wandb):
    for _ in range(2):
        track.main([str(study), "--wandb", "team/chest"])
    assert len(wandb.runs) == 15, "the cell that has not run has no run"
    (run,) = [run for run in wandb.runs.values() if run["name"] == CELL]
    history, auroc = truth(study)
    assert (run["project"], run["entity"], run["group"]) == ("chest", "team", "demo")
    assert run["config"]["lr"] == 0.001 and run["ends"] == [0]
    assert {step: row["val_loss"] for step, row in run["steps"].items()} == {
        row["epoch"]: row["val_loss"] for row in history
    }
    assert run["scores"]["test/auroc/macro"] == auroc["value"]
    assert run["scores"]["cost/parameters"] == 4_900_000
    told = json.dumps(run)
    assert ".png" not in told and "p01" not in told, "no image and no patient"


def test_wandb_follows_a_cell_and_other_settings_are_another_run(study, missing, wandb):
    for epochs in (2, 3):
        trains(missing, epochs)
        track.main([str(study), "--wandb", "chest"])
    (run,) = [run for run in wandb.runs.values() if run["name"] == MISSING]
    assert list(run["steps"]) == [1, 2, 3] and run["entity"] is None
    study.write_text(json.dumps(CONFIG | {"recipes": {"default": {"lr": 0.002}}}))
    cell = next(c for c in Grid(json.loads(study.read_text())).cells if c.path() == MISSING)
    (missing / "cell.json").write_bytes(msgspec.json.encode(cell))
    trains(missing, 1)
    track.main([str(study), "--wandb", "chest"])
    both = [run for run in wandb.runs.values() if run["name"] == MISSING]
    assert [run["config"]["lr"] for run in both] == [0.001, 0.002]
    assert list(both[1]["steps"]) == [1]


def test_a_refusal_of_wandb_is_one_line_and_sends_all_the_next_time(study, missing, wandb):
    wandb.refuse.append(True)
    with pytest.raises(UserError, match="--wandb: api key not configured"):
        track.main([str(study), "--wandb", "chest"])
    wandb.refuse.clear()
    track.main([str(study), "--wandb", "chest"])
    assert len(wandb.runs) == 15


def test_mistakes_are_one_line(study, missing, tmp_path, monkeypatch):
    with pytest.raises(UserError, match="--tensorboard FOLDER, --mlflow URI or --wandb"):
        track.main([str(study)])
    with pytest.raises(UserError, match="no such file"):
        track.main([str(tmp_path / "study.json"), "--tensorboard", str(tmp_path)])
    monkeypatch.delenv("MLFLOW_ALLOW_FILE_STORE")
    with pytest.raises(UserError, match="--mlflow file:") as error:
        track.main([str(study), "--mlflow", f"file:{tmp_path}"])
    assert "\n" not in str(error.value)
    monkeypatch.setattr("cxrgrid.reporting.trackers.find_spec", lambda name: None)
    for package in ("tensorboard", "mlflow", "wandb"):
        option = f"--{package}"
        with pytest.raises(UserError, match=rf"{package} is not installed; pip install"):
            track.main([str(study), option, str(tmp_path)])


@pytest.mark.long
def test_nothing_else_imports_them():
    code = "import sys, cxrgrid.train, cxrgrid.report, cxrgrid.track; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"tensorboard", "mlflow", "wandb"} & set(run.stdout.split())
