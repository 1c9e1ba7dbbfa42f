"""Configurations on their own test images, in the order of their validation values."""

import numpy as np
import pandas as pd

from cxrgrid.comparison.choice import ranked
from cxrgrid.config.cell import AXES, CONFIGURATION
from cxrgrid.evaluation.wording import number, part, spread, whole
from cxrgrid.reporting import cell_links
from cxrgrid.reporting.fold_frames import rerun
from cxrgrid.reporting.results import Frames
from cxrgrid.reporting.sections import MISSING, coordinates

SECONDARY = ("auroc", "ap", "balanced_accuracy", "accuracy", "majority_accuracy")
TEXTS = CONFIGURATION
PART = "leaderboard"
CAPTION = (
    "Means over seeds on the dataset's own test images, in the order of the validation value; the "
    "first is recommended. 95 % intervals over patients and seeds, or over patients only where no "
    "model has two seeds. AP: average precision, beside the prevalence."
)
METHOD = (
    "Recommended and chosen configurations: those with the highest headline metric on validation "
    "images, mean over labels and seeds, at the weights of the best epoch (the labels of that mean "
    "are counted there); configurations that lack seeds come last. Test images have no part in the "
    "choice (where a dataset is cross-validated, see its note), so that the test value of the "
    "chosen one is no maximum over models. Its validation value is one, and lies too high. "
    "Leaderboard: the spread between seeds is pooled over the dataset's models; where no model has "
    "two seeds, intervals are of these trainings only. A random ranking reaches an average "
    "precision of the prevalence. Majority: accuracy of always predicting the most frequent class."
)
CROSSED = (
    "Cross-validated: each patient of {name} is tested once, in one of {folds} folds, by networks "
    "that were trained without that fold. Each value is the mean over the folds, each by its own "
    "networks and thresholds; scores of different networks are not ranked together. The interval "
    "is for the mean performance of these networks, from the patients within each fold (LeDell, "
    "Petersen & van der Laan 2015). Counts are added up over folds; each fold alone: "
    "`metrics.csv`. Validation images of one fold are test images of another, so that the value of "
    "a configuration that was chosen on them is not wholly free of the choice."
)
FEW_FOR_AP = 50  # positives, below which average precision is too high by much
TOO_HIGH = (
    "Average precision of few positives is too high on average, here with fewer than {} positive "
    "images of {}. {}"
)
ALLOWED = {
    True: "Its intervals allow for that, its values do not.",
    False: "Its resampled intervals do not allow for that; those of `report.interval: wilson` do.",
}
FEW_FOR_F1 = 100  # patients, below which the mean of F1 has intervals that are too short
TOO_SHORT = (
    "Intervals of F1 as a mean over labels are too short with so few patients: in simulations with "
    "40 patients, 84 to 97 % of nominal 95 % intervals held the truth (docs/log.md)."
)
RARE = (
    "Means over {} labels. Left out, with fewer than {} positive or negative test images "
    "(`report.minimum`): {}."
)
links = cell_links.of_configurations


def build(frames: Frames) -> pd.DataFrame:
    """One row per configuration that is compared, by validation value in each dataset.

    NaN where no seed is scored.
    """
    cells = frames.entered()
    for metric in SECONDARY:
        values = frames.whole(metric)[[*AXES, "value"]].rename(columns={"value": f"{metric}:"})
        cells = cells.merge(values, on=AXES, how="left")
    cells = cells.merge(prevalence(frames.metrics, frames), on=AXES, how="left")
    means = {name: (f"{name}:", "mean") for name in SECONDARY}
    table = cells.groupby(CONFIGURATION, sort=False).agg(
        value=("value", "mean"),
        sd=("value", "std"),
        min=("value", "min"),
        max=("value", "max"),
        seeds=("value", "count"),
        planned=("seed", "size"),
        **means,
        prevalence=("prevalence", "mean"),
        n=("n", "max"),
        patients=("patients", "max"),
        parameters=("parameters", "max"),
        rerun=("rerun", rerun),
    )
    table = table.reset_index().merge(frames.ends(), on=CONFIGURATION).assign(metric=frames.metric)
    chosen = ranked(frames.validation)[[*CONFIGURATION, "entry", "value", "sd", "n", "recommended"]]
    names = {"value": "validation", "sd": "validation_sd", "n": "validation_n"}
    table = chosen.rename(columns=names).merge(table, on=CONFIGURATION)
    folds = frames.cells.groupby(CONFIGURATION)["fold"].nunique().rename("folds").reset_index()
    table = table.merge(folds, on=CONFIGURATION)
    by_dataset = [table[table["dataset"] == name] for name in frames.grid.targets()]
    return pd.concat(by_dataset, ignore_index=True)


def prevalence(metrics: pd.DataFrame, frames: Frames) -> pd.DataFrame:
    """Mean prevalence over the labels of the mean: the AP of a random ranking."""
    metrics = metrics[metrics["subset"] == "all"]
    left_out = {(name, label) for name in frames.facts for label in frames.rare(name)}
    pairs = zip(metrics["dataset"], metrics["label"], strict=True)
    metrics = metrics[np.array([pair not in left_out for pair in pairs], bool)]
    scored = metrics[metrics["metric"].eq("ap") & metrics["value"].notna()][[*AXES, "label"]]
    rows = metrics[metrics["metric"] == "prevalence"].merge(scored, on=[*AXES, "label"])
    return rows.groupby(AXES)["value"].mean().rename("prevalence").reset_index()


def notes(rows: pd.DataFrame, frames: Frames) -> list[str]:
    """The meaning of a cross-validated dataset's numbers; labels that are in no mean."""
    [name] = rows["dataset"].unique()
    folds = frames.facts.get(name, {}).get("folds", 1)
    found = [CROSSED.format(name=name, folds=folds)] if folds > 1 else []
    if rare := frames.rare(name):
        labels, least = frames.facts[name]["labels"], frames.grid.study.report.minimum
        found.append(
            RARE.format(part(len(labels) - len(rare), len(labels)), least, ", ".join(rare))
        )
    test = frames.tested[frames.tested["dataset"].eq(name)]
    few = test.loc[~test["label"].isin(rare) & test["positives"].lt(FEW_FOR_AP), "label"]
    if frames.metric == "ap" and len(few):
        allowed = ALLOWED[frames.grid.study.report.interval == "wilson"]
        found.append(TOO_HIGH.format(FEW_FOR_AP, ", ".join(few), allowed))
    if frames.metric == "f1" and rows["patients"].lt(FEW_FOR_F1).any():
        found.append(TOO_SHORT)
    return found


def show(rows: pd.DataFrame, frames: Frames) -> pd.DataFrame:
    """The leaderboard as text."""
    shown = coordinates(rows, CONFIGURATION[1:])
    marks = rows["recommended"].map({True: " ✓", False: ""})
    chosen = (rows["validation"].map(number) + marks).mask(rows["seeds"] == 0, MISSING)
    shown[f"{frames.metric_name} on validation (✓ recommended)"] = chosen
    values = [number(*row) for row in rows[["value", "low", "high"]].itertuples(index=False)]
    values = pd.Series(values, rows.index).mask(rows["seeds"] == 0, MISSING)
    shown[f"{frames.metric_name}, mean over labels (95 % interval)"] = values
    shown["over seeds: ± SD (range)"] = [spread(row) for row in rows.itertuples()]
    if (rows["folds"] > 1).any():
        shown["folds"] = rows["folds"].map(whole)
    shown["seeds"] = [part(row.seeds, row.planned) for row in rows.itertuples()]
    return shown.join(beside(rows, frames)).assign(parameters=rows["parameters"].map(whole))


def beside(rows: pd.DataFrame, frames: Frames) -> pd.DataFrame:
    """Columns beside the headline metric: other metrics, their baselines, numbers of images."""
    shown = pd.DataFrame(index=rows.index)
    if frames.metric != "ap":
        shown["AP"] = rows["ap"].map(number)
    shown["prevalence"] = rows["prevalence"].map(number)
    if frames.metric != "balanced_accuracy":
        shown["balanced accuracy"] = rows["balanced_accuracy"].map(number)
    if rows["accuracy"].notna().any():
        shown["accuracy"] = rows["accuracy"].map(number)
        shown["majority"] = rows["majority_accuracy"].map(number)
    shown["test images (patients)"] = [whole(row.n, row.patients) for row in rows.itertuples()]
    return shown
