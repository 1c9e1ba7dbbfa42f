"""Who is in a subset: counted by hand; who is unknown is in none."""

import numpy as np
import pytest

from cxrgrid import subsets
from cxrgrid.data import write_parquet
from cxrgrid.selection import Subset

VIEW = ["PA", "AP", "LATERAL", "PA", None]
SEX = ["F", "M", "M", None, "F"]
AGE = [30.0, 18.0, 64.0, np.nan, 65.0]
PARTS = {
    "frontal": (Subset(view=("Frontal",)), "ab" + "d"),
    "lateral": (Subset(view=("lateral",)), "c"),
    "exact": (Subset(view=("pa", "LATERAL")), "acd"),
    "women": (Subset(sex=("F",)), "ae"),
    "adults": (Subset(age=(18, 64)), "abc"),
    "several": (Subset(view=("AP",), sex=("M", "F"), age=(0, 18)), "b"),
    "nobody": (Subset(view=("LATERAL",), sex=("F",)), ""),
}


@pytest.fixture
def table(tmp_path):
    columns = {"image": list("abcde"), "view": VIEW, "sex": SEX, "age": AGE}
    write_parquet(columns, tmp_path / "table.parquet", {})
    return tmp_path / "table.parquet"


@pytest.mark.parametrize("name", PARTS)
def test_a_subset_is_where_all_that_it_names_is_true(table, name):
    part, images = PARTS[name]
    assert subsets.members(table, {name: part}) == {name: set(images)}
    assert subsets.matches(VIEW, SEX, AGE, part).tolist() == [i in images for i in "abcde"]


def test_a_subset_of_nobody_is_a_warning(table, caplog):
    subsets.members(table, {"side": Subset(view=("LATERL",)), "women": Subset(sex=("F",))})
    [warning] = caplog.messages
    assert warning == ("subset side: no image is in it; views that are there: AP, LATERAL, PA")


def test_without_subsets_no_table_is_needed(tmp_path):
    assert subsets.members(tmp_path / "table.parquet", {}) == {}
