"""A change that moves no image's rank is named; a value without an interval stands alone."""

from types import SimpleNamespace

import numpy as np
import pandas as pd

from cxrgrid.config.grid import Grid
from cxrgrid.evaluation.wording import difference
from cxrgrid.tables import shifts
from demo_config import DEMO


def test_a_change_under_which_no_rank_changed_is_named():
    rows = pd.DataFrame(
        {"change": ["blur", "blur", "noise"], "strength": ["weak", "medium", "weak"]}
    )
    rows = rows.assign(metric="auroc", label="macro", difference=[0, 0, 0.1])
    rows["sampling_se"] = [0, 0.01, 0.01]
    frames = SimpleNamespace(grid=Grid(DEMO))
    [note] = shifts.notes(rows, frames)
    assert "rank under blur (weak):" in note
    assert not shifts.notes(rows[1:], frames)


def test_a_difference_without_an_interval_is_a_number():
    assert difference(0.1, np.nan, np.nan) == "+0.100"
    assert difference(0.1, -0.05, 0.25) == "+0.100 (−0.050 to +0.250)"
