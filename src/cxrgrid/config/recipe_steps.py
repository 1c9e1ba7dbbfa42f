"""Recipes of a study that are one step apart, and so compared, dataset by dataset.

Settings are compared as a training has them: with the built-in values and those of the dataset
filled in, in one spelling.
"""

from typing import Any

import msgspec

from cxrgrid.config.check_dataset import POLICIES
from cxrgrid.config.checks import checked
from cxrgrid.config.factors import merge
from cxrgrid.config.preparation import Image
from cxrgrid.config.recipe import Recipe
from cxrgrid.config.varied import asked


class RecipeSteps:
    """The recipes of a grid under the names by which they are compared, side by side."""

    def __init__(self, grid: Any):
        self.grid = grid
        self.own: dict[tuple[str, str], dict[str, Any]] = {}  # by dataset and recipe
        self.named: dict[tuple[str, str], list[dict[str, Any]]] = {}  # by dataset and base
        for dataset, _, _, name in asked(grid):
            if (dataset, name) not in self.own:
                own = self.own[dataset, name] = effective(grid, dataset, name)
                self.named.setdefault((dataset, grid.recipes[name].base), []).append(own)

    def one(self, dataset: str, a: str, b: str) -> bool:
        """True if recipes of two names of the study are compared on a dataset.

        They are alike in each setting of which their recipes have a value in common. Where these
        have none, and in what either of them searches (`choose`), each is at its first value: so
        the step from one recipe to the other is taken once, and a search stands for itself once.
        """
        sides = [self.own[dataset, name] for name in (a, b)]
        named = [self.named[dataset, self.grid.recipes[name].base] for name in (a, b)]
        searched = self.searched(a) | self.searched(b)
        differ = [name for name, value in sides[0].items() if value != sides[1][name]]
        for name in {*differ, *searched}:
            ours, theirs = ([own[name] for own in each] for each in named)
            if name not in searched and any(value in theirs for value in ours):
                return False
            if [side[name] for side in sides] != [ours[0], theirs[0]]:
                return False
        return bool(differ or searched)

    def searched(self, recipe: str) -> set[str]:
        """The settings among which a recipe with `choose` searches; none of another recipe."""
        found = self.grid.recipes[recipe]
        lists = tuple(f"{factor}." for factor in found.levels)
        every = next(iter(self.own.values()))
        return {name for name in every if found.choose and f"{name}.".startswith(lists)}


def effective(grid: Any, dataset: str, name: str) -> dict[str, Any]:
    """Settings of a recipe on a dataset, those of images one by one, in one spelling.

    `overrides`: those of this very level. An override of a whole recipe is part of its step.
    """
    recipe, there = grid.recipes[name], grid.study.datasets[dataset]
    level = [o.set for o in grid.study.overrides if o.recipe == name != recipe.base]
    settings = dict(recipe.settings)
    settings |= grid.pooling.settings(settings, dataset, f"recipes.{name}")
    settings.pop("labels_there", None)  # follows from `train_on`
    found = msgspec.structs.asdict(checked(settings, Recipe, f"recipes.{name}"))
    if not found["train_on"]:  # else each dataset has a policy of its own
        found |= {policy: found[policy] or getattr(there, policy) for policy in POLICIES}
    where = msgspec.to_builtins(found["train_where"])
    found["train_where"] = {
        key: sorted(value) if key in ("view", "sex", "source") and value else value
        for key, value in where.items()
    }
    image = merge(msgspec.to_builtins(there.image), found.pop("image"))
    image = checked(image, Image, f"recipes.{name}.image")
    found |= {f"image.{key}": getattr(image, key) for key in image.__struct_fields__}
    return found | {"overrides": level}
