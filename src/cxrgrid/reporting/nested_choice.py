"""Nested cross-validation: test values of the configurations that each fold chooses by itself.

Where a dataset is cross-validated, validation images of one fold are test images of another: a
choice by the mean over folds has seen test images, and the value of what it chose lies too high.
The choice of each fold by its own validation images has seen none of that fold's test images, so
that the mean of their test values is free of it (Varma & Simon, BMC Bioinformatics 7 (2006) 91;
Cawley & Talbot, JMLR 11 (2010) 2079-2107).
"""

import math

import pandas as pd

from cxrgrid.comparison.choice import ENTRY
from cxrgrid.config.cell import CONFIGURATION
from cxrgrid.evaluation.wording import many, number
from cxrgrid.reporting.results import Frames

AGREED = "chooses the same by its own validation images."


def doubt(frames: Frames, dataset: str) -> str:
    """`sentence` where some fold chooses otherwise: only then may the value lie too high."""
    text = sentence(frames, dataset)
    return "" if text.endswith(AGREED) else text


def sentence(frames: Frames, dataset: str) -> str:
    """The nested value of a dataset's recommendation; empty where there is nothing to say."""
    rows = frames.validation[frames.validation["dataset"] == dataset]
    text = compared(rows, "recommended", frames)
    return f"{dataset}: {text}" if text else ""


def of_searches(frames: Frames, dataset: str) -> list[str]:
    """The nested value of each search (`choose: validation`) in a dataset."""
    rows = frames.validation[frames.validation["dataset"] == dataset]
    found = {key: compared(part, "chosen", frames) for key, part in rows.groupby(ENTRY, sort=False)}
    return [f"{' / '.join(key[1:])}: {text}" for key, text in found.items() if text]


def compared(rows: pd.DataFrame, mark: str, frames: Frames) -> str:
    """The test value of one choice as it is and nested; empty without folds, rivals or values.

    rows: configurations from which one was chosen, of `choose`; mark: `chosen` or `recommended`.
    """
    picked = rows[rows[f"{mark}_in"].fillna("").ne("")]
    top = rows[rows[mark]]
    if len(rows) < 2 or picked.empty or top.empty:
        return ""
    folds = sum(len(text.split()) for text in picked[f"{mark}_in"])
    start = (
        "the configuration was chosen on validation images of all folds, which are test images of "
        "other folds. "
    )
    if list(picked.index) == list(top.index):
        return f"{start}Each of the {folds} folds {AGREED}"
    per_fold = frames.by_fold().headline().groupby([*CONFIGURATION, "fold"])["value"].mean()
    nested, whole = mean(picked, f"{mark}_in", per_fold), mean(top, "", per_fold)
    if math.isnan(nested) or math.isnan(whole):
        return ""
    return (
        f"{start}Its {frames.metric_name} on test images, {number(whole)}, may lie too high for "
        f"that; chosen in each of the {folds} folds by that fold's validation images alone (nested "
        f"cross-validation; {many(len(picked), 'configuration')}), it is {number(nested)}."
    )


def mean(rows: pd.DataFrame, column: str, per_fold: pd.Series) -> float:
    """Mean over folds of the test values of configurations, each in its folds; NaN if one lacks.

    column: with the folds of each row; empty: all. per_fold: by CONFIGURATION and fold.
    """
    every = per_fold.index.get_level_values("fold").unique()
    values = [
        per_fold.get((*row[CONFIGURATION], int(fold)), math.nan)
        for _, row in rows.iterrows()
        for fold in (row[column].split() if column else every)
    ]
    return sum(values) / len(values)
