"""Configurations in each subset and group of their test images, and the gaps between groups."""

import pandas as pd

from cxrgrid.config.cell import CONFIGURATION
from cxrgrid.evaluation.wording import difference, number, p_value, signed, whole
from cxrgrid.reporting import cell_links
from cxrgrid.reporting.results import Frames
from cxrgrid.reporting.sections import coordinates
from cxrgrid.reporting.seed_means import seed_means
from cxrgrid.reporting.test_set_rows import on_tests

KEYS = [*CONFIGURATION, "subset", "label"]
BESIDE = ("sensitivity", "specificity")
COLUMNS = [*KEYS, "metric", "value", "low", "high", *BESIDE, "groups", "seeds", "n", "positives"]
COLUMNS += ["patients", "homogeneity_p", "reason"]
TEST = "homogeneity:"  # subsets whose values are p-values, shown beside the gap
TEXTS = [*CONFIGURATION, "subset", "groups"]
PART = "subgroups"
CAPTION = (
    "Groups of the own test images, at the thresholds of all test images; means over labels and "
    "seeds, 95 % intervals over patients and seeds. gap: largest minus smallest value, with the "
    "p-value of no difference; worst: the least favourable value. Each label: `subgroups.csv`."
)
METHOD = (
    "Subgroups: the interval of a gap and its p-value allow for the choice of two groups among all "
    "(Tukey–Kramer), that of the worst group holds for all groups at once (Šidák); p over several "
    "seeds is twice their mean. The means of two groups may be over different labels; a gap uses "
    "the labels that all groups have, without those that lack a class in a group or have too few "
    "of one. The false-negative rate (`fnr`, 1 − sensitivity) is that of underdiagnosis; for a "
    "label that stands for no finding, underdiagnosis is its 1 − specificity. Subgroups: average "
    "precision, Brier score and predictive values depend on the prevalence in a group, so gaps in "
    "them may come from prevalence alone. Gaps of other metrics: `metrics.csv`."
)
BY_ITSELF = (
    "gap and worst are found in each metric and seed by itself and then averaged, so that they may "
    "be larger, or worse, than the groups' own rows say; `groups` names those of {}."
)
links = cell_links.of_configurations


def build(frames: Frames) -> pd.DataFrame:
    """One row per configuration, subset and label (or `macro`); empty where none is asked for."""
    rows = frames.metrics
    rows = rows[(rows["subset"] != "all") & ~on_tests(rows, frames.grid)]
    tests = rows["subset"].str.startswith(TEST)
    table = means(rows[(rows["metric"] == frames.metric) & ~tests])
    for name in BESIDE:
        beside = means(rows[rows["metric"] == name])[[*KEYS, "value"]]
        table = table.merge(beside.rename(columns={"value": name}), on=KEYS, how="left")
    p = means(rows[(rows["metric"] == frames.metric) & tests])[[*KEYS, "value", "seeds"]]
    p["subset"] = "gap:" + p["subset"].str.removeprefix(TEST)
    # Twice the mean of several p-values is one (Vovk and Wang, Biometrika 107 (2020) 791-808).
    p["value"] = (p["value"] * (1 + (p["seeds"] > 1))).clip(upper=1)
    p = p.drop(columns="seeds")
    table = table.merge(p.rename(columns={"value": "homogeneity_p"}), on=KEYS, how="left")
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
    values = zip(gaps, rows["value"], rows["low"], rows["high"], strict=True)
    shown[f"{frames.metric_name} (95 % interval)"] = [
        (difference if gap else number)(*row) for gap, *row in values
    ]
    for name in BESIDE:
        shown[name] = rows[name].map(number).mask(gaps, rows[name].map(signed))
    shown["p"] = [p_value(p).removeprefix("= ") for p in rows["homogeneity_p"]]
    shown["groups"] = rows["groups"].fillna(rows["reason"]).fillna("")
    shown["seeds"] = rows["seeds"].map(whole)
    shown["images (patients)"] = [whole(row.n, row.patients) for row in rows.itertuples()]
    shown["positives"] = rows["positives"].map(whole)
    return shown


def notes(rows: pd.DataFrame, frames: Frames) -> list[str]:
    """Why a gap is not the difference of two rows, where there are gaps."""
    gaps = rows["subset"].str.startswith("gap:") & rows["value"].notna()
    return [BY_ITSELF.format(frames.metric_name)] if gaps.any() else []
