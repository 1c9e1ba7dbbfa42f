"""Models in each subset of the test images: accuracy, sensitivity and specificity."""

import numpy as np
import pandas as pd

from cxrgrid.config.cell import CONFIGURATION
from cxrgrid.evaluation.wording import number, whole
from cxrgrid.reporting import cell_links
from cxrgrid.reporting.results import Frames
from cxrgrid.reporting.sections import coordinates
from cxrgrid.reporting.seed_means import seed_means
from cxrgrid.reporting.test_set_rows import on_tests

METRICS = ("accuracy", "sensitivity", "specificity")
BASELINES = ("prevalence", "majority_accuracy")
BETWEEN = ("gap:", "homogeneity:", "worst:")  # rows that are no group
COLUMNS = [*CONFIGURATION, "subset"]
COLUMNS += [f"{name}{end}" for name in METRICS for end in ("", "_low", "_high")]
COLUMNS += [*BASELINES, "seeds", "n", "patients"]
TEXTS = [*CONFIGURATION, "subset"]
PART = "subgroups"
CAPTION = (
    "Accuracy, sensitivity and specificity in all test images and in each subset, at the study's "
    "first operating point; means over labels and seeds, 95 % intervals over patients and seeds. "
    "Majority: accuracy of always predicting the more frequent answer."
)
METHOD = (
    "Subsets: thresholds are those of all test images. Accuracy depends on the prevalence of a "
    "subset, so that accuracies of two subsets compare only beside that of the majority."
)
FEW = 100  # patients, below which means of sensitivity have intervals that are too short
TOO_SHORT = (
    "Intervals of sensitivity as a mean over labels are too short with fewer than 100 patients "
    "({}): in simulations with 40, 84 to 97 % of nominal 95 % intervals held the truth "
    "(docs/log.md)."
)
links = cell_links.of_configurations


def build(frames: Frames) -> pd.DataFrame:
    """One row per configuration and subset, `all` first; none where no subset is scored."""
    rows = frames.metrics[~on_tests(frames.metrics, frames.grid)]
    rows = rows[~rows["subset"].str.startswith(BETWEEN)]
    parts = set(rows.loc[rows["subset"] != "all", "dataset"])
    rows = rows[rows["dataset"].isin(parts)]
    table = means(rows, METRICS[0])
    for name in METRICS[1:]:
        table = table.merge(means(rows, name), on=[*CONFIGURATION, "subset"], how="outer")
    rare = {(name, label) for name in parts for label in frames.rare(name)}
    labels = zip(rows["dataset"], rows["label"], strict=True)
    out = np.array([pair in rare for pair in labels], bool) & rows["subset"].eq("all")
    beside = over_labels(rows[~out])
    table = table.merge(beside, on=[*CONFIGURATION, "subset"], how="left")
    return in_order(table, frames).reindex(columns=COLUMNS)


def means(rows: pd.DataFrame, metric: str) -> pd.DataFrame:
    """A metric of each configuration and subset: value and ends, mean over labels and seeds."""
    rows = rows[rows["metric"].eq(metric) & rows["label"].isin(["all", "macro"])]
    rows = rows.sort_values("label", kind="stable")  # the decision as a whole before the mean
    rows = rows.drop_duplicates([*CONFIGURATION, "fold", "seed", "subset"])
    found = seed_means(rows, ["subset"])
    names = {"value": metric, "low": f"{metric}_low", "high": f"{metric}_high"}
    return found.rename(columns=names)[[*CONFIGURATION, "subset", *names.values()]]


def over_labels(rows: pd.DataFrame) -> pd.DataFrame:
    """Baselines and sizes of each configuration and subset; rows: of labels in the means alone."""
    keys = [*CONFIGURATION, "subset"]
    found = rows.groupby(keys, sort=False).agg(
        seeds=("seed", "nunique"), n=("n", "max"), patients=("patients", "max")
    )
    whole_of = set(rows.loc[rows["label"] == "all", "dataset"])
    for name in BASELINES:
        own = rows[(rows["metric"] == name) & rows["value"].notna()]
        together = own["dataset"].isin(whole_of) & (name == "majority_accuracy")
        own = own[(own["label"] == "all") == together]
        found[name] = own.groupby(keys)["value"].mean()
    return found.reset_index()


def in_order(table: pd.DataFrame, frames: Frames) -> pd.DataFrame:
    """Rows in the order of the study, and within a model `all` first."""
    models = [cell.configuration() for cell in frames.grid.cells]
    order = {model: at for at, model in enumerate(dict.fromkeys(models))}
    at = [order.get(key, -1) for key in table[CONFIGURATION].itertuples(index=False, name=None)]
    table = table.assign(at=at, first=table["subset"] != "all")
    named = {
        (name, subset): place
        for name, dataset in frames.grid.study.datasets.items()
        for place, subset in enumerate(dataset.subsets)
    }
    pairs = zip(table["dataset"], table["subset"], strict=True)
    table["named"] = [named.get(pair, len(named)) for pair in pairs]
    table = table.sort_values(["at", "first", "named", "subset"], kind="stable")
    return table.reset_index(drop=True)


def show(rows: pd.DataFrame, frames: Frames) -> pd.DataFrame:
    """The table as text."""
    shown = coordinates(rows, [*CONFIGURATION[1:], "subset"])
    for name in METRICS:
        ends = rows[[name, f"{name}_low", f"{name}_high"]].itertuples(index=False)
        shown[f"{name} (95 % interval)"] = [number(*each) for each in ends]
    shown["majority"] = rows["majority_accuracy"].map(number)
    shown["prevalence"] = rows["prevalence"].map(number)
    shown["seeds"] = rows["seeds"].map(whole)
    shown["test images (patients)"] = [whole(row.n, row.patients) for row in rows.itertuples()]
    return shown


def notes(rows: pd.DataFrame, frames: Frames) -> list[str]:
    """The reason for rates that are missing, and where intervals are too short."""
    found = []
    if rows[list(METRICS)].isna().any(axis=None):
        found.append("–: too few images of a class in the subset; `metrics.csv` says which.")
    few = rows.loc[rows["patients"] < FEW, "subset"].drop_duplicates()
    if len(few) and len(frames.facts[rows["dataset"].iloc[0]]["labels"]) > 1:
        found.append(TOO_SHORT.format(", ".join(few)))
    return found
