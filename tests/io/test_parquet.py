"""Tables that carry facts, and the images of a split."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cxrgrid.config.errors import UserError
from cxrgrid.data.split_arrays import load_split
from cxrgrid.io.parquet import read_answers, read_parquet, write_parquet

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


def test_a_flipped_bit_is_found_or_changes_nothing(tmp_path):
    """Of single-bit flips anywhere in a file none reads back as another table or other facts."""
    rng, path = np.random.default_rng(0), tmp_path / "t.parquet"
    columns = {"image": [f"{n:03}.png" for n in range(99)], "y": rng.random(99), "row": range(99)}
    write_parquet(columns, path, FACTS)
    good, found = path.read_bytes(), 0
    table, facts = read_parquet(path)
    for bit in rng.choice(8 * len(good), 120, replace=False):
        flipped = bytearray(good)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        try:
            assert read_parquet(path) == (table, facts), f"bit {bit} of {8 * len(good)}"
        except UserError as error:
            assert "remove it and run snakemake" in str(error) and "\n" not in str(error)
            found += 1
    assert found > 80  # the others stand where nothing is read from


def test_files_of_before_without_checksums_are_read(tmp_path):
    table = pa.table({"x": [1, 2]}).replace_schema_metadata({b"cxrgrid": json.dumps(FACTS)})
    pq.write_table(table, tmp_path / "t.parquet")
    read, facts = read_parquet(tmp_path / "t.parquet", "x")
    assert facts == FACTS and read["x"].to_pylist() == [1, 2]


def test_missing_columns_facts_and_permissions_are_one_line_each(tmp_path):
    write_parquet({"x": [1]}, tmp_path / "t.parquet", {})
    with pytest.raises(UserError, match="needs one column 'image'"):
        read_parquet(tmp_path / "t.parquet", "x", "image")
    with pytest.raises(UserError, match="has no fact 'labels'"):
        read_parquet(tmp_path / "t.parquet")[1]["labels"]
    with pytest.raises(UserError, match="is a folder"):
        read_parquet(tmp_path)
    dataset(tmp_path)
    pixels = tmp_path / "pixels.npy"
    pixels.write_bytes(pixels.read_bytes()[:-1])
    with pytest.raises(UserError, match=r"pixels.npy: .*prepare it again"):
        load_split(tmp_path, "train")
    np.save(pixels, np.zeros((2, 1, 1), np.uint8))
    with pytest.raises(UserError, match="is of other images than table.parquet"):
        load_split(tmp_path, "val")


KINDS = {"image": pa.int64(), "split": pa.bool_(), "row": pa.float64(), "value": pa.string()}
KINDS |= {"Mass": pa.string(), "seed": pa.string(), "patient": pa.float64()}


@pytest.mark.parametrize("name", KINDS)
def test_a_column_of_another_kind_is_one_line_in_every_reader(tmp_path, name):
    path, facts = tmp_path / "t.parquet", {"labels": ["Mass"]}
    write_parquet({name: pa.array([None], KINDS[name])}, path, facts)
    with pytest.raises(UserError, match=f"column '{name}' is {KINDS[name]}.*, not (text|.*number)"):
        read_parquet(path)
    write_parquet({name: pa.nulls(1)}, path, facts)
    assert read_parquet(path)[0].num_rows == 1, "without any value a column is of no kind"


def test_facts_and_answers_of_another_kind_are_one_line(tmp_path):
    path = tmp_path / "t.parquet"
    for facts in ({"labels": "Mass"}, {"versions": None}, {"threads": 1.5}, {"split_hash": 1}):
        write_parquet({"z": [1]}, path, facts)
        with pytest.raises(UserError, match=f"a fact of another kind .*{[*facts][0]}"):
            read_parquet(path)
    for columns, said in (({"p:A": [0.5]}, "needs one column 'y:A'"), ({"y:A": ["x"]}, "not num")):
        write_parquet(columns, path, {"labels": ["A"]})
        with pytest.raises(UserError, match=said):
            read_answers(path)
    write_parquet(
        {"y:A": pa.array([], pa.float64())} | {"p:A": pa.array([], pa.float64())},
        path,
        {"labels": ["A"]},
    )
    with pytest.raises(UserError, match="has no rows"):
        read_answers(path)
