"""Abstention: errors and AUROC where a model may pass on images."""

import pandas as pd

from cxrgrid.config.cell import CONFIGURATION
from cxrgrid.config.operating_points import rule
from cxrgrid.evaluation.abstention import KEPT
from cxrgrid.evaluation.wording import number, part, whole
from cxrgrid.reporting.results import Frames
from cxrgrid.reporting.sections import coordinates
from cxrgrid.reporting.shifted_rows import shifted

COLUMNS = [*CONFIGURATION, "measure", "value", "low", "high", "folds", "seeds", "planned", "n"]
COLUMNS += ["patients", "positives"]
TEXTS = list(CONFIGURATION)
PART = "shifts"
MEASURES = {
    "error_rate": "error rate",
    "aurc": "AURC",
    "auroc": "AUROC",
    "auroc_surest": f"AUROC, surest {100 * KEPT:.0f} %",
    "auroc_nearest": f"AUROC, nearest {100 * KEPT:.0f} %",
}
CAPTION = (
    "Test images, mean over labels and seeds, with 95 % intervals. AURC: mean error rate over all "
    "shares of images kept, the surest first; without use if not below the error rate. AUROC: "
    "also of the surest images, and of those nearest to the training images."
)
METHOD = (
    "Abstention: area under the risk-coverage curve (Geifman, Uziel & El-Yaniv 2019) at the first "
    "operating point, fitted on validation images; confidence is the distance of the log odds from "
    "the threshold's, or the largest probability where classes compete. The images that are kept "
    "are taken as given."
)


def build(frames: Frames) -> pd.DataFrame:
    """The rows of `robustness`: one per configuration and measure."""
    return shifted(frames, "abstention", COLUMNS)


def show(rows: pd.DataFrame, frames: Frames) -> pd.DataFrame:
    """One line per configuration, with a column per measure."""
    first = rows[rows["measure"] == next(iter(MEASURES))]
    shown = coordinates(first, CONFIGURATION[1:])
    for measure, name in MEASURES.items():
        own = rows[rows["measure"] == measure]
        shown[name] = [number(row.value, row.low, row.high) for row in own.itertuples()]
    shown["seeds"] = [part(row.seeds, row.planned) for row in first.itertuples()]
    shown["test images (patients)"] = [whole(row.n, row.patients) for row in first.itertuples()]
    return shown


def notes(rows: pd.DataFrame, frames: Frames) -> list[str]:
    """The operating point at which errors are counted."""
    task = frames.facts.get(rows["dataset"].iloc[0], {}).get("task")
    point = "the class with the highest score"
    if task != "multiclass":
        point = f"the operating point {rule(frames.grid.study.report.operating_points[0])}"
    return [f"Errors at {point}."]
