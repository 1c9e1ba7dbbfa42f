"""Pairs at operating points, as ensembles, on other datasets, and within subsets."""

import pandas as pd

from cxrgrid.comparison import choice, conclusions, other_pairs
from cxrgrid.evaluation.wording import difference, p_value, part, whole
from cxrgrid.reporting.results import NAMES, Frames

KEYS = ["dataset", "target", "subset", "kind", "threshold_rule", "axis", "a", "b", "factor"]
KEYS += ["level_a", "level_b", "backbone", "init", "recipe", "recipe_a", "recipe_b"]
COLUMNS = [*KEYS, "metric", "label", "value_a", "value_b", "difference", "low", "high", "p"]
COLUMNS += ["p_holm", "family", "sampling_se", "seed_sd", "seeds", "planned", "n", "positives"]
COLUMNS += ["patients", "verdict"]
TEXTS = ["compared", "factor", "comparison", "at", "metric", "verdict"]
PART = "comparisons"
CAPTION = (
    "As the pairwise comparisons, mean over labels, on the same patients: at the operating points, "
    "of ensembles over seeds, on other datasets' test images, and within named subsets. Single "
    "labels: `other_pairs.csv`."
)
METHOD = (
    "Pairs beyond ranking on own test images: the error over patients is that of their influences "
    "on both values; Holm's correction runs over the pairs of one factor in one metric, by "
    "operating point, dataset or subset. An ensemble is one of these trainings: another set of "
    "seeds may differ."
)


def build(frames: Frames) -> pd.DataFrame:
    """One row per pair, kind, metric and label, from the cells' predictions."""
    standing = choice.standing(frames.validation)
    rows = other_pairs.rows(frames.grid, frames.folder / "cells", frames.data, standing)
    return pd.DataFrame(rows, columns=COLUMNS)


def show(rows: pd.DataFrame, frames: Frames) -> pd.DataFrame:
    """The means over labels as text."""
    rows = rows[rows["label"] == "macro"]
    shown = pd.DataFrame({"compared": [compared(row) for row in rows.itertuples()]}, rows.index)
    shown["factor"] = rows["factor"]
    levels = rows[["level_a", "level_b"]].fillna("").replace("", "the default")
    shown["comparison"] = levels["level_a"] + " against " + levels["level_b"]
    fixed = rows[["backbone", "init"]].fillna("")
    shown["at"] = [", ".join(filter(None, row)) for row in fixed.itertuples(index=False)]
    shown["metric"] = [NAMES.get(name, name.replace("_", " ")) for name in rows["metric"]]
    shown["difference (95 % interval)"] = [
        difference(row.difference, row.low, row.high) for row in rows.itertuples()
    ]
    shown["verdict"] = rows["verdict"]
    shown["p, Holm"] = [p_value(p).removeprefix("= ") for p in rows["p_holm"]]
    shown["seeds"] = [part(row.seeds, row.planned) for row in rows.itertuples()]
    shown["test images (patients)"] = [whole(row.n, row.patients) for row in rows.itertuples()]
    return shown


def notes(rows: pd.DataFrame, frames: Frames) -> list[str]:
    """The meaning of a verdict on single trainings."""
    return conclusions.told_once(set(rows.loc[rows["label"] == "macro", "verdict"]))


def compared(row: tuple) -> str:
    """The kind of a comparison, as text."""
    if row.kind == "transfer":
        return f"on {row.target}"
    if row.kind == "subset":
        return f"subset {row.subset}"
    return f"{row.kind} {row.threshold_rule}".rstrip()
