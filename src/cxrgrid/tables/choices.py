"""Levels of each search by their validation values, and the one that is chosen."""

import pandas as pd

from cxrgrid.comparison.choice import COLUMNS, ENTRY, ranked
from cxrgrid.config.cell import CONFIGURATION
from cxrgrid.evaluation.wording import number, part, whole
from cxrgrid.reporting import cell_links, nested_choice
from cxrgrid.reporting.results import Frames
from cxrgrid.reporting.sections import MISSING

NAMES = {"value": "validation", "sd": "validation_sd", "n": "validation_n"}
NAMES |= {"patients": "validation_patients"}
TEXTS = [*CONFIGURATION, "chosen"]
PART = "leaderboard"
CAPTION = (
    "Recipes with `choose: validation`: every level with the headline metric on validation images, "
    "mean over labels and seeds. The chosen level alone is compared with the rest of the study."
)
METHOD = (
    "Searches: for each dataset, backbone and init, the level with the highest validation value is "
    "chosen among those that have all seeds (of those with most seeds, if none has). The highest "
    "of several validation values lies too high; the test value of the chosen level does not, "
    "unless the dataset is cross-validated: then a note gives it with the level chosen in each "
    "fold alone."
)
links = cell_links.of_configurations


def build(frames: Frames) -> pd.DataFrame:
    """One row per configuration: validation value, choice, and the test value of a chosen one."""
    rows = frames.validation[COLUMNS].rename(columns=NAMES)
    test = frames.entered().groupby(CONFIGURATION, sort=False)
    test = test.agg(value=("value", "mean"), n=("n", "max"), patients=("patients", "max"))
    test = test.reset_index().merge(frames.ends(), on=CONFIGURATION)
    columns = [*rows, "value", "low", "high", "n", "patients"]
    return rows.merge(test, on=CONFIGURATION, how="left")[columns]


def notes(rows: pd.DataFrame, frames: Frames) -> list[str]:
    """The nested values of a cross-validated dataset's searches."""
    [name] = rows["dataset"].unique()
    return nested_choice.of_searches(frames, name)


def show(rows: pd.DataFrame, frames: Frames) -> pd.DataFrame:
    """The searches as text, best level first; empty where the dataset has none."""
    rows = rows[rows["recipe"].map(lambda recipe: frames.grid.recipes[recipe].choose)]
    place = rows.groupby(ENTRY, sort=False).ngroup()
    best_first = ranked(rows.drop(columns="value").rename(columns={"validation": "value"}))
    rows = rows.loc[place[best_first.index].sort_values(kind="stable").index]
    shown = rows[CONFIGURATION[1:]].copy()
    shown[f"{frames.metric_name} on validation"] = rows["validation"].map(number)
    shown.loc[rows["seeds"] == 0, f"{frames.metric_name} on validation"] = MISSING
    shown["± SD over seeds"] = rows["validation_sd"].map(number)
    shown["seeds"] = [part(row.seeds, row.planned) for row in rows.itertuples()]
    shown["chosen"] = rows["chosen"].map({True: "chosen", False: ""})
    values = [number(*row) for row in rows[["value", "low", "high"]].itertuples(index=False)]
    shown["on test images (95 % interval)"] = values
    sizes = rows[["validation_n", "validation_patients"]].itertuples(index=False)
    return shown.assign(**{"validation images (patients)": [whole(*row) for row in sizes]})
