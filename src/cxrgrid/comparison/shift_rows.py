"""Rows of a study's results under changes: losses, abstention, unfamiliar images.

Of each configuration that `shift` has run on: means over its seeds, and over folds where its
dataset is cross-validated. An average is that over the labels with both classes that are not
rare.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from cxrgrid.comparison import difference, shift_losses
from cxrgrid.comparison.seed_variance import Spread, over_seeds, pool
from cxrgrid.comparison.shift_losses import values
from cxrgrid.config.cell import CONFIGURATION
from cxrgrid.config.grid import Grid
from cxrgrid.config.shifted_cells import parts
from cxrgrid.config.shifts import CHANGES
from cxrgrid.config.study import Report
from cxrgrid.config.transfers import taught
from cxrgrid.evaluation import abstention, fold_means, influence
from cxrgrid.evaluation.intervals import Classes, proportion
from cxrgrid.evaluation.own_intervals import ranked
from cxrgrid.evaluation.rare_labels import rare_labels
from cxrgrid.evaluation.row_intervals import ENOUGH
from cxrgrid.evaluation.shifted_answers import Asked, Seeds
from cxrgrid.evaluation.wilson import Estimate

SIZES = ("n", "positives", "patients")
ALIKE = ("dataset", "change", "other", "strength", "metric", "label", "measure")
NONE = (np.nan, np.nan, np.nan)
Triple = tuple[float, float, float]  # a value and both ends of its interval


def start(configuration: tuple, seeds: Seeds, planned: int) -> dict:
    """Columns that all rows of a configuration share."""
    row = dict(zip(CONFIGURATION, configuration, strict=True))
    return row | {"folds": len(seeds[0]), "seeds": len(seeds), "planned": planned}


def loss_rows(how: Report, names: list[str], row: dict, seeds: Seeds) -> Iterator[dict]:
    """One row per change, strength, metric and label; names: of the changes; row: `start`."""
    size, rare = sized(seeds, how)
    labels = [*seeds[0][0].clean.facts["labels"], "macro"]
    clean = [[values(one.clean, rare) for one in folds] for folds in seeds]
    for change, strength in parts(names):
        under = [[one.under(change, strength)[0] for one in folds] for folds in seeds]
        changed = [[values(made, rare) for made in folds] for folds in under]
        keys = {"change": change, "strength": strength}
        keys |= {"amount": CHANGES[change].amounts[strength]}
        for number, at, found in shift_losses.losses(clean, changed, size):
            of = {"metric": shift_losses.METRICS[number], "label": labels[at]}
            yield row | keys | of | {"found": found} | {name: size[at][name] for name in SIZES}


def abstention_rows(how: Report, row: dict, seeds: Seeds) -> Iterator[dict]:
    """One row per measure of `measures`, on a configuration's own test images."""
    size, rare = sized(seeds, how)
    found = [[measures(one, how, rare) for one in folds] for folds in seeds]
    row = row | {name: size[-1][name] for name in SIZES}
    for name in found[0][0]:
        mean = over([[one[name] for one in folds] for folds in found])
        yield row | {"measure": name, "found": mean}


def coverage_rows(how: Report, row: dict, seeds: Seeds) -> Iterator[dict]:
    """The points of a configuration's risk-coverage curve: coverage and risk."""
    lines, (_, rare) = [], sized(seeds, how)
    for one in [one for folds in seeds for one in folds]:
        found = abstention.judged(one.val, one.clean, how)
        lines.append(abstention.curve(found, decided(found, one, rare)))
    for coverage, risk in zip(abstention.COVERAGES, np.mean(lines, axis=0), strict=True):
        yield row | {"coverage": coverage, "risk": risk}


def unfamiliar_rows(grid: Grid, names: list[str], row: dict, seeds: Seeds) -> Iterator[dict]:
    """One row per other dataset, and per change and strength: how well the distance tells them.

    Not for datasets of which a cell has learned.
    """
    first = seeds[0][0]
    for other in [name for name in first.distances if name not in taught(grid, first.cell)]:
        found = [[from_other(one, other) for one in folds] for folds in seeds]
        size = {"n": len(first.distances[other][0]), "patients": len({*first.distances[other][1]})}
        yield row | {"other": other, "strength": "", "found": over(found)} | size
    size = sized(seeds, grid.study.report)[0][-1]
    size = {name: size[name] for name in ("n", "patients")}
    for change, strength in parts(names):
        found = [[from_changed(one, change, strength) for one in folds] for folds in seeds]
        yield row | {"other": change, "strength": strength, "found": over(found)} | size


def sized(seeds: Seeds, how: Report) -> tuple[list[dict[str, int]], frozenset[str]]:
    """`difference.sizes` of the test images of all folds, and their rare labels."""
    tests = [one.clean for one in seeds[0]]
    rare = rare_labels(tests, how.minimum)
    return difference.sizes(tests, rare), rare


# ------------------------------------------------------------------ one cell


def classes_of(one: Asked) -> Classes:
    """Positive and negative test images of each patient of a cell."""
    patients, labels = influence.patients(one.clean.patient), one.clean.labels
    return Classes(*(patients.sums((labels == kind).astype(float)) for kind in (1, 0)))


def averaged(classes: Classes, one: Asked, rare: frozenset[str]) -> np.ndarray:
    """Indices of the labels that are averaged."""
    return np.flatnonzero(classes.averaged(one.clean.facts["labels"], rare))


def decided(found: abstention.Judged, one: Asked, rare: frozenset[str]) -> np.ndarray:
    """Columns of the decisions that are averaged: where classes compete there is one."""
    return averaged(classes_of(one), one, rare) if found.wrong.shape[1] > 1 else np.array([0])


def measures(one: Asked, how: Report, rare: frozenset[str]) -> dict[str, Triple]:
    """Error rate and AURC of a cell, AUROC of all images and of those that are kept."""
    found, classes = abstention.judged(one.val, one.clean, how), classes_of(one)
    patients, at = influence.patients(one.clean.patient), decided(found, one, rare)
    wrong = patients.sums(np.nan_to_num(found.wrong))
    rates = proportion(wrong, patients.sums((~np.isnan(found.wrong)).astype(float)))
    auroc = ranked(found.made, patients, classes)[0]
    far = one.own_distance

    def of_kept(each: Estimate, kept: Classes) -> Triple:
        value, low, high = mean_of(each, at := averaged(kept, one, rare))
        return (value, low, high) if kept.enough(ENOUGH)[at].any() else (value, np.nan, np.nan)

    nearest = NONE
    if not np.isnan(far).any():
        nearest = of_kept(*abstention.selective(found, far))
    return {
        "error_rate": mean_of(rates, at),
        "aurc": mean_of(abstention.areas(found), at),
        "auroc": of_kept(auroc, classes),
        "auroc_surest": of_kept(*abstention.selective(found)),
        "auroc_nearest": nearest,
    }


def from_other(one: Asked, other: str) -> Triple:
    """AUROC of the distance in telling another dataset's test images from a cell's own."""
    own, there = (one.distances[name] for name in (one.cell.dataset, other))
    names = ([f"{side}\t{name}" for name in found[1]] for side, found in enumerate((own, there)))
    return abstention.told_apart(own[2], there[2], tuple(names))


def from_changed(one: Asked, change: str, strength: str) -> Triple:
    """AUROC of the distance in telling changed test images from unchanged ones."""
    made, distance = one.under(change, strength)
    return abstention.told_apart(one.own_distance, distance, (one.clean.patient, made.patient))


# ------------------------------------------------------------------ means


@dataclass(frozen=True)
class Mean:
    """A value of each seed with both ends of its interval over patients, mean over folds [S]."""

    of_seeds: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def row(self, spread: Spread | None) -> dict[str, float]:
        """Columns of the mean over seeds; spread: as `Loss.row` takes it."""
        ends = np.clip(over_seeds(self.of_seeds, self.low, self.high, spread), 0, 1)
        return {"value": self.of_seeds.mean(), "low": ends[0], "high": ends[1]}


def over(estimates: list[list[Triple]]) -> Mean:
    """Means over folds, given by seed and fold."""
    of_seeds = []
    for folds in estimates:
        value, low, high = (np.array(part) for part in zip(*folds, strict=True))
        of_seeds.append((fold_means.mean(value), *fold_means.ends(value, low, high)))
    return Mean(*(np.array(part, float) for part in zip(*of_seeds, strict=True)))


def finished(rows: list[dict]) -> list[dict]:
    """The rows with their numbers: the spread between seeds is pooled over a dataset.

    Over the configurations of the dataset, for rows that are alike but for these. found: `Loss` or
    `Mean`.
    """
    groups: dict[tuple, list[np.ndarray]] = {}
    keys = [tuple(row.get(name) for name in ALIKE) for row in rows]
    for key, row in zip(keys, rows, strict=True):
        groups.setdefault(key, []).append(row["found"].of_seeds)
    spreads = {key: pool(group) for key, group in groups.items()}
    return [row | row["found"].row(spreads[key]) for key, row in zip(keys, rows, strict=True)]


def mean_of(each: Estimate, at: np.ndarray) -> Triple:
    """Mean over the values `at`, with its interval; NaN of none."""
    if not len(at):
        return NONE
    mean = each.take(at).combined(np.full(len(at), 1 / len(at)))
    return float(mean.value[0]), float(mean.low[0]), float(mean.high[0])
