"""Points of the axes in a block of the grid: the product, one change at a time, or the base."""

import itertools
from collections.abc import Iterator

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
        named = [*levels[block.recipes[0]], *(names[0] for names in levels.values())]
        axes[2] = list(dict.fromkeys(named))
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
    base = recipes[name].levels
    return [
        recipe.name
        for recipe in own
        if sum(recipe.levels[factor] != base[factor] for factor in base) <= 1
    ]
