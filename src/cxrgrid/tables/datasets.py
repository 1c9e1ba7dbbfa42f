"""Numbers of images with each label, and of patients, in each split of a dataset."""

import pandas as pd

from cxrgrid.evaluation.wording import whole
from cxrgrid.reporting.results import Frames

TEXTS = ["label"]
PART = "datasets"
CAPTION = (
    "Images with the label, and patients in the split. Unknown labels are neither trained on nor "
    "scored."
)


def build(frames: Frames) -> pd.DataFrame:
    """One row per dataset, split and label."""
    return frames.counts


def notes(rows: pd.DataFrame, frames: Frames) -> list[str]:
    """The part of a cross-validation that the numbers are of."""
    [name] = rows["dataset"].unique()
    folds = frames.facts[name].get("folds", 1)
    if folds == 1:
        return []
    return [
        f"Cross-validated in {folds} folds: the table shows the division in which the first of "
        "them is tested. In the others its images are trained on, and each patient is tested once."
    ]


def show(rows: pd.DataFrame, frames: Frames) -> pd.DataFrame:
    """Positives by label, one column per split; images and patients in the first rows."""
    shown = rows.pivot_table("positives", "label", "split", sort=False).map(whole)
    if rows["unknown"].any():
        shown["unknown"] = rows.groupby("label")["unknown"].sum().map(whole)
    sizes = rows.groupby("split", sort=False)[["images", "patients"]].first().map(whole).T
    sizes.index = ["all images", "patients"]
    return pd.concat([sizes, shown]).fillna("–").rename_axis("label").reset_index()
