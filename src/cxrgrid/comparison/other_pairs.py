"""Pairs of configurations beyond their ranking of own test images.

At operating points, as ensembles over seeds, on other datasets' test images, and within named
subsets: each pair that `planned_pairs` plans, on the same patients. Errors over patients follow
from the influence of each patient on both values, those over trainings from the spread between
seeds, pooled over the configurations of a dataset.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from cxrgrid.comparison import conclusions, difference, shift_losses
from cxrgrid.comparison.planned_pairs import EXTERNAL, Pair, Standing, pairs
from cxrgrid.comparison.seed_variance import combine, pool
from cxrgrid.comparison.shift_losses import Loss, Values, averaged, grouped, losses
from cxrgrid.comparison.significance import holm
from cxrgrid.comparison.study_models import elsewhere
from cxrgrid.config.cell import Cell
from cxrgrid.config.grid import Grid, finished
from cxrgrid.data import subsets
from cxrgrid.evaluation import intervals, recalibration, thresholds
from cxrgrid.evaluation.ensemble import Ensembles, members
from cxrgrid.evaluation.intervals import Counts
from cxrgrid.evaluation.predictions import Predictions, only, read_predictions
from cxrgrid.evaluation.rare_labels import rare_labels
from cxrgrid.evaluation.same_images import by_image

DECIDED = ("sensitivity", "specificity", "balanced_accuracy", "f1")
FAMILY = ("kind", "target", "subset", "threshold_rule", "factor", "metric", "average", "rare")
Measure = Callable[[Predictions, Predictions], Values]  # of validation and test predictions
Models = dict[tuple, dict[int, list[Values]]]  # by configuration and seed, one per fold


def rows(grid: Grid, folder: Path, data: Path, standing: Standing | None) -> list[dict]:
    """One row per kind, pair, metric and label. folder: of the cells; data: results/data."""
    planned, found = pairs(grid, standing), []
    for dataset in dict.fromkeys(pair.a[0] for pair in planned if pair.axis != EXTERNAL):
        own = [pair for pair in planned if pair.a[0] == dataset and pair.axis != EXTERNAL]
        for start, *rest in sets(grid, folder, data, dataset):
            for pair in own:
                found += of_pair(pair, start, *rest)
    return with_families(found)


def sets(grid: Grid, folder: Path, data: Path, dataset: str) -> Iterator[tuple]:
    """Each way in which a dataset's models are held against each other.

    Its columns, metrics, models, labels, sizes and rare labels.
    """
    how, cells = grid.study.report, read(grid, folder, dataset)
    if not cells:
        return
    first = next(iter(cells))
    tests = list({cell.fold: test for cell, (_, test) in cells.items()}.values())
    labels, start = cells[first][1].facts["labels"], {"target": dataset, "subset": "all"}
    rare = rare_labels(tests, how.minimum)
    size = difference.sizes(tests, rare)
    if cells[first][1].facts["task"] != "multiclass":
        for point in how.operating_points:
            models = measured(cells, at_point(point, how.calibrate, rare))
            [rule] = thresholds.fit(*facts_of(cells[first]), (point,), "none").thresholds
            columns = start | {"kind": "operating point", "threshold_rule": rule}
            yield columns, DECIDED, models, labels, size, rare
    if how.ensembles:
        models = ensembles(cells, rare)
        columns = start | {"kind": "ensemble", "threshold_rule": ""}
        yield columns, difference.RANKING, models, labels, size, rare
    table = data / dataset / "table.parquet"
    for name, images in subsets.members(table, grid.study.datasets[dataset].subsets).items():
        part = {cell: (val, only(test, images)) for cell, (val, test) in cells.items()}
        if all(test.image for _, test in part.values()):
            within = [only(test, images) for test in tests]
            few = rare_labels(within, how.minimum)
            columns = start | {"subset": name, "kind": "subset", "threshold_rule": ""}
            models, size = measured(part, ranking(few)), difference.sizes(within, few)
            yield columns, difference.RANKING, models, labels, size, few
    yield from of_transfers(grid, folder, dataset)


def of_transfers(grid: Grid, folder: Path, dataset: str) -> Iterator[tuple]:
    """As `sets`, on the test images of the other datasets that its models are asked about."""
    for target in grid.transfers.get(dataset, []):
        there, models = elsewhere(grid, folder, dataset, target), {}
        few = rare_labels(there[0][2], grid.study.report.minimum) if there else frozenset()
        for configuration, seed, [test] in there:
            values = shift_losses.values(test, few)
            models.setdefault(configuration, {})[seed] = [values]
        if there:
            columns = {"target": target, "subset": "all", "kind": "transfer", "threshold_rule": ""}
            names, size = there[0][2][0].facts["labels"], difference.sizes(there[0][2], few)
            yield columns, difference.RANKING, models, names, size, few


def facts_of(pair: tuple[Predictions, Predictions]) -> tuple[Predictions, dict]:
    """Validation predictions, and the facts of the test predictions."""
    return pair[0], pair[1].facts


def read(grid: Grid, folder: Path, dataset: str) -> dict[Cell, tuple[Predictions, Predictions]]:
    """Validation and test predictions of the finished cells of a dataset, sorted by image."""
    found = {}
    for cell in [cell for cell in grid.cells if cell.dataset == dataset]:
        own = folder / cell.path()
        if finished(own, cell):
            names = (f"predictions/{name}.parquet" for name in ("val", dataset))
            found[cell] = tuple(by_image(read_predictions(own / name, cell)) for name in names)
    return found


# ------------------------------------------------------------------ values of models


def measured(cells: dict[Cell, tuple[Predictions, Predictions]], measure: Measure) -> Models:
    """The values of each model by fold, those of which all folds have finished."""
    folds = len({cell.fold for cell in cells})
    found: Models = {}
    for cell, both in sorted(cells.items(), key=lambda item: item[0].fold):
        seeds = found.setdefault(cell.configuration(), {})
        seeds.setdefault(cell.seed, []).append(measure(*both))
    return {
        configuration: {seed: own for seed, own in seeds.items() if len(own) == folds}
        for configuration, seeds in found.items()
    }


def ranking(rare: frozenset[str]) -> Measure:
    """Function that gives AUROC and average precision on test images."""
    return lambda val, test: shift_losses.values(test, rare)


def at_point(point, calibrate: str, rare: frozenset[str]) -> Measure:
    """Function that gives `DECIDED` at an operating point that is fitted on validation images."""

    def measure(val: Predictions, test: Predictions) -> Values:
        fit = thresholds.fit(val, test.facts, (point,), calibrate)
        made, [cut] = recalibration.recalibrated(test, fit.by), fit.thresholds.values()
        patients, classes = grouped(made)
        called = thresholds.decide(made.scores, cut)
        tp, fp = (patients.sums(((made.labels == k) & called).astype(float)) for k in (1, 0))
        counts = Counts(tp, fp, classes.n - fp, classes.m - tp)
        found = [intervals.DECIDED[name](counts) for name in DECIDED]
        return averaged(made, found, patients, classes, rare)

    return measure


def ensembles(cells: dict[Cell, tuple[Predictions, Predictions]], rare: frozenset[str]) -> Models:
    """The values of each configuration's ensemble over its seeds, under the seed -1."""
    planned = {k: own for k, own in members(cells).items() if len({c.backbone for c in own}) == 1}
    together = Ensembles(planned)
    for cell, (val, test) in cells.items():
        together.take(cell, val, test)
    found: Models = {}
    for key, _, test in together.whole():
        cell = planned[key][0]
        seeds = found.setdefault(cell.configuration(), {})
        seeds.setdefault(-1, []).append(shift_losses.values(test, rare))
    return found


# ------------------------------------------------------------------ pairs


def of_pair(
    pair: Pair,
    start: dict,
    names: tuple,
    models: Models,
    labels: list[str],
    size: list[dict],
    rare: frozenset[str],
) -> Iterator[dict]:
    """The rows of a pair; none where the two have no seed in common."""
    a, b = (models.get(side, {}) for side in (pair.of_a, pair.of_b))
    shared = [seed for seed in a if seed in b and len(a[seed]) == len(b[seed])]
    if not shared:
        return
    sides = [[side[seed] for seed in shared] for side in (b, a)]
    planned = 1 if start["kind"] == "ensemble" else len(pair.seeds)
    for number, at, loss in losses(*sides, size):
        label = [*labels, "macro"][at]
        row = pair.keys() | start | {"metric": names[number], "label": label}
        row |= {"average": label == "macro", "rare": label in rare}
        row |= against(loss, models, (number, at))
        yield (
            row
            | {"seeds": len(shared), "planned": planned}
            | {name: size[at][name] for name in ("n", "positives", "patients")}
        )


def against(loss: Loss, models: Models, at: tuple[int, int]) -> dict:
    """Columns of a difference; models: all of the dataset, over which the seeds' spread is pooled.

    at: indices of metric and label.
    """
    spread = pool(
        [np.array([mean(folds, at) for folds in own.values()]) for own in models.values()]
    )
    groups = (loss.after, loss.before) if spread else (loss.of_seeds,)
    found = loss.bounded(combine(loss.error, loss.size["rarer"], *groups, spread=spread))
    row = {"value_a": loss.after.mean(), "value_b": loss.before.mean()}
    row |= {"difference": found.value, "low": found.low, "high": found.high, "p": found.p}
    return row | {"sampling_se": found.sampling_se, "seed_sd": found.seed_sd, "found": found}


def mean(folds: list[Values], at: tuple[int, int]) -> float:
    """A value, mean over folds."""
    return float(np.mean([fold.value[at] for fold in folds]))


def with_families(found: list[dict]) -> list[dict]:
    """The rows with p after Holm's correction, its family's size, and the verdict.

    A family is all pairs of one factor in one metric, of one kind and set; the means over labels
    are one, single labels another; rare labels are not tested.
    """
    groups: dict[tuple, list[int]] = {}
    for at, row in enumerate(found):
        groups.setdefault(tuple(row[name] for name in FAMILY), []).append(at)
    for places in groups.values():
        rows_of = [found[at] for at in places]
        for row in rows_of if rows_of[0]["rare"] else []:
            row["p"] = np.nan
        adjusted = holm(np.array([row["p"] for row in rows_of], float))
        for row, p in zip(rows_of, adjusted, strict=True):
            row |= {"p_holm": float(p), "family": 0 if row["rare"] else len(places)}
            row["verdict"] = conclusions.verdict(row.pop("found"), float(p), row["rare"])
    return found
