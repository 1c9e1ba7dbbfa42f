"""Finished cells of a level under its name of before: lists moved, or a value spelt otherwise."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from cxrgrid.config.cell import Cell
from cxrgrid.config.errors import UserError


def check_former_names(grid: Any, finished: Callable[[str, Cell], bool]) -> None:
    """`UserError` if a level would train again for its name alone: retraining is a decision.

    finished: True for a folder and a cell whose results it has.
    """
    there: dict[Path, list[str]] = {}
    for cell in grid.cells:
        recipe = grid.recipes[cell.recipe]
        if recipe.name == recipe.base or Path(grid.folder(cell), "cell.json").exists():
            continue
        above = Path(f"results/{grid.name}/cells/{cell.dataset}/{cell.backbone}/{cell.init}")
        if above not in there:
            there[above] = sorted(path.name for path in above.glob("*-*"))
        for name in there[above]:
            if name.startswith(f"{recipe.base}-") and name not in grid.recipes:
                refuse(grid, cell, name, finished)


def refuse(grid: Any, cell: Cell, name: str, finished: Callable[[str, Cell], bool]) -> None:
    """`UserError` if a recipe of another name has the finished results of a cell."""
    former = msgspec.structs.replace(cell, recipe=name)
    if finished(grid.folder(former), former):
        base = grid.recipes[cell.recipe].base
        raise UserError(
            f"recipes.{base}: {cell.recipe} has been trained as {name}; put its lists into that "
            f"order, and spell its values as in that name, to keep it; to train it again, remove "
            f"{grid.folder(former)}"
        )
