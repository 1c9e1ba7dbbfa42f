"""Checks of `recipes:` and of their lists, and the recipes of the grid that follow."""

import contextlib
from typing import Any

import msgspec

from cxrgrid.config.check_values import check_case
from cxrgrid.config.checks import check_keys, check_name, checked
from cxrgrid.config.errors import UserError
from cxrgrid.config.factors import LevelRecipe, expand, factors, level_text, merge
from cxrgrid.config.pooling import OWN
from cxrgrid.config.preparation import Image
from cxrgrid.config.recipe import Recipe, StudyRecipe
from cxrgrid.config.study import Study


def check_recipes(study: Study, designs: set[str]) -> dict[str, LevelRecipe]:
    """Every recipe of the grid by name: `default` over the built-in values, the others over it.

    A recipe with lists stands for one recipe per combination of levels, as the designs say.
    """
    default = study.recipes.get("default", {})
    found: dict[str, LevelRecipe] = {}
    for name, settings in {"default": {}, **study.recipes}.items():
        check_name(name, "recipes")
        check_keys(settings, StudyRecipe, f"recipes.{name}")
        check_choice(name, settings, merge(default, settings))
        if isinstance(settings.get("image"), dict):
            check_keys(settings["image"], Image, f"recipes.{name}.image")
        made = {
            recipe.name: recipe
            for design in sorted(designs)
            for recipe in expand(name, merge(default, settings), design)
        }
        if twice := next((level for level in made if level in found), None):
            raise UserError(f"recipes.{name}: two recipes would be called {twice!r}; rename one")
        check_levels(list(made.values()), f"recipes.{name}")
        found |= made
    check_case(found, "recipes")
    for number, override in enumerate(study.overrides):
        where = f"overrides[{number}].set"
        check_keys(override.set, Recipe, where)
        checked(override.set, Recipe, where)
    return found


def check_levels(made: list[LevelRecipe], where: str) -> None:
    """`UserError` for a setting of a recipe that is none, and for two levels that mean the same."""
    seen: dict[str, LevelRecipe] = {}
    for recipe in made:
        settings = checked(recipe.settings, Recipe, where)
        other = seen.setdefault(meaning(settings), recipe)
        if other is not recipe:
            factor = next(
                name for name in recipe.levels if recipe.levels[name] != other.levels[name]
            )
            raise UserError(
                f"{where}.{factor}: the levels {other.levels[factor]} and {recipe.levels[factor]} "
                "mean the same; leave one out"
            )


def meaning(settings: Recipe) -> str:
    """A recipe's settings in one spelling; image settings that are none keep their own."""
    image = dict(settings.image)
    with contextlib.suppress(TypeError, ValueError):
        image |= {"size": Image(size=image["size"]).size} if "size" in image else {}
    train_on = () if settings.train_on == (OWN,) else settings.train_on
    return repr(msgspec.structs.replace(settings, image=image, train_on=train_on))


def built_in() -> dict[str, str]:
    """The built-in value of each setting as the text of a level; empty where the dataset's holds.

    Those of `image` are the dataset's.
    """
    usual = msgspec.to_builtins(Recipe())
    texts = {name: level_text(value) for name, value in usual.items()}
    return texts | {"image": "", "train_where": level_text({}), "train_on": OWN}


def check_choice(name: str, own: dict[str, Any], merged: dict[str, Any]) -> None:
    """`UserError` for a `choose` that is no word, or that has no levels to choose from.

    own: the recipe's settings as written; merged: over those of the default recipe.
    """
    where = f"recipes.{name}.choose"
    if not isinstance(own.get("choose", ""), str):
        raise UserError(f"{where}: validation or none, not {own['choose']!r}")
    if own.get("choose") == "validation" and not factors(name, merged):
        raise UserError(
            f"{where}: no setting of this recipe is a list, so there is nothing to choose from; "
            "give one as a list of levels, such as lr: [0.001, 0.0003], or leave out choose"
        )
