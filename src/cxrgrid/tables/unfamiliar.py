"""Images unlike the training images."""

import pandas as pd

from cxrgrid.config.cell import CONFIGURATION
from cxrgrid.evaluation.wording import number, part, whole
from cxrgrid.reporting.results import Frames
from cxrgrid.reporting.sections import coordinates
from cxrgrid.reporting.shifted_rows import shifted

COLUMNS = [*CONFIGURATION, "other", "strength", "value", "low", "high", "folds", "seeds", "planned"]
COLUMNS += ["n", "patients"]
TEXTS = [*CONFIGURATION, "told from own test images"]
PART = "shifts"
CAPTION = (
    "AUROC of an image's distance from the training images in telling another dataset's test "
    "images, or own ones under a strong change, from own unchanged ones; 0.5: not at all. Mean "
    "over seeds, with 95 % intervals over patients and seeds. All strengths: `unfamiliar.csv`."
)
METHOD = (
    "Distance from the training images: Mahalanobis distance of a network's features at the "
    "classifier's input (Lee et al. 2018; one Gaussian, covariance shrunk by Ledoit and Wolf), "
    "from at most 10,000 training images."
)


def build(frames: Frames) -> pd.DataFrame:
    """The rows of `robustness`: configuration, and dataset or change with its strength."""
    return shifted(frames, "unfamiliar", COLUMNS)


def show(rows: pd.DataFrame, frames: Frames) -> pd.DataFrame:
    """Other datasets, then changes of the largest strength."""
    rows = rows[rows["strength"].isin(["", "strong"])]
    shown = coordinates(rows, CONFIGURATION[1:])
    pairs = zip(rows["other"], rows["strength"], strict=True)
    shown["told from own test images"] = [f"{name}, {s}" if s else name for name, s in pairs]
    shown["AUROC (95 % interval)"] = [
        number(row.value, row.low, row.high) for row in rows.itertuples()
    ]
    shown["seeds"] = [part(row.seeds, row.planned) for row in rows.itertuples()]
    shown["images (patients)"] = [whole(row.n, row.patients) for row in rows.itertuples()]
    return shown
