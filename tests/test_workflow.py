"""The workflow as its user meets it: it ends in a report, and it reruns exactly what it must."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from cxrgrid.config.cell import read_cell
from cxrgrid.config.identity import identity
from cxrgrid.io.parquet import read_parquet
from demo_config import replaced
from long_tests import by_turns
from warm_python import warm_python

ROOT = Path(__file__).parents[1]
PHANTOM = {"patients": 30, "size": 64}
TINY = {
    "study": "tiny",
    "datasets": {
        "far": {"adapter": "nih", "phantom": PHANTOM | {"seed": 1}, "image": {"size": 32}},
        "near": {
            "adapter": "nih",
            "phantom": PHANTOM | {"seed": 2},
            "labels": ["Effusion", "Cardiomegaly"],
            "image": {"size": 32},
            "split": {"folds": 3},
        },
    },
    "weights": {"pretrained": {"dataset": "far", "seed": 0}},
    "recipes": {"default": {"epochs": 2, "batch_size": 16, "channels": 1}},
    "report": {"resamples": 100, "figures": ["leaderboard", "roc"]},
    "grid": {
        "datasets": ["near"],
        "backbones": ["test_resnet"],
        "inits": ["scratch", "pretrained"],
        "seeds": [0],
    },
}
CELLS = "results/tiny/cells"
FAR = f"{CELLS}/far/test_resnet/scratch/default/seed0"
SCRATCH = f"{CELLS}/near/test_resnet/scratch/default/seed0"
PRETRAINED = f"{CELLS}/near/test_resnet/pretrained/default/seed0"


def snakemake(folder: Path, config: dict, *arguments: str, workflow: Path = ROOT):
    """Run the workflow in `folder` as a user would; the finished process."""
    (folder / "study.yaml").write_text(yaml.safe_dump(config))
    command = [warm_python(), "-m", "snakemake", "--snakefile", str(workflow / "Snakefile")]
    command += ["--directory", str(folder), "--configfile", str(folder / "study.yaml")]
    command += ["--workflow-profile", str(ROOT / "profiles/default"), "--cores", "2", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder)


def planned(folder: Path, config: dict, *arguments: str, workflow: Path = ROOT) -> dict:
    """Plan of a run: for each rule the folders of its first outputs."""
    done = snakemake(folder, config, "--dry-run", "-p", *arguments, workflow=workflow)
    assert done.returncode == 0, done.stderr
    jobs: dict[str, set[str]] = {}
    blocks = re.findall(
        r"^(?:local)?rule (\w+):\n(.*?)\n\n", done.stdout + done.stderr, re.M | re.S
    )
    for rule, body in blocks:
        output = re.search(r"output: ([^,\n]+)", body)
        jobs.setdefault(rule, set()).add(str(Path(output[1]).parent) if output else "")
    jobs.pop("all", None)
    return jobs


def changed(path: str, value) -> dict:
    """TINY with one value changed."""
    return replaced(TINY, path, value)


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """A folder in which the tiny study has run to its end."""
    folder = tmp_path_factory.mktemp("study")
    done = snakemake(folder, TINY)
    assert done.returncode == 0, done.stderr
    return folder


def test_ends_in_a_report(finished):
    report = (finished / "results/tiny/report/report.html").read_text()
    for name in ("near", "far", "test_resnet", "pretrained"):
        assert name in report
    header, *rows = (finished / "results/tiny/report/metrics.csv").read_text().splitlines()
    assert header.startswith(
        "dataset,backbone,init,recipe,fold,seed,target,subset,label,metric,threshold_rule,value"
    )
    for name in ("curves", "thresholds"):
        assert (finished / f"results/tiny/{name}/near.parquet").is_file()
    assert len(rows) > 100


def test_many_cells_ask_for_a_word_before_anything_is_made(tmp_path):
    done = snakemake(tmp_path, TINY, "--config", "max_cells=2")
    assert done.returncode and "error: 3 cells would train" in done.stderr
    assert "add: --config max_cells=3" in done.stderr
    assert not (tmp_path / "results").exists()
    told = snakemake(tmp_path, TINY, "-n", "--config", "max_cells=2")
    assert told.returncode == 0 and "The run itself would stop: 3 cells" in told.stderr


def test_second_run_does_nothing(finished):
    done = snakemake(finished, TINY)
    assert done.returncode == 0
    assert "Nothing to be done" in done.stdout + done.stderr


def test_cells_of_another_cluster_are_taken_and_nothing_trains(finished, tmp_path):
    """Prepared here after the cells were trained there; and in a folder without anything."""
    for name, parts in (("prepared", ["results/data", ".snakemake"]), ("empty", [])):
        here = tmp_path / name
        here.mkdir()
        for part in parts:
            shutil.copytree(finished / part, here / part)
        for path in here.glob("results/data/**/*"):
            path.touch()  # younger than every cell
        if parts:
            jobs = planned(here, TINY)
            assert jobs["train"] == {FAR, SCRATCH, PRETRAINED}
        merge = [warm_python(), "-m", "cxrgrid.merge", str(finished)]
        done = subprocess.run(merge, capture_output=True, text=True, cwd=here)
        assert done.returncode == 0 and "3 taken" in done.stdout, done.stderr
        jobs = planned(here, TINY)
        assert not jobs.keys() & {*LIGHT, "train", "explain"}, jobs
        assert jobs.keys() >= {"score", "report"}


def test_results_without_snakemakes_records_are_known_by_their_settings(finished, tmp_path):
    shutil.copytree(finished / "results", tmp_path / "results")
    assert "train" not in planned(tmp_path, TINY)
    jobs = planned(tmp_path, changed("recipes.default.lr", 0.002))
    assert jobs["train"] == {FAR, SCRATCH, PRETRAINED}
    assert "train" not in planned(tmp_path, TINY), "the settings are the cells' again"


def test_a_long_recorded_command_is_printed_short(finished, tmp_path):
    for part in ("results", ".snakemake"):
        shutil.copytree(finished / part, tmp_path / part)
    cell = read_cell(str(tmp_path / SCRATCH / "cell.json"))
    short, whole = identity(cell), msgspec.json.encode(cell).decode()
    changes = 0
    for path in filter(Path.is_file, (tmp_path / ".snakemake/metadata").rglob("*")):
        record = json.loads(path.read_text())
        if repr(short) in (record.get("params") or []):
            record["params"] = [repr(whole) if p == repr(short) else p for p in record["params"]]
            path.write_text(json.dumps(record))
            changes += 1
    assert changes == 5 and "train" not in planned(tmp_path, TINY)
    done = snakemake(tmp_path, TINY, "-n", "-p", "-R", "train")
    said = done.stdout + done.stderr
    assert f"python -m cxrgrid.train {shlex.quote(short)} " in said and whole not in said


FOLDS = {s.replace("seed0", f"fold{f}/seed0") for s in (SCRATCH, PRETRAINED) for f in (1, 2)}
# What changes in the config → the folders that train again, and rules that must not run.
LIGHT = {"phantom", "index", "pixels", "split", "audit"}
REPORT = {"resamples": 200, "figures": ["roc"], "calibrate": "temperature", "subgroups": ["sex"]}
CHANGES = [
    ("title", "Another title", set(), LIGHT),
    ("report.operating_points", [0.5], set(), LIGHT),
    ("report", REPORT, set(), LIGHT),
    ("recipes.unused", {"lr": 1.0}, set(), LIGHT),
    ("recipes.default.lr", 0.002, {FAR, SCRATCH, PRETRAINED}, LIGHT),
    ("overrides", [{"init": "pretrained", "set": {"lr": 0.1}}], {PRETRAINED}, LIGHT),
    ("overrides", [{"dataset": "far", "set": {"lr": 0.1}}], {FAR, PRETRAINED}, LIGHT),
    ("grid.seeds", [0, 1], {s.replace("seed0", "seed1") for s in (SCRATCH, PRETRAINED)}, LIGHT),
    ("grid.inits", ["scratch"], set(), LIGHT),
    ("grid.folds", "all", FOLDS, {"phantom", "index", "pixels"}),
    ("grid.folds", [0], set(), LIGHT),
    ("datasets.near.split", {"seed": 1}, {SCRATCH, PRETRAINED}, {"phantom", "index", "pixels"}),
    ("datasets.near.split", {"folds": 5}, {SCRATCH, PRETRAINED}, {"phantom", "index", "pixels"}),
    ("datasets.near.labels", ["Effusion"], {SCRATCH, PRETRAINED}, {"phantom"}),
    ("datasets.near.subsets", {"women": {"sex": ["F"]}}, set(), LIGHT),
    ("datasets.near.view", ["PA"], {SCRATCH, PRETRAINED}, {"phantom"}),
    ("datasets.near.uncertain", "one", {SCRATCH, PRETRAINED}, {"phantom"}),
    ("datasets.near.unreadable", 0.5, {SCRATCH, PRETRAINED}, {"phantom", "index"}),
    ("datasets.far.image", {"size": 48}, {FAR, PRETRAINED}, {"phantom", "index"}),
    ("transfer", "all", set(), LIGHT),
    ("report.ensembles", False, set(), LIGHT),
    ("report.shifts", ["noise"], set(), LIGHT | {"explain", "predict"}),
    ("report.explain", "none", set(), LIGHT | {"explain"}),
    ("report.headline", "ap", set(), LIGHT | {"explain"}),
]


@pytest.mark.parametrize(
    ("path", "value", "trained", "spared"),
    by_turns(CHANGES, 8),
    ids=[f"{c[0]}={c[1]}" for c in CHANGES],
)
def test_a_changed_setting_reruns_exactly_its_cells(finished, path, value, trained, spared):
    jobs = planned(finished, changed(path, value))
    assert jobs.get("train", set()) == trained
    assert not spared & set(jobs)


def test_a_new_backbone_trains_only_its_cells(finished):
    jobs = planned(finished, changed("grid.backbones", ["test_resnet", "test_vit"]))
    assert len(jobs["train"]) == 3
    assert all("/test_vit/" in folder for folder in jobs["train"])


def test_a_new_recipe_and_a_new_dataset_train_only_their_cells(finished):
    config = changed("recipes.more", {"lr": 0.1})
    config["datasets"]["third"] = TINY["datasets"]["near"] | {"phantom": PHANTOM | {"seed": 3}}
    config["grid"] |= {"datasets": ["near", "third"], "recipes": ["default", "more"]}
    jobs = planned(finished, config)
    assert len(jobs["train"]) == 6
    assert all("/third/" in folder or "/more/" in folder for folder in jobs["train"])
    assert jobs["split"] == {"results/data/third"}


def test_another_dataset_to_be_tested_on_is_predicted_and_trains_nothing(finished):
    config = changed("transfer", ["third"])
    config["datasets"]["third"] = TINY["datasets"]["near"] | {"phantom": PHANTOM | {"seed": 3}}
    jobs = planned(finished, config)
    assert jobs["predict"] == {f"{cell}/transfer" for cell in (FAR, SCRATCH, PRETRAINED)}
    assert "train" not in jobs and jobs["split"] == {"results/data/third"}


def test_a_recipe_that_pools_trains_only_its_cells_and_compares_with_what_is_tested(finished):
    config = changed("recipes.joint", {"train_on": ["own", "far"]})
    config["grid"]["recipes"] = ["default", "joint"]
    jobs = planned(finished, config)
    assert jobs["train"] == {c.replace("default", "joint") for c in (SCRATCH, PRETRAINED)}
    assert jobs["pool"] == {"results/tiny/pools"} and not LIGHT & set(jobs)
    config["grid"]["recipes"] = ["joint"]
    config["recipes"]["joint"] = {"train_on": [["own"], ["own", "others"], ["others"]]}
    config["grid"]["datasets"] = ["near", "far"]
    config["datasets"]["far"] |= {"labels": ["Effusion", "Cardiomegaly"]}
    jobs = planned(finished, config)
    assert {Path(folder).parts[2] for folder in jobs["pool"]} == {"pools"}
    assert len(jobs["train"]) == 3 * 2 * 2 + 1 and "index" in jobs


@pytest.mark.long
def test_pooled_cells_run_to_the_report_and_a_later_target_retrains_none(tmp_path):
    config = changed("recipes.default.train_on", [["own"], ["own", "others"], ["others"]])
    del config["weights"]
    labels = {"near": ["Effusion", "Cardiomegaly"], "far": ["pleural effusion", "cardiomegaly"]}
    config["datasets"]["far"] |= {
        "adapter": "padchest",
        "view": ["PA", "AP"],
        "labels": labels["far"],
    }
    config["grid"] |= {"datasets": ["near", "far"], "inits": ["scratch"]}
    done = snakemake(tmp_path, config)
    assert done.returncode == 0, done.stderr
    report = (tmp_path / "results/tiny/report/report.html").read_text()
    assert "Training on several datasets" in report
    assert "Effusion (pleural effusion)" in report
    assert not planned(tmp_path, config)
    config["transfer"] = ["third"]
    config["datasets"]["third"] = TINY["datasets"]["near"] | {"phantom": PHANTOM | {"seed": 3}}
    jobs = planned(tmp_path, config)
    assert "train" not in jobs and "pool" in jobs
    config = replaced(config, "datasets.far.split", {"seed": 5})
    assert len(planned(tmp_path, config)["train"]) == 5  # all but near's own


def test_another_operating_point_explains_anew_and_trains_nothing(finished):
    config = dict(TINY)
    for name in (SCRATCH, PRETRAINED):
        assert (finished / name / "explain/gallery.parquet").is_file()
    assert not (finished / FAR / "explain").exists(), "it only lends its weights"
    tables = {"study", "score", "overlap", "collect", "choose", "compare", "table", "figure"}
    tables |= {"report"}
    config["report"] = TINY["report"] | {"operating_points": [0.5]}
    jobs = planned(finished, config)
    assert jobs["explain"] == {f"{cell}/explain" for cell in (SCRATCH, PRETRAINED)}
    assert set(jobs) <= tables | {"explain"}
    config["report"] = TINY["report"] | {"explain": "none"}
    assert set(planned(finished, config)) <= tables


def test_comments_docstrings_and_spaces_rerun_nothing(finished, tmp_path):
    for name in ("Snakefile", "workflow"):
        copy_ = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy_(ROOT / name, tmp_path / name)
    rules = tmp_path / "workflow/rules/train.smk"
    text = rules.read_text()
    text = text.replace('"""Train one cell', '# A comment.\n    """Train a cell')
    text = text.replace("python -m cxrgrid.train {", "python  -m cxrgrid.train  {")
    rules.write_text(text + "\n\n# The end.\n")
    assert rules.read_text().count("# ") > (ROOT / "workflow/rules/train.smk").read_text().count(
        "# "
    )
    assert planned(finished, TINY, workflow=tmp_path) == {}


def test_a_touched_or_edited_source_reruns_nothing(finished):
    """No rule watches the package's sources: retraining is a person's decision."""
    rules = "".join(path.read_text() for path in (ROOT / "workflow/rules").glob("*.smk"))
    assert "src/" not in rules and ".py" not in rules


def test_printed_command_runs_outside_snakemake_with_the_same_bits(finished, tmp_path):
    target = f"{SCRATCH}/model.safetensors"
    done = snakemake(finished, TINY, "--dry-run", "-p", "--forcerun", target, target)
    printed = re.search(r"python -m cxrgrid\.train .*", done.stdout + done.stderr)[0]
    before = (finished / target).read_bytes()
    folder = tmp_path / "elsewhere"
    shutil.copytree(finished / "results", folder / "results")
    shutil.rmtree(folder / SCRATCH)
    (folder / SCRATCH).mkdir()
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    subprocess.run(printed, shell=True, check=True, cwd=folder, env={**os.environ, "PATH": path})
    assert (folder / target).read_bytes() == before


def test_a_typo_stops_before_any_job_with_one_line(tmp_path):
    done = snakemake(tmp_path, changed("recipes.default.learning_rat", 1))
    assert done.returncode != 0
    line = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert len(line) == 1 and "learning_rat" in line[0]
    assert "Traceback" not in done.stderr + done.stdout
    assert not (tmp_path / "results").exists()


def test_a_mistake_names_the_line_of_the_users_file(tmp_path):
    done = snakemake(tmp_path, changed("recipes.default.optimizer", "AdamW"), "-n")
    assert "error: study.yaml, line " in done.stderr and "did you mean 'adamw'?" in done.stderr
    text = yaml.safe_dump(TINY) + "study: other\n"
    (tmp_path / "config.yaml").write_text(text)
    (tmp_path / "twice.yaml").write_text(text)
    for more in ([], ["--configfile", "twice.yaml"]):
        command = [warm_python(), "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "-n"]
        done = subprocess.run([*command, *more], capture_output=True, text=True, cwd=tmp_path)
        name, line = more[-1] if more else "config.yaml", len(text.splitlines())
        assert done.returncode == 1
        assert f"error: {name}, line {line}: a second 'study'" in done.stderr


def test_a_cell_that_is_not_in_the_study_is_one_line(finished):
    target = SCRATCH.replace("seed0", "seed7") + "/model.safetensors"
    done = snakemake(finished, TINY, "--dry-run", target)
    assert done.returncode != 0
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert "default/seed7" in line and "did you mean" in line
    assert "Traceback" not in done.stderr


def test_a_missing_root_says_which_setting_and_where_to_get_it(tmp_path):
    done = snakemake(tmp_path, changed("datasets.near", {"adapter": "nih", "root": "no/such"}))
    assert done.returncode != 0
    assert "datasets.near.root" in done.stderr and "no/such" in done.stderr
    assert "ownload" in done.stderr and "Traceback" not in done.stderr


def test_a_dead_cell_stops_no_other_and_is_reported(finished, tmp_path):
    shutil.copytree(finished / "results", tmp_path / "results")
    shutil.copytree(finished / ".snakemake", tmp_path / ".snakemake")
    config = changed("overrides", [{"init": "pretrained", "set": {"lr": 1e30}}])
    config["grid"]["seeds"] = [0, 1]
    done = snakemake(tmp_path, config)
    assert done.returncode != 0
    assert "loss is not finite in epoch 1" in done.stdout + done.stderr
    assert (tmp_path / SCRATCH.replace("seed0", "seed1") / "model.safetensors").exists()
    assert not (tmp_path / PRETRAINED / "model.safetensors").exists()

    # Without another command the report is there, and says what is missing and how to run it.
    cells = (tmp_path / "results/tiny/report/cells.csv").read_text().splitlines()
    missing = [line for line in cells if ",missing," in line]
    assert len(missing) == 2 and all(
        "snakemake " in line and PRETRAINED[:-1] in line for line in missing
    )
    report = (tmp_path / "results/tiny/report/report.html").read_text()
    assert f"snakemake {PRETRAINED}/model.safetensors --configfile study.yaml" in report

    # Once it is mended, the same command trains what is missing and the report is whole again.
    jobs = planned(tmp_path, changed("grid.seeds", [0, 1]))
    assert jobs["train"] == {PRETRAINED, PRETRAINED.replace("seed0", "seed1")}
    assert {"score", "report"} <= set(jobs)


@pytest.mark.long
def test_folds_end_in_one_result_in_which_each_patient_is_tested_once(tmp_path):
    config = changed("grid.folds", "all") | {"transfer": "all"}
    config = replaced(config, "report", {"resamples": 100, "explain": "none"})
    done = snakemake(tmp_path, config)
    assert done.returncode == 0, done.stderr
    report, data = tmp_path / "results/tiny/report", tmp_path / "results/data"
    assert [path.name for path in data.glob("near/**/pixels.npy")] == ["pixels.npy"]
    tables = [read_parquet(path)[0].to_pandas() for path in data.glob("near/**/table.parquet")]
    tested = [set(table.loc[table["split"] == "test", "patient"]) for table in tables]
    assert len(tables) == 3
    assert sum(map(len, tested)) == len(set().union(*tested)) == tables[0]["patient"].nunique()
    board = pd.read_csv(report / "leaderboard.csv").set_index(["dataset", "init"])
    for init in ("scratch", "pretrained"):
        row = board.loc["near", init]
        assert (row["folds"], row["seeds"], row["planned"]) == (3, 1, 1)
        assert (row["n"], row["patients"]) == (len(tables[0]), 30)
    metrics = pd.read_csv(report / "metrics.csv")
    near = metrics[(metrics["dataset"] == "near") & (metrics["target"] == "near")]
    assert set(near["fold"]) == {-1, 0, 1, 2}
    across = metrics[(metrics["dataset"] == "near") & (metrics["target"] == "far")]
    assert set(across["fold"]) == {0, 1, 2}
    pairs = pd.read_csv(report / "comparisons.csv")
    assert (pairs["patients"] == 30).all() and (pairs["folds"] == 3).all()
    for fold in ("", "fold1/", "fold2/"):
        assert (report / f"cells/near/test_resnet/scratch/default/{fold}seed0.html").is_file()
    transfer = pd.read_csv(report / "transfer.csv").set_index(["dataset", "target", "init"])
    assert "3 folds" in transfer.loc[("near", "far", "scratch"), "note"]
    assert "fold 0 of near" in transfer.loc[("far", "near", "scratch"), "note"]
    assert (
        "Cross-validated: each patient of near is tested once"
        in (report / "report.html").read_text()
    )


MINE = f"{CELLS}/mine/test_resnet/scratch/default/seed0"
OWN = {
    "study": "tiny",
    "datasets": {
        "mine": {
            "adapter": "csv",
            "root": "own",
            "labels": ["Mass"],
            "columns": {"patient": "patient"},
            "image": {"size": 32},
        }
    },
    "recipes": {"default": {"epochs": 1, "batch_size": 8, "channels": 1}},
    "report": {"resamples": 100, "figures": ["leaderboard"], "explain": "none"},
    "grid": {"datasets": ["mine"], "backbones": ["test_resnet"], "seeds": [0]},
}


def own_data(folder: Path) -> Path:
    """The table of 40 images of 40 patients."""
    (folder / "own").mkdir()
    rng = np.random.default_rng(0)
    for number in range(40):
        grey = rng.integers(0, 256, (40, 40), dtype=np.uint8)
        Image.fromarray(grey).save(folder / f"own/{number}.png")
    rows = [f"{number}.png,p{number},{number % 2}" for number in range(40)]
    table = folder / "own/labels.csv"
    table.write_text("\n".join(["image,patient,Mass", *rows]) + "\n")
    return table


@pytest.mark.long
def test_data_that_change_train_again_by_the_users_word_alone(tmp_path):
    table = own_data(tmp_path)
    assert planned(tmp_path, OWN)["train"] == {MINE}
    done = snakemake(tmp_path, OWN, "results/data/mine/audit.json")
    assert done.returncode == 0, done.stderr
    table.write_text(table.read_text().replace("p3,1", "p3,0"))
    told = snakemake(tmp_path, OWN, "-n")
    assert "1 row. No cell has been trained on it: it is read again" in told.stderr
    assert {"index", "pixels", "split", "audit"} <= set(planned(tmp_path, OWN))
    done = snakemake(tmp_path, OWN)
    assert done.returncode == 0, done.stderr
    assert planned(tmp_path, OWN) == {}

    table.write_text(table.read_text().replace("p5,1", "p5,0"))
    told = snakemake(tmp_path, OWN, "-n")
    assert "labels.csv has changed: 1 row; 1 cell would train again" in told.stderr
    assert planned(tmp_path, OWN) == {}
    word = ("--config", "reread=mine")
    assert planned(tmp_path, OWN, *word)["train"] == {MINE}

    # An image is written over; the run stops between `index` and `pixels`, and goes on without.
    table.write_text(table.read_text().replace("p5,0", "p5,1"))
    assert planned(tmp_path, OWN, *word) == {}
    Image.fromarray(np.zeros((40, 40), np.uint8)).save(tmp_path / "own/7.png")
    done = snakemake(tmp_path, OWN, "results/data/mine/index.parquet", *word)
    assert "1 of 40 images has changed. It is read again: 1 cell train" in done.stderr
    jobs = planned(tmp_path, OWN)
    assert "index" not in jobs and jobs["train"] == {MINE} and "pixels" in jobs
