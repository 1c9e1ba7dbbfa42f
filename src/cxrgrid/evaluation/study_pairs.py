"""Comparison of all pairs of configurations of a study that differ in one axis only.

Each external model is compared with every configuration of its dataset (axis: external).

A configuration is a cell without its replicates. A family for Holm's correction is all pairs of one
axis within the study, over all datasets, in one metric: the macro rows are one family, the rows of
single labels another, larger one. All planned pairs count, run or not.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from cxrgrid.config.cell import CONFIGURATION
from cxrgrid.config.grid import Grid
from cxrgrid.evaluation import difference
from cxrgrid.evaluation.configurations import configurations, folds_of
from cxrgrid.evaluation.measured import Measured
from cxrgrid.evaluation.seed_variance import Spread
from cxrgrid.evaluation.significance import holm
from cxrgrid.evaluation.wording import many

VARIED = ("init", "backbone", "recipe")  # in this order in the table: starts come first
EXTERNAL = "external"  # axis, init and recipe of a model from elsewhere
KEYS = ["dataset", "target", "axis", "a", "b", "factor", "level_a", "level_b"]
KEYS += ["backbone", "init", "recipe", "metric", "label"]
NUMBERS = ["value_a", "value_b", "difference", "low", "high", "p", "p_holm", "family"]
COLUMNS = [*KEYS, *NUMBERS, "folds", "seeds", "planned", "n", "positives", "patients"]
COLUMNS += ["seed_sd", "sampling_se", "verdict", "sentence"]
CONFIGURATION_COLUMNS = [*CONFIGURATION, "metric", "label", "value", "low", "high", "folds"]
CONFIGURATION_COLUMNS += [
    "seeds",
    "planned",
    "seed_sd",
    "sampling_se",
    "n",
    "positives",
    "patients",
]


@dataclass(frozen=True)
class Pair:
    """Two configurations of the grid; a, b: as CONFIGURATION says; seeds: that both should have.

    factor: on the axis `recipe` the setting that differs, with its two levels; among: the levels
    that both recipes share and that are not the base's, in words.
    """

    axis: str
    a: tuple[str, ...]
    b: tuple[str, ...]
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
        level_a, level_b = self.levels if self.factor else (a, b)
        return found | {"factor": self.factor or self.axis, "level_a": level_a, "level_b": level_b}

    def words(self) -> tuple[str, str]:
        """Names of the two in a sentence."""
        if not self.factor:
            return self.names()
        return tuple(f"{self.factor} {level or 'as the default'}" for level in self.levels)

    def seed_of_a(self, seed: int) -> int:
        """The seed of a that is compared with a seed of b: an external model has only one."""
        return 0 if self.axis == EXTERNAL else seed

    def where(self) -> str:
        """The fixed coordinates, as text."""
        fixed = self.keys()
        names = [fixed["backbone"], fixed["init"], fixed["recipe"].replace("default", "")]
        return f"{', '.join(filter(None, [fixed['dataset'], *names, self.among]))}: "


def pairs(grid: Grid) -> list[Pair]:
    """All pairs, by dataset and axis; `b` is scratch, else the one that the study names first."""
    every, folds, found = configurations(grid), folds_of(grid), []
    for axis in VARIED:
        at = CONFIGURATION.index(axis)
        for b, a in combinations(every, 2):
            if [name for name, x, y in zip(CONFIGURATION, a, b, strict=True) if x != y] != [axis]:
                continue
            if folds[a] != folds[b]:  # one that others start from, trained on some folds only
                continue
            if a[at] == "scratch":
                a, b = b, a
            seeds = tuple(seed for seed in every[a] if seed in every[b])
            if axis != "recipe":
                found.append(Pair(axis, a, b, seeds))
            elif one := one_factor(grid, a[at], b[at]):
                found.append(Pair(axis, a, b, seeds, *one))
    for name, model in grid.study.external.items():
        a = (model.dataset, name, EXTERNAL, EXTERNAL)
        own = {
            configuration: seeds
            for configuration, seeds in every.items()
            if configuration[0] == model.dataset
        }
        found += [Pair(EXTERNAL, a, b, tuple(seeds)) for b, seeds in own.items()]
    order = {name: number for number, name in enumerate(grid.study.datasets)}
    axes = [*VARIED, EXTERNAL]
    return sorted(found, key=lambda pair: (order[pair.a[0]], axes.index(pair.axis)))


def one_factor(grid: Grid, a: str, b: str) -> tuple[str, tuple[str, str], str] | None:
    """Factor in which two recipes differ, its levels, and the rest; None if they differ in several.

    Of two recipes that the study names, the recipe itself differs: no factor.
    """
    levels = grid.levels[a], grid.levels[b]
    differ = [name for name in levels[0] if levels[0][name] != levels[1][name]]
    same_recipe = levels[0]["recipe"] == levels[1]["recipe"]
    if not same_recipe:
        own = [name for name in differ if name in grid.recipes[a].levels]
        return None if own else ("", ("", ""), "")
    if len(differ) != 1:
        return None
    base = grid.levels[levels[0]["recipe"]]
    among = [f"{n} {v}" for n, v in levels[0].items() if n not in differ and v != base[n]]
    return differ[0], (levels[0][differ[0]], levels[1][differ[0]]), ", ".join(among)


def compare(pair: Pair, measured: Measured) -> Iterator[tuple[dict, difference.Combined | None]]:
    """Rows of a pair without the columns that depend on the family, and their differences."""
    shared = tuple(
        seed
        for seed in pair.seeds
        if (pair.a, pair.seed_of_a(seed)) in measured.values and (pair.b, seed) in measured.values
    )
    counts = {"folds": measured.folds.get(pair.b, 1)}
    counts |= {"seeds": len(shared), "planned": len(pair.seeds)}
    of_a = tuple(dict.fromkeys(pair.seed_of_a(seed) for seed in shared))
    both = ((pair.a, of_a), (pair.b, shared))
    sides = [measured.seeds(*side) for side in both] if shared else []
    for number, metric in enumerate(difference.RANKING):
        for at, label in enumerate(measured.labels):
            size = measured.size(pair.b, at)
            rarer = size.pop("rarer")
            row = pair.keys() | {"metric": metric, "label": label} | counts | size
            if not shared:
                yield row | {"p": np.nan}, None
                continue
            a, b = (side[:, :, number, at] for side in sides)
            paired = pair.axis != EXTERNAL
            spread = measured.spread(number, at)
            found = difference.contrast(a, b, paired, rarer, spread)
            own = [measured.distances(*side, (number, at)) for side in both]
            found = difference.with_width(found, own, rarer)
            row |= {"value_a": a[:, 0].mean(), "value_b": b[:, 0].mean()}
            row |= {"difference": found.value, "low": found.low, "high": found.high, "p": found.p}
            yield row | {"seed_sd": found.seed_sd, "sampling_se": found.sampling_se}, found


def table(grid: Grid, measured: dict[str, Measured]) -> pd.DataFrame:
    """One row per pair, metric and label: COLUMNS. NaN if a pair has no seed in common."""
    made = [(pair, *row) for pair in pairs(grid) for row in compare(pair, measured[pair.a[0]])]
    if not made:
        return pd.DataFrame(columns=COLUMNS)
    frame = pd.DataFrame([row for _, row, _ in made], columns=COLUMNS)
    families = frame.groupby(["factor", "metric", frame["label"].eq("macro")])["p"]
    frame["p_holm"] = families.transform(lambda p: holm(p.to_numpy(float)))
    frame["family"] = families.transform("size")
    parts = [(pair, found) for pair, _, found in made]
    words = [say(row, *part) for row, part in zip(frame.to_dict("records"), parts, strict=True)]
    frame["verdict"], frame["sentence"] = zip(*words, strict=True)
    return frame


def say(row: dict, pair: Pair, found: difference.Combined | None) -> tuple[str, str]:
    """The verdict and the sentence of a row."""
    a, b = pair.words()
    of = f"{row['seeds']} of {many(row['planned'], 'seed')}"
    if found is None:
        return "incomplete", f"{pair.where()}{a} against {b}: incomplete, {of}; no comparison."
    seeds = many(row["seeds"], "seed") if row["seeds"] == row["planned"] else f"incomplete, {of}"
    seeds = f"{row['folds']} folds, {seeds}" if row["folds"] > 1 else seeds
    words = difference.basis(seeds, row)
    p_holm, family = float(row["p_holm"]), int(row["family"])
    text = difference.sentence((a, b), row["metric"], found, p_holm, family, words)
    label = "" if row["label"] == "macro" else f"{row['label']}: "
    alone = np.isnan(found.seed_sd)
    each = "One seed in each fold" if row["folds"] > 1 else "One seed each"
    once = f" {each}: the variance between trainings is not included." if alone else ""
    return difference.verdict(found, p_holm), f"{pair.where()}{label}{text}{once}"


def intervals(grid: Grid, measured: dict[str, Measured]) -> pd.DataFrame:
    """One row per configuration, metric and label: means over the finished seeds.

    The interval is over patients and seeds together; over patients alone if no configuration of the
    dataset has two seeds.
    """
    rows, folds = [], folds_of(grid)
    for configuration, planned in configurations(grid).items():
        here = measured[configuration[0]]
        seeds = tuple(seed for seed in planned if (configuration, seed) in here.values)
        values = here.seeds(configuration, seeds) if seeds else None
        for number, metric in enumerate(difference.RANKING):
            for at, label in enumerate(here.labels):
                size = here.size(configuration, at)
                size.pop("rarer")
                row = dict(zip(CONFIGURATION, configuration, strict=True)) | {
                    "metric": metric,
                    "label": label,
                }
                row |= {"folds": folds[configuration], "seeds": len(seeds)}
                row |= {"planned": len(planned)} | size
                if seeds:
                    own = here.own(configuration, seeds)[:, :, number, at].T
                    row |= interval(values[:, :, number, at], own, here.spread(number, at))
                rows.append(row)
    return pd.DataFrame(rows, columns=CONFIGURATION_COLUMNS)


def interval(values: np.ndarray, own: np.ndarray, spread: Spread | None) -> dict[str, float]:
    """Mean over seeds of one metric and label, with its interval.

    values: [S, 1 + R]; own: the bounds of the seeds by themselves [2, S].
    """
    found = vars(difference.of_configuration(values, own, spread))
    return {name: found[name] for name in ("value", "low", "high", "seed_sd", "sampling_se")}
