"""Finished cells that would train again though the same training is there.

Their level has another name: lists changed places, a value is spelt otherwise, or another level is
the base now. Or their settings say the same in other words, as a dataset's own policy written out.
"""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from cxrgrid.config.cell import Cell
from cxrgrid.config.errors import UserError
from cxrgrid.config.identity import same
from cxrgrid.config.same_training import training


def check_former_names(grid: Any, finished: Callable[[str, Cell], bool]) -> None:
    """`UserError` if a cell would train again for its name or spelling alone.

    Retraining is a decision. finished: True for a folder and a cell whose results it has.
    """
    there: dict[tuple[Path, str], list[str]] = {}
    alike = set()  # of a configuration one replicate is enough: each parse reads them
    for cell in grid.cells:
        base = grid.recipes[cell.recipe].base
        above = Path(f"results/{grid.name}/cells/{cell.dataset}/{cell.backbone}/{cell.init}")
        if (above, base) not in there:
            levels = sorted(path.name for path in above.glob(f"{base}-*"))
            there[above, base] = [name for name in levels if name not in grid.recipes] + [base]
        made = Path(grid.folder(cell), "cell.json")
        if made.exists():
            text = "" if cell.configuration() in alike else written(made)
            if not text or same(text, cell):
                alike.add(cell.configuration())
                continue
            check_spelling(grid, cell, text, finished)
        for name in there[above, base]:
            if name != cell.recipe:
                refuse(grid, cell, name, finished)


def written(path: Path) -> str:
    """Text of a file; empty if it cannot be read."""
    with contextlib.suppress(OSError):
        return path.read_text("utf-8", "replace")
    return ""


def check_spelling(grid: Any, cell: Cell, text: str, finished: Callable[[str, Cell], bool]) -> None:
    """`UserError` if settings recorded for a finished cell are the same training in other words."""
    try:
        made = msgspec.json.decode(text, type=Cell)
    except (ValueError, RecursionError):  # of another version, or damaged
        return
    dataset = grid.study.datasets[cell.dataset]
    alike = training(made, dataset, "") == training(cell, dataset, "")
    if alike and finished(grid.folder(cell), made):
        names = [n for n in Cell.__struct_fields__ if getattr(made, n) != getattr(cell, n)]
        was = ", ".join(f"{n}: {msgspec.json.encode(getattr(made, n)).decode()}" for n in names)
        raise UserError(
            f"recipes.{grid.recipes[cell.recipe].base}: {cell.recipe} has been trained with {was}, "
            f"which is the same training; write it so to keep it; to train it again, remove "
            f"{grid.folder(cell)}"
        )


def refuse(grid: Any, cell: Cell, name: str, finished: Callable[[str, Cell], bool]) -> None:
    """`UserError` if a recipe of another name has the finished results of a cell."""
    former = msgspec.structs.replace(cell, recipe=name)
    if finished(grid.folder(former), former):
        base = grid.recipes[cell.recipe].base
        remedy = "put its lists into that order, and spell its values as in that name, to keep it"
        if base in (cell.recipe, name):
            remedy = (
                f"put the levels first that {base} was trained with to keep it, or give the recipe "
                "another name to train it anew"
            )
        raise UserError(
            f"recipes.{base}: {cell.recipe} has been trained as {name}; {remedy}; to train it "
            f"again, remove {grid.folder(former)}"
        )
