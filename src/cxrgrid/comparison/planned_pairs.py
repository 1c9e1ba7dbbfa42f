"""Pairs of a study's configurations that differ in one factor, as planned: before any result.

Each external model is paired with every configuration of its dataset (axis: external). Of a recipe
with `choose: validation`, one level stands for all: its entry has the base's name, and no other
level is compared.
"""

from dataclasses import dataclass
from itertools import combinations

from cxrgrid.comparison.configurations import configurations, folds_of
from cxrgrid.config.cell import CONFIGURATION
from cxrgrid.config.grid import Grid
from cxrgrid.config.recipe_steps import RecipeSteps
from cxrgrid.config.varied import asked

Standing = dict[tuple[str, ...], tuple[str, ...]]  # entry: the configuration that stands for it
VARIED = ("init", "backbone", "recipe")  # in this order in the table: starts come first
EXTERNAL = "external"  # axis, init and recipe of a model from elsewhere


@dataclass(frozen=True)
class Pair:
    """Two entries of the grid; a, b: as CONFIGURATION says; seeds: that both should have.

    of_a, of_b: the configurations that stand for them, which differ from a and b where one level of
    a recipe was chosen. factor: on the axis `recipe` the setting that differs, with its two
    levels; among: the levels that both recipes share and that are not the base's, in words.
    """

    axis: str
    a: tuple[str, ...]
    b: tuple[str, ...]
    of_a: tuple[str, ...]
    of_b: tuple[str, ...]
    seeds: tuple[int, ...]
    factor: str = ""
    levels: tuple[str, str] = ("", "")
    among: str = ""

    def names(self) -> tuple[str, str]:
        """Names of the two: their values on the axis in which they differ."""
        if self.axis == EXTERNAL:
            return self.a[1], "/".join(name for name in self.b[1:] if name != "default")
        at = CONFIGURATION.index(self.axis)
        return self.a[at], self.b[at]

    def keys(self) -> dict[str, str]:
        """Columns that identify the pair; the column of the axis that differs is empty."""
        varied = VARIED if self.axis == EXTERNAL else [self.axis]
        fixed = dict(zip(CONFIGURATION, self.a, strict=True)) | dict.fromkeys(varied, "")
        a, b = self.names()
        found = {**fixed, "target": fixed["dataset"], "axis": self.axis, "a": a, "b": b}
        found |= {"recipe_a": self.of_a[-1], "recipe_b": self.of_b[-1]}
        level_a, level_b = self.levels if self.factor else (a, b)
        return found | {"factor": self.factor or self.axis, "level_a": level_a, "level_b": level_b}

    def words(self) -> tuple[str, str]:
        """Names of the two in a sentence."""
        if not self.factor:
            return self.names()
        return tuple(f"{self.factor} {level or 'as the dataset'}" for level in self.levels)

    def seed_of_a(self, seed: int) -> int:
        """The seed of a that is compared with a seed of b: an external model has only one."""
        return 0 if self.axis == EXTERNAL else seed

    def where(self) -> str:
        """The fixed coordinates, as text."""
        fixed = self.keys()
        names = [fixed["backbone"], fixed["init"], fixed["recipe"].replace("default", "")]
        return f"{', '.join(filter(None, [fixed['dataset'], *names, self.among]))}: "

    def chosen(self) -> str:
        """Sentence that names the levels that were chosen on validation images; empty if none."""
        sides = zip(self.words(), (self.a, self.b), (self.of_a, self.of_b), strict=True)
        named = [f"{of[-1]} for {word}" for word, side, of in sides if side != of]
        return f" Chosen on validation images: {', '.join(named)}." if named else ""


def pairs(grid: Grid, standing: Standing | None = None) -> list[Pair]:
    """All pairs, by dataset and axis; `b` is scratch, else the one that the study names first.

    Without cells that others only start from. standing: the configuration that stands for each
    entry; None: the first level of each recipe.
    """
    planned, folds, found = configurations(grid), folds_of(grid), []
    standing = entries(grid) | (standing or {})
    named, steps = asked(grid), RecipeSteps(grid)
    every = {entry: planned[own] for entry, own in standing.items() if entry in named}
    for axis in VARIED:
        at = CONFIGURATION.index(axis)
        for b, a in combinations(every, 2):
            if [name for name, x, y in zip(CONFIGURATION, a, b, strict=True) if x != y] != [axis]:
                continue
            if folds[standing[a]] != folds[standing[b]]:
                continue  # one that others start from, trained on some folds only
            if a[at] == "scratch":
                a, b = b, a
            seeds = tuple(seed for seed in every[a] if seed in every[b])
            both = (a, b, standing[a], standing[b])
            if axis != "recipe":
                found.append(Pair(axis, *both, seeds))
            elif one := one_factor(grid, steps, a, b):
                found.append(Pair(axis, *both, seeds, *one))
    for name, model in grid.study.external.items():
        a = (model.dataset, name, EXTERNAL, EXTERNAL)
        own = {
            configuration: seeds
            for configuration, seeds in every.items()
            if configuration[0] == model.dataset
        }
        found += [Pair(EXTERNAL, a, b, a, standing[b], tuple(seeds)) for b, seeds in own.items()]
    order = {name: number for number, name in enumerate(grid.study.datasets)}
    axes = [*VARIED, EXTERNAL]
    return sorted(found, key=lambda pair: (order[pair.a[0]], axes.index(pair.axis)))


def entries(grid: Grid) -> Standing:
    """Entries of a study in its order, each with the first configuration that may stand for it."""
    found: Standing = {}
    for configuration in configurations(grid):
        found.setdefault((*configuration[:-1], grid.entry(configuration[-1])), configuration)
    return found


def one_factor(
    grid: Grid, steps: RecipeSteps, a: tuple[str, ...], b: tuple[str, ...]
) -> tuple[str, tuple[str, str], str] | None:
    """Factor in which the recipes of two entries differ, its levels, and the rest.

    Of two recipes that the study names, the recipe itself differs: no factor. None if they differ
    in several factors, or in more than the step from one recipe to the other.
    """
    levels = grid.levels[a[-1]], grid.levels[b[-1]]
    if levels[0]["recipe"] != levels[1]["recipe"]:
        return ("", ("", ""), "") if steps.one(a[0], a[-1], b[-1]) else None
    differ = [n for n in levels[0] if levels[0][n] != levels[1][n]]
    if len(differ) != 1:
        return None
    base = grid.levels[levels[0]["recipe"]]
    among = [f"{n} {v}" for n, v in levels[0].items() if n not in differ and v != base[n]]
    return differ[0], (levels[0][differ[0]], levels[1][differ[0]]), ", ".join(among)
