"""Each dataset's table.parquet, and its numbers of images with each label by split and view."""

from pathlib import Path

import pandas as pd
import pyarrow as pa

from cxrgrid.config.cell import fold_folder
from cxrgrid.config.grid import Grid
from cxrgrid.io.parquet import read_parquet

SPLITS = ("train", "val", "test")


def read_tables(grid: Grid, data: Path) -> dict[str, list[tuple[pa.Table, dict]]]:
    """The table.parquet of each dataset that the study reads, one per fold, with its facts."""
    found: dict[str, list[tuple[pa.Table, dict]]] = {}
    for name in grid.used():
        for fold in grid.folds[name]:
            path = data / f"{name}{fold_folder(fold)}" / "table.parquet"
            if path.is_file():
                found.setdefault(name, []).append(read_parquet(path))
    return found


def facts_of(folds: list[tuple[pa.Table, dict]]) -> dict:
    """The facts of a dataset's table; of several folds with `folds`, and the hashes of all."""
    facts = folds[0][1]
    if len(folds) == 1:
        return facts
    hashes = [each["split_hash"] for _, each in folds]
    split = f"{facts['split'].partition(',')[0]}, {len(folds)} folds, each tested in turn"
    return facts | {"split": split, "split_hash": ", ".join(hashes), "folds": len(folds)}


def count(dataset: str, table: pa.Table, facts: dict) -> pd.DataFrame:
    """Images, patients and known labels of a dataset, by split and label."""
    columns = ["image", "patient", "split", *facts["labels"]]
    long = table.select(columns).to_pandas().melt(columns[:3], var_name="label")
    long = long.assign(
        positives=long["value"] == 1, negatives=long["value"] == 0, unknown=long["value"].isna()
    )
    counts = long.groupby(["split", "label"], sort=False).agg(
        images=("image", "size"),
        patients=("patient", "nunique"),
        positives=("positives", "sum"),
        negatives=("negatives", "sum"),
        unknown=("unknown", "sum"),
    )
    order = pd.MultiIndex.from_product([SPLITS, facts["labels"]], names=["split", "label"])
    counts = counts.reindex(order, fill_value=0).reset_index()
    counts.insert(0, "dataset", dataset)
    return counts


def count_tested(dataset: str, folds: list[tuple[pa.Table, dict]]) -> pd.DataFrame:
    """`count` of the test images, added up over folds."""
    every = pd.concat([count(dataset, *fold) for fold in folds])
    every = every[every["split"] == "test"]
    return every.groupby(["dataset", "split", "label"], sort=False).sum().reset_index()


def count_views(dataset: str, table: pa.Table, facts: dict) -> pd.DataFrame:
    """Positives by split, view and label; a dataset that has no views has none (`all`)."""
    frame = table.to_pandas()
    frame["view"] = frame["view"].fillna("unknown") if "view" in frame else "all"
    positive = (frame[facts["labels"]] == 1).assign(split=frame["split"], view=frame["view"])
    long = positive.melt(["split", "view"], var_name="label", value_name="positives")
    counts = long.groupby(["split", "view", "label"], sort=False)["positives"].sum().reset_index()
    return counts.assign(dataset=dataset)
