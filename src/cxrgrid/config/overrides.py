"""Settings of a recipe as the study's overrides change them for one cell."""

from collections.abc import Iterable
from typing import Any

from cxrgrid.config.cell import Point
from cxrgrid.config.factors import LevelRecipe, merge
from cxrgrid.config.study import Override


def overridden(overrides: Iterable[Override], point: Point, recipe: LevelRecipe) -> dict[str, Any]:
    """The recipe's settings for the cell at `point`; of several overrides, the last wins."""
    settings = dict(recipe.settings)
    for override in overrides:
        if matches(override, point, recipe):
            settings = merge(settings, override.set)
    return settings


def matches(override: Override, point: Point, recipe: LevelRecipe) -> bool:
    """True if an override applies to a cell; a recipe's name applies to all its levels."""
    reached = override.recipe in ("", recipe.name, recipe.base)
    axes = ("dataset", "backbone", "init")
    return reached and all(getattr(override, a) in ("", getattr(point, a)) for a in axes)
