"""The recommended configuration against all others of its dataset."""

import pandas as pd

from cxrgrid.comparison.conclusions import THIS
from cxrgrid.comparison.effect_rows import primary_metric
from cxrgrid.comparison.recommended import FEW, TOGETHER
from cxrgrid.config.cell import CONFIGURATION
from cxrgrid.evaluation.wording import difference, number, p_value, whole
from cxrgrid.reporting.results import NAMES, Frames
from cxrgrid.reporting.sections import coordinates

ROWS_OF = "compare"
TEXTS = [*CONFIGURATION, "verdict"]
PART = "leaderboard"
CAPTION = (
    "The recommended configuration less each other one, on the same test images, mean over labels "
    "and seeds: 95 % intervals that all hold together. What is not told apart from it may be as "
    "good, or better."
)
METHOD = (
    "Recommended against the rest: the critical value is that of the largest |t| over all others, "
    "from resampled patients and the pooled spread between seeds (max-T)."
)


def build(frames: Frames) -> pd.DataFrame:
    """The rows of `compare`, which has written `recommended.csv`."""
    return frames.recommended


def show(rows: pd.DataFrame, frames: Frames) -> pd.DataFrame:
    """The other configurations as text, the nearest first."""
    rows = rows.sort_values("difference", kind="stable")
    shown = coordinates(rows, CONFIGURATION[1:])
    name = NAMES[primary_metric(frames.grid)]
    shown[name] = rows["value"].map(number)
    columns = rows[["difference", "low", "high"]].itertuples(index=False)
    shown["recommended less this (95 %, all together)"] = [difference(*row) for row in columns]
    shown["p, adjusted"] = [p_value(p).removeprefix("= ") for p in rows["p"]]
    shown["verdict"] = rows["verdict"]
    shown["seeds"] = rows["seeds"].map(whole)
    return shown


def notes(rows: pd.DataFrame, frames: Frames) -> list[str]:
    """The recommended one, and which others are not told apart from it, as methods or at all."""
    name = rows["recommended"].iloc[0].removesuffix("/default").replace("/", ", ")
    start = f"{name} is recommended; "
    if rows["verdict"].eq(FEW).all():
        return [f"{start}too few patients to tell it apart from any other configuration."]
    together, once = ((rows["verdict"] == word).sum() for word in (TOGETHER, THIS))
    text = f"not told apart from it on these test images: {together} of {len(rows)} other "
    text += "configurations."
    if len(rows) == 1:
        told = {TOGETHER: "is not told apart", THIS: "was trained once and is not told apart"}
        told = told.get(rows["verdict"].iloc[0], "is told apart")
        text = f"the only other configuration {told} from it on these test images."
    if once:
        text += f" Trainings that differ, one each, which says nothing of the methods: {once}."
    return [start + text]
