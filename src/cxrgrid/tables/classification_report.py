"""Classification report: precision, recall, F1 and support of each label, and their averages."""

import pandas as pd

from cxrgrid.config.cell import CONFIGURATION
from cxrgrid.evaluation.wording import number, whole
from cxrgrid.reporting import cell_links
from cxrgrid.reporting.results import Frames
from cxrgrid.reporting.sections import coordinates

METRICS = {"precision": "precision", "sensitivity": "recall", "f1": "F1"}
AVERAGES = ("micro", "macro", "weighted", "samples")
TEXTS = [*CONFIGURATION, "label"]
PART = "labels"
CAPTION = (
    "The recommended configuration of each dataset, at the study's first operating point; means "
    "over seeds. Support: test images with the label. All configurations: "
    "`classification_report.csv`."
)
METHOD = (
    "Classification report: definitions and averages of scikit-learn's `classification_report` "
    "with `zero_division=np.nan`: the precision of a label that no image is given is not defined "
    "and is in no average. Macro and weighted averages are over the labels that have both classes "
    "and at least `report.minimum` images of each. Of the average over samples F1 alone, with "
    "`zero_division=1`: an image without any finding of which none is said counts 1."
)
RARE = (
    "In no macro or weighted average, with fewer than {} positive or negative test images "
    "(`report.minimum`), but in the others and in every support: {}."
)
links = cell_links.of_configurations


def build(frames: Frames) -> pd.DataFrame:
    """One row per configuration and label or average: precision, recall, F1, support."""
    rows = frames.metrics[frames.metrics["subset"].eq("all")]
    rows = rows[rows["metric"].isin(METRICS) & (rows["label"] != "all")]
    keys = [*CONFIGURATION, "label"]
    means = rows.groupby([*keys, "metric"], sort=False).agg(
        value=("value", "mean"), support=("positives", "max")
    )
    wide = means["value"].unstack("metric").reindex(columns=METRICS).rename(columns=METRICS)
    wide["support"] = means["support"].groupby(keys, sort=False).max()
    wide = wide.reset_index()
    place = wide["label"].map({name: at + 1 for at, name in enumerate(AVERAGES)}).fillna(0)
    order = {name: at for at, name in enumerate(labels(frames))}
    return wide.iloc[
        pd.DataFrame({"model": wide.groupby(CONFIGURATION, sort=False).ngroup(), "place": place,
                      "label": wide["label"].map(order)})
        .sort_values(["model", "place", "label"], kind="stable").index
    ].reset_index(drop=True)  # fmt: skip


def labels(frames: Frames) -> list[str]:
    """Labels of all datasets, in their order."""
    return list(dict.fromkeys(name for facts in frames.facts.values() for name in facts["labels"]))


def show(rows: pd.DataFrame, frames: Frames) -> pd.DataFrame:
    """The recommended configuration as text."""
    best = frames.validation[frames.validation["recommended"]][CONFIGURATION]
    rows = rows.reset_index().merge(best, on=CONFIGURATION).set_index("index")
    shown = coordinates(rows, [*CONFIGURATION[1:], "label"])
    for name in METRICS.values():
        shown[name] = rows[name].map(number)
    return shown.assign(support=rows["support"].map(whole))


def notes(rows: pd.DataFrame, frames: Frames) -> list[str]:
    """Labels that are in some averages only."""
    rare = frames.rare(rows["dataset"].iloc[0])
    return [RARE.format(frames.grid.study.report.minimum, ", ".join(rare))] if rare else []
