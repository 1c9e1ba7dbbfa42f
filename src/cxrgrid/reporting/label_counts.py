"""Each dataset's table.parquet, and its numbers of images with each label by split and view."""

from pathlib import Path

import pandas as pd
import pyarrow as pa

from cxrgrid.config.cell import fold_folder
from cxrgrid.config.grid import Grid
from cxrgrid.evaluation.rare_labels import too_rare
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


def rare(tested: pd.DataFrame, dataset: str, minimum: int) -> list[str]:
    """`rare_labels` of a dataset, from the rows of `count_tested`."""
    rows = tested[tested["dataset"].eq(dataset)]
    numbers = (rows["label"].tolist(), rows["positives"], rows["negatives"])
    found = too_rare(*numbers, minimum) if len(rows) else ()
    return [label for label in numbers[0] if label in found]


def native_sides(grid: Grid, data: Path) -> pd.DataFrame:
    """Sizes of the image files: dataset, width, height in pixels, images; none of older results."""
    parts = [pd.DataFrame(columns=["dataset", "width", "height", "images"])]
    for name in grid.used():
        path = data / name / "pixels.parquet"
        files = read_parquet(path)[0] if path.is_file() else None
        if files is not None and "width" in files.column_names:
            sides = files.select(["width", "height"]).to_pandas().dropna()
            found = sides.groupby(["width", "height"]).size().reset_index(name="images")
            parts.append(found.assign(dataset=name))
    return pd.concat(parts[1:] or parts, ignore_index=True)


def count_views(dataset: str, table: pa.Table, facts: dict) -> pd.DataFrame:
    """Positives and negatives by split, view and label; without views the view is `all`."""
    frame = table.to_pandas()
    frame["view"] = frame["view"].fillna("unknown") if "view" in frame else "all"
    long = frame[["split", "view", *facts["labels"]]].melt(["split", "view"], var_name="label")
    long = long.assign(positives=long["value"] == 1, negatives=long["value"] == 0)
    groups = long.groupby(["split", "view", "label"], sort=False)
    counts = groups[["positives", "negatives"]].sum().reset_index()
    return counts.assign(dataset=dataset)
