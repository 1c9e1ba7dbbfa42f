"""Calibration of each configuration's probabilities on its dataset's own test images."""

import math

import pandas as pd

from cxrgrid.config.cell import CONFIGURATION
from cxrgrid.config.checks import OVERALL
from cxrgrid.evaluation.wording import number, signed, whole
from cxrgrid.reporting import cell_links
from cxrgrid.reporting.results import Frames
from cxrgrid.reporting.sections import coordinates
from cxrgrid.reporting.seed_means import ratio_means, seed_means

KEYS = [*CONFIGURATION, "label"]
METRICS = ["observed_to_expected", "calibration_in_the_large", "calibration_slope", "ici"]
METRICS += ["ici_chance", "calibration_error", "brier", "log_loss", "prevalence"]
ENDS = METRICS[:3]  # shown with an interval
SIZES = ["n", "positives", "patients"]
TEXTS = [*CONFIGURATION, "label"]
PART = "calibration"
CAPTION = (
    "Chosen configuration of each init; 95 % intervals over patients and seeds. By chance: "
    "the ICI that right probabilities are expected to reach on these images; only an ICI well "
    "above it shows miscalibration. All configurations: `calibration.csv`."
)
METHOD = (
    "Calibration: after the recalibration that `report.calibrate` asks for. O:E: observed "
    "positives over the sum of the probabilities, 1 if these are right on average; in the large: "
    "the intercept of the log odds with the slope fixed at 1, below 0 if probabilities are too "
    "high; slope: below 1 if probabilities are too extreme. ICI: integrated calibration index, "
    "the mean distance of the smooth calibration curve (restricted cubic spline) from the "
    "probability; its level by chance follows from the curve's own error."
)
links = cell_links.of_configurations


def build(frames: Frames) -> pd.DataFrame:
    """One row per configuration and label: means over seeds with their intervals."""
    rows = frames.metrics[
        (frames.metrics["subset"] == "all") & ~frames.metrics["label"].isin(OVERALL)
    ]
    rows = rows[rows["metric"].isin(METRICS)]
    table = rows.groupby(KEYS, sort=False)[SIZES].max().reset_index()
    counts = rows.groupby(KEYS, sort=False)["seed"].nunique().reset_index(name="seeds")
    table = table.merge(counts, on=KEYS)
    for metric in METRICS:
        names = {"value": metric, "low": f"{metric}_low", "high": f"{metric}_high"}
        names = names if metric in ENDS else {"value": metric}
        own = rows[rows["metric"] == metric]
        if metric == "observed_to_expected":
            own = ratio_means(own, ["label"])
        else:
            own = seed_means(own, ["label"], within=(-math.inf, math.inf))
        own = own[[*KEYS, *names]].rename(columns=names)
        table = table.merge(own, on=KEYS, how="left")
    order = {name: at for at, name in enumerate(frames.grid.study.datasets)}
    table = table.sort_values("dataset", key=lambda names: names.map(order), kind="stable")
    return table.reset_index(drop=True)


def show(rows: pd.DataFrame, frames: Frames) -> pd.DataFrame:
    """The chosen configuration of each init as text."""
    best = frames.best()[CONFIGURATION].assign(rank=range(len(frames.best())))
    chosen = rows.reset_index().merge(best, on=CONFIGURATION).sort_values("rank", kind="stable")
    rows = chosen.set_index("index")
    shown = coordinates(rows, ["label", *CONFIGURATION[1:]])
    names = {"O:E": "observed_to_expected", "in the large": "calibration_in_the_large"}
    for name, column in (names | {"slope": "calibration_slope"}).items():
        ends = zip(rows[column], rows[f"{column}_low"], rows[f"{column}_high"], strict=True)
        text = number if name == "O:E" else with_ends
        shown[name] = [text(*each) for each in ends]
    shown["ICI"] = rows["ici"].map(number)
    shown["ICI by chance"] = rows["ici_chance"].map(number)
    shown["Brier"] = rows["brier"].map(number)
    shown["log loss"] = rows["log_loss"].map(number)
    shown["prevalence"] = rows["prevalence"].map(number)
    shown["seeds"] = rows["seeds"].map(whole)
    shown["n"] = rows["n"].map(whole)
    shown["positives"] = rows["positives"].map(whole)
    return shown


def with_ends(value: float, low: float, high: float) -> str:
    """A value that may be negative, with its interval: `−0.120 (−0.310 to +0.070)`."""
    text = number(value).replace("-", "−")
    return text if low != low or value != value else f"{text} ({signed(low)} to {signed(high)})"
