"""The part of the training images that a recipe trains on. No pandas: `train` starts light."""

import math
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute

from cxrgrid.config.cell import Cell
from cxrgrid.config.dataset import Subset
from cxrgrid.config.errors import UserError, known
from cxrgrid.data import subsets
from cxrgrid.data.hashed_draws import hashed_draw
from cxrgrid.data.label_targets import training_targets


def training_part(table: pa.Table, facts: dict, cell: Cell) -> tuple[np.ndarray, np.ndarray]:
    """Mask of the training images that a cell uses, bool [N], and all targets, float32 [N, L].

    table: the training rows of a table.parquet; facts: its own. `UserError` where nothing is left,
    or where a label loses its last positive image.
    """
    targets = training_targets(table, facts, cell)
    kept = np.ones(table.num_rows, bool)
    for kept, words in steps(table, cell):
        check_part(kept, targets, facts["labels"], f"cell {cell.path()}: {words}")
    return kept, targets


def check_cells(table: pa.Table, facts: dict, cells: list[Cell]) -> None:
    """`UserError` for the first cell of a dataset whose share or filter no training could use.

    table: all rows of its table.parquet. Each distinct part is looked at once; those of cells that
    pool several datasets are not, since they are known once all are prepared.
    """
    names = ("train_share", "train_where", "uncertain", "blank")
    parts = {}
    for cell in cells:
        limited = cell.train_share < 1 or cell.train_where != Subset()
        if limited and not cell.train_on:
            part = [getattr(cell, name) for name in names]
            parts.setdefault(str([*part, cell.seed if cell.train_share < 1 else 0]), cell)
    if parts:
        rows = table.filter(pa.compute.equal(table["split"], "train"))
        for cell in parts.values():
            check_where([table], cell)
            training_part(rows, facts, cell)


def check_where(tables: list[pa.Table], cell: Cell) -> None:
    """`UserError` for a view or source of `train_where` that no image of some tables has."""
    where = f"cell {cell.path()}: train_where"
    for name, names in (("view", subsets.spelled(cell.train_where.view)), ("source", ())):
        columns = [table[name].to_pylist() for table in tables if name in table.column_names]
        there = {value for column in columns for value in column if value}
        if name == "view":
            there = {view.upper() for view in there}.union(*subsets.VIEWS.values())
        for value in names or getattr(cell.train_where, name):
            known(value, there, f"{where}.{name}", name)


def steps(table: pa.Table, cell: Cell) -> Iterator[tuple[np.ndarray, str]]:
    """Mask of the rows after each of a recipe's limits, filter first, and the limit in words."""
    kept = np.ones(table.num_rows, bool)
    if cell.train_where != Subset():
        kept = subsets.of_table(table, cell.train_where)
        yield kept, "train_where"
    if cell.train_share < 1:
        patients = np.array(table["patient"].to_pylist(), object)
        kept = kept & np.isin(
            patients, shared_patients(patients[kept], cell.train_share, cell.seed)
        )
        yield kept, f"train_share {cell.train_share:g} ({len(set(patients[kept])):,} patients)"


def chosen_part(table: pa.Table, cell: Cell) -> tuple[np.ndarray, str]:
    """Mask of the rows after all of a recipe's limits, unchecked, and the last one in words."""
    return [(np.ones(table.num_rows, bool), ""), *steps(table, cell)][-1]


def shared_patients(patients: np.ndarray, share: float, seed: int) -> list[str]:
    """The patients of a share, one at least: of one seed, a smaller share lies in a larger one."""
    order = sorted(set(patients), key=lambda patient: hashed_draw(patient, f"share {seed}"))
    return order[: max(1, round(share * len(order)))] if order else []


def check_part(kept: np.ndarray, targets: np.ndarray, labels: list[str], where: str) -> None:
    """`UserError` if nothing is kept, or no positive image of a label that has some."""
    if not kept.any():
        raise UserError(f"{where} leaves none of {len(kept):,} training images")
    check_shown((targets == 1).any(axis=0) & ~(targets[kept] == 1).any(axis=0), labels, where)


def check_shown(lost: np.ndarray, labels: list[str], where: str) -> None:
    """`UserError` if a label has lost its last positive image; lost: bool [L]."""
    if lost.any():
        names = ", ".join(label for label, gone in zip(labels, lost, strict=True) if gone)
        raise UserError(
            f"{where} leaves no training image that shows {names}; choose a larger part, or "
            "leave the label out of datasets.<name>.labels"
        )


def count_text(kept: np.ndarray, patients: list[str]) -> str:
    """Size of the training part, for a log: `1,200 of 12,000 training images, 300 patients`."""
    left = {patient for patient, stays in zip(patients, kept, strict=True) if stays}
    return f"{math.fsum(kept):,.0f} of {len(kept):,} training images, {len(left):,} patients"
