"""Choice of configurations by the headline metric on validation images; no test image is read.

The value of a cell is the headline metric over all labels on its own validation images, at the
weights of its best epoch, by the same definitions as on test images. A metric with a threshold
(F1, balanced accuracy) is at the study's first operating point, which is fitted on these very
images, of every cell alike. On the bias of choosing and judging on the same images: Cawley &
Talbot, JMLR 11 (2010) 2079-2107.
"""

import numpy as np
import pandas as pd

from cxrgrid.config.cell import CONFIGURATION
from cxrgrid.config.grid import Grid
from cxrgrid.config.study import Report
from cxrgrid.evaluation import thresholds
from cxrgrid.evaluation.all_metrics import Evaluation
from cxrgrid.evaluation.predictions import Predictions
from cxrgrid.evaluation.recalibration import recalibrated
from cxrgrid.evaluation.score_rows import sizes

COLUMNS = [*CONFIGURATION, "entry", "metric", "value", "sd", "seeds", "planned", "n", "patients"]
COLUMNS += ["of", "chosen", "recommended"]
ENTRY = [*CONFIGURATION[:-1], "entry"]


def value(val: Predictions, how: Report) -> dict[str, float]:
    """The headline metric of one cell on its validation images, with `n` and `patients`.

    NaN where the metric is not defined: no label has both classes.
    """
    fit = thresholds.fit(val, val.facts, how.operating_points[:1], how.calibrate)
    made = Evaluation(recalibrated(val, fit.by), fit.thresholds)
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
    of the chosen ones, the first of its dataset.
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
    rows["metric"] = grid.study.report.headline
    rows["of"] = rows.groupby(ENTRY)["recipe"].transform("size")
    rows["chosen"] = first(rows, ENTRY)
    rows["recommended"] = rows["chosen"] & first(rows[rows["chosen"]], ["dataset"]).reindex(
        rows.index, fill_value=False
    )
    rows["recommended"] &= rows["value"].notna()
    return rows[COLUMNS]


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
