"""Means over head, middle and tail labels of one model."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from cxrgrid.config.study import BANDS
from cxrgrid.evaluation.all_metrics import OF_MACRO, WITHOUT, Evaluation
from cxrgrid.evaluation.bootstrap import Resampled
from cxrgrid.evaluation.row_intervals import RowIntervals
from cxrgrid.evaluation.subgroup_gaps import Group, column
from cxrgrid.io.parquet import read_parquet


def bands(table: Path, cuts: tuple[float, ...]) -> dict[str, list[str]]:
    """Labels of each band by the share of positives among training images with a known label.

    table: a dataset's table.parquet. One cut parts head from tail, two have the middle between;
    bands without a label are left out.
    """
    if not cuts:
        return {}
    read, facts = read_parquet(table)
    trained = np.array(read["split"].to_pylist()) == "train"
    found: dict[str, list[str]] = {}
    names = BANDS if len(cuts) == 2 else (BANDS[0], BANDS[-1])
    for label in facts["labels"]:
        truth = read[label].to_numpy(zero_copy_only=False).astype(float)[trained]
        known = truth[~np.isnan(truth)]
        share = (known == 1).mean() if len(known) else 0.0
        found.setdefault(names[sum(share < cut for cut in cuts)], []).append(label)
    return {name: found[name] for name in names if name in found}


def rows(
    of_bands: dict[str, list[str]], made: Evaluation, drawn: Resampled | RowIntervals
) -> Iterator[dict]:
    """Rows of the mean of each metric over the labels of each band that have both classes."""
    has_both = {label for label, both in zip(made.labels, made.both, strict=True) if both}
    for band, members in of_bands.items():
        labels = [label for label in members if label in has_both]
        for metric, rule in made.kinds(tuple(name for name in OF_MACRO if name not in WITHOUT)):
            start = {"label": band, "metric": metric, "threshold_rule": rule}
            value, low, high, why = np.nan, np.nan, np.nan, "no label has both classes"
            if labels:
                mean = column([Group(made, drawn, frozenset())], labels, (metric, rule))
                value, (low, high), why = float(mean.value), mean.ends(), None
            numbers = {"value": value, "low": float(low), "high": float(high)}
            if labels and np.isnan(low):
                why = "too few positives or negatives for an interval"
            if labels and np.isnan(value):
                why = "not defined for any of the labels"
            yield {**start, **numbers, "labels_scored": len(labels), "reason": why, "groups": None}
