"""Main effects: each factor, level against level, over everything else."""

import pandas as pd

from cxrgrid.comparison import conclusions
from cxrgrid.comparison.effect_rows import ALL, FIXED, ONE, RANDOM, named, primary_metric
from cxrgrid.evaluation.wording import difference, number, p_value, part, whole
from cxrgrid.reporting.results import NAMES, Frames
from cxrgrid.reporting.sections import MISSING

ROWS_OF = "compare"
TEXTS = ["factor", "comparison", "datasets", "family of tests", "verdict", "by the margin"]
PART = "effects"
CAPTION = (
    "Differences on the same test images, mean over labels, over everything else that both "
    "levels have; 95 % intervals over patients and, of methods, trainings. Detectable: the true "
    "difference that a study like this shows 8 times in 10. At levels of other factors, and other "
    "metrics: `effects.csv`."
)
METHOD = (
    "Main effects: the mean difference over all pairs of configurations that differ in one "
    "factor alone, with the same seeds. Over the study's datasets: their mean, these datasets "
    "given; over other datasets too: random effects (variance between datasets by Paule and "
    "Mandel, interval by Hartung and Knapp), from three datasets on. The primary effect is "
    "tested first, by itself; p of the others are corrected within their family by Holm's "
    "method. Heterogeneity: p of equal effects in all datasets (Cochran), and I², the share of "
    "the variance between datasets that chance does not explain. p of an interaction: Wald's "
    "test of equal effects at all levels of the other factor."
)
OVER = {FIXED: "these", RANDOM: "others too", ONE: "this one"}  # datasets that it speaks of


def build(frames: Frames) -> pd.DataFrame:
    """The rows of `compare`, which has written `effects.csv`."""
    return frames.effects


def headline(rows: pd.DataFrame, frames: Frames) -> pd.DataFrame:
    """The rows that are shown: the primary metric, not by the levels of another factor."""
    shown = rows[(rows["metric"] == primary_metric(frames.grid)) & rows["by"].isna()]
    return shown.sort_values("primary", ascending=False, kind="stable")


def show(rows: pd.DataFrame, frames: Frames) -> pd.DataFrame:
    """The effects as text, the primary one first."""
    rows = headline(rows, frames)
    shown = rows[["factor"]].copy()
    sides = [
        [named(factor, level) for factor, level in zip(rows["factor"], levels, strict=True)]
        for levels in (rows["level"].fillna(""), rows["against"].fillna(""))
    ]
    shown["comparison"] = [f"{x} against {y}" for x, y in zip(*sides, strict=True)]
    if rows["model"].nunique() > 1:  # else all say the same
        shown["datasets"] = rows["model"].map(OVER)
    values = [difference(row.estimate, row.low, row.high) for row in rows.itertuples()]
    name = f"{NAMES[primary_metric(frames.grid)]} difference (95 % interval)"
    shown[name] = pd.Series(values, rows.index).mask(rows["pairs"] == 0, MISSING)
    shown["verdict"] = rows["verdict"]
    shown["p"] = [p_value(p).removeprefix("= ") for p in rows["p"]]
    shown["p, Holm"] = [p_value(p).removeprefix("= ") for p in rows["p_holm"]]
    if rows["margin"].notna().any():
        shown["by the margin"] = rows["margin_verdict"].fillna("–")
    shown["detectable"] = rows["detectable"].map(number)
    shown = shown.join(sizes(rows))
    shown["family of tests"] = rows["family"].fillna("–")
    return shown


def sizes(rows: pd.DataFrame) -> pd.DataFrame:
    """Columns that say on how much an effect rests."""
    shown = pd.DataFrame(index=rows.index)
    if rows["dataset"].eq(ALL).any():
        apart = zip(rows["heterogeneity_p"], rows["i2"], strict=True)
        words = (f"{number(p, digits=2)}, {number(100 * i2, digits=0)} %" for p, i2 in apart)
        shown["heterogeneity: p, I²"] = [text.replace("–, – %", "–") for text in words]
    shown["pairs"] = [part(row.pairs, row.planned) for row in rows.itertuples()]
    shown["seeds"] = rows["seeds"].map(whole)
    shown["test images (patients)"] = [whole(row.n, row.patients) for row in rows.itertuples()]
    return shown


def notes(rows: pd.DataFrame, frames: Frames) -> list[str]:
    """Of the effects that differ, the primary one with the smallest p, and single trainings."""
    rows = headline(rows, frames)
    told = rows["verdict"].isin(["better", "worse"]) & (rows["primary"] | rows["model"].eq(FIXED))
    told |= rows.index.isin(rows[rows["primary"]].sort_values("p", kind="stable").index[:1])
    return [*rows.loc[told, "sentence"], *conclusions.told_once(set(rows["verdict"]))]
