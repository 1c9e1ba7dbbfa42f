"""Columns with the level of each factor of the recipes, for whatever has a row per recipe."""

import pandas as pd

from cxrgrid.config.grid import Grid

CHOSEN = "chosen"  # level of a recipe that stands for the one of its levels that was chosen


def with_levels(frame: pd.DataFrame, levels: dict[str, dict[str, str]]) -> pd.DataFrame:
    """The frame with a column `factor:<name>` per factor of the recipes; none without factors.

    levels: by recipe; a model from elsewhere has none. Such columns that are there are replaced.
    """
    frame = frame[[name for name in frame if not name.startswith("factor:")]]
    factors = [name for name in next(iter(levels.values())) if name != "recipe"]
    at = frame.columns.get_loc("recipe") + 1
    for number, factor in enumerate(factors):
        column = frame["recipe"].map(lambda recipe, f=factor: levels.get(recipe, {}).get(f, ""))
        frame.insert(at + number, f"factor:{factor}", column)
    return frame


def entry_levels(grid: Grid) -> dict[str, dict[str, str]]:
    """The study's levels by the names under which recipes are compared.

    The lists of a recipe with `choose` are a search: its level of each is `chosen`.
    """
    searched = {r.base: dict.fromkeys(r.levels, CHOSEN) for r in grid.recipes.values() if r.choose}
    return {name: levels | searched.get(name, {}) for name, levels in grid.levels.items()}
