"""Loss under changes of the test images."""

import pandas as pd

from cxrgrid.comparison.effect_rows import primary_metric
from cxrgrid.config.cell import CONFIGURATION
from cxrgrid.config.shifts import CHANGES, STRENGTHS
from cxrgrid.evaluation.wording import difference, number, part, whole
from cxrgrid.reporting.results import NAMES, Frames
from cxrgrid.reporting.sections import coordinates
from cxrgrid.reporting.shifted_rows import shifted

COLUMNS = [*CONFIGURATION, "change", "strength", "amount", "metric", "label", "unchanged", "value"]
COLUMNS += ["difference", "low", "high", "sampling_se", "seed_sd", "folds", "seeds", "planned", "n"]
COLUMNS += ["patients", "positives"]
TEXTS = [*CONFIGURATION, "change"]
PART = "shifts"
CAPTION = (
    "Changed less unchanged test images of the same patients, mean over labels and seeds, with "
    "95 % intervals over patients and seeds; not corrected for their number. One seed: of that "
    "training alone. Each label, and the other metric: `shifts.csv`."
)
METHOD = (
    "Changes of images are made of the arrays that the networks see, in three strengths; all "
    "chance follows from the image's name, so that all models meet the same images: {changes}. "
    "The error of a difference over patients is that of their influences on both values."
).format(
    changes="; ".join(
        f"{name}: {change.about} ({change.setting}: "
        f"{', '.join(f'{amount:g}' for amount in change.amounts.values())})"
        for name, change in CHANGES.items()
    )
)

SAME = (
    "No image changed its rank under {}: at this image size a change may be smaller than a grey "
    "level. The interval there is that of two models which never differed on these patients."
)


def build(frames: Frames) -> pd.DataFrame:
    """The rows of `robustness`: configuration, change, strength, metric and label."""
    return shifted(frames, "losses", COLUMNS)


def notes(rows: pd.DataFrame, frames: Frames) -> list[str]:
    """The changes under which no ranking changed, so that nothing says how it might."""
    same = rows[(rows["metric"] == primary_metric(frames.grid)) & (rows["label"] == "macro")]
    same = same[same["difference"].eq(0) & same["sampling_se"].eq(0)]
    names = dict.fromkeys(f"{row.change} ({row.strength})" for row in same.itertuples())
    return [SAME.format(", ".join(names))] if names else []


def show(rows: pd.DataFrame, frames: Frames) -> pd.DataFrame:
    """One line per configuration and change, with a column per strength."""
    rows = rows[(rows["metric"] == primary_metric(frames.grid)) & (rows["label"] == "macro")]
    first = rows[rows["strength"] == STRENGTHS[0]]
    shown = coordinates(first, [*CONFIGURATION[1:], "change"])
    metric = NAMES[primary_metric(frames.grid)]
    shown[f"{metric}, unchanged"] = first["unchanged"].map(number)
    for strength in STRENGTHS:
        own = rows[rows["strength"] == strength]
        texts = [difference(row.difference, row.low, row.high) for row in own.itertuples()]
        shown[f"{strength}: difference (95 % interval)"] = texts
    shown["seeds"] = [part(row.seeds, row.planned) for row in first.itertuples()]
    shown["test images (patients)"] = [whole(row.n, row.patients) for row in first.itertuples()]
    return shown
