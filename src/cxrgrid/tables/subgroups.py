"""Each configuration in each subset and group of its test images, and the gaps between groups."""

import pandas as pd

from cxrgrid.config.cell import CONFIGURATION
from cxrgrid.evaluation.wording import number, signed, whole
from cxrgrid.reporting.results import Frames

KEYS = [*CONFIGURATION, "subset", "label"]
BESIDE = ("sensitivity", "specificity")
COLUMNS = [*KEYS, "metric", "value", "low", "high", *BESIDE, "groups", "seeds", "n", "positives"]
COLUMNS += ["patients", "reason"]
NOTE = (
    "Each group of the dataset's own test images, at the thresholds of the whole: means over "
    "labels and seeds; the interval is over patients, for several seeds the mean of the seeds' "
    "ends. A gap is the largest value minus the smallest; of many groups the extremes differ by "
    "chance alone. Two groups' means may be over different labels, where a gap takes those that "
    "all have: the labels without both classes in a group, or with too few of one, are out. Each "
    "label: `subgroups.csv`."
)


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
    return table.assign(metric=frames.metric)[COLUMNS]


def means(rows: pd.DataFrame) -> pd.DataFrame:
    """Means over the seeds of a configuration; `groups` where all seeds name the same two."""
    grouped = rows.groupby(KEYS, sort=False, dropna=False)
    return grouped.agg(
        value=("value", "mean"),
        low=("low", "mean"),
        high=("high", "mean"),
        groups=("groups", agreed),
        seeds=("value", "count"),
        n=("n", "max"),
        positives=("positives", "max"),
        patients=("patients", "max"),
        reason=("reason", "first"),
    ).reset_index()


def agreed(groups: pd.Series) -> str | None:
    """The two groups of a gap, or that seeds differ in them."""
    names = groups.dropna().unique()
    return None if not len(names) else names[0] if len(names) == 1 else "other groups by seed"


def show(table: pd.DataFrame, frames: Frames) -> pd.DataFrame:
    """The mean over labels as text."""
    table = table[table["label"] == "macro"]
    several = table["recipe"].nunique() > 1
    shown = table[["backbone", "init", *(["recipe"] if several else []), "subset"]].copy()
    gaps = table["subset"].str.startswith("gap:")
    values = [number(row.value, row.low, row.high) for row in table.itertuples()]
    shown[f"{frames.metric_name} (95 % interval)"] = values
    for name in BESIDE:
        shown[name] = table[name].map(number).mask(gaps, table[name].map(signed))
    shown["groups"] = table["groups"].fillna(table["reason"]).fillna("")
    shown["seeds"] = table["seeds"].map(whole)
    shown["images (patients)"] = [whole(row.n, row.patients) for row in table.itertuples()]
    shown["positives"] = table["positives"].map(whole)
    return shown
