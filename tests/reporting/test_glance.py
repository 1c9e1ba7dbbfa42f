"""The grid at a glance."""

import pandas as pd

from cxrgrid.reporting import glance


def test_the_grid_stands_in_the_order_of_the_study_not_of_the_results():
    asked = [("b", "x", "two"), ("b", "x", "one"), ("b", "w", "two"), ("a", "x", "two")]
    rows = [(*names, "scratch", "", 0, 0.5 + at / 9) for at, names in enumerate(asked)]
    columns = ["dataset", "backbone", "recipe", "init", "entry", "seed", "value"]
    cells = pd.DataFrame(rows, columns=columns).assign(fold=0)
    found = glance.in_order(cells.sort_values("value", ascending=False), cells)
    assert [*zip(found["dataset"], found["backbone"], found["recipe"], strict=True)] == asked


def test_datasets_that_only_lend_weights_come_last_and_shade_no_other_value():
    values = [("lender", 0.9), ("ward", 0.6), ("home", 0.8)]
    rows = [(name, "x", "one", "scratch", 0, 0, "one", value) for name, value in values]
    columns = ["dataset", "backbone", "recipe", "init", "fold", "seed", "entry", "value"]
    table = pd.DataFrame(rows, columns=columns)
    found = glance.glance(table, table, ["lender"])["rows"]
    assert [head[0] for head in found] == ["ward", "home", "lender"]
    assert [row["scratch"]["shade"] for row in found.values()][:2] == ["8%", "54%"]
