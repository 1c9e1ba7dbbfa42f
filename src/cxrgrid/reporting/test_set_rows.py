"""Rows of named test sets among others."""

import pandas as pd

from cxrgrid.config.grid import Grid


def on_tests(rows: pd.DataFrame, grid: Grid) -> pd.Series:
    """Mask of the rows of metrics that are on a named test set of their target."""
    datasets = grid.study.datasets.items()
    sets = {(target, name) for target, dataset in datasets for name in dataset.tests}
    pairs = zip(rows["target"], rows["subset"], strict=True)
    return pd.Series([pair in sets for pair in pairs], rows.index, bool)


def apart(rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows of `compare` on all test images of a dataset, and those on other test sets.

    Files that were written before there were test sets have no columns `subset` and `target`.
    """
    named = rows.get("subset", pd.Series("all", rows.index)) != "all"
    named |= rows.get("target", rows["dataset"]) != rows["dataset"]
    return rows[~named], rows[named]
