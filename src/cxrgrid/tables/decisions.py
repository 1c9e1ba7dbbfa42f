"""Predictive values and likelihood ratios at the first operating point."""

import pandas as pd

from cxrgrid.config.cell import CONFIGURATION
from cxrgrid.config.checks import OVERALL
from cxrgrid.evaluation.wording import number, whole
from cxrgrid.reporting import cell_links
from cxrgrid.reporting.results import Frames
from cxrgrid.reporting.sections import coordinates
from cxrgrid.reporting.seed_means import ratio_means, seed_means

KEYS = [*CONFIGURATION, "label"]
METRICS = ["sensitivity", "specificity", "precision", "npv", "lr_positive", "lr_negative"]
NAMES = {"sensitivity": "sensitivity", "specificity": "specificity", "precision": "PPV"}
NAMES |= {"npv": "NPV", "lr_positive": "LR+", "lr_negative": "LR−"}
SIZES = ["n", "positives", "patients"]
TEXTS = [*CONFIGURATION, "label"]
PART = "calibration"
CAPTION = (
    "Chosen configuration of each init; 95 % intervals over patients and seeds, none where a kind "
    "has fewer than 3 images of 3 patients. PPV and NPV hold at the prevalence of these test "
    "images, or at that of the heading (`report.prevalences`). All configurations: `decisions.csv`."
)
METHOD = (
    "Predictive values: PPV and NPV are the shares of images called positive and negative that are "
    "so; LR+ and LR−, the likelihood ratios, are sensitivity / (1 − specificity) and "
    "(1 − sensitivity) / specificity, and with a stated prevalence give the predictive values "
    "there by Bayes' theorem. Their intervals combine those of sensitivity and specificity (MOVER)."
)
links = cell_links.of_configurations


def build(frames: Frames) -> pd.DataFrame:
    """One row per configuration and label: means over seeds with their intervals."""
    names = [*METRICS, *stated(frames)]
    rows = frames.metrics[frames.metrics["subset"].eq("all") & frames.metrics["metric"].isin(names)]
    rows = rows[~rows["label"].isin(OVERALL)]
    table = rows.groupby(KEYS, sort=False)[SIZES].max().reset_index()
    counts = rows.groupby(KEYS, sort=False)["seed"].nunique().reset_index(name="seeds")
    table = table.merge(counts, on=KEYS)
    for metric in names:
        renamed = {"value": metric, "low": f"{metric}_low", "high": f"{metric}_high"}
        means = ratio_means if metric.startswith("lr") else seed_means
        own = means(rows[rows["metric"] == metric], ["label"])
        own = own[[*KEYS, *renamed]].rename(columns=renamed)
        table = table.merge(own, on=KEYS, how="left")
    order = {name: at for at, name in enumerate(frames.grid.study.datasets)}
    table = table.sort_values("dataset", key=lambda names: names.map(order), kind="stable")
    return table.reset_index(drop=True)


def stated(frames: Frames) -> list[str]:
    """Metrics at the prevalences that the study states."""
    shares = frames.grid.study.report.prevalences
    return [f"{kind}_at_{share:g}" for share in shares for kind in ("ppv", "npv")]


def show(rows: pd.DataFrame, frames: Frames) -> pd.DataFrame:
    """The chosen configuration of each init as text."""
    best = frames.best()[CONFIGURATION].assign(rank=range(len(frames.best())))
    chosen = rows.reset_index().merge(best, on=CONFIGURATION).sort_values("rank", kind="stable")
    rows = chosen.set_index("index")
    shown = coordinates(rows, ["label", *CONFIGURATION[1:]])
    for metric in [*METRICS, *stated(frames)]:
        kind, _, share = metric.partition("_at_")
        name = NAMES.get(metric) or f"{kind.upper()} at prevalence {share}"
        columns = (rows[column] for column in (metric, f"{metric}_low", f"{metric}_high"))
        digits = 2 if metric.startswith("lr") else 3
        shown[name] = [number(*ends, digits=digits) for ends in zip(*columns, strict=True)]
    for name in ("seeds", "n", "positives"):
        shown[name] = rows[name].map(whole)
    return shown
