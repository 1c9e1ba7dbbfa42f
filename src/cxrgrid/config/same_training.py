"""Recipes whose cells would be the same training under two names, compared with itself."""

from collections.abc import Iterable
from typing import Any

import msgspec

from cxrgrid.config.cell import CONFIGURATION, Cell, Point
from cxrgrid.config.check_dataset import POLICIES
from cxrgrid.config.dataset import Dataset
from cxrgrid.config.errors import UserError
from cxrgrid.config.factors import LevelRecipe


def check_trainings(grid: Any, points: Iterable[Point]) -> None:
    """`UserError` for two recipes of a block of the grid that would train the same cell.

    A level may hold the settings of another recipe, as that of a search around it does, with and
    without `choose`. points: of the block.
    """
    recipes, seen = grid.recipes, {}
    firsts = {point[: len(CONFIGURATION)]: point for point in reversed([*points])}
    for point in reversed(firsts.values()):  # of its replicates, one is enough
        recipe, dataset = recipes[point.recipe], grid.study.datasets[point.dataset]
        lists = recipe.base if recipe.levels else ""
        key = training(grid.by_path[point.path()], dataset, lists)
        other = seen.setdefault(key, recipe)
        if other is not recipe:
            raise UserError(said(other, recipe, "/".join(point[: len(CONFIGURATION) - 1])))


def training(cell: Cell, dataset: Dataset, name: str) -> bytes:
    """The settings of a cell in one spelling, with `name` for that of its recipe."""
    where = cell.train_where
    if any((where.view, where.sex, where.source)):
        unordered = {each: tuple(sorted(getattr(where, each))) for each in ("view", "sex")}
        source = tuple(sorted(where.source))
        where = msgspec.structs.replace(where, **unordered, source=source)
    # Without other datasets an empty policy is that of the dataset; others have their own.
    given = {} if cell.train_on else {p: getattr(cell, p) or getattr(dataset, p) for p in POLICIES}
    one = msgspec.structs.replace(cell, recipe=name, train_where=where, **given)
    return msgspec.json.encode(one, order="deterministic")


def said(one: LevelRecipe, other: LevelRecipe, model: str) -> str:
    """The error for two recipes that are one training of a model."""
    same = f"{one.name} and {other.name} would be the same training of {model}"
    if one.base != other.base:
        return (
            f"recipes.{other.base}: {same}; leave one out of the grid's recipes, or let a setting "
            "differ"
        )
    differ = [name for name in one.levels if one.levels[name] != other.levels[name]]
    words = ", ".join(f"{name} {one.levels[name]} or {other.levels[name]}" for name in differ)
    return (
        f"recipes.{one.base}: {same}, where {words} makes no difference; leave a level out, or "
        "give the combinations that differ as recipes of their own"
    )
