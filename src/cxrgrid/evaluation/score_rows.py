"""Rows of one model on one target: scores, subgroups, gaps, thresholds."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from cxrgrid.config.study import Report
from cxrgrid.evaluation import (
    bootstrap,
    calibration_curve,
    calibration_rows,
    net_benefit,
    thresholds,
)
from cxrgrid.evaluation.all_metrics import WITHOUT, Evaluation, Row
from cxrgrid.evaluation.bootstrap import Resampled
from cxrgrid.evaluation.curves import curves
from cxrgrid.evaluation.predictions import Predictions, only
from cxrgrid.evaluation.rare_labels import rare_labels
from cxrgrid.evaluation.recalibration import recalibrated
from cxrgrid.evaluation.row_intervals import RowIntervals
from cxrgrid.evaluation.row_sizes import each_size, sizes
from cxrgrid.evaluation.rows_of_whole import rows_of_whole
from cxrgrid.evaluation.subgroup_gaps import Group, column, gaps, grouped, joined
from cxrgrid.evaluation.test_sets import TestSet

GAPS = ("auroc", "ap", "brier", "sensitivity", "specificity")  # metrics compared between groups


@dataclass
class Sheet:
    """Rows of all models so far."""

    scores: list[dict] = field(default_factory=list)
    curves: list[dict] = field(default_factory=list)
    thresholds: list[dict] = field(default_factory=list)


@dataclass(frozen=True)
class Parts:
    """Parts of the test images that are scored too.

    subsets: images by name; groups: images by axis and name; tests: named test sets; metadata: the
    audit's `metadata_only`, the metadata-only baseline of each label; rare: of each group, as
    members in `subsets` or `groups`, the labels too rare in it, where not its own images are to be
    counted but those of all folds; in_no_mean: likewise the rare labels of `all`, subsets and test
    sets; bands: labels by how common they are in training.
    """

    subsets: dict[str, set[str]] = field(default_factory=dict)
    groups: dict[str, dict[str, set[str]]] = field(default_factory=dict)
    metadata: dict = field(default_factory=dict)
    rare: dict[str, dict[str, frozenset[str]]] | None = None
    in_no_mean: dict[str, frozenset[str]] = field(default_factory=dict)
    bands: dict[str, list[str]] = field(default_factory=dict)
    tests: dict[str, TestSet] = field(default_factory=dict)

    def members(self) -> dict[str, dict[str, set[str]]]:
        """Images of each group by axis and name; `subsets` are the groups of an axis as well."""
        return {"subsets": self.subsets, **self.groups}


@dataclass(frozen=True)
class Scored:
    """Evaluations of one model's test images, with what was drawn.

    axes: AXES and target; parts: of the whole (`all`) and of each subset; groups: by axis and name;
    closed: rows of all test images whose intervals are in closed form whatever is drawn: of the
    metadata-only baseline, and those of `rows_of_whole`, as these make them.
    """

    axes: dict
    parts: dict[str, tuple[Evaluation, Resampled | RowIntervals]]
    groups: dict[str, dict[str, Group]]
    closed: list[dict]


def add(
    sheet: Sheet, axes: dict, val: Predictions | None, test: Predictions, how: Report, parts: Parts
) -> Scored:
    """Score one model. axes: AXES; how: resamples, operating points, calibration, subgroups."""
    labels = test.facts["labels"]
    fit = thresholds.fit(val, test.facts, how.operating_points, how.calibrate)
    few = parts.in_no_mean
    tests = parts.tests.items()
    sets = {n: each.evaluation(val, test, how, fit, few.get(n)) for n, each in tests}
    test = recalibrated(test, fit.by)
    axes = {**axes, "target": test.facts["target"]}
    strata = bootstrap.strata(test.labels, test.patient) if how.stratify else None
    made = {"all": test} | {name: only(test, images) for name, images in parts.subsets.items()}
    made = {n: evaluated(one, fit.thresholds, how, few.get(n)) for n, one in made.items()}
    drawn = {name: (part, with_intervals(part, how)) for name, part in (made | sets).items()}
    groups = {
        axis: grouped(test, members, fit.thresholds, how, strata, (parts.rare or {}).get(axis))
        for axis, members in parts.members().items()
    }
    metadata = list(metadata_rows(axes | {"subset": "all"}, test, parts.metadata))
    for name, each in drawn.items():
        sheet.scores += rows(axes | {"subset": name}, *each)
        sheet.scores += metadata if name == "all" else []
    sheet.scores += gap_rows(axes | {"subset": "gap:subsets"}, groups["subsets"])
    for axis in parts.groups:
        sheet.scores += group_rows(axes, axis, groups[axis])
    smooth = calibration_curve.of_labels(test)
    more = rows_of_whole(*drawn["all"], smooth, how.prevalences, parts.bands)
    more = [{**axes, "subset": "all", **row} for row in more]
    sheet.scores += [
        {**row, "low": np.nan, "high": np.nan} if row["reason"] else row for row in more
    ]
    points = [*curves(test), *calibration_rows.points(smooth), *net_benefit.points(test)]
    sheet.curves += [{**axes, **row} for row in points]
    sheet.thresholds += threshold_rows(axes, labels, fit)
    return Scored(axes, drawn, groups, [*metadata, *more])


def evaluated(
    test: Predictions, cuts: dict[str, np.ndarray], how: Report, rare: frozenset[str] | None
) -> Evaluation:
    """The evaluation of some images; rare: labels that are in no mean; None: counted here."""
    rare = rare_labels([test], how.minimum) if rare is None else rare
    return Evaluation(test, cuts, rare)


def with_intervals(part: Evaluation, how: Report) -> Resampled | RowIntervals:
    """Values over the part's own patients; NaN if it has no image."""
    patient = part.test.patient
    if not patient:
        return Resampled(np.full((2, len(part.rows)), np.nan))
    if how.interval == "wilson":
        return RowIntervals(part)
    strata = bootstrap.strata(part.test.labels, patient) if how.stratify else None
    return bootstrap.resample(part.metrics, patient, how.resamples, how.interval, strata)


# ------------------------------------------------------------------ rows


def rows(
    start: dict,
    made: Evaluation,
    drawn: Resampled | RowIntervals,
    few: frozenset[str] = frozenset(),
) -> Iterator[dict]:
    """One row per metric; few: labels too rare in a group."""
    size, whole = each_size(made.test), sizes(made.test, slice(None))
    point = dict(zip(made.rows, drawn.value, strict=True))
    for row, value, low, high in zip(made.rows, drawn.value, *drawn.ends(), strict=True):
        if row.metric in WITHOUT:
            low = high = np.nan
        reason = made.reason(row) if np.isnan(value) else None
        if not reason:
            reason = lacking(drawn, row, low)
        if row.label in few:
            value, low, high, reason = np.nan, np.nan, np.nan, "too few positives or negatives"
        yield {
            **start,
            **named(row),
            **{"value": value, "low": low, "high": high},
            **size.get(row.label, whole),
            **{"labels_scored": made.labels_scored(row, point), "reason": reason, "groups": None},
        }


def lacking(drawn: Resampled | RowIntervals, row: Row, low: float) -> str | None:
    """Why a row that has a value has no interval."""
    if isinstance(drawn, RowIntervals):
        return drawn.lacking(row)
    if row.metric in WITHOUT or not np.isnan(low):
        return None
    return "no interval: resamples of the patients all agree, or most lack a class"


def named(row: Row) -> dict[str, str]:
    """A row's own columns."""
    return {"label": row.label, "metric": row.metric, "threshold_rule": row.rule}


def metadata_rows(start: dict, test: Predictions, metadata: dict) -> Iterator[dict]:
    """Rows of the metadata-only baseline: the AUROC of age, sex, view and source together."""
    for at, label in enumerate(test.facts["labels"]):
        found = metadata.get("labels", {}).get(label)
        if found is None:
            continue
        numbers = {"value": found["auroc"].get("all"), "low": found["low"], "high": found["high"]}
        numbers = {name: np.nan if value is None else value for name, value in numbers.items()}
        row = named(Row(label, "metadata_auroc", "")) | numbers | sizes(test, [at])
        few = "too few positives or negatives for an interval" if np.isnan(numbers["low"]) else None
        row |= {"labels_scored": None, "reason": found["reason"] or few, "groups": None}
        yield start | row


def threshold_rows(axes: dict, labels: list[str], fit: thresholds.Fit) -> Iterator[dict]:
    """Thresholds and recalibration of a model, with the reason if one is a fallback."""
    by = fit.by
    for rule, cut in fit.thresholds.items():
        sure = fit.assurances.get(rule, np.full(len(labels), np.nan))
        columns = zip(labels, cut, by.temperatures, by.intercepts, sure, strict=True)
        for label, threshold, temperature, intercept, assurance in columns:
            row = {"label": label, "threshold_rule": rule, "threshold": threshold}
            why = [fit.reasons.get((rule, label)), by.reasons.get(label)]
            row |= {"temperature": temperature, "intercept": intercept, "assurance": assurance}
            yield {**axes, **row, "reason": "; ".join(filter(None, why)) or None}


# ------------------------------------------------------------------ groups


def group_rows(axes: dict, axis: str, groups: dict[str, Group]) -> list[dict]:
    """The scores of each group, `sex=F`, and the gaps between them, `gap:sex`."""
    found = []
    for name, group in groups.items():
        start = axes | {"subset": f"{axis}={name}"}
        found += rows(start, group.made, group.drawn, group.few)
    return [*found, *gap_rows(axes | {"subset": f"gap:{axis}"}, groups)]


def gap_rows(start: dict, groups: dict[str, Group]) -> Iterator[dict]:
    """Gaps between groups by label and for the mean over labels, as `subgroup_gaps.gaps` says.

    start: with the subset `gap:…`; `homogeneity:…` and `worst:…` stand beside. `groups` names the
    two of a gap, or the worst. The mean is over the labels of which every group has enough.
    """
    if len(groups) < 2:
        return
    any_group = next(iter(groups.values())).made
    kinds = any_group.kinds(GAPS)
    common = [
        label for label in any_group.labels if not any(label in g.few for g in groups.values())
    ]
    for label in (*any_group.labels, "macro"):
        for kind in kinds:
            labels = common if label == "macro" else [label]
            columns = {
                n: column([g], labels, kind) for n, g in groups.items() if not {*labels} & g.few
            }
            of = slice(None) if label == "macro" else [any_group.labels.index(label)]
            both = joined([groups[name].made.test for name in columns])
            size = sizes(both, of) if both else dict.fromkeys(("n", "positives", "patients"), 0)
            size |= {"labels_scored": len(common) if label == "macro" else None}
            yield from gaps_of(start, label, kind, columns, size)


def gaps_of(
    start: dict, label: str, kind: tuple[str, str], columns: dict, size: dict
) -> Iterator[dict]:
    """Rows of one metric's gap, homogeneity and worst group; columns: each group's value."""
    axis = start["subset"].partition(":")[2]
    for name, metric, numbers in gaps(columns, kind[0]):
        row = named(Row(label, metric, kind[1]))
        yield start | {"subset": f"{name}:{axis}"} | row | numbers | size
