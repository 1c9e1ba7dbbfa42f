"""Tables that carry facts, and the images of a split."""

import numpy as np
import pandas as pd
import pytest

from cxrgrid.config.errors import UserError
from cxrgrid.data.split_arrays import load_split
from cxrgrid.io.parquet import read_parquet, write_parquet

FACTS = {"labels": ["B", "A"], "task": "multilabel", "note": "µ ≠ m"}


def dataset(folder):
    columns = {"image": ["a", "b", "c"], "patient": ["1", "1", "2"]}
    columns |= {"split": ["val", "train", "train"], "row": [2, 0, 1]}
    columns |= {"A": [0.0, 1.0, np.nan], "B": [1.0, 0.0, 0.0]}
    write_parquet(columns, folder / "table.parquet", FACTS)
    np.save(folder / "pixels.npy", np.arange(3, dtype=np.uint8).reshape(3, 1, 1))


@pytest.mark.parametrize("kind", [dict, pd.DataFrame])
def test_facts_and_values_come_back(tmp_path, kind):
    path = tmp_path / "new/t.parquet"
    write_parquet(kind({"x": [1.5, float("nan")], "y": ["a", "b"]}), path, FACTS)
    table, facts = read_parquet(path)
    assert facts == FACTS
    assert table["y"].to_pylist() == ["a", "b"]
    assert table["x"].to_pylist()[0] == 1.5


def test_same_content_same_bytes(tmp_path):
    for name in ("a", "b"):
        write_parquet({"x": [1, 2, 3]}, tmp_path / name, FACTS)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_split_keeps_images_labels_and_pixels_together(tmp_path):
    dataset(tmp_path)
    split, facts = load_split(tmp_path, "train")
    assert facts == FACTS
    assert split.image == ["b", "c"]
    assert split.pixels[split.rows].ravel().tolist() == [0, 1]
    np.testing.assert_array_equal(split.labels, [[0, 1], [0, np.nan]])  # in the facts' order


def test_empty_split_is_named(tmp_path):
    dataset(tmp_path)
    with pytest.raises(UserError, match="the test split is empty"):
        load_split(tmp_path, "test")


def test_what_is_not_there_or_not_parquet_is_named(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        read_parquet(tmp_path / "t.parquet")
    (tmp_path / "t.parquet").write_text("text")
    with pytest.raises(UserError, match="not a readable Parquet file"):
        read_parquet(tmp_path / "t.parquet")
