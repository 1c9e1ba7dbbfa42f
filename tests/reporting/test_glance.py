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
