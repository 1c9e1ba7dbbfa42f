"""Factors: recipe settings given as lists; each value is a level and makes a recipe of its own.

`lr: [0.001, 0.0003]` in the recipe `default` makes two recipes: `default`, with the first level of
each factor (the base), and `default-lr0.0003`. A name says what differs from the base, and a level
that is added later leaves the recipes before it as they are.
"""

import itertools
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from cxrgrid.config.errors import UserError

NESTED = ("image",)  # settings that hold settings, each of which may be a list
LISTS = ("train_on",)  # settings whose value is a list: a list of lists is a factor
MOST = 10_000  # recipes that the factors of one recipe may make
LONGEST = 200  # characters in a recipe's name, which is that of a folder
Setting = tuple[str, ...]  # its path, such as ("image", "size")


@dataclass(frozen=True)
class LevelRecipe:
    """One recipe of the grid. base: its name in the study; levels: by factor, as text.

    choose: True if only one of the base's levels is compared, the one chosen on validation images.
    """

    name: str
    base: str
    settings: dict[str, Any]
    levels: dict[str, str]
    choose: bool = False


def study_levels(
    recipes: dict[str, LevelRecipe], usual: dict[str, str]
) -> dict[str, dict[str, str]]:
    """Of each recipe its `recipe` (the base's name) and its level of each factor that any has.

    A recipe without a list there has its own value, else that of `usual`; empty: the dataset's.
    """
    names = dict.fromkeys(factor for recipe in recipes.values() for factor in recipe.levels)
    return {
        name: {"recipe": recipe.base}
        | {
            factor: recipe.levels.get(factor) or own_level(recipe, factor, usual.get(factor, ""))
            for factor in names
        }
        for name, recipe in recipes.items()
    }


def own_level(recipe: LevelRecipe, factor: str, usual: str) -> str:
    """The value of a setting that is no list in a recipe; `usual` where the recipe does not say."""
    value: Any = recipe.settings
    for name in factor.split("."):
        value = value.get(name, "") if isinstance(value, dict) else ""
    return level_text(value) if value != "" else usual


def merge(default: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """`settings` over `default`, key by key; nested settings are merged, not replaced."""
    merged = {**default, **settings}
    for name in NESTED:
        both = (default.get(name), settings.get(name))
        if all(isinstance(part, dict) for part in both):
            merged[name] = {**both[0], **both[1]}
    return merged


def expand(name: str, settings: dict[str, Any], design: str) -> list[LevelRecipe]:
    """The recipes that one recipe of the study stands for; the base first.

    settings: its own over the default recipe's, `choose` among them, which is no training setting.
    design: `full`, the product of all factors; `one_at_a_time`, each level of each factor with the
    others at their base; `base` the same, so that a block can name one of them. `UserError` for a
    list without values or with one twice, and for two levels of one name.
    """
    choose = settings.get("choose", "none") == "validation"
    settings = {key: value for key, value in settings.items() if key != "choose"}
    found = factors(name, settings)
    if design == "full" and math.prod(map(len, found.values())) > MOST:
        raise UserError(
            f"recipes.{name}: its lists make more than {MOST:,} recipes; give shorter lists, or "
            "`design: one_at_a_time` in the grid"
        )
    made = [level_recipe(name, settings, found, point) for point in points(found, design)]
    check_names(made, f"recipes.{name}")
    return [replace(recipe, choose=choose and bool(found)) for recipe in made]


def factors(name: str, settings: dict[str, Any]) -> dict[Setting, list]:
    """{path of a setting: its levels}, for the settings of a recipe that are lists."""
    found = {path: value for path, value in leaves(settings) if is_factor(path, value)}
    for path, levels in found.items():
        where = f"recipes.{name}.{'.'.join(path)}"
        if not levels:
            raise UserError(f"{where}: a list without a value; give one or more levels")
        if path[-1] in LISTS and not all(isinstance(level, list | tuple) for level in levels):
            raise UserError(f"{where}: each level is a list itself, such as [[own], [own, others]]")
        if path[-1] == "size" and (lists := [x for x in levels if isinstance(x, list | tuple)]):
            raise UserError(
                f"{where}: {lists[0]} is no size; write width x height, such as 768x640"
            )
        check_apart(levels, where)
    return found


def check_apart(levels: list, where: str) -> None:
    """`UserError` for a level that stands in a list twice, or two that have one name."""
    named: dict[str, Any] = {}
    for level in levels:
        word = level_text(level)
        if word in named and str(named[word]) != str(level):
            raise UserError(
                f"{where}: the levels {named[word]!r} and {level!r} would both be called {word}; "
                "round them, or give one in a recipe of its own"
            )
        if word in named:
            raise UserError(f"{where}: the level {word} stands there twice")
        named[word] = level


def check_names(made: list[LevelRecipe], where: str) -> None:
    """`UserError` for two recipes of one name, and so of one folder: it has ASCII letters only."""
    named: dict[str, LevelRecipe] = {}
    for recipe in made:
        other = named.setdefault(recipe.name, recipe)
        if other is not recipe:
            first, second = (
                ", ".join(text for name, text in one.levels.items() if text != two.levels[name])
                for one, two in ((other, recipe), (recipe, other))
            )
            raise UserError(
                f"{where}: the levels {first} and {second} would both be called {recipe.name!r}; "
                "give one as a recipe of its own"
            )


def leaves(settings: dict[str, Any]) -> Iterator[tuple[Setting, Any]]:
    """Each setting with its path; nested ones one by one."""
    for name, value in settings.items():
        if name in NESTED and isinstance(value, dict):
            yield from (((name, inner), below) for inner, below in value.items())
        else:
            yield (name,), value


def is_factor(path: Setting, value: Any) -> bool:
    """True if a setting's value is a list of levels."""
    if not isinstance(value, list | tuple):
        return False
    return path[-1] not in LISTS or any(isinstance(level, list | tuple) for level in value)


def points(found: dict[Setting, list], design: str) -> Iterator[dict[Setting, Any]]:
    """The levels of each recipe, the base first."""
    base = {path: levels[0] for path, levels in found.items()}
    if design == "full":
        for levels in itertools.product(*found.values()):
            yield dict(zip(found, levels, strict=True))
        return
    yield base
    for path, levels in found.items():
        yield from ({**base, path: level} for level in levels[1:])


def level_recipe(
    name: str, settings: dict[str, Any], found: dict[Setting, list], point: dict[Setting, Any]
) -> LevelRecipe:
    """The recipe with the levels of one point, named after those that are not the base's."""
    chosen = settings
    for path, level in point.items():
        value = {path[1]: level} if len(path) > 1 else level
        chosen = merge(chosen, {path[0]: value}) if len(path) > 1 else {**chosen, path[0]: value}
    changed = [path for path, level in point.items() if level != found[path][0]]
    suffix = "".join(f"-{level_name(path[-1], point[path])}" for path in changed)
    if len(name + suffix) > LONGEST:
        raise UserError(
            f"recipes.{name}: its level {suffix[1:41]}… would have a name of {len(name + suffix)} "
            "characters, too long for a folder; give it as a recipe of its own"
        )
    levels = {".".join(path): level_text(level) for path, level in point.items()}
    if levels.get("image") == level_text({}):
        levels["image"] = "as the dataset's"
    return LevelRecipe(name + suffix, name, chosen, levels)


def level_text(level: Any, ages: str = " to ") -> str:
    """A level for a reader: `0.0003`, `clahe`, `nih + chexpert`, `view PA`, `age 18 to 60`.

    ages: between the two ends of an age.
    """
    if isinstance(level, dict):
        parts = {key: level_text(value, ages) for key, value in level.items()}
        if level.get("age") and isinstance(level["age"], list | tuple):
            parts["age"] = ages.join(map(level_text, level["age"]))
        return ", ".join(f"{key} {text}" for key, text in parts.items()) or "all"
    if isinstance(level, list | tuple):
        return " + ".join(map(level_text, level)) or "none"
    if isinstance(level, bool):
        return "on" if level else "off"
    return f"{level:g}" if isinstance(level, float) else str(level)


def level_name(setting: str, level: Any) -> str:
    """A level as part of a recipe's name and so of a path: `lr0.0003`, `crop_to-lungs`."""
    text = re.sub(r"[^A-Za-z0-9_.+-]+", "-", level_text(level, " + ").replace(" + ", "+")).strip(
        "-"
    )
    return f"{setting}{text}" if text[:1].isdigit() else f"{setting}-{text}"
