"""Stack a study's scores and histories, and list every cell that it should have.

Makes metrics.csv, history.csv, cells.csv and confusions.csv. A cell that has not run stands in
cells.csv as missing, with the command that runs it; nothing is silently shorter.

Example:
  python -m cxrgrid.collect results/demo/study.json --out-dir results/demo/report
"""

import logging
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from cxrgrid.cluster.progress import Progress, survey
from cxrgrid.config.cell import AXES, Cell, fold_folder
from cxrgrid.config.errors import UserError
from cxrgrid.config.grid import finished
from cxrgrid.config.study_json import read_grid
from cxrgrid.evaluation import confusion
from cxrgrid.evaluation.ensemble import members
from cxrgrid.evaluation.fold_scores import model_of
from cxrgrid.evaluation.score_columns import CELLS, COUNTS, EPOCHS, KEYS, SCORES, with_fold
from cxrgrid.io import cli
from cxrgrid.io.atomic import make_folder
from cxrgrid.io.csv_file import write_csv
from cxrgrid.io.parquet import read_answers, read_parquet
from cxrgrid.reporting import readings
from cxrgrid.reporting.factor_columns import with_levels


def stack(
    scores: list[pd.DataFrame], cells: list[Cell], external: tuple[str, ...] = ()
) -> pd.DataFrame:
    """The scores of the study's cells as one sorted frame; those of other cells are dropped.

    external: names of models from elsewhere, which stand there with init `external`.
    """
    rows = pd.concat([pd.DataFrame(columns=SCORES), *scores])[SCORES]
    rows["labels_scored"] = rows["labels_scored"].astype("Int64")
    together = members(cells)
    asked = {tuple(cell.axes().values()) for cell in cells} | set(together)
    asked |= {model_of(dict(zip(AXES, one, strict=True))) for one in asked}
    models = list(rows[AXES].itertuples(index=False, name=None))
    known = np.array([model in asked for model in models], bool)
    elsewhere = (rows["init"] == "external") & rows["backbone"].isin(external)
    known |= elsewhere.to_numpy(bool)
    return rows[known].sort_values(KEYS, ignore_index=True)


def missing_row(one: Progress) -> dict:
    """A cell that has not finished: why, as far as is known, and how to run it."""
    return one.cell.axes() | {"state": "missing", "reason": one.reason, "rerun": one.rerun}


def done_row(cell: Cell, history: pd.DataFrame, facts: dict) -> dict:
    """Row of a finished cell in cells.csv."""
    best = history.loc[history["best"].astype(bool), "epoch"]
    versions = facts.get("versions", {})
    return cell.axes() | {
        "state": "done",
        "epochs": len(history),
        "best_epoch": best.iloc[-1] if len(best) else None,
        "seconds": history["seconds"].sum(),
        "images_per_second": history["images_per_second"].median(),
        "versions": ", ".join(f"{name} {versions[name]}" for name in sorted(versions)),
        **{name: facts.get(name) for name in (*COUNTS, "split_hash", "hardware", "start")},
        **cost(facts.get("cost", {})),
    }


def cost(spent: dict[str, float | None]) -> dict[str, float | None]:
    """Cost of a whole run, including start-up, predictions and stopped attempts."""
    gpu, joules = spent.get("gpu_seconds"), spent.get("energy_joules")
    found = {"total_seconds": spent.get("seconds"), "gpu_hours": gpu and gpu / 3600}
    found["energy_kwh"] = joules and joules / 3.6e6
    return found | {name: spent.get(name) for name in ("peak_host_mb", "peak_device_mb")}


def check_splits(rows: list[dict], scored: dict[tuple[str, int], str | None]) -> None:
    """`UserError` if cells of one fold rest on several splits: no mean is taken over these.

    scored: by target and fold the split hash of the scores, None where they do not say.
    """
    for dataset, fold in dict.fromkeys((row["dataset"], row["fold"]) for row in rows):
        here = [row for row in rows if (row["dataset"], row["fold"]) == (dataset, fold)]
        cells = {row.get("split_hash") for row in here}
        found = sorted(filter(None, {*cells, scored.get((dataset, fold))}))
        if len(found) > 1:
            where = f"{dataset}{fold_folder(fold)}"
            raise UserError(
                f"{where}: cells or scores rest on different splits (hashes {', '.join(found)}); "
                "they are not compared: run snakemake, which trains the older ones again"
            )


def hashes(facts: dict[str, dict]) -> dict[tuple[str, int], str | None]:
    """Split hash by target and fold; facts: of each target's scores."""
    several = {
        (target, int(fold)): found
        for target, each in facts.items()
        for fold, found in each.get("split_hashes", {}).items()
    }
    return {(target, 0): each.get("split_hash") for target, each in facts.items()} | several


def cell_table(rows: list[dict]) -> pd.DataFrame:
    """cells.csv: whole numbers stay whole where some cells have none."""
    whole = dict.fromkeys(["epochs", "best_epoch", *COUNTS], "Int64")
    return pd.DataFrame(rows, columns=CELLS).astype(whole)


def read_histories(cells: list[Cell], study: Path) -> dict[Cell, tuple[pd.DataFrame, dict]]:
    """The histories of the cells that have finished."""
    found = {}
    for cell in cells:
        folder = study / "cells" / cell.path()
        if finished(folder, cell) and (folder / "history.parquet").is_file():
            needs = ("epoch", "seconds", "images_per_second", "best", f"val_{cell.monitor}")
            table, facts = read_parquet(folder / "history.parquet", *needs)
            found[cell] = table.to_pandas(), facts
    return found


def history_table(histories: dict[Cell, tuple[pd.DataFrame, dict]]) -> pd.DataFrame:
    """All epochs of all cells, with the cells' coordinates; NaN where a version recorded none."""
    frames = [pd.DataFrame(columns=[*AXES, *EPOCHS])]
    for cell, (history, _) in histories.items():
        named = cell.axes() | {"monitor": cell.monitor}
        found = history.assign(**named, monitored=history[f"val_{cell.monitor}"])
        frames.append(found.reindex(columns=[*AXES, *EPOCHS]))
    found = pd.concat(frames).sort_values([*AXES, "epoch"], ignore_index=True)
    return found.astype({"steps": "Int64"})


def confusion_table(cells: Iterable[Cell], study: Path) -> pd.DataFrame:
    """Truth by decision of each cell on its own test images, where classes compete."""
    frames = [pd.DataFrame(columns=[*AXES, *confusion.COLUMNS])]
    for cell in cells:
        path = study / "cells" / cell.path() / f"predictions/{cell.dataset}.parquet"
        if path.is_file():
            table, facts = read_answers(path)
            if facts.get("task") == "multiclass":
                found = confusion.counts(table.to_pandas(), facts["labels"])
                frames.append(found.assign(**cell.axes()))
    return pd.concat(frames)[[*AXES, *confusion.COLUMNS]]


def main(argv: list[str] | None) -> None:
    """Read what there is, write four CSV files, say what is missing."""
    parser = cli.parser("collect", __doc__)
    parser.add_argument("study", type=Path, help="study.json; scores/ and cells/ lie beside it")
    parser.add_argument("--out-dir", type=Path, required=True, help="the report's folder")
    args = parser.parse_args(argv)
    study, grid = args.study.parent, read_grid(args.study)
    paths = [study / "scores" / f"{target}.parquet" for target in grid.tested()]
    read = {path.stem: read_parquet(path) for path in paths if path.is_file()}
    scores = [with_fold(table).to_pandas() for table, _ in read.values()]
    histories = read_histories(grid.cells, study)
    rows = [
        done_row(one.cell, *histories[one.cell]) if one.cell in histories else missing_row(one)
        for one in survey(grid.cells, study)
    ]
    check_splits(rows, hashes({target: facts for target, (_, facts) in read.items()}))
    make_folder(args.out_dir)
    frames = {
        "metrics": stack(scores, grid.cells, tuple(grid.study.external)),
        "history": history_table(histories),
        "cells": cell_table(rows),
        "confusions": confusion_table(histories, study),
    }
    for name, rows_of in frames.items():
        write_csv(with_levels(rows_of, grid.levels), args.out_dir / f"{name}.csv")
    readings.record(study, grid, [cell.configuration() for cell in histories])
    for row in rows:
        if row["state"] == "missing":
            logging.info(f"missing ({row['reason']}): {row['rerun']}")
    logging.info(f"{len(histories)} of {len(grid.cells)} cells are done")


if __name__ == "__main__":
    cli.run(main)
