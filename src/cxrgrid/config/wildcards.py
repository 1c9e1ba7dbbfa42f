"""The cell that wildcards name, and functions of wildcards that Snakemake calls often."""

import inspect
import sys
from types import FunctionType
from typing import Any

from cxrgrid.config.cell import Cell
from cxrgrid.config.errors import suggest
from cxrgrid.config.grid import Grid

CELL = "{dataset}/{backbone}/{init}/{recipe}{fold}/seed{seed}"


def quick(kind: type) -> type:
    """The class, with the arguments of its methods written where Snakemake looks first.

    Else it works them out anew at each call, which takes as long as the rest of the call
    (`snakemake.common.get_function_params`; docs/log.md has the times).
    """
    for method in vars(kind).values():
        if isinstance(method, FunctionType):
            known_as = inspect.signature(method).parameters.items()
            method._overwrite_params = dict(list(known_as)[1:])  # without `self`
    return kind


def named(grid: Grid, wildcards: Any) -> Cell:
    """The cell with the wildcards' coordinates."""
    where = CELL.format_map(vars(wildcards))
    if where not in grid.by_path:
        # Only a path typed by hand gets here. Snakemake would show a traceback of a UserError.
        near = suggest(where, list(grid.by_path))
        sys.exit(f"error: the study {grid.name!r} has no cell {where}; {near}")
    return grid.by_path[where]
