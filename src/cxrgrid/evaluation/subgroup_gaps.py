"""Groups of test images, scored on the resamples of all test images, and the gaps between them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from cxrgrid.config.study import Report
from cxrgrid.evaluation import bootstrap, fold_means, many_groups
from cxrgrid.evaluation.all_metrics import Evaluation, Row, mean
from cxrgrid.evaluation.bootstrap import Resampled
from cxrgrid.evaluation.predictions import Predictions, only
from cxrgrid.evaluation.row_intervals import OfPatients, RowIntervals, bare, lacking

FEW = "too few patients in a group for an interval"
LOWER = ("brier",)  # of the metrics compared between groups, those in which lower is better


@dataclass(frozen=True)
class Group:
    """A group, scored on the resamples of all test images. few: labels too rare or common in it."""

    made: Evaluation
    drawn: Resampled | RowIntervals
    few: frozenset[str]


def grouped(
    test: Predictions,
    members: dict[str, set[str]],
    thresholds: dict[str, np.ndarray],
    how: Report,
    strata: np.ndarray | None,
    few: dict[str, frozenset[str]] | None = None,
) -> dict[str, Group]:
    """Scores of each group with images, on the same resampled patients.

    few: labels too rare in each group; None: counted here.
    """
    found = {}
    for name, images in members.items():
        at = np.flatnonzero([image in images for image in test.image])
        if not len(at):
            continue
        part = only(test, images)
        rare = few[name] if few else too_few(part.labels, part.facts["labels"], how)
        made = Evaluation(part, thresholds, rare)
        found[name] = Group(made, scored(made, test.patient, at, how, strata), rare)
    return found


def too_few(truth: np.ndarray, labels: list[str], how: Report) -> frozenset[str]:
    """Labels with fewer positives or negatives than a group needs; truth: [N, L]."""
    rarer = np.minimum(*((truth == value).sum(axis=0) for value in (1, 0)))
    return frozenset(
        label for label, n in zip(labels, rarer, strict=True) if n < how.subgroup_minimum
    )


def scored(
    made: Evaluation, patients: list[str], at: np.ndarray, how: Report, strata: np.ndarray | None
) -> Resampled | RowIntervals:
    """Values and intervals of a group, resampled (if at all) with all patients; at: its images."""
    if how.interval == "wilson":
        return RowIntervals(made)

    def statistic(weights: np.ndarray):
        return made.metrics(weights.take(at, axis=1))

    return bootstrap.resample(statistic, patients, how.resamples, how.interval, strata)


def joined(parts: list[Predictions]) -> Predictions | None:
    """The images of several groups together; None without groups."""
    if not parts:
        return None
    image, patient = (sum((getattr(p, n) for p in parts), []) for n in ("image", "patient"))
    labels, scores = (np.concatenate([getattr(p, n) for p in parts]) for n in ("labels", "scores"))
    odds = None if parts[0].log_odds is None else np.concatenate([p.log_odds for p in parts])
    return Predictions(image, patient, labels, scores, parts[0].facts, log_odds=odds)


def column(
    folds: Sequence[Group], labels: list[str], kind: tuple[str, str]
) -> Resampled | OfPatients:
    """Mean of a metric over some labels of a group, and over folds.

    In closed form without an interval where, in all folds together, no label has one.
    """
    drawn = [group.drawn for group in folds]
    if isinstance(drawn[0], RowIntervals):
        each = [one.column(labels, kind) for one in drawn]
        found = each[0] if len(each) == 1 else fold_means.of_patients(each)
        few = all(lacking(drawn, Row(label, *kind)) for label in labels)
        return bare(found) if few else found
    at = [folds[0].made.rows.index(Row(label, *kind)) for label in labels]
    each = [one.map(lambda values: mean(values[:, at])) for one in drawn]
    return each[0] if len(each) == 1 else fold_means.of_resampled(each)


def gaps(
    columns: dict[str, Resampled | OfPatients], metric: str
) -> Iterator[tuple[str, str, dict]]:
    """Gap, homogeneity and worst group as (name, metric, numbers), from each group's value.

    gap: largest minus smallest value, with an interval that allows for the choice of the two among
    all groups; homogeneity: the p-value of no difference between any; worst: the least favourable
    value, with an interval that holds for all groups at once. Of sensitivity also those of the
    false-negative rate `fnr`, 1 - sensitivity, the rate of underdiagnosis.
    """
    columns = {name: values for name, values in columns.items() if not np.isnan(values.value)}
    for name, numbers in of_groups(columns, metric in LOWER).items():
        yield name, metric, numbers
        if metric == "sensitivity":
            yield name, "fnr", turned(name, numbers)


def of_groups(columns: dict[str, Resampled | OfPatients], lower: bool) -> dict[str, dict]:
    """Numbers of gap, homogeneity and worst group; lower: lower values are better."""
    if len(columns) < 2:
        why = "fewer than two groups with enough positives and negatives"
        none = {"value": np.nan, "low": np.nan, "high": np.nan, "reason": why, "groups": None}
        return dict.fromkeys(("gap", "homogeneity", "worst"), none)
    ranked = sorted(columns, key=lambda name: columns[name].value)
    count, none = len(ranked), {"low": np.nan, "high": np.nan, "reason": None, "groups": None}
    difference = columns[ranked[-1]] - columns[ranked[0]]
    value, ends = float(difference.value), tuple(map(float, difference.ends()))
    low, high = many_groups.widened(value, ends, many_groups.largest_difference(count))
    gap = none | {"value": value, "low": low, "high": high, "groups": f"{ranked[-1]} - {ranked[0]}"}
    gap["reason"] = FEW if np.isnan(low) else None
    p = many_groups.p_value(value, ends[0], count)
    worst = ranked[-1] if lower else ranked[0]
    own, ends = float(columns[worst].value), tuple(map(float, columns[worst].ends()))
    low, high = many_groups.widened(own, ends, many_groups.any_value(count))
    low, high = np.clip((low, high), 0, 1).tolist()
    numbers = {"value": own, "low": low, "high": high, "groups": worst}
    numbers["reason"] = FEW if np.isnan(low) else None
    test = {"value": p, "reason": "no interval of the gap" if np.isnan(p) else None}
    return {"gap": gap, "homogeneity": none | test, "worst": none | numbers}


def turned(name: str, numbers: dict) -> dict:
    """The numbers of the false-negative rate, from those of sensitivity."""
    if name == "worst":
        ends = {"low": 1 - numbers["high"], "high": 1 - numbers["low"]}
        return numbers | ends | {"value": 1 - numbers["value"]}
    if name == "gap" and numbers["groups"]:
        return numbers | {"groups": " - ".join(numbers["groups"].split(" - ")[::-1])}
    return numbers
