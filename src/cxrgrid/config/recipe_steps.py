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
        self.known: dict[tuple[str, ...], bool] = {}  # see `common`
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
        ours, theirs = self.own[dataset, a], self.own[dataset, b]
        bases = (dataset, self.grid.recipes[a].base, self.grid.recipes[b].base)
        searched = self.searched(a) | self.searched(b)
        differ = False
        for name, value in ours.items():
            if name in searched or value != theirs[name]:
                if name not in searched and self.common(name, *bases):
                    return False
                if [value, theirs[name]] != [each[0][name] for each in self.named_by(*bases)]:
                    return False
                differ = True
        return differ

    def named_by(self, dataset: str, a: str, b: str) -> list[list[dict[str, Any]]]:
        """The settings of all levels of two recipes of the study, in its order."""
        return [self.named[dataset, base] for base in (a, b)]

    def common(self, setting: str, *bases: str) -> bool:
        """True if two recipes of the study have a value of a setting in common."""
        if (setting, *bases) not in self.known:
            ours, theirs = ([own[setting] for own in each] for each in self.named_by(*bases))
            self.known[setting, *bases] = any(value in theirs for value in ours)
        return self.known[setting, *bases]

    def searched(self, recipe: str) -> set[str]:
        """The settings among which a recipe with `choose` searches; none of another recipe."""
        found = self.grid.recipes[recipe]
        if not found.choose:
            return set()
        lists = tuple(f"{factor}." for factor in found.levels)
        return {name for name in next(iter(self.own.values())) if f"{name}.".startswith(lists)}


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
