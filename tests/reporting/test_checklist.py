"""The checklist carries what stands below a table, and states no power that nothing says."""

from types import SimpleNamespace

import pandas as pd
import pytest

from cxrgrid.reporting import checklist
from cxrgrid.reporting.sections import Section, Table


def test_the_notes_of_a_table_stand_below_it():
    own = Section("ward", ["a", "b"], [False, True], [["x", "1"]], ["Left out: Hernia <4."])
    text = checklist.rows_of(Table("Scores", "Means.", [own]))
    assert text.split("\n\n")[-2:] == ["Left out: Hernia <4.", "Means."]


@pytest.mark.parametrize(
    ("detectable", "end"),
    [
        (0.0312, " Power: a true difference of 0.031 is shown in 80 % of such studies."),
        (1.4, " Power: no true difference is shown in 80 % of such studies."),
        (float("nan"), ""),
    ],
)
def test_power_is_told_where_it_is_known(detectable, end):
    rows = {"primary": [True, False], "sentence": ["Alike.", "x"], "detectable": detectable}
    frames = SimpleNamespace(effects=pd.DataFrame(rows))
    assert checklist.effects(frames) == [f"Alike.{end}"]


def test_a_study_without_recipes_has_the_defaults():
    study = SimpleNamespace(recipes={})
    text = checklist.trainings(SimpleNamespace(grid=SimpleNamespace(study=study)))
    assert text.endswith("| default | defaults |")
