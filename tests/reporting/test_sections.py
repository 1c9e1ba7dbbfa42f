"""Tables between two commands: what was written is read, and what is missing is one line."""

import pandas as pd
import pytest

from cxrgrid.config.errors import UserError
from cxrgrid.reporting import sections


def test_a_table_comes_back_as_it_was_written(tmp_path):
    odd = sections.Section(
        "a|b", ["x|y", "n"], [False, True], [["p|q\n", "1"], ["", "–"]], ["Missing: `b`"],
        [[("0", "cells/a b/seed0.html")], []],
    )  # fmt: skip
    table = sections.Table("Odd", "Of all.", [odd, odd])
    sections.write(table, tmp_path / "odd.json")
    back = sections.read(tmp_path / "odd.json")
    assert back == table


def test_a_table_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(UserError, match="odd.json: no such file; run snakemake to make it"):
        sections.read(tmp_path / "odd.json")


@pytest.mark.parametrize(("recipes", "shown"), [("aa", ["init"]), ("ab", ["init", "recipe"])])
def test_recipes_are_named_where_there_are_several(recipes, shown):
    rows = pd.DataFrame({"init": ["scratch"] * 2, "recipe": list(recipes)})
    assert list(sections.coordinates(rows, ["init", "recipe"])) == shown
