"""Below the table of subgroups stands why a gap is not the difference of two of its rows."""

from types import SimpleNamespace

import pandas as pd

from cxrgrid.tables import subgroups


def test_a_gap_of_several_seeds_is_explained_and_nothing_without_one():
    frames = SimpleNamespace(metric_name="AUROC")
    rows = pd.DataFrame({"subset": ["sex=F", "gap:sex"], "value": [0.8, 0.1]})
    [note] = subgroups.notes(rows, frames)
    assert "in each metric and seed by itself" in note and note.endswith("those of AUROC.")
    assert not subgroups.notes(rows[:1], frames)
    assert not subgroups.notes(rows.assign(value=float("nan")), frames)
