"""Means over head, middle and tail labels, by how common they are among the training images."""

import pandas as pd

from cxrgrid.config.cell import CONFIGURATION
from cxrgrid.config.study import BANDS
from cxrgrid.evaluation.wording import number, whole
from cxrgrid.reporting import cell_links
from cxrgrid.reporting.results import Frames
from cxrgrid.reporting.sections import coordinates
from cxrgrid.reporting.seed_means import seed_means

TEXTS = [*CONFIGURATION, "labels"]
PART = "labels"
CAPTION = (
    "Parted by the share of training images with the finding (`report.frequency_bands`): head "
    "labels are the common ones, tail labels the rare ones. Means over the labels that have both "
    "classes in test (few images too) and over seeds; 95 % intervals over patients and seeds."
)
links = cell_links.of_configurations


def build(frames: Frames) -> pd.DataFrame:
    """One row per configuration and band; empty where the study asks for none."""
    rows = frames.metrics[frames.metrics["label"].isin(BANDS)]
    rows = rows[(rows["metric"] == frames.metric) & (rows["subset"] == "all")]
    counts = rows.groupby([*CONFIGURATION, "label"], sort=False)["labels_scored"].max()
    found = seed_means(rows, ["label"]).merge(counts.reset_index(), on=[*CONFIGURATION, "label"])
    order = {name: at for at, name in enumerate(frames.grid.study.datasets)}
    found["at"], found["band"] = found["dataset"].map(order), found["label"].map(BANDS.index)
    found = found.sort_values(["at", "band"], kind="stable").drop(columns=["at", "band"])
    return found.assign(metric=frames.metric).reset_index(drop=True)


def show(rows: pd.DataFrame, frames: Frames) -> pd.DataFrame:
    """The bands as text."""
    shown = coordinates(rows, CONFIGURATION[1:])
    shown.insert(0, "labels", rows["label"].str.removeprefix("macro:"))
    values = rows[["value", "low", "high"]].itertuples(index=False)
    shown[f"{frames.metric_name} (95 % interval)"] = [number(*row) for row in values]
    shown["number of labels"] = rows["labels_scored"].map(whole)
    shown["seeds"] = rows["seeds"].map(whole)
    return shown
