"""Show a study in TensorBoard, MLflow or Weights & Biases: one run per cell with all numbers.

Reads the results and adds what is new since the last call; no Snakemake needs to run, and training
does not wait for it. A cell that runs is followed epoch by epoch. Needs
`pip install 'cxrgrid[track]'`, or for Weights & Biases `'cxrgrid[wandb]'`. Settings, curves and
scores are sent, never an image nor a name of one.

Example:
  python -m cxrgrid.track results/demo/study.json --tensorboard runs
  python -m cxrgrid.track results/demo/study.json --tensorboard runs --watch
  python -m cxrgrid.track results/demo/study.json --mlflow http://localhost:5000
  python -m cxrgrid.track results/demo/study.json --wandb my-team/chest
"""

import hashlib
import logging
import math
import time
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd

from cxrgrid.cluster import training_progress
from cxrgrid.cluster.progress import Progress, survey
from cxrgrid.config.cell import AXES, Cell, read_cell
from cxrgrid.config.errors import UserError
from cxrgrid.config.grid import Grid
from cxrgrid.config.study_json import read_grid
from cxrgrid.evaluation.score_columns import with_fold
from cxrgrid.io import cli
from cxrgrid.io.parquet import read_parquet
from cxrgrid.reporting.metric_rows import at_default
from cxrgrid.reporting.trackers import Mark, MLflow, News, TensorBoard, WandB

EPOCH = ("epoch", "train_loss", "train_accuracy", "train_f1", "lr", "seconds")
EPOCH += ("images_per_second",)
SHOWN = ("auroc", "ap", "f1", "balanced_accuracy", "accuracy", "sensitivity", "specificity")


def digest(content: object) -> str:
    """A short hash of what JSON can hold."""
    return hashlib.sha256(msgspec.json.encode(content, order="sorted")).hexdigest()[:12]


def epochs(one: Progress, folder: Path) -> list[dict[str, float]]:
    """The epochs that are known, from the history or, of a cell at work, from its progress."""
    path = folder / "history.parquet"
    if one.state == "done" and path.is_file():
        return [shown(row) for row in read_parquet(path)[0].to_pylist()]
    asked = folder / "cell.json"
    if not asked.is_file() or read_cell(str(asked)) != one.cell:
        return []
    found = training_progress.read(folder)
    return [shown(row) for row in found.history] if found else []


def shown(row: dict) -> dict[str, float]:
    """Values of an epoch that are drawn."""
    return {name: row[name] for name in row if name in EPOCH or name.startswith("val_")}


def scored(grid: Grid, study: Path) -> pd.DataFrame:
    """All cells' scores on their own test images, of several operating points the first."""
    paths = [study / "scores" / f"{target}.parquet" for target in grid.targets()]
    frames = [with_fold(read_parquet(path)[0]).to_pandas() for path in paths if path.is_file()]
    if not frames:
        return pd.DataFrame(columns=[*AXES, "label", "metric", "value", "low", "high"])
    rows = at_default(pd.concat(frames), grid)
    own = (rows["target"] == rows["dataset"]) & (rows["subset"] == "all")
    return rows[own & rows["metric"].isin(SHOWN)]


def scores(cell: Cell, rows: pd.DataFrame) -> dict[str, float]:
    """`test/{metric}/{label}` of a cell, with `_low` and `_high`; {} before it is scored."""
    own = np.logical_and.reduce([rows[axis] == value for axis, value in cell.axes().items()])
    found = {}
    for row in rows[own].itertuples():
        for end, value in (("", row.value), ("_low", row.low), ("_high", row.high)):
            found[f"test/{row.metric}{end}/{row.label}"] = value
    return {name: value for name, value in found.items() if math.isfinite(value)}


def spent(folder: Path) -> dict[str, float]:
    """`cost/…`: what the whole run took, as the history's facts have it."""
    path = folder / "history.parquet"
    facts = read_parquet(path)[1] if path.is_file() else {}
    counts = {name: facts.get(name) for name in ("parameters", "multiply_adds")}
    numbers = counts | facts.get("cost", {})
    return {f"cost/{name}": value for name, value in numbers.items() if value is not None}


def news(one: Progress, study: Path, tested: dict[str, float], held: Mark) -> News | None:
    """News of a cell for a sink that holds `held`; None if there are none. tested: its `scores`."""
    folder = study / "cells" / one.cell.path()
    settings = digest(msgspec.to_builtins(one.cell))
    anew = bool(held.settings) and held.settings != settings
    before = Mark() if anew else held
    rows = [row for row in epochs(one, folder) if row["epoch"] > before.epochs]
    last = int(rows[-1]["epoch"]) if rows else before.epochs
    made = {**tested, **spent(folder)} if tested and one.state == "done" else {}
    mark = Mark(settings, last, digest(made) if made else before.scores)
    if mark == before or not (rows or made):
        return None
    return News(one.cell, rows, made if mark.scores != before.scores else {}, one.state, anew, mark)


def track(study: Path, sinks: list) -> tuple[int, bool]:
    """Bring every sink up to date; the number of cells with news, and True if all have ended."""
    grid, found = read_grid(study), 0
    rows, states = scored(grid, study.parent), survey(grid.cells, study.parent)
    for one in states:
        tested = scores(one.cell, rows)
        for sink in sinks:
            made = news(one, study.parent, tested, sink.held(one.cell))
            if made:
                sink.write(made)
                found += 1
    return found, all(one.state == "done" for one in states)


def main(argv: list[str] | None) -> None:
    """Write once, or until all cells are done."""
    parser = cli.parser("track", __doc__)
    parser.add_argument("study", type=Path, help="study.json")
    parser.add_argument("--tensorboard", type=Path, metavar="FOLDER", help="of event files")
    parser.add_argument("--mlflow", metavar="URI", help="a tracking server, or sqlite:///…")
    parser.add_argument("--wandb", metavar="PROJECT", help="or ENTITY/PROJECT")
    parser.add_argument(
        "--watch", nargs="?", type=float, const=10.0, metavar="SECONDS", help="look again (10)"
    )
    args = parser.parse_args(argv)
    name = read_grid(args.study).name
    sinks = [TensorBoard(args.tensorboard, name)] if args.tensorboard else []
    sinks += [MLflow(args.mlflow, name)] if args.mlflow else []
    sinks += [WandB(args.wandb, name, args.study.parent / "wandb")] if args.wandb else []
    if not sinks:
        raise UserError("--tensorboard FOLDER, --mlflow URI or --wandb PROJECT: one is needed")
    while True:
        found, ended = track(args.study, sinks)
        logging.info(f"{name}: {found} runs had something new")
        if ended or not args.watch:
            return
        time.sleep(args.watch)


if __name__ == "__main__":
    cli.run(main)
