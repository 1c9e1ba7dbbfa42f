"""Rows of a study's results under changes: losses, abstention, unfamiliar images.

Of each configuration that `shift` has run on: means over its seeds, and over folds where its
dataset is cross-validated. An average is that over the labels with both classes.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from cxrgrid.config.cell import CONFIGURATION
from cxrgrid.config.grid import Grid
from cxrgrid.config.shifted_cells import parts
from cxrgrid.config.shifts import CHANGES
from cxrgrid.config.study import Report
from cxrgrid.config.transfers import taught
from cxrgrid.evaluation import abstention, fold_means, influence, shift_losses
from cxrgrid.evaluation.intervals import Classes, proportion
from cxrgrid.evaluation.measured import sizes
from cxrgrid.evaluation.own_intervals import ranked
from cxrgrid.evaluation.seed_variance import Spread, over_seeds, pool
from cxrgrid.evaluation.shift_losses import values
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


def loss_rows(names: list[str], row: dict, seeds: Seeds) -> Iterator[dict]:
    """One row per change, strength, metric and label; names: of the changes; row: `start`."""
    size = sizes([one.clean for one in seeds[0]])
    labels = [*seeds[0][0].clean.facts["labels"], "macro"]
    clean = [[values(one.clean) for one in folds] for folds in seeds]
    for change, strength in parts(names):
        changed = [[values(one.under(change, strength)[0]) for one in folds] for folds in seeds]
        keys = {"change": change, "strength": strength}
        keys |= {"amount": CHANGES[change].amounts[strength]}
        for number, at, found in shift_losses.losses(clean, changed, size):
            of = {"metric": shift_losses.METRICS[number], "label": labels[at]}
            yield row | keys | of | {"found": found} | {name: size[at][name] for name in SIZES}


def abstention_rows(how: Report, row: dict, seeds: Seeds) -> Iterator[dict]:
    """One row per measure of `measures`, on a configuration's own test images."""
    found = [[measures(one, how) for one in folds] for folds in seeds]
    row = row | {name: sizes([one.clean for one in seeds[0]])[-1][name] for name in SIZES}
    for name in found[0][0]:
        mean = over([[one[name] for one in folds] for folds in found])
        yield row | {"measure": name, "found": mean}


def coverage_rows(how: Report, row: dict, seeds: Seeds) -> Iterator[dict]:
    """The points of a configuration's risk-coverage curve: coverage and risk."""
    lines = []
    for one in [one for folds in seeds for one in folds]:
        found = abstention.judged(one.val, one.clean, how)
        lines.append(abstention.curve(found, decided(found, one)))
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
    size = sizes([one.clean for one in seeds[0]])[-1]
    size = {name: size[name] for name in ("n", "patients")}
    for change, strength in parts(names):
        found = [[from_changed(one, change, strength) for one in folds] for folds in seeds]
        yield row | {"other": change, "strength": strength, "found": over(found)} | size


# ------------------------------------------------------------------ one cell


def classes_of(one: Asked) -> Classes:
    """Positive and negative test images of each patient of a cell."""
    patients, labels = influence.patients(one.clean.patient), one.clean.labels
    return Classes(*(patients.sums((labels == kind).astype(float)) for kind in (1, 0)))


def with_both(classes: Classes) -> np.ndarray:
    """Indices of the labels that have both classes."""
    return np.flatnonzero((classes.m.sum(axis=0) > 0) & (classes.n.sum(axis=0) > 0))


def decided(found: abstention.Judged, one: Asked) -> np.ndarray:
    """Columns of the decisions that are averaged: where classes compete there is one."""
    return with_both(classes_of(one)) if found.wrong.shape[1] > 1 else np.array([0])


def measures(one: Asked, how: Report) -> dict[str, Triple]:
    """Error rate and AURC of a cell, AUROC of all images and of those that are kept."""
    found, classes = abstention.judged(one.val, one.clean, how), classes_of(one)
    patients, at = influence.patients(one.clean.patient), decided(found, one)
    wrong = patients.sums(np.nan_to_num(found.wrong))
    rates = proportion(wrong, patients.sums((~np.isnan(found.wrong)).astype(float)))
    auroc = ranked(found.made, patients, classes)[0]
    far, surest = one.own_distance, abstention.selective(found)
    nearest = NONE
    if not np.isnan(far).any():
        nearest = mean_of(*with_labels(*abstention.selective(found, far)))
    return {
        "error_rate": mean_of(rates, at),
        "aurc": mean_of(abstention.areas(found), at),
        "auroc": mean_of(auroc, with_both(classes)),
        "auroc_surest": mean_of(*with_labels(*surest)),
        "auroc_nearest": nearest,
    }


def with_labels(each: Estimate, classes: Classes) -> tuple[Estimate, np.ndarray]:
    """An estimate of each label, and the labels that have both classes."""
    return each, with_both(classes)


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
