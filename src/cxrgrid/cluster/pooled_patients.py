"""Finished cells whose pool of datasets was compared before their patients were known to be shared.

A later release of cxrgrid may know that two publishers' releases number their patients alike. Such
cells do not train again by themselves, and may have trained on patients whom they are tested on.
"""

import importlib
from itertools import product
from pathlib import Path

from cxrgrid.config.checks import adapter_facts
from cxrgrid.config.grid import Grid, finished
from cxrgrid.config.pooling import pool_file, read_by


def warnings(grid: Grid) -> list[str]:
    """One line per file of a pool that does not say that two of its datasets share patients."""
    cells: dict[str, list] = {}
    for cell in grid.cells:
        if cell.train_on:
            cells.setdefault(pool_file(grid, cell), []).append(cell)
    found = []
    for path, pooling in cells.items():
        pairs = sharing(grid, read_by(pooling[0]))
        if not pairs or not Path(path).is_file():
            continue
        parquet = importlib.import_module("cxrgrid.io.parquet")  # pyarrow: not at every plan
        known = parquet.facts_of(path).get("numbered_alike", [])
        done = [cell for cell in pooling if finished(grid.folder(cell), cell)]
        if done and (lacking := [pair for pair in pairs if list(pair) not in known]):
            names = ", ".join(" and ".join(pair) for pair in lacking)
            found.append(
                f"{path} was made before {names} were known to number their patients alike: "
                f"{len(done):,} finished cells, such as {done[0].path()}, may have trained on "
                "patients whom they are tested on; remove the file and these cells' folders to "
                "train them again"
            )
    return found


def sharing(grid: Grid, read: list[str]) -> list[tuple[str, str]]:
    """Pairs of a pool's datasets, and of these and tested ones, from releases that share patients.

    Of two datasets of one adapter this has always been known.
    """
    pairs = {tuple(sorted(pair)) for pair in product(read, {*read, *grid.tested()})}
    return [pair for pair in sorted(pairs) if releases(*(grid.study.datasets[n] for n in pair))]


def releases(one, other) -> bool:
    """True if the adapters of two real datasets are different releases with the same patients."""
    if one.phantom or other.phantom or one.adapter == other.adapter:
        return False
    first, second = (
        adapter_facts(each.adapter).get("PATIENTS", each.adapter) for each in (one, other)
    )
    return first == second
