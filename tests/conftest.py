"""A small synthetic study, as the pipeline would leave it: what tables, figures and report read.

Two datasets (several labels at once; classes that compete), two backbones, scratch and pretrained,
two seeds. All is drawn from fixed seeds; the cell `MISSING` has not run, and the first seeds but
`UNEXPLAINED` are explained.
"""

import atexit
import functools
import gc
import hashlib
import io
import json
import os
import shutil
import tempfile
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
import pytest
from filelock import FileLock
from hypothesis import settings
from PIL import Image

import long_tests
from cxrgrid import choose, collect, compare, figure, table
from cxrgrid.cluster import run_config
from cxrgrid.config.explained_cells import Explained
from cxrgrid.config.grid import Grid
from cxrgrid.config.study_json import read_grid
from cxrgrid.io.parquet import read_parquet, write_parquet
from warm_python import SERVED, warm_python

# What is made while tests are collected stays: to look through it again and again for what could go
# took a third of that time. `pytest_collection_finish` switches it on.
gc.disable()

# How long an example takes is the machine's affair, not the code's.
settings.register_profile("cxrgrid", deadline=None)
settings.load_profile("cxrgrid")

MISSING = "ward/resnet18/pretrained/default/seed1"
UNEXPLAINED = "children/resnet18/scratch/default/seed0"
LABELS = {"ward": ["Effusion", "Nodule", "Hernia"], "children": ["Normal", "Bacterial", "Viral"]}
HASHES = {"ward": "aa11bb22cc33dd44", "children": "0f1e2d3c4b5a6978"}
CONFIG = {
    "study": "demo",
    "title": "A small study",
    "datasets": {
        "ward": {"adapter": "nih", "phantom": {}, "labels": LABELS["ward"]},
        "children": {"adapter": "kermany", "phantom": {}, "labels": LABELS["children"]},
    },
    "weights": {"pretrained": "timm"},
    "grid": {
        "datasets": ["ward", "children"],
        "backbones": ["resnet10t", "resnet18"],
        "inits": ["scratch", "pretrained"],
        "seeds": [0, 1],
    },
}


@pytest.fixture(scope="session", autouse=True)
def no_run_before() -> None:
    """No run in the working folder, such as the demo's, is taken for one of a test's study."""
    run_config.FROZEN = "no-run-here"


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--long`: which of the tests marked so are run."""
    said = "of the tests marked long: all, none, or those of the Nth turn"
    parser.addoption("--long", default="all", metavar="all|none|N", help=said)


def pytest_configure(config: pytest.Config) -> None:
    """Of several workers one starts the server of warm_python.py, for all of them."""
    if getattr(config.option, "numprocesses", None) and not hasattr(config, "workerinput"):
        os.environ[SERVED] = warm_python()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out long tests that are not asked for; what takes longest starts first."""
    kept = long_tests.chosen(items, config.getoption("--long"))
    config.hook.pytest_deselected(items=[*set(items).difference(kept)])
    items[:] = sorted(
        kept, key=lambda item: item.path.stem not in ("test_studies", "test_workflow")
    )


def pytest_collection_finish(session: pytest.Session) -> None:
    """Outside of the cluster tests Slurm answers at once that it is not there.

    Where it is installed and does not run, each question would wait some ten seconds for it.
    """
    gc.freeze()
    gc.enable()
    session.config.add_cleanup(gc.unfreeze)
    if any(item.get_closest_marker("cluster") for item in session.items):
        return
    folder = Path(tempfile.mkdtemp(prefix="no-slurm-"))
    session.config.add_cleanup(lambda: shutil.rmtree(folder))
    for name in ("sacct", "scancel", "scontrol", "sinfo", "squeue"):
        (folder / name).write_text("#!/bin/sh\nexit 1\n")
        (folder / name).chmod(0o755)
    os.environ["PATH"] = f"{folder}:{os.environ['PATH']}"


def write_dataset(folder: Path, name: str, credentialed: bool = False) -> None:
    """table.parquet, pixels.npy and audit.json: 60 images of 30 patients."""
    rng = np.random.default_rng(len(name))
    task = "multilabel" if name == "ward" else "multiclass"
    drawn = rng.random((60, 3)) < (0.4, 0.2, 0.05)
    y = drawn if task == "multilabel" else np.eye(3, dtype=bool)[rng.integers(3, size=60)]
    columns = {"image": [f"{n:03}.png" for n in range(60)]}
    columns |= {"patient": [f"p{n // 2:02}" for n in range(60)], "row": list(range(60))}
    columns["view"] = ["PA", "AP", None] * 20
    columns["split"] = ["train"] * 36 + ["val"] * 8 + ["test"] * 16
    columns |= {label: y[:, at].astype(float) for at, label in enumerate(LABELS[name])}
    steps = [{"step": step, "images": n, "patients": 30} for step, n in (("raw", 64), ("kept", 60))]
    facts = {"dataset": name, "adapter": "nih", "task": task, "labels": LABELS[name]}
    facts |= {"source": "https://example.org/data", "terms": "For research only."}
    facts |= {"notes": ["Drawn for a test."], "accounting": steps, "credentialed": credentialed}
    facts |= {"split": "patient", "split_hash": HASHES[name]}
    write_parquet(columns, folder / name / "table.parquet", facts)
    np.save(folder / name / "pixels.npy", rng.integers(255, size=(60, 24, 24), dtype=np.uint8))
    audit = {"warnings": [f"One warning about {name}."], "accounting": steps}
    (folder / name / "audit.json").write_text(json.dumps(audit))


def write_history(folder: Path, cell) -> None:
    """Eight epochs of a loss that falls, of a cell whose best epoch is the sixth."""
    rng = np.random.default_rng([cell.seed, len(cell.init)])
    epoch = np.arange(1, 9)
    loss = 0.7 * np.exp(-epoch / 6) + 0.1
    columns = {"epoch": epoch, "train_loss": loss, "val_loss": loss + 0.05 + rng.random(8) / 50}
    columns |= {"val_auroc": 0.6 + epoch / 40 + rng.random(8) / 50, "lr": np.full(8, 0.001)}
    columns |= {"seconds": np.full(8, 1.5), "images_per_second": np.full(8, 24.0)}
    facts = {"parameters": 4_900_000, "split_hash": HASHES[cell.dataset], "hardware": "A processor"}
    facts |= {"versions": {"python": "3.11.2", "torch": "2.15.0"}, "threads": 1}
    columns["best"] = epoch == 6
    write_parquet(columns, folder / cell.path() / "history.parquet", facts)
    (folder / cell.path() / "cell.json").write_bytes(msgspec.json.encode(cell))


def write_predictions(folder: Path, data: Path, cell) -> None:
    """Answers on the test and validation images that follow the truth, not too closely."""
    table = read_parquet(data / cell.dataset / "table.parquet")[0].to_pandas()
    rng = np.random.default_rng([cell.seed, len(cell.path()), cell.init == "scratch"])
    for part in ("test", "val"):
        write_answers(folder, cell, part, table[table["split"] == part], rng)


def write_answers(folder: Path, cell, part: str, images: pd.DataFrame, rng) -> None:
    """The cell's predictions of one part of its dataset."""
    columns = {"image": list(images["image"]), "patient": list(images["patient"])}
    columns |= {f"y:{label}": images[label].to_numpy() for label in LABELS[cell.dataset]}
    columns |= {
        f"p:{label}": 1 / (1 + np.exp(-rng.normal(images[label], 1)))
        for label in LABELS[cell.dataset]
    }
    facts = cell.axes() | {"split_hash": HASHES[cell.dataset]}
    facts |= {"task": "multilabel" if cell.dataset == "ward" else "multiclass"}
    facts |= {"labels": LABELS[cell.dataset]}
    facts |= {"target": cell.dataset, "part": part, "split": "patient"}
    name = "val" if part == "val" else cell.dataset
    write_parquet(columns, folder / cell.path() / f"predictions/{name}.parquet", facts)


def write_explained(folder: Path, data: Path, cell) -> None:
    """Two pictures of the first label, a pointing game of two labels, and 16 places."""
    table, facts = read_parquet(data / cell.dataset / "table.parquet")
    test = table.to_pandas().query("split == 'test'")
    rng = np.random.default_rng(len(cell.path()))
    pictures = []
    for _ in range(2):
        file = io.BytesIO()
        pixels = rng.integers(255, size=(24, 48), dtype=np.uint8)
        Image.fromarray(pixels).save(file, format="webp")
        pictures.append(file.getvalue())
    said = {"rule": "youden", "hidden": False, "images": 16}
    of_game = {"margin": 0.03, "reason": ""}
    names = list(test["image"])
    out = folder / cell.path() / "explain"
    rows = {"image": names[:2], "label": LABELS[cell.dataset][:1] * 2, "sure": ["most", "least"]}
    rows |= {"outcome": ["true positive"] * 2, "probability": [0.9, 0.6], "threshold": [0.5] * 2}
    write_parquet(rows | {"picture": pictures}, out / "gallery.parquet", said)
    boxed = {"image": names[:4], "label": LABELS["ward"][:2] * 2, "hit": [True, False, True, True]}
    boxed = boxed if cell.dataset == "ward" else {name: [] for name in boxed}
    boxed["chance"] = [0.1] * len(boxed["hit"])
    write_parquet(boxed, out / "pointing.parquet", of_game)
    places = {"image": names, "x": rng.normal(size=16), "y": rng.normal(size=16)}
    views = [view if isinstance(view, str) else None for view in test["view"]]
    places |= {"finding": LABELS[cell.dataset][:2] * 8, "view": views}
    write_parquet({**places, "source": [None] * 16}, out / "embedding.parquet", facts)


def score_rows(cell) -> list[dict]:
    """Every metric of one cell, with plausible numbers."""
    rng = np.random.default_rng([cell.seed, len(cell.path()), cell.init == "scratch"])
    multiclass = cell.dataset == "children"
    names = [(label, m) for label in LABELS[cell.dataset] for m in LABEL_METRICS]
    names += [("macro", m) for m in ("auroc", "ap", "f1", "balanced_accuracy")]
    whole = ("accuracy", "balanced_accuracy", "majority_accuracy")
    names += [("all", m) for m in whole if multiclass]
    rows = []
    for label, metric in names:
        value = round(float(rng.uniform(0.6, 0.9)), 3)
        row = cell.axes()
        row |= {"target": cell.dataset, "subset": "all", "label": label, "metric": metric}
        row |= {"value": value, "low": value - 0.05, "high": value + 0.04}
        decided = metric not in UNDECIDED
        row["threshold_rule"] = ("argmax" if multiclass else "youden") if decided else ""
        row |= {"labels_scored": 3 if label == "macro" else None, "reason": None, "groups": None}
        rows.append(row | {"n": 16, "positives": 5, "patients": 8})
    return rows


UNDECIDED = ("auroc", "ap", "prevalence", "majority_accuracy")  # metrics without a threshold
LABEL_METRICS = ("auroc", "ap", "accuracy", "balanced_accuracy", "sensitivity", "specificity", "f1")
LABEL_METRICS += ("tp", "fp", "tn", "fn", "prevalence", "majority_accuracy", "threshold")


def write_scores(study: Path, cells: list, shuffle: int = 0) -> None:
    """scores/*.parquet; `shuffle` changes the order of the rows and nothing else."""
    for target in ("ward", "children"):
        rows = [row for cell in cells if cell.dataset == target for row in score_rows(cell)]
        if not rows:
            continue
        order = np.random.default_rng(shuffle).permutation(len(rows))
        columns = {name: [rows[at][name] for at in order] for name in rows[0]}
        write_parquet(columns, study / "scores" / f"{target}.parquet", {})
        points = [row for cell in cells if cell.dataset == target for row in curve_rows(cell)]
        write_parquet(pd.DataFrame(points), study / "curves" / f"{target}.parquet", {})


def curve_rows(cell) -> list[dict]:
    """Three points of each curve of each label."""
    axes = cell.axes() | {"target": cell.dataset}
    points = {"roc": [(0, 0), (0.2, 0.7), (1, 1)], "pr": [(0.1, 1), (0.7, 0.5), (1, 0.3)]}
    points["reliability"] = [(0.1, 0.2), (0.4, 0.3), (0.8, 0.9)]
    return [
        {**axes, "label": label, "curve": curve, "x": float(x), "y": float(y), "n": 5}
        for label in LABELS[cell.dataset]
        for curve, xy in points.items()
        for x, y in xy
    ]


def write_study(results: Path, **config) -> Path:
    """The whole study below `results`; its study.json. `config` replaces settings of `CONFIG`."""
    shutil.copytree(drawn_study(json.dumps(CONFIG | config)), results, dirs_exist_ok=True)
    return results / "demo/study.json"


@functools.cache
def kept_folder() -> Path:
    """A folder for what several tests of this process copy."""
    folder = Path(tempfile.mkdtemp(prefix="kept-"))
    atexit.register(shutil.rmtree, folder)
    return folder


@functools.cache
def drawn_study(config: str) -> Path:
    """The results of a study, to copy. config: its settings as JSON."""
    results = Path(tempfile.mkdtemp(prefix="study-", dir=kept_folder()))
    study = results / "demo"
    grid = Grid(json.loads(config))
    done = [cell for cell in grid.cells if cell.path() != MISSING]
    for name in LABELS:
        write_dataset(results / "data", name)
    for cell in done:
        write_history(study / "cells", cell)
        write_predictions(study / "cells", results / "data", cell)
    for cell in Explained(grid).cells:
        if cell in done and cell.path() != UNEXPLAINED:
            write_explained(study / "cells", results / "data", cell)
    write_scores(study, done)
    (study / "study.json").write_text(config)
    return results


def write_report(study: Path, drawn: bool = False) -> Path:
    """The report's folder, as `collect`, `choose`, `compare`, `table` and `figure` make it.

    drawn: false puts an empty picture for each figure, for tests that look at none: to draw them
    takes longer than all the rest; and the PDF longer than the SVG, which alone is drawn. Of equal
    results the report is made once and copied.
    """
    report = study.parent / "report"
    if report.exists() or Path(".snakemake").exists():
        return make_report(study, report, drawn)
    kept = kept_folder() / f"report-{digest(study.parents[1])}-{drawn}"
    if not kept.is_dir():
        shutil.copytree(make_report(study, report, drawn), kept)
        return report
    return Path(shutil.copytree(kept, report))


def digest(folder: Path) -> str:
    """Hash of the names and bytes of all files below a folder."""
    found = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        found.update(f"{path.relative_to(folder)}\0".encode() + path.read_bytes())
    return found.hexdigest()


def make_report(study: Path, report: Path, drawn: bool) -> Path:
    """The folder `report`, made anew."""
    collect.main([str(study), "--out-dir", str(report)])
    validation = str(report / "validation.csv")
    choose.main([str(study), "--out", validation])
    others = ["--configurations", str(report / "configurations.csv"), "--validation", validation]
    others += [
        "--effects",
        str(report / "effects.csv"),
        "--recommended",
        str(report / "recommended.csv"),
    ]
    compare.main(["--study", str(study), "--out", str(report / "comparisons.csv"), *others])
    table.main([str(study), "--report", str(report)])
    if drawn:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(figure, "METADATA", {"svg": figure.METADATA["svg"]})
            figure.main([str(study), "--report", str(report), "--out-dir", str(report / "figures")])
    else:
        leave_blank(read_grid(study).figures(), report / "figures")
    return report


def leave_blank(names: list[str], folder: Path) -> None:
    """An SVG without anything in it for each figure."""
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / f"{name}.svg").write_text('<svg width="1pt" height="1pt"></svg>')


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """study.json of a study that one may change."""
    return write_study(tmp_path / "results")


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """study.json of a study with its tables and figures, to read only; one for all workers."""
    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with FileLock(base / "finished.lock"):
        if not (base / "finished.made").exists():
            write_report(write_study(base / "finished/results"), drawn=True)
            (base / "finished.made").touch()
    return base / "finished/results/demo/study.json"


@pytest.fixture
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The test's own folder, in which it runs."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
