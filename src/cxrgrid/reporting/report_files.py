"""Files that a report folder must hold, and their columns, before it is read."""

import csv
from pathlib import Path

from cxrgrid.comparison import choice, effect_rows, recommended, study_pairs
from cxrgrid.config.cell import AXES, CONFIGURATION
from cxrgrid.config.errors import UserError
from cxrgrid.evaluation import confusion
from cxrgrid.evaluation.score_columns import CELLS, EPOCHS, SCORES

BOARD = [*CONFIGURATION, "entry", "validation", "validation_sd", "validation_n", "recommended"]
BOARD += ["value", "sd", "min", "max", "seeds", "planned", "n", "patients", "low", "high", "folds"]
COLUMNS = {
    "metrics": SCORES,
    "history": [*AXES, *EPOCHS],
    "cells": CELLS,
    "confusions": [*AXES, *confusion.COLUMNS],
    "comparisons": study_pairs.COLUMNS,
    "configurations": study_pairs.CONFIGURATION_COLUMNS,
    "effects": effect_rows.COLUMNS,
    "recommended": recommended.COLUMNS,
    "validation": choice.COLUMNS,
    "leaderboard": BOARD,
}
ADDED = {"fold", "chosen_in", "recommended_in"}  # by `results.read_csv`, where they are not


def check_files(study: Path, report: Path, names: tuple[str, ...]) -> None:
    """`UserError` with the one command that completes a report, such as one of an early version.

    names: of its CSV files that are read.
    """
    missing = [f"{name}.csv" for name in names if not (report / f"{name}.csv").is_file()]
    again = f"without a training: snakemake --configfile {study}"
    if missing:
        raise UserError(
            f"{report}: no {', '.join(missing)}; the command that makes what is missing, {again}"
        )
    for name in names:
        if lost := sorted({*COLUMNS[name]} - ADDED - columns(report / f"{name}.csv")):
            raise UserError(
                f"{report / name}.csv: no column {', '.join(lost)}, so another version wrote it; "
                f"the command that makes the report anew, {again} --forcerun collect choose"
            )


def columns(path: Path) -> set[str]:
    """Names of a CSV file's columns."""
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        return set(next(csv.reader(file), []))
