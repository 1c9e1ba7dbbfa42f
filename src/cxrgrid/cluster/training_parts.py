"""Shares and filters of planned trainings, tried on tables that were made by an earlier run.

`split` and `pool` try them on what they make, before any training. A share that is added to a study
later makes neither again; without this its first training would be the one to say so.
"""

from collections.abc import Iterable
from typing import Any

from cxrgrid.config.cell import Cell
from cxrgrid.config.dataset import Subset
from cxrgrid.config.errors import UserError
from cxrgrid.config.grid import Grid
from cxrgrid.config.pooling import division, pool_file, read_by
from cxrgrid.config.wildcards import named

MAKERS = ("split", "pool")


def refusal(jobs: Iterable[Any], grid: Grid) -> str:
    """Why the first planned cell could not train on its part of the images; empty if all can."""
    made = {str(path) for job in jobs if job.rule.name in MAKERS for path in job.output}
    cells = [named(grid, job.wildcards) for job in jobs if job.rule.name == "train"]
    groups: dict[tuple[str, ...], list[Cell]] = {}
    for cell in cells:
        folders = tuple(division(grid, cell, name) for name in read_by(cell))
        known = {pool_file(grid, cell), *(f"{folder}/table.parquet" for folder in folders)}
        if is_limited(cell) and not known & made:
            groups.setdefault((*folders, pool_file(grid, cell)), []).append(cell)
    try:
        for (*folders, pool), alike in groups.items():
            check(folders, pool, alike)
    except UserError as error:
        return str(error)
    return ""


def is_limited(cell: Cell) -> bool:
    """True if a cell trains on a share, or on those images only that a filter keeps."""
    return cell.train_share < 1 or cell.train_where != Subset()


def check(folders: list[str], pool: str, cells: list[Cell]) -> None:
    """`UserError` for the first of some cells with the same data that could not train on its part.

    folders: of the datasets that they read; pool: the file of images that they leave out, or empty.
    """
    # At the start of a run only, not at each parse.
    from cxrgrid.data import pooled_part, training_part
    from cxrgrid.data.split_arrays import read_part

    read = [read_part(folder, "train") for folder in folders]
    if not pool:
        training_part.check_cells(*read[0], cells)
        return
    parts = {facts["dataset"]: (table, facts) for table, facts in read}
    pooled_part.check_cells(parts, cells, pooled_part.like_held_out(pool, cells[0]))
