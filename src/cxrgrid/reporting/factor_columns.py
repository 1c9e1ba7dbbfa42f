"""Columns with the level of each factor of the recipes, for whatever has a row per recipe."""

import pandas as pd


def with_levels(frame: pd.DataFrame, levels: dict[str, dict[str, str]]) -> pd.DataFrame:
    """The frame with a column `factor:<name>` per factor of the recipes; none without factors.

    levels: by recipe; a model from elsewhere has none.
    """
    factors = [name for name in next(iter(levels.values())) if name != "recipe"]
    at = frame.columns.get_loc("recipe") + 1
    for number, factor in enumerate(factors):
        column = frame["recipe"].map(lambda recipe, f=factor: levels.get(recipe, {}).get(f, ""))
        frame.insert(at + number, f"factor:{factor}", column)
    return frame
