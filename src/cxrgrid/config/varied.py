"""Factors that a study varies, their levels, and the one that its question is about."""

from typing import Any

from cxrgrid.config.cell import CONFIGURATION
from cxrgrid.config.design import points
from cxrgrid.config.errors import UserError, known

FIRST = ("init", "backbone")  # in this order; then `recipe` and the recipes' lists
CHOSEN = "chosen on validation images"  # level of a factor of a recipe with `choose`
Entry = tuple[str, ...]  # CONFIGURATION, with the name under which the recipe is compared


def asked(grid: Any) -> dict[Entry, None]:
    """The entries that the blocks of a grid name, in order; not cells that others start from."""
    every = (points(block, grid.recipes, grid.folds) for block in grid.blocks())
    found = dict.fromkeys(point[: len(CONFIGURATION)] for block in every for point in block)
    return {(*rest, grid.entry(recipe)): None for *rest, recipe in found}


def varied(grid: Any) -> dict[str, list[str]]:
    """{factor: its levels in the study's order}, of the factors that have two or more levels.

    The first level is what the others are compared with: `scratch` of the inits.
    """
    found: dict[str, dict[str, None]] = {name: {} for name in FIRST}
    for entry in asked(grid):
        for factor, level in levels(grid, entry).items():
            found.setdefault(factor, {}).update({} if level == CHOSEN else {level: None})
    found["init"] = dict.fromkeys(sorted(found["init"], key=lambda init: init != "scratch"))
    return {name: list(each) for name, each in found.items() if len(each) > 1}


def levels(grid: Any, entry: Entry) -> dict[str, str]:
    """Level of every factor of an entry (dataset, backbone, init, recipe)."""
    _, backbone, init, name = entry
    recipe = grid.recipes[name]
    chosen = dict.fromkeys(recipe.levels, CHOSEN) if recipe.choose else {}
    return {"init": init, "backbone": backbone} | grid.levels[name] | chosen


def primary(grid: Any) -> str:
    """The factor that the study's question is about; empty where only the dataset varies.

    `report.primary.factor`; else the init, else the first factor that varies.
    """
    return grid.study.report.primary.factor or next(iter(varied(grid)), "")


def check_primary(grid: Any) -> None:
    """`UserError` for a `report.primary.factor` that the study does not vary."""
    factor = grid.study.report.primary.factor
    if factor and not (found := varied(grid)):
        raise UserError(f"report.primary.factor: {factor!r}, but no factor has two levels here")
    if factor:
        known(factor, found, "report.primary.factor", "factor that varies")
