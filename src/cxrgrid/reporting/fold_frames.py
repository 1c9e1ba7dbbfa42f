"""Rows of cross-validated models: their means over folds, or each fold."""

import numpy as np
import pandas as pd

from cxrgrid.config.cell import AXES, CONFIGURATION, POOLED

MODEL = [axis for axis in AXES if axis != "fold"]
COUNTED = ["truth", "decision"]  # of a confusion matrix


def replicates(cells: pd.DataFrame) -> pd.DataFrame:
    """One row per configuration and seed of cells.csv; of several folds their mean, fold POOLED.

    Costs are means over folds. `state` is done if all folds are; `rerun` runs those that are not.
    """
    if not crossed(cells).any():
        return cells
    parts = [
        part if len(part) == 1 else mean_row(part) for _, part in cells.groupby(MODEL, sort=False)
    ]
    return pd.concat(parts, ignore_index=True).astype(cells.dtypes[["fold", "seed"]])


def mean_row(folds: pd.DataFrame) -> pd.DataFrame:
    """One row for the folds of a model."""
    row = folds.iloc[:1].copy()
    numbers = [name for name in folds.select_dtypes("number") if name not in AXES]
    row[numbers] = folds[numbers].astype(float).mean().to_numpy()[None]
    missing = folds[folds["state"] == "missing"]
    row["fold"], row["rerun"] = POOLED, rerun(folds["rerun"])
    if len(missing):
        row[["state", "reason"]] = ["missing", missing["reason"].iloc[0]]
    return row


def rerun(commands: pd.Series) -> str:
    """One command for all of several, each `snakemake TARGET … --configfile FILE`; or empty."""
    words = [text.split(" ")[1:] for text in commands.dropna() if text]
    if not words:
        return ""
    # The targets come first, since --configfile takes several files.
    ends = [next(at for at, word in enumerate([*each, "--"]) if word[:2] == "--") for each in words]
    targets = [word for each, end in zip(words, ends, strict=True) for word in each[:end]]
    return " ".join(["snakemake", *targets, *words[0][ends[0] :]])


def crossed(cells: pd.DataFrame) -> pd.Series:
    """Mask of the rows of cells.csv whose models have several folds."""
    return cells.groupby(MODEL)["fold"].transform("nunique") > 1


def of_replicates(rows: pd.DataFrame, cells: pd.DataFrame) -> pd.DataFrame:
    """The rows of scores that are means over folds, or of models without folds; cells: cells.csv.

    Ensembles and models from elsewhere have folds where their dataset's cells do.
    """
    several = cells[crossed(cells)]
    beside = rows["dataset"].isin(several["dataset"]) & ~among(rows, cells, CONFIGURATION)
    return rows[(rows["fold"] == POOLED) | ~(among(rows, several, MODEL) | beside)]


def of_folds(rows: pd.DataFrame, cells: pd.DataFrame) -> pd.DataFrame:
    """The rows of cells that are one of several folds."""
    return rows[(rows["fold"] != POOLED) & among(rows, cells[crossed(cells)], MODEL)]


def among(rows: pd.DataFrame, cells: pd.DataFrame, names: list[str]) -> np.ndarray:
    """Mask of the rows that agree with one of the cells in the named columns."""
    known = set(cells[names].itertuples(index=False, name=None))
    return np.array([row in known for row in rows[names].itertuples(index=False, name=None)], bool)


def summed(confusions: pd.DataFrame, cells: pd.DataFrame) -> pd.DataFrame:
    """The confusion matrices of replicates: each image of a model is tested once."""
    confusions = confusions[[*AXES, *COUNTED, "n"]]
    keys = [*MODEL, *COUNTED]
    several = among(confusions, cells[crossed(cells)], MODEL)
    sums = confusions[several].groupby(keys, sort=False)["n"].sum().reset_index()
    both = [confusions[~several], sums.assign(fold=POOLED)]
    return pd.concat(both)[confusions.columns].reset_index(drop=True)
