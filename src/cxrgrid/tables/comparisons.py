"""Pairs of configurations that differ in one factor, on the same test images."""

import pandas as pd

from cxrgrid.comparison import conclusions
from cxrgrid.comparison.planned_pairs import EXTERNAL
from cxrgrid.evaluation.wording import difference, number, p_value, part, whole
from cxrgrid.reporting import cell_links
from cxrgrid.reporting.results import Frames
from cxrgrid.reporting.sections import MISSING

ROWS_OF = "compare"
TEXTS = ["factor", "comparison", "at", "verdict"]
PART = "comparisons"
CAPTION = (
    "Mean over labels, and over the seeds that both have; 95 % intervals. Not shown does not mean "
    "equal: the interval holds the differences that remain possible. Each label and metric: "
    "`comparisons.csv`."
)
METHOD = (
    "Pairwise comparisons: two configurations that differ in one factor, on the same test images. "
    "The interval combines the sampling of patients (sampling SE) and the spread between seeds "
    "(seed SD, pooled over the configurations of a dataset as in an analysis of variance); "
    "without two seeds anywhere it refers to these trainings only. Holm's correction runs over "
    "all pairs of one factor in the study, those not run yet included."
)
links = cell_links.of_pairs


def build(frames: Frames) -> pd.DataFrame:
    """The rows of `compare`, which has written `comparisons.csv`."""
    return frames.comparisons


def show(rows: pd.DataFrame, frames: Frames) -> pd.DataFrame:
    """The pairs by AUROC, mean over labels, as text."""
    rows = headline(rows)
    varied = frames.comparisons[frames.comparisons["axis"] != EXTERNAL]
    several = varied["recipe"].nunique() > 1 or (varied["axis"] == "recipe").any()
    fixed = rows[["backbone", "init", *(["recipe"] if several else [])]].fillna("")
    values = [difference(row.difference, row.low, row.high) for row in rows.itertuples()]
    shown = rows[["factor"]].copy()
    levels = rows[["level_a", "level_b"]].fillna("").replace("", "the default")
    shown["comparison"] = levels["level_a"] + " against " + levels["level_b"]
    shown["at"] = [", ".join(filter(None, row)) for row in fixed.itertuples(index=False)]
    shown["AUROC difference (95 % interval)"] = values
    shown.loc[rows["seeds"] == 0, "AUROC difference (95 % interval)"] = MISSING
    shown["verdict"] = rows["verdict"]
    shown["p"] = [p_value(p).removeprefix("= ") for p in rows["p"]]
    shown["p, Holm"] = [p_value(p).removeprefix("= ") for p in rows["p_holm"]]
    if (rows["folds"] > 1).any():
        shown["folds"] = rows["folds"].map(whole)
    shown["seeds"] = [part(row.seeds, row.planned) for row in rows.itertuples()]
    shown["sampling SE"] = [number(value, digits=4) for value in rows["sampling_se"]]
    shown["seed SD"] = [number(value, digits=4) for value in rows["seed_sd"]]
    shown["test images (patients)"] = [whole(row.n, row.patients) for row in rows.itertuples()]
    return shown


def notes(rows: pd.DataFrame, frames: Frames) -> list[str]:
    """A sentence for each pair that differs, and one on verdicts of single trainings."""
    rows = headline(rows)
    told = rows.loc[rows["verdict"].isin(["better", "worse"]), "sentence"]
    return [*told, *conclusions.told_once(set(rows["verdict"]))]


def headline(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows that are shown."""
    return rows[(rows["label"] == "macro") & (rows["metric"] == "auroc")]
