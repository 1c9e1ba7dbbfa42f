"""Points of the axes in a block of the grid: the product, one change at a time, or the base."""

import itertools
from collections.abc import Collection, Iterator

from cxrgrid.config.cell import Point
from cxrgrid.config.factors import LevelRecipe
from cxrgrid.config.study import Block


def points(
    block: Block, recipes: dict[str, LevelRecipe], folds: dict[str, tuple[int, ...]]
) -> Iterator[Point]:
    """Coordinates of each cell that a block asks for; folds: of each dataset."""
    levels = {name: levels_of(name, recipes, block.design) for name in block.recipes}
    axes = [block.backbones, block.inits, list(itertools.chain.from_iterable(levels.values()))]
    if block.design != "one_at_a_time":
        alike = list(itertools.product(*axes))
    else:
        first, *others = block.recipes
        own = [(name, own_lists(name, first, recipes)) for name in others]
        named = [around(name, recipes, factors) for name, factors in own]
        axes[2] = list(dict.fromkeys([*levels[first], *itertools.chain.from_iterable(named)]))
        base = tuple(axis[0] for axis in axes)
        changed = [(*base[:at], value, *base[at + 1 :]) for at in range(3) for value in axes[at]]
        alike = list(dict.fromkeys([base, *changed]))
    for dataset in block.datasets:
        replicates = list(itertools.product(folds[dataset], block.seeds))
        yield from (Point(dataset, *point, *each) for point in alike for each in replicates)


def levels_of(name: str, recipes: dict[str, LevelRecipe], design: str) -> list[str]:
    """The recipes that a name on the grid's axis stands for, the base first."""
    if recipes[name].base != name or design == "base":
        return [name]  # a single level, named; or the first of all lists
    own = [recipe for recipe in recipes.values() if recipe.base == name]
    if design == "full":
        return [recipe.name for recipe in own]
    return around(name, recipes, recipes[name].levels)


def around(name: str, recipes: dict[str, LevelRecipe], factors: Collection[str]) -> list[str]:
    """A recipe, and its levels that differ from it in one of `factors` alone."""
    base, found = recipes[name].levels, [name]
    for recipe in recipes.values():
        if recipe.base == name:
            changed = [factor for factor in base if recipe.levels[factor] != base[factor]]
            found += [recipe.name] if len(changed) == 1 and changed[0] in factors else []
    return found


def own_lists(name: str, first: str, recipes: dict[str, LevelRecipe]) -> list[str]:
    """Factors of a recipe whose lists the first one does not have; of a search all its factors.

    What both inherit is varied around the first alone.
    """
    if recipes[name].choose:
        return list(recipes[name].levels)
    ours, theirs = lists(name, recipes), lists(recipes[first].base, recipes)
    return [factor for factor, values in ours.items() if values != theirs.get(factor)]


def lists(name: str, recipes: dict[str, LevelRecipe]) -> dict[str, set[str]]:
    """The levels of each factor of a recipe."""
    own = [recipe.levels for recipe in recipes.values() if recipe.base == name]
    return {factor: {levels[factor] for levels in own} for factor in (own[0] if own else {})}
