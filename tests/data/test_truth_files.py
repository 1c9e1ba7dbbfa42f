"""A list of test images with labels says the same whatever program has saved it."""

import pyarrow as pa
import pytest

from cxrgrid.data import truth_files

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
