"""A list of test images with labels says the same whatever program has saved it."""

import gzip

import pyarrow as pa
import pytest

from cxrgrid.config.errors import UserError
from cxrgrid.data import publisher_files, split_lists, truth_files

TABLE = pa.table({"image": ["a/1.png", "a/2.png"], "study": ["a", "a"]})


@pytest.mark.parametrize(
    "text", ["image,Mass\na/1.png,1.0\na/2.png,0\n", "image;Mass\na/1.png;1,0\na/2.png;0\n"]
)
def test_a_list_with_other_separators_and_decimal_commas_is_the_same(tmp_path, text):
    path = tmp_path / "readers.csv"
    path.write_text(text)
    listed, truth = truth_files.read(path, TABLE, ["Mass"])
    assert listed == {"a/1.png", "a/2.png"}
    assert truth == {"Mass": {"a/1.png": 1.0, "a/2.png": 0.0}}


def test_a_packed_list_that_is_damaged_is_one_line(tmp_path):
    path = tmp_path / "readers.csv.gz"
    whole = gzip.compress(b"image,Mass\n" + b"a/1.png,1\n" * 50)
    for data in (whole[:20], whole[:12] + bytes(9) + whole[21:]):
        path.write_bytes(data)
        with pytest.raises(UserError, match=r"readers.csv.gz: not a list of images") as error:
            truth_files.lines(path)
        assert "\n" not in str(error.value)
        with pytest.raises(UserError, match=r"readers.csv.gz: not a list of images"):
            split_lists.read_list(path)
        with pytest.raises(UserError, match=r"readers.csv.gz: not a table"):
            publisher_files.read_table(path, ["image"])
