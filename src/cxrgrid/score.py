"""Score every cell of a study on one dataset's test images, with intervals over its patients.

Thresholds come from the cell's own validation images. All cells meet the same resampled patients,
so that their differences mean something. Cells without predictions are named and left out. Each
of the dataset's `subsets` has scores of its own, over its patients, by the thresholds of the whole.

Example:
  python -m cxrgrid.score results/demo/study.json --target ward \\
      --out results/demo/scores/ward.parquet
"""

import json
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from cxrgrid import command, metrics, stats
from cxrgrid.check import UserError, known
from cxrgrid.config import Grid, finished
from cxrgrid.data import read_parquet, write_parquet
from cxrgrid.settings import Cell
from cxrgrid.subsets import members

AXES = ("dataset", "backbone", "init", "recipe", "seed")
COUNTED = ("accuracy", "balanced_accuracy", "f1", "majority_accuracy", "prevalence")
COUNTED += ("sensitivity", "specificity")
BARE = ("tp", "fp", "tn", "fn", "threshold")  # rows without an interval
METRICS = ("auroc", "ap", *COUNTED, *BARE)
OF_MACRO = ("auroc", "ap", "f1", "balanced_accuracy", "sensitivity", "specificity")
OF_ALL = ("accuracy", "balanced_accuracy", "majority_accuracy")
RULES = {
    "multilabel": "for each label the score with the largest sensitivity + specificity - 1 on the "
    "cell's validation images; 0.5 where these lack a class",
    "multiclass": "none: the decision is the class with the highest score",
}
KEYS = [*AXES, "target", "subset", "label", "metric"]
SCHEMA = pa.schema(
    [(name, pa.int64() if name == "seed" else pa.string()) for name in KEYS]
    + [(name, pa.float64()) for name in ("value", "low", "high")]
    + [(name, pa.int64()) for name in ("n", "positives", "patients")]
)


@dataclass(frozen=True)
class Predictions:
    """One predictions file. labels: float64 [N, L], NaN unknown; scores: float64 [N, L], finite."""

    image: list[str]
    patient: list[str]
    labels: np.ndarray
    scores: np.ndarray
    facts: dict


# ------------------------------------------------------------------ one cell


def thresholds(val: Predictions) -> np.ndarray:
    """From which score each label counts as present [L]; NaN for classes, which compete."""
    if val.facts["task"] == "multiclass":
        return np.full(val.labels.shape[1], np.nan)
    chosen = [metrics.youden(y, p) for y, p in zip(val.labels.T, val.scores.T, strict=True)]
    return np.where(np.isnan(chosen), 0.5, chosen)


def decide(scores: np.ndarray, threshold: np.ndarray) -> np.ndarray:
    """What the cell says of each image and label: bool [N, L]; one class where classes compete."""
    if np.isnan(threshold).all():
        return np.arange(scores.shape[1]) == scores.argmax(axis=1)[:, None]
    return scores >= threshold


def rows(facts: dict) -> list[tuple[str, str]]:
    """Label and metric of every row of a cell, in the order of `score_cell`."""
    names = [(label, metric) for label in facts["labels"] for metric in METRICS]
    names += [("macro", metric) for metric in OF_MACRO]
    return names + [("all", metric) for metric in OF_ALL if facts["task"] == "multiclass"]


def score_cell(val: Predictions, test: Predictions, resamples: int) -> np.ndarray:
    """Every metric of `rows`: [1 + R, rows], first as it is, then over resampled patients."""
    if not test.image:
        return np.full((2, len(rows(test.facts))), np.nan)
    threshold = thresholds(val)
    decisions = decide(test.scores, threshold)
    orders = [metrics.order(y, p) for y, p in zip(test.labels.T, test.scores.T, strict=True)]
    scorable = [metrics.has_both(y) for y in test.labels.T]

    def statistic(weights: np.ndarray) -> np.ndarray:
        rankings = [order.weigh(weights) for order in orders]
        counts = metrics.confusion(test.labels, decisions, weights)
        found = {name: getattr(metrics, name)(*counts) for name in COUNTED}
        found["auroc"] = np.stack([ranking.auroc() for ranking in rankings], axis=1)
        found["ap"] = np.stack([ranking.average_precision() for ranking in rankings], axis=1)
        found |= zip(BARE, (*counts, np.tile(threshold, (len(weights), 1))), strict=True)
        values = [found[metric][:, label] for label in range(len(orders)) for metric in METRICS]
        values += [mean(found[metric][:, scorable]) for metric in OF_MACRO]
        values += whole(found) if test.facts["task"] == "multiclass" else []
        return np.stack(values, axis=1)

    return stats.bootstrap(statistic, test.patient, resamples, stats.generator(test.patient))


def mean(values: np.ndarray) -> np.ndarray:
    """Mean over the labels that are defined [R, L]: one that loses a class in a resample is out."""
    defined = ~np.isnan(values)
    return metrics.ratio(np.where(defined, values, 0).sum(axis=1), defined.sum(axis=1))


def whole(found: dict[str, np.ndarray]) -> list[np.ndarray]:
    """For competing classes, the decision as a whole: `OF_ALL`, from metrics [R, L] of the labels.

    An image is right where it is a true positive of its class, so the labels' counts are enough.
    """
    images = sum(found[name][:, 0] for name in ("tp", "fp", "tn", "fn"))
    right = metrics.ratio(found["tp"].sum(axis=1), images)
    return [right, mean(found["sensitivity"]), found["prevalence"].max(axis=1)]


# ------------------------------------------------------------------ all cells


def score(
    cells: Iterable[tuple[Cell, Predictions, Predictions]],
    resamples: int,
    subsets: dict[str, set[str]],
) -> tuple[pa.Table, dict]:
    """All metrics of cells, each with its validation and test predictions, and what they rest on.

    subsets: images of each, besides `all`; one without test images has rows that are NaN, n = 0.
    `n`, `positives` and `patients` count what a label's rows rest on: images whose label is known;
    for `macro` and `all`, images with any known label, and their positive labels added up.
    """
    table, first = [], None
    for cell, val, test in cells:
        first = first or (cell, test)
        check_same(cell, val, test, first)
        table += cell_rows(cell, test, score_cell(val, test, resamples), "all")
        for name, images in subsets.items():
            part = only(test, images)
            table += cell_rows(cell, part, score_cell(val, part, resamples), name)
    table = pa.Table.from_pylist(table, schema=SCHEMA).sort_by([(key, "ascending") for key in KEYS])
    basis = first[1].facts
    facts = {name: basis[name] for name in ("target", "task", "labels", "split", "split_hash")}
    rule = RULES[facts["task"]]
    return table, {**facts, "resamples": resamples, "interval": stats.INTERVAL, "thresholds": rule}


def only(test: Predictions, images: set[str]) -> Predictions:
    """The predictions on some of the images."""
    rows = [row for row, image in enumerate(test.image) if image in images]
    names = ([column[row] for row in rows] for column in (test.image, test.patient))
    return Predictions(*names, test.labels[rows], test.scores[rows], test.facts)


def cell_rows(cell: Cell, test: Predictions, values: np.ndarray, subset: str) -> Iterator[dict]:
    """The rows of one cell and subset, from what `score_cell` returns."""
    start = {name: getattr(cell, name) for name in AXES}
    start |= {"target": test.facts["target"], "subset": subset}
    size = {label: sizes(test, [at]) for at, label in enumerate(test.facts["labels"])}
    size["macro"] = size["all"] = sizes(test, slice(None))
    columns = zip(rows(test.facts), values[0], *stats.interval(values[1:]), strict=True)
    for (label, metric), value, low, high in columns:
        if metric in BARE:
            low = high = np.nan
        numbers = {"value": value, "low": low, "high": high}
        yield {**start, "label": label, "metric": metric, **numbers, **size[label]}


def sizes(test: Predictions, columns: list[int] | slice) -> dict[str, int]:
    """How many images with a known label, positives and patients."""
    labels = test.labels[:, columns]
    seen = (~np.isnan(labels)).any(axis=1)
    patients = len(np.unique(np.array(test.patient)[seen]))
    return {"n": int(seen.sum()), "positives": int((labels == 1).sum()), "patients": patients}


def check_same(
    cell: Cell, val: Predictions, test: Predictions, first: tuple[Cell, Predictions]
) -> None:
    """`UserError` unless a cell was trained on the split, and predicted on the images, of all."""
    other, basis = first
    same = {
        "split_hash": test.facts["split_hash"] == basis.facts["split_hash"],
        "labels": test.facts["labels"] == basis.facts["labels"],
        "images": test.image == basis.image and test.patient == basis.patient,
        "truth": np.array_equal(test.labels, basis.labels, equal_nan=True),
        "split_hash of val": val.facts["split_hash"] == test.facts["split_hash"],
        "labels of val": val.facts["labels"] == test.facts["labels"],
    }
    for what in [what for what, agrees in same.items() if not agrees]:
        where = f"cell {cell.path()}: {what} not as in {other.path()}"
        raise UserError(f"{where}; delete the folder of the older one and run snakemake")


# ------------------------------------------------------------------ files


def read_predictions(path: Path, cell: Cell) -> Predictions:
    """A predictions file; `UserError` if it is another cell's or a score is not finite."""
    table, facts = read_parquet(path)
    for axis in AXES:
        if facts.get(axis) != getattr(cell, axis):
            raise UserError(f"{path}: {axis} is {facts.get(axis)!r}; not of cell {cell.path()}")
    labels, scores = (
        np.stack([table[f"{kind}:{label}"].to_numpy() for label in facts["labels"]], axis=1)
        for kind in "yp"
    )
    image, patient = table["image"].to_pylist(), table["patient"].to_pylist()
    for row, label in np.argwhere(~np.isfinite(scores))[:1]:
        what = f"image {image[row]!r} has the score {scores[row, label]}"
        raise UserError(f"{path}: {what}; if the training diverged, a lower lr may help")
    return Predictions(image, patient, labels.astype(float), scores.astype(float), facts)


def find(grid: Grid, folder: Path, target: str) -> tuple[dict[Cell, list[Path]], list[str]]:
    """The cells to score with their two files each, and the paths of cells not finished."""
    known(target, grid.targets(), "--target", "dataset")
    found, missing = {}, []
    for cell in [cell for cell in grid.cells if cell.dataset == target]:
        if finished(folder / cell.path(), cell):
            below = folder / cell.path() / "predictions"
            found[cell] = [below / "val.parquet", below / f"{target}.parquet"]
        else:
            missing.append(cell.path())
    count = f"{len(found)} of {len(found) + len(missing)} cells"
    logging.info(f"{target}: scoring {count}; not finished: {', '.join(missing) or 'none'}")
    if not found:
        raise UserError(
            f"{folder}: no cell of {target} has predictions; run snakemake to make them"
        )
    return found, missing


def main(argv: list[str] | None) -> None:
    """Score the cells that are there; say which are not."""
    parser = command.parser("score", __doc__)
    parser.add_argument("study", type=Path, help="study.json; the cells lie beside it in cells/")
    parser.add_argument("--target", required=True, help="the dataset whose test images are scored")
    parser.add_argument("--data", type=Path, help="results/data, if not beside the study")
    parser.add_argument("--out", type=Path, required=True, help="scores/<target>.parquet")
    args = parser.parse_args(argv)
    if not args.study.is_file():
        raise UserError(f"{args.study}: no such file; run snakemake to make it")
    grid = Grid(json.loads(args.study.read_text()))
    found, missing = find(grid, args.study.parent / "cells", args.target)
    cells = ((cell, *(read_predictions(path, cell) for path in found[cell])) for cell in found)
    data = (args.data or args.study.parent.parent / "data") / args.target / "table.parquet"
    subsets = members(data, grid.study.datasets[args.target].subsets)
    table, facts = score(cells, grid.study.report.resamples, subsets)
    write_parquet(table, args.out, {**facts, "missing": missing})


if __name__ == "__main__":
    command.run(main)
