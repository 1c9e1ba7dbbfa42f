"""Stack a study's scores and histories, and list every cell that it should have.

Makes metrics.csv, history.csv and cells.csv. A cell that has not run stands in cells.csv as
missing, with the command that runs it; nothing is silently shorter.

Example:
  python -m cxrgrid.collect results/demo/study.json --out-dir results/demo/report
"""

import logging
from pathlib import Path

import numpy as np
import pandas as pd

from cxrgrid import command
from cxrgrid.config import Cell
from cxrgrid.data import read_parquet
from cxrgrid.frames import AXES, read_grid

KEYS = [*AXES, "target", "subset", "label", "metric"]
METRICS = [*KEYS, "value", "low", "high", "n", "positives", "patients"]
EPOCHS = ["epoch", "train_loss", "val_loss", "val_auroc", "lr", "seconds", "images_per_second"]
EPOCHS += ["best"]
CELLS = [*AXES, "state", "epochs", "best_epoch", "seconds", "images_per_second", "parameters"]
CELLS += ["split_hash", "hardware", "threads", "versions", "rerun"]


def stack(scores: list[pd.DataFrame], cells: list[Cell]) -> pd.DataFrame:
    """The scores of the study's cells as one sorted frame; those of other cells are dropped."""
    frame = pd.concat([pd.DataFrame(columns=METRICS), *scores])[METRICS]
    asked = {tuple(getattr(cell, axis) for axis in AXES) for cell in cells}
    known = [place in asked for place in frame[AXES].itertuples(index=False, name=None)]
    return frame[np.array(known, bool)].sort_values(KEYS, ignore_index=True)


def cell_row(cell: Cell, history: pd.DataFrame | None, facts: dict) -> dict:
    """What is known of one cell; `history` is None where it has not finished."""
    row = {axis: getattr(cell, axis) for axis in AXES}
    if history is None:
        model = f"results/{cell.study}/cells/{cell.path()}/model.safetensors"
        return row | {"state": "missing", "rerun": f"snakemake {model}"}
    best = history.loc[history["best"].astype(bool), "epoch"]
    versions = facts.get("versions", {})
    return row | {
        "state": "done",
        "epochs": len(history),
        "best_epoch": best.iloc[-1] if len(best) else None,
        "seconds": history["seconds"].sum(),
        "images_per_second": history["images_per_second"].median(),
        "versions": ", ".join(f"{name} {versions[name]}" for name in sorted(versions)),
        **{name: facts.get(name) for name in ("parameters", "split_hash", "hardware", "threads")},
    }


def cell_table(rows: list[dict]) -> pd.DataFrame:
    """cells.csv: whole numbers stay whole where some cells have none."""
    whole = dict.fromkeys(["epochs", "best_epoch", "parameters", "threads"], "Int64")
    return pd.DataFrame(rows, columns=CELLS).astype(whole)


def read_histories(cells: list[Cell], study: Path) -> dict[Cell, tuple[pd.DataFrame, dict]]:
    """The histories of the cells that have finished: training writes them last."""
    found = {}
    for cell in cells:
        path = study / "cells" / cell.path() / "history.parquet"
        if path.is_file():
            table, facts = read_parquet(path)
            found[cell] = table.to_pandas(), facts
    return found


def history_table(histories: dict[Cell, tuple[pd.DataFrame, dict]]) -> pd.DataFrame:
    """All epochs of all cells, with the cells' coordinates."""
    frames = [pd.DataFrame(columns=[*AXES, *EPOCHS])]
    for cell, (history, _) in histories.items():
        frames.append(history.assign(**{axis: getattr(cell, axis) for axis in AXES}))
    return pd.concat(frames)[[*AXES, *EPOCHS]].sort_values([*AXES, "epoch"], ignore_index=True)


def write_csv(frame: pd.DataFrame, path: Path) -> None:
    """The same numbers give the same bytes on every machine."""
    frame.to_csv(path, index=False, float_format="%.6g", lineterminator="\n")


def main(argv: list[str] | None) -> None:
    """Read what there is, write three CSV files, say what is missing."""
    parser = command.parser("collect", __doc__)
    parser.add_argument("study", type=Path, help="study.json; scores/ and cells/ lie beside it")
    parser.add_argument("--out-dir", type=Path, required=True, help="the report's folder")
    args = parser.parse_args(argv)
    study, grid = args.study.parent, read_grid(args.study)
    paths = [study / "scores" / f"{target}.parquet" for target in grid.targets()]
    scores = [read_parquet(path)[0].to_pandas() for path in paths if path.is_file()]
    histories = read_histories(grid.cells, study)
    rows = [cell_row(cell, *histories.get(cell, (None, {}))) for cell in grid.cells]
    args.out_dir.mkdir(parents=True, exist_ok=True)
    write_csv(stack(scores, grid.cells), args.out_dir / "metrics.csv")
    write_csv(history_table(histories), args.out_dir / "history.csv")
    write_csv(cell_table(rows), args.out_dir / "cells.csv")
    for row in rows:
        if row["state"] == "missing":
            logging.info(f"missing: {row['rerun']}")
    logging.info(f"{len(histories)} of {len(grid.cells)} cells are done")


if __name__ == "__main__":
    command.run(main)
