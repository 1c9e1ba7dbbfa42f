"""Scores of cross-validated models: of each fold, and their means over folds.

The rows of the means bear the fold `POOLED`. They are made of the same resampled patients, or
influences, as the folds' own (`fold_means`); counts of decisions are added up, since each patient
is tested once.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from cxrgrid.config.cell import AXES, POOLED, Cell
from cxrgrid.config.study import Report
from cxrgrid.evaluation import fold_means
from cxrgrid.evaluation.all_metrics import COUNTS, WITHOUT, Evaluation, Row
from cxrgrid.evaluation.bootstrap import Resampled
from cxrgrid.evaluation.predictions import Predictions
from cxrgrid.evaluation.predictive_values import too_few
from cxrgrid.evaluation.row_intervals import RowIntervals, lacking
from cxrgrid.evaluation.score_rows import (
    GAPS,
    Parts,
    Scored,
    Sheet,
    add,
    gaps_of,
    named,
    rows,
    sizes,
)
from cxrgrid.evaluation.subgroup_gaps import Group, column, joined

RATIOS = ("lr_", "ppv_at", "npv_at")  # metrics of `predictive_values`
Drawn = Resampled | RowIntervals
Fold = tuple[Evaluation, Drawn]
# A model that no study has trained.
ALONE = {"init": "external", "recipe": "external", "fold": 0, "seed": 0}


def model_of(axes: dict) -> tuple:
    """A model without its fold: values of AXES, with POOLED as fold."""
    return tuple((axes | {"fold": POOLED})[axis] for axis in AXES)


def external_axes(dataset: str, name: str, fold: int) -> dict:
    """AXES of a model from elsewhere."""
    return {"dataset": dataset, "backbone": name, **ALONE} | {"fold": fold}


def planned_folds(cells: list[Cell], ensembles: dict, external: dict) -> dict[tuple, int]:
    """Number of folds of each model that has several; see `Scorer.planned`."""
    axes = [cell.axes() for cell in cells]
    axes += [dict(zip(AXES, key, strict=True)) for key in ensembles]
    tested = {cell.fold for cell in cells}
    axes += [external_axes(cells[0].dataset, name, fold) for name in external for fold in tested]
    return {model: n for model, n in Counter(map(model_of, axes)).items() if n > 1}


@dataclass
class Scorer:
    """Adds models' rows to a sheet, and their means over folds when all of these are there.

    parts: by fold; planned: of each `model_of` that has several folds, their number.
    """

    how: Report
    parts: dict[int, Parts]
    planned: dict[tuple, int]
    sheet: Sheet = field(default_factory=Sheet)
    waiting: dict[tuple, list[Scored]] = field(default_factory=dict)

    def add(
        self, axes: dict, val: Predictions | None, test: Predictions, how: Report | None = None
    ) -> None:
        """Score one model on its test images; how: if not as the others."""
        scored = add(self.sheet, axes, val, test, how or self.how, self.parts[axes["fold"]])
        key = model_of(axes)
        if key in self.planned:
            self.waiting.setdefault(key, []).append(scored)
            if len(self.waiting[key]) == self.planned[key]:
                self.sheet.scores += pooled(self.waiting.pop(key))


# ------------------------------------------------------------------ rows


def pooled(folds: list[Scored]) -> Iterator[dict]:
    """All rows of the means over a model's folds."""
    axes = folds[0].axes | {"fold": POOLED}
    for name in folds[0].parts:
        yield from mean_rows(axes | {"subset": name}, [fold.parts[name] for fold in folds])
        if name == "all":
            yield from closed_rows(folds)
    for axis in folds[0].groups:
        groups = by_name([fold.groups[axis] for fold in folds])
        for name, each in groups.items() if axis != "subsets" else ():
            parts = [(group.made, group.drawn) for group in each]
            yield from mean_rows(axes | {"subset": f"{axis}={name}"}, parts, each[0].few)
        yield from gap_rows(axes | {"subset": f"gap:{axis}"}, groups)


def mean_rows(start: dict, folds: list[Fold], few: frozenset[str] = frozenset()) -> Iterator[dict]:
    """One row per metric of a part of the test images; few: labels too rare in a group."""
    there = [fold for fold in folds if fold[0].test.patient]
    if not there:
        yield from rows(start, *folds[0])
        return
    made, test = there[0][0], joined([each.test for each, _ in there])
    whole = sizes(test, slice(None))
    size = {label: sizes(test, [at]) for at, label in enumerate(made.labels)}
    values = np.stack([drawn.value for _, drawn in there])
    defined = (~np.isnan(values)).sum(axis=0).tolist()
    points = [dict(zip(made.rows, each, strict=True)) for each in values]
    numbers = zip(*mean_and_ends(made.rows, values, [drawn for _, drawn in there]), strict=True)
    for row, own, count in zip(made.rows, numbers, defined, strict=True):
        found = dict(zip(("value", "low", "high"), own, strict=True))
        why = reason(row, there, count, found["low"])
        if row.label in few:
            found, why = dict.fromkeys(found, np.nan), "too few positives or negatives"
        over = [each.labels_scored(row, p) for (each, _), p in zip(there, points, strict=True)]
        found |= size.get(row.label, whole) | {"reason": why, "groups": None}
        scored = None if over[0] is None else max(over)
        yield start | named(row) | found | {"labels_scored": scored}


def mean_and_ends(
    names: list[Row], values: np.ndarray, folds: list[Drawn]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means over folds of values [V, rows], with both ends [rows]; counts are added up."""
    counts = np.array([row.metric in COUNTS for row in names])
    value = np.where(counts, np.nansum(values, axis=0), fold_means.mean(values))
    if isinstance(folds[0], RowIntervals):
        sides = zip(*(fold.all_ends() for fold in folds), strict=True)
        excess = np.stack([fold.excesses() for fold in folds])
        low, high = fold_means.ends(values, *(np.stack(side) for side in sides), excess)
        none = np.array([bool(lacking(folds, row)) for row in names])
    else:
        low, high = fold_means.of_resampled(folds).ends()
        none = np.zeros(len(names), bool)
    none |= [row.metric in WITHOUT for row in names]
    return value, np.where(none, np.nan, low), np.where(none, np.nan, high)


def reason(row: Row, folds: list[Fold], defined: int, low: float) -> str | None:
    """Why a mean is not defined, is not over all folds, or has no interval; else None."""
    if not defined:
        return folds[0][0].reason(row)
    drawn = [each for _, each in folds]
    none = lacking(drawn, row) if isinstance(drawn[0], RowIntervals) else None
    if none:
        return none
    if isinstance(drawn[0], Resampled) and np.isnan(low) and row.metric not in WITHOUT:
        return "no interval: resamples of the patients all agree, or most lack a class"
    return None if defined == len(folds) else f"defined in {defined} of {len(folds)} folds"


def closed_rows(folds: list[Scored]) -> Iterator[dict]:
    """The means over folds of rows whose intervals are in closed form; see `Scored.closed`."""
    parts = [fold.parts["all"] for fold in folds]
    whole = [
        drawn if isinstance(drawn, RowIntervals) else RowIntervals(made) for made, drawn in parts
    ]
    by_row = by_name([
        {Row(row["label"], row["metric"], row["threshold_rule"]): row for row in fold.closed}
        for fold in folds
    ])  # fmt: skip
    for name, each in by_row.items():
        few = too_few(whole, name) if name.metric.startswith(RATIOS) else None
        counts = {n: sum(row[n] for row in each) for n in ("n", "positives", "patients")}
        yield each[0] | {"fold": POOLED} | closed_mean(each, few) | counts


def closed_mean(each: list[dict], few: str | None) -> dict:
    """Mean, interval and reason of one row of all folds; few: why it has no interval, if so.

    No interval where a fold with a value has none.
    """
    value, low, high = (
        np.array([row[name] for row in each], float) for name in ("value", "low", "high")
    )
    defined = ~np.isnan(value)
    found = {"value": fold_means.mean(value), "low": np.nan, "high": np.nan, "reason": few}
    if not few and defined.any() and not np.isnan(low[defined]).any():
        found["low"], found["high"] = fold_means.ends(value, low, high)
    reasons = [row["reason"] for row in each if row["reason"]]
    if reasons and not few and np.isnan(found["low"]):
        found["reason"] = f"in one fold or more: {reasons[0]}"
    if 0 < defined.sum() < len(each):
        found["reason"] = f"defined in {defined.sum()} of {len(each)} folds"
    return found


# ------------------------------------------------------------------ groups


def by_name(folds: list[dict]) -> dict[str, list]:
    """{name: what the folds that have it hold}."""
    names = dict.fromkeys(name for fold in folds for name in fold)
    return {name: [fold[name] for fold in folds if name in fold] for name in names}


def gap_rows(start: dict, groups: dict[str, list[Group]]) -> Iterator[dict]:
    """Gaps between groups, each of which is a mean over folds; see `score_rows.gap_rows`."""
    if len(groups) < 2:
        return
    few = {name: each[0].few for name, each in groups.items()}
    made = next(iter(groups.values()))[0].made
    common = [label for label in made.labels if not any(label in each for each in few.values())]
    for label in (*made.labels, "macro"):
        labels = common if label == "macro" else [label]
        usable = {name: each for name, each in groups.items() if not {*labels} & few[name]}
        both = joined([group.made.test for each in usable.values() for group in each])
        of = slice(None) if label == "macro" else [made.labels.index(label)]
        size = sizes(both, of) if both else dict.fromkeys(("n", "positives", "patients"), 0)
        for kind in made.kinds(GAPS):
            columns = {n: column(each, labels, kind) for n, each in usable.items()}
            size |= {"labels_scored": len(common) if label == "macro" else None}
            yield from gaps_of(start, label, kind, columns, size)
