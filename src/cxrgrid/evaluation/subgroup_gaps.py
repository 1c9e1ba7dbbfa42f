"""Groups of test images, scored on the resamples of all test images, and the gaps between them."""

from dataclasses import dataclass

import numpy as np

from cxrgrid.config.study import Report
from cxrgrid.evaluation import bootstrap
from cxrgrid.evaluation.all_metrics import Evaluation, Row, mean
from cxrgrid.evaluation.bootstrap import Resampled
from cxrgrid.evaluation.predictions import Predictions, only
from cxrgrid.evaluation.row_intervals import OfPatients, RowIntervals


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
        made = Evaluation(part, thresholds)
        made.both &= [label not in rare for label in made.labels]
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


def column(group: Group, labels: list[str], kind: tuple[str, str]) -> Resampled | OfPatients:
    """Mean of a metric over some labels of a group."""
    if isinstance(group.drawn, RowIntervals):
        return group.drawn.column(labels, kind)
    at = [group.made.rows.index(Row(label, *kind)) for label in labels]
    return group.drawn.map(lambda values: mean(values[:, at]))


def gap(columns: dict[str, Resampled | OfPatients]) -> dict:
    """Value, interval and the two groups of a gap, from each group's value."""
    columns = {name: values for name, values in columns.items() if not np.isnan(values.value)}
    if len(columns) < 2:
        why = "fewer than two groups with enough positives and negatives"
        return {"value": np.nan, "low": np.nan, "high": np.nan, "reason": why, "groups": None}
    ranked = sorted(columns, key=lambda name: columns[name].value)
    difference = columns[ranked[-1]] - columns[ranked[0]]
    low, high = difference.ends()
    numbers = {"value": difference.value, "low": float(low), "high": float(high)}
    return numbers | {"reason": None, "groups": f"{ranked[-1]} - {ranked[0]}"}
