"""Rows of metrics.csv by operating point, and those of models that are no cells."""

import pandas as pd

from cxrgrid.config.grid import Grid
from cxrgrid.config.operating_points import ARGMAX, rule
from cxrgrid.evaluation.ensemble import is_ensemble


def at_default(metrics: pd.DataFrame, grid: Grid) -> pd.DataFrame:
    """Rows without a threshold, and rows at the study's first operating point."""
    return metrics[by_default(metrics, grid)].reset_index(drop=True)


def by_default(metrics: pd.DataFrame, grid: Grid) -> pd.Series:
    """Mask of the rows without a threshold and at the study's first operating point."""
    rules = ["", ARGMAX, rule(grid.study.report.operating_points[0])]
    return metrics["threshold_rule"].fillna("").isin(rules)


def besides(metrics: pd.DataFrame, grid: Grid) -> pd.Series:
    """Mask of the rows of ensembles and of models from elsewhere."""
    ensembles = metrics["backbone"].map(is_ensemble).astype(bool)
    external = metrics["backbone"].isin([*grid.study.external])
    return ensembles | (metrics["init"].eq("external") & external)
