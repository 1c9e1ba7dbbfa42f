"""Numbers of images with each label in a dataset's splits and views, from its table.parquet."""

import pandas as pd
import pyarrow as pa

SPLITS = ("train", "val", "test")


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


def count_views(dataset: str, table: pa.Table, facts: dict) -> pd.DataFrame:
    """Positives by split, view and label; a dataset that has no views has none (`all`)."""
    frame = table.to_pandas()
    frame["view"] = frame["view"].fillna("unknown") if "view" in frame else "all"
    positive = (frame[facts["labels"]] == 1).assign(split=frame["split"], view=frame["view"])
    long = positive.melt(["split", "view"], var_name="label", value_name="positives")
    counts = long.groupby(["split", "view", "label"], sort=False)["positives"].sum().reset_index()
    return counts.assign(dataset=dataset)
