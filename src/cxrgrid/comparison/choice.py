"""Choice of configurations by the headline metric on validation images; no test image is read.

The value of a cell is the headline metric over labels on its own validation images, at the weights
of its best epoch, by the same definitions as on test images (labels with fewer positives or
negatives than `report.minimum` are not in it). A metric with a threshold
(F1, balanced accuracy) is at the study's first operating point, which is fitted on these very
images, of every cell alike. On the bias of choosing and judging on the same images: Cawley &
Talbot, JMLR 11 (2010) 2079-2107.

The choice is by the mean over seeds and folds. Validation images of one fold are test images of
another, so that where a dataset is cross-validated the choice has seen test images of other folds
(Varma & Simon, BMC Bioinformatics 7 (2006) 91). Beside it therefore stands the choice that each
fold makes by its own validation images, which are no test images of that fold: nested
cross-validation tests the configurations of these choices (reporting/nested_choice.py).
"""

import numpy as np
import pandas as pd

from cxrgrid.config.cell import CONFIGURATION
from cxrgrid.config.grid import Grid
from cxrgrid.config.study import Report
from cxrgrid.evaluation import thresholds
from cxrgrid.evaluation.all_metrics import Evaluation
from cxrgrid.evaluation.predictions import Predictions
from cxrgrid.evaluation.rare_labels import rare_labels
from cxrgrid.evaluation.recalibration import recalibrated
from cxrgrid.evaluation.score_rows import sizes

COLUMNS = [*CONFIGURATION, "entry", "metric", "value", "sd", "seeds", "planned", "n", "patients"]
COLUMNS += ["of", "chosen", "recommended", "chosen_in", "recommended_in"]
ENTRY = [*CONFIGURATION[:-1], "entry"]


def value(val: Predictions, how: Report) -> dict[str, float]:
    """The headline metric of one cell on its validation images, with `n` and `patients`.

    NaN where the metric is not defined: no label has both classes.
    """
    fit = thresholds.fit(val, val.facts, how.operating_points[:1], how.calibrate)
    rare = rare_labels([val], how.minimum)
    made = Evaluation(recalibrated(val, fit.by), fit.thresholds, rare)
    values = made.metrics(np.ones((1, len(val.image))))[0]
    whole = {
        row.label: value
        for row, value in zip(made.rows, values, strict=True)
        if row.metric == how.headline and row.label in ("all", "macro")
    }
    size = sizes(val, slice(None))
    # Where classes compete, the decision as a whole: reporting/results.py, Frames.whole.
    found = {"value": float(whole.get("all", whole["macro"]))}
    return found | {name: size[name] for name in ("n", "patients")}


def table(grid: Grid, cells: pd.DataFrame) -> pd.DataFrame:
    """One row per configuration of a study, COLUMNS, in its order.

    cells: AXES, `done`, and of finished cells `value`, `n`, `patients`. value: mean over the seeds
    of which all folds are done; seeds, planned: how many of these; n, patients: of a fold; of:
    configurations from which the entry's is chosen; chosen: it stands for its entry; recommended:
    of the chosen ones, the first of its dataset; chosen_in, recommended_in: of a cross-validated
    dataset, the folds whose own validation images make the same choice, such as `0 2`.
    """
    folds = cells.groupby([*CONFIGURATION, "seed"], sort=False)
    sums = {"value": "mean", "done": "all", "n": "max", "patients": "max"}
    seeds = folds.agg(sums).reset_index()
    seeds["value"] = seeds["value"].where(seeds["done"])
    groups = seeds.groupby(CONFIGURATION, sort=False)
    rows = groups.agg(
        value=("value", "mean"),
        sd=("value", "std"),
        seeds=("done", "sum"),
        planned=("done", "size"),
        n=("n", "max"),
        patients=("patients", "max"),
    ).reset_index()
    rows["entry"] = rows["recipe"].map(grid.entry)
    marked(rows, [])
    alone = by_fold(grid, cells)
    for mark in ("chosen", "recommended"):
        rows[f"{mark}_in"] = [folds_of(row, alone[alone[mark]]) for _, row in rows.iterrows()]
    rows["metric"] = grid.study.report.headline
    rows["of"] = rows.groupby(ENTRY)["recipe"].transform("size")
    return rows[COLUMNS]


def marked(rows: pd.DataFrame, within: list[str]) -> None:
    """Add `chosen` and `recommended` to rows of configurations; within: columns of more groups."""
    rows["chosen"] = first(rows, [*ENTRY, *within])
    best = first(rows[rows["chosen"]], ["dataset", *within])
    rows["recommended"] = best.reindex(rows.index, fill_value=False) & rows["value"].notna()


def by_fold(grid: Grid, cells: pd.DataFrame) -> pd.DataFrame:
    """The choice by each fold's own validation images: CONFIGURATION, `fold`, and the two marks.

    Of datasets with several folds only; cells: as in `table`.
    """
    several = cells.groupby("dataset")["fold"].transform("nunique") > 1
    rows = cells[several].groupby([*CONFIGURATION, "fold"], sort=False)
    rows = rows.agg(value=("value", "mean"), seeds=("done", "sum"), planned=("done", "size"))
    rows = rows.reset_index()
    rows["entry"] = rows["recipe"].map(grid.entry)
    marked(rows, ["fold"])
    return rows


def folds_of(row: pd.Series, alone: pd.DataFrame) -> str:
    """Folds in which a configuration was chosen, such as `0 2`; alone: rows of `by_fold`."""
    same = (alone[CONFIGURATION] == row[CONFIGURATION]).all(axis=1)
    return " ".join(map(str, alone.loc[same, "fold"]))


def ranked(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of `table`, best first: complete ones before those that lack seeds, then by value.

    A mean over fewer seeds is no fair rival. Equal values keep the study's order; NaN comes last.
    """
    lacking = 1 - rows["seeds"] / rows["planned"]
    keys = rows.assign(lacking=lacking).sort_values(
        ["lacking", "value"], ascending=[True, False], kind="stable"
    )
    return rows.loc[keys.index]


def first(rows: pd.DataFrame, of: list[str]) -> pd.Series:
    """Mask of the best row of each group; of: the columns that define the groups."""
    best = ranked(rows).drop_duplicates(of).index
    return pd.Series(rows.index.isin(best), rows.index)


def standing(rows: pd.DataFrame) -> dict[tuple[str, ...], tuple[str, ...]]:
    """{entry: the configuration that stands for it}, from the rows of `table`."""
    rows = rows[rows["chosen"]]
    entries = rows[ENTRY].itertuples(index=False, name=None)
    configurations = rows[CONFIGURATION].itertuples(index=False, name=None)
    return dict(zip(entries, configurations, strict=True))
