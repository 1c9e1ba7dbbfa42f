"""Subsets agree with counts by hand; images of unknown view, sex or age are in none."""

import numpy as np
import pytest

from cxrgrid.config.dataset import Subset
from cxrgrid.data import subsets
from cxrgrid.io.parquet import write_parquet

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


def test_groups_are_found_and_what_does_not_vary_is_said(tmp_path, caplog):
    columns = {"image": list("abcd"), "sex": ["F", "M", None, "F"], "view": ["PA"] * 4}
    columns["age"] = [17.9, 18.0, float("nan"), 95.0]
    write_parquet(columns, tmp_path / "table.parquet", {})
    found = subsets.groups(tmp_path / "table.parquet", ("sex", "view", "age", "source"), (18, 60))
    assert found == {
        "sex": {"F": {"a", "d"}, "M": {"b"}},
        "age": {"<18": {"a"}, "18-<60": {"b"}, "60+": {"d"}},
    }
    assert "view does not vary" in caplog.text and "source does not vary" in caplog.text
    assert subsets.groups(tmp_path / "none.parquet", (), ()) == {}
