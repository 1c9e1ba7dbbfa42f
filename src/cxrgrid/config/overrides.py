"""Settings of a recipe as the study's overrides change them for one cell."""

from collections.abc import Iterable
from typing import Any

from cxrgrid.config.cell import Cell, Point
from cxrgrid.config.errors import UserError
from cxrgrid.config.factors import LevelRecipe, leaves, level_text, merge
from cxrgrid.config.study import Override


def overridden(overrides: Iterable[Override], point: Point, recipe: LevelRecipe) -> dict[str, Any]:
    """The recipe's settings for the cell at `point`; of several overrides, the last wins."""
    settings = dict(recipe.settings)
    for override in overrides:
        if matches(override, point, recipe):
            settings = merge(settings, override.set)
    return settings


def matches(override: Override, point: Point | Cell, recipe: LevelRecipe) -> bool:
    """True if an override applies to a cell; a recipe's name applies to all its levels."""
    reached = override.recipe in ("", recipe.name, recipe.base)
    axes = ("dataset", "backbone", "init")
    return reached and all(getattr(override, a) in ("", getattr(point, a)) for a in axes)


def check_factors(
    override: Override, cells: list[Cell], recipes: dict[str, LevelRecipe], where: str
) -> None:
    """`UserError` if an override gives one value to all levels of a factor that it reaches."""
    given = [".".join(path) for path, _ in leaves(override.set)]
    reached = {c.recipe: None for c in cells if matches(override, c, recipes[c.recipe])}
    for recipe in (recipes[name] for name in reached):
        for name in given:
            if factor := next((f for f in recipe.levels if f"{name}.".startswith(f"{f}.")), ""):
                raise UserError(
                    f"{where}.set: {name}, but {factor} is a factor of the recipe {recipe.base!r}: "
                    "its levels would no longer differ by name; leave it out here, or give "
                    "these cells a recipe of their own, without that list"
                )


def with_overrides(
    levels: dict[str, dict[str, str]],
    recipes: dict[str, LevelRecipe],
    overrides: Iterable[Override],
) -> dict[str, dict[str, str]]:
    """The levels by recipe, where an override of one level says what else differs there.

    `size 512` with an override of `batch_size` reads `512 with batch_size 8` in every table.
    """
    found = {name: dict(own) for name, own in levels.items()}
    for override in overrides:
        recipe = recipes.get(override.recipe)
        if recipe is None or recipe.name == recipe.base or not override.set:
            continue
        base = recipes[recipe.base].levels
        of = ", ".join(filter(None, [override.dataset, override.backbone, override.init]))
        words = f" with {level_text(override.set)}{f' for {of}' if of else ''}"
        for factor, level in recipe.levels.items():
            found[recipe.name][factor] += words if level != base[factor] else ""
    return found
