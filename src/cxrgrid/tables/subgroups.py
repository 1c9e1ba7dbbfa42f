"""Configurations in each subset and group of their test images, and the gaps between groups."""

import pandas as pd

from cxrgrid.config.cell import CONFIGURATION
from cxrgrid.evaluation.wording import number, signed, whole
from cxrgrid.reporting import cell_links
from cxrgrid.reporting.results import Frames
from cxrgrid.reporting.sections import coordinates
from cxrgrid.reporting.seed_means import seed_means

KEYS = [*CONFIGURATION, "subset", "label"]
BESIDE = ("sensitivity", "specificity")
COLUMNS = [*KEYS, "metric", "value", "low", "high", *BESIDE, "groups", "seeds", "n", "positives"]
COLUMNS += ["patients", "reason"]
TEXTS = [*CONFIGURATION, "subset", "groups"]
PART = "subgroups"
CAPTION = (
    "Groups of the dataset's own test images, at the thresholds of all test images: means over "
    "labels and seeds; 95 % intervals over patients and seeds (spread pooled over the dataset's "
    "models). A gap is the largest minus the smallest value; of many groups the extremes differ by "
    "chance alone. The means of two groups may be over different labels; a gap uses the labels "
    "that all groups have, without those that lack a class in a group or have too few of one. Each "
    "label: `subgroups.csv`."
)
links = cell_links.of_configurations


def build(frames: Frames) -> pd.DataFrame:
    """One row per configuration, subset and label (or `macro`); empty where none is asked for."""
    rows = frames.metrics[frames.metrics["subset"] != "all"]
    table = means(rows[rows["metric"] == frames.metric])
    for name in BESIDE:
        beside = means(rows[rows["metric"] == name])[[*KEYS, "value"]]
        table = table.merge(beside.rename(columns={"value": name}), on=KEYS, how="left")
    order = {name: at for at, name in enumerate(frames.grid.study.datasets)}
    table = table[
        table["label"].isin(["macro", "all"]) | table["groups"].notna() | (table["n"] > 0)
    ]
    table = table.sort_values("dataset", key=lambda names: names.map(order), kind="stable")
    return table.assign(metric=frames.metric)[COLUMNS].reset_index(drop=True)


def means(rows: pd.DataFrame) -> pd.DataFrame:
    """Means over the seeds of a configuration; `groups` where all seeds name the same two."""
    grouped = rows.groupby(KEYS, sort=False, dropna=False)
    beside = grouped.agg(
        groups=("groups", agreed),
        n=("n", "max"),
        positives=("positives", "max"),
        patients=("patients", "max"),
        reason=("reason", "first"),
    )
    return seed_means(rows, ["subset", "label"]).merge(beside.reset_index(), on=KEYS)


def agreed(groups: pd.Series) -> str | None:
    """The two groups of a gap, or that seeds differ in them."""
    names = groups.dropna().unique()
    return None if not len(names) else names[0] if len(names) == 1 else "other groups by seed"


def show(rows: pd.DataFrame, frames: Frames) -> pd.DataFrame:
    """The mean over labels as text."""
    rows = rows[rows["label"] == "macro"]
    shown = coordinates(rows, [*CONFIGURATION[1:], "subset"])
    gaps = rows["subset"].str.startswith("gap:")
    values = rows[["value", "low", "high"]].itertuples(index=False)
    shown[f"{frames.metric_name} (95 % interval)"] = [number(*row) for row in values]
    for name in BESIDE:
        shown[name] = rows[name].map(number).mask(gaps, rows[name].map(signed))
    shown["groups"] = rows["groups"].fillna(rows["reason"]).fillna("")
    shown["seeds"] = rows["seeds"].map(whole)
    shown["images (patients)"] = [whole(row.n, row.patients) for row in rows.itertuples()]
    shown["positives"] = rows["positives"].map(whole)
    return shown
