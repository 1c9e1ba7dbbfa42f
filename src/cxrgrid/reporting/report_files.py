"""Files that a report folder must hold, and their columns, before it is read."""

import csv
from pathlib import Path

import pandas as pd

from cxrgrid.comparison import choice, effect_rows, recommended, study_pairs
from cxrgrid.config.cell import AXES, CONFIGURATION, Cell
from cxrgrid.config.errors import UserError
from cxrgrid.evaluation import confusion
from cxrgrid.evaluation.score_columns import CELLS, EPOCHS, SCORES
from cxrgrid.io.json_file import AGAIN

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
TEXT = dict.fromkeys(
    [*CONFIGURATION, "entry", "target", "subset", "label", "metric", "threshold_rule", "state"]
    + ["reason", "rerun", "truth", "decision"]
    + ["groups", "axis", "a", "b", "factor", "level_a", "level_b", "recipe_a", "recipe_b"]
    + ["verdict", "sentence", "level", "against", "by", "by_level", "model", "family"]
    + ["margin_verdict", "chosen_in", "recommended_in"],
    "str",
)
WORDS = {*TEXT, "monitor", "split_hash", "hardware", "versions", "start", "recommended"}
OF_CELLS = ("metrics", "history", "cells", "confusions")  # each row is of a cell or a model
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


def check_kinds(path: Path, frame: pd.DataFrame) -> None:
    """`UserError` if a file of the report lacks a column, or has one of another kind."""
    wanted = COLUMNS.get(path.stem, []) if path.suffix == ".csv" else []
    if wanted and path.read_bytes()[-1:] != b"\n":
        raise UserError(f"{path}: is cut short; {AGAIN}")
    for name in [name for name in wanted if name not in frame.columns and name not in ADDED][:1]:
        raise UserError(f"{path}: no column {name!r}; {AGAIN}")
    for name in [name for name in wanted if name in frame.columns and frame[name].notna().any()]:
        if name not in WORDS and not pd.api.types.is_numeric_dtype(frame[name]):
            raise UserError(f"{path}: column {name!r} holds what is no number; {AGAIN}")
    for name in AXES if path.stem in OF_CELLS and len(frame) else []:
        whole = name in CONFIGURATION or pd.api.types.is_integer_dtype(frame[name])
        if frame[name].isna().any() or not whole:
            raise UserError(f"{path}: column {name!r} is empty in a row, or no name; {AGAIN}")


def check_listed(report: Path, listed: pd.DataFrame, cells: list[Cell]) -> None:
    """`UserError` unless cells.csv lists each cell of the study once."""
    there = sorted(listed[AXES].itertuples(index=False, name=None))
    if there != sorted(tuple(cell.axes().values()) for cell in cells):
        raise UserError(
            f"{report / 'cells.csv'}: lists {len(there)} cells, which are not the {len(cells)} of "
            "the study; it is cut short, or of another study.json: run snakemake, or collect, again"
        )


def columns(path: Path) -> set[str]:
    """Names of a CSV file's columns."""
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        return set(next(csv.reader(file), []))
