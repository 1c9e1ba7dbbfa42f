"""A metric over all labels of each cell, from the rows of `metrics.csv`."""

import pandas as pd

from cxrgrid.config.cell import AXES


def over_labels(metric: str, rows: pd.DataFrame) -> pd.DataFrame:
    """One row per scored cell: AXES, value, low, high, n, patients.

    rows: of one target. For multi-class, the decision as a whole (`all`) is preferred to the mean
    over classes.
    """
    # A mean of the labels' accuracies would say little but how rare they are.
    names = ["all"] if metric == "accuracy" else ["all", "macro"]
    rows = rows[(rows["metric"] == metric) & rows["label"].isin(names) & (rows["subset"] == "all")]
    rows = rows.sort_values([*AXES, "label"]).drop_duplicates(AXES)
    return rows[[*AXES, "value", "low", "high", "n", "patients"]]
