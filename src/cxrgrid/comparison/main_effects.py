"""Main effects: for each factor of a study, level against level, over everything else.

Within a dataset an effect is the mean difference over all pairs of configurations that are alike
but for the factor, on the same patients and with the same seeds. Over datasets it is the mean of
the datasets of the study (`fixed`), and from three on also of datasets that there could be
(`random`). Cells that others only start from are no results.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, groupby

import numpy as np
from scipy.stats import f

from cxrgrid.comparison.effect_parts import Errors, Part, part
from cxrgrid.comparison.measured import Measured
from cxrgrid.config.grid import Grid
from cxrgrid.config.recipe_steps import RecipeSteps
from cxrgrid.config.varied import FIRST, Entry, asked, levels, varied

Pairs = dict[str, list[tuple[Entry, Entry]]]  # of each dataset


@dataclass(frozen=True)
class Results:
    """Measured cells by dataset, and the configuration that stands for an entry, if another."""

    measured: dict[str, Measured]
    standing: dict[Entry, tuple]


@dataclass(frozen=True)
class Contrast:
    """Two levels of a factor, and the planned pairs in which they meet, by dataset.

    by, by_level: only pairs at this level of another factor; empty: all pairs.
    """

    factor: str
    level: str
    against: str
    pairs: Pairs
    by: str = ""
    by_level: str = ""

    def keys(self) -> dict[str, str]:
        """Columns that identify the contrast."""
        names = ("factor", "level", "against", "by", "by_level")
        return {name: getattr(self, name) for name in names}


def contrasts(grid: Grid) -> list[Contrast]:
    """Every two levels of each factor that the study varies, in its order."""
    every = {entry: levels(grid, entry) for entry in asked(grid)}
    found, steps = [], RecipeSteps(grid)
    for factor, values in varied(grid).items():
        for against, level in combinations(values, 2):
            sides = ([e for e, own in every.items() if own[factor] == x] for x in (level, against))
            if pairs := meetings(steps, every, factor, *sides):
                found.append(Contrast(factor, level, against, pairs))
    return found


def meetings(
    steps: RecipeSteps,
    every: dict[Entry, dict],
    factor: str,
    ours: list[Entry],
    theirs: list[Entry],
) -> Pairs:
    """Pairs of entries, one of each level, that are alike in all other factors, by dataset.

    Two recipes are alike where they are one step apart.
    """
    names = [name for name in next(iter(every.values())) if name != factor]
    by_place: dict[tuple, list[Entry]] = {}
    for other in theirs:
        by_place.setdefault(place(other, every[other], factor), []).append(other)
    found: Pairs = {}
    for entry in ours:
        for other in by_place.get(place(entry, every[entry], factor), []):
            if factor == "recipe":
                alike = steps.one(entry[0], entry[-1], other[-1])
            else:
                alike = all(every[entry][name] == every[other][name] for name in names)
            if alike:
                found.setdefault(entry[0], []).append((entry, other))
    return found


def place(entry: Entry, own: dict[str, str], factor: str) -> tuple:
    """Dataset, and levels of init, backbone and recipe but for the factor."""
    return entry[0], *(own[name] for name in (*FIRST, "recipe") if name != factor)


def within(grid: Grid, contrast: Contrast) -> Iterator[list[Contrast]]:
    """The contrast at each level of each other factor that varies among its pairs."""
    of_pairs = {pair: levels(grid, pair[1]) for pairs in contrast.pairs.values() for pair in pairs}
    for by, values in varied(grid).items():
        if by == contrast.factor:
            continue
        found = []
        for value in values:
            kept = {
                dataset: [pair for pair in pairs if of_pairs[pair][by] == value]
                for dataset, pairs in contrast.pairs.items()
            }
            kept = {dataset: pairs for dataset, pairs in kept.items() if pairs}
            if kept:
                of = (contrast.factor, contrast.level, contrast.against)
                found.append(Contrast(*of, kept, by, value))
        if len(found) > 1:
            yield found


def parts(contrast: Contrast, results: Results, number: int) -> list[Part]:
    """The contrast in each dataset that has a complete pair; number: which metric."""
    found = []
    for name, pairs in contrast.pairs.items():
        own = [tuple(results.standing.get(side, side) for side in pair) for pair in pairs]
        found.append(part(own, results.measured[name], number))
    return [each for each in found if each is not None]


def cohorts(grid: Grid) -> dict[str, str]:
    """Of each dataset the images that it is made of: other names of the same share patients."""
    return {
        name: f"{one.adapter}:{one.root if one.phantom is None else one.phantom}"
        for name, one in grid.study.datasets.items()
    }


def over_datasets(found: list[Part], cohort: dict[str, str]) -> tuple[float, Errors]:
    """The mean over the datasets of a study, and its errors.

    Patients of datasets of one cohort are the same: their errors are added up, not in squares.
    """
    count, errors = len(found), []
    for _, own in groupby(
        sorted(found, key=lambda p: cohort[p.dataset]), lambda p: cohort[p.dataset]
    ):
        own = list(own)
        rarer = min(each.size["rarer"] for each in own)
        errors.append((sum(each.sampling for each in own) / count, max(rarer - 1, 1)))
    trainings = [each.training for each in found]
    errors += [(error / count, df) for error, df in trainings if df]
    sizes, df = zip(*errors, strict=True)
    value = float(np.mean([each.value for each in found]))
    return value, Errors(np.array(sizes), np.array(df))


def interaction(groups: list[list[Part]]) -> float:
    """p of no interaction: that an effect is the same at each level of another factor.

    groups: the effect at each level, by dataset. A Wald test on the mean over the datasets that
    have all levels, as F with the degrees of freedom of the trainings; NaN without such a dataset.
    """
    by_dataset = [{each.dataset: each for each in group} for group in groups]
    common = [name for name in by_dataset[0] if all(name in group for group in by_dataset)]
    known = [group[name].training[1] for group in by_dataset for name in common]
    sampled = [group[name].sampling for group in by_dataset for name in common]
    if not common or not all(known) or np.isnan(sampled).any():
        return np.nan
    values = np.array([np.mean([group[n].value for n in common]) for group in by_dataset])
    covariance = np.zeros((len(groups), len(groups)))
    for name in common:
        drawn = np.array([group[name].values[1:] for group in by_dataset])
        drawn = drawn[:, ~np.isnan(drawn).any(axis=0)]
        trained = np.diag([group[name].training[0] ** 2 for group in by_dataset])
        covariance += (np.cov(drawn) + trained) / len(common) ** 2
    return wald(values, covariance, min(known))


def wald(values: np.ndarray, covariance: np.ndarray, df: int) -> float:
    """p of equal means [K] with a covariance [K, K], whose degrees of freedom are `df`."""
    apart = np.diff(np.eye(len(values)), axis=0)
    distance = apart @ values
    size = len(distance)
    statistic = distance @ np.linalg.pinv(apart @ covariance @ apart.T) @ distance
    return float(f.sf(statistic / size, size, df))
