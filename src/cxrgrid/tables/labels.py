"""Scores of each cell and label on test images."""

import pandas as pd

from cxrgrid.config import label_names
from cxrgrid.config.cell import AXES
from cxrgrid.config.checks import OVERALL
from cxrgrid.evaluation.wording import number, whole
from cxrgrid.reporting import cell_links
from cxrgrid.reporting.results import Frames
from cxrgrid.reporting.sections import MISSING, coordinates

METRICS = ["auroc", "ap", "sensitivity", "specificity", "f1", "tp", "fp", "tn", "fn", "prevalence"]
METRICS += ["majority_accuracy", "accuracy", "balanced_accuracy", "threshold"]
TEXTS = ["label", *AXES[:-1]]
PART = "labels"
CAPTION = (
    "95 % intervals over patients. *: fewer positives or negatives than `report.minimum`, in no "
    "mean, ranking or test. n: test images with a known label. –: not defined, as one class is "
    "absent."
)
METHOD = (
    "Scores by label: sensitivity, specificity, F1, error rate (1 − accuracy, the "
    "misclassification rate) and counts of multi-label tasks are at the study's first operating "
    "point, fitted on validation images unless it is a number (youden: the largest sensitivity + "
    "specificity − 1); where classes exclude each other the highest score decides."
)
SURE = 0.95  # an AUROC of which few images do not show how high it is
UNSEEN = (
    "AUROC of 0.95 or more on few images: {}. A handful of images cannot show a rare miss; no "
    "known method's interval holds the truth there as often as it says."
)
links = cell_links.of_cells


def build(frames: Frames) -> pd.DataFrame:
    """One row per replicate and label; a missing one is one row with no label."""
    own = frames.metrics[
        ~frames.metrics["label"].isin(OVERALL) & (frames.metrics["subset"] == "all")
    ]
    keys = [*AXES, "label"]
    wide = own.pivot(index=keys, columns="metric", values="value").reindex(columns=METRICS)
    auroc = own[own["metric"] == "auroc"][[*keys, "low", "high", "n", "positives", "patients"]]
    wide = wide.assign(error_rate=1 - wide["accuracy"])
    wide = wide.reset_index().merge(auroc, on=keys, how="left")
    rows = frames.replicates[[*AXES, "state", "rerun"]].merge(wide, on=AXES, how="left")
    datasets = frames.grid.study.datasets
    names = {name: label_names.common_names(datasets[name]) for name in frames.grid.targets()}
    known = [names.get(row.dataset, {}).get(row.label) for row in rows.itertuples()]
    rows.insert(rows.columns.get_loc("label") + 1, "common_label", known)
    return rows


def notes(rows: pd.DataFrame, frames: Frames) -> list[str]:
    """The labels that other datasets of the study know by other names; AUROCs that are too high."""
    datasets, found = frames.grid.study.datasets, []
    [here] = rows["dataset"].unique()
    for other in [name for name in frames.grid.tested() if name != here]:
        same = label_names.same_labels(other, here, datasets)
        pairs = label_names.renamed(same).items()
        listed = ", ".join(
            f"{label} is {name}" for label, name in pairs if label in set(rows["label"])
        )
        found += [f"In {other}, {listed}."] if listed else []
    high = dict.fromkeys(rows.loc[few(rows, frames) & rows["auroc"].ge(SURE), "label"])
    return [*found, UNSEEN.format(", ".join(high))] if high else found


def few(rows: pd.DataFrame, frames: Frames) -> pd.Series:
    """Mask of the rows with fewer positives or negatives than `report.minimum`."""
    counts = rows[["positives", "n"]].assign(negatives=rows["n"] - rows["positives"])
    least = counts[["positives", "negatives"]].min(axis=1)
    return least < frames.grid.study.report.minimum


def show(rows: pd.DataFrame, frames: Frames) -> pd.DataFrame:
    """Each label as text."""
    shown = coordinates(rows, ["label", *AXES[1:]])
    shown["label"] = rows["label"].fillna(MISSING)
    stars = few(rows, frames).map({True: " *", False: ""})
    auroc = [number(r.auroc, r.low, r.high) for r in rows.itertuples()]
    shown["AUROC (95 % interval)"] = pd.Series(auroc, rows.index) + stars
    for name, column in {"AP": "ap", "sensitivity": "", "specificity": "", "F1": "f1"}.items():
        shown[name] = rows[column or name].map(number) + stars
    for name in ("TP", "FP", "TN", "FN", "n", "positives"):
        shown[name] = rows[name.lower()].map(whole)
    shown["prevalence"] = rows["prevalence"].map(number)
    shown["error rate"] = rows["error_rate"].map(number)
    shown["majority accuracy"] = rows["majority_accuracy"].map(number)
    return shown
