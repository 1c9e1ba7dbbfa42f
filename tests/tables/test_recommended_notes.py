"""The note below the table of the recommended configuration counts what it is told apart from."""

import pandas as pd
import pytest

from cxrgrid.comparison.conclusions import THIS
from cxrgrid.comparison.recommended import TOGETHER
from cxrgrid.tables import recommended

NOT = "not told apart from it on these test images:"


@pytest.mark.parametrize(
    ("verdicts", "end"),
    [
        ([TOGETHER, "worse"], f"{NOT} 1 of 2 other configurations."),
        (
            [THIS],
            f"{NOT} 0 of 1 other configuration. Trainings that differ, one each, which says "
            "nothing of the methods: 1.",
        ),
    ],
)
def test_trainings_that_differ_are_no_methods_that_do(verdicts, end):
    rows = pd.DataFrame({"verdict": verdicts, "recommended": "a"})
    assert recommended.notes(rows, None) == [f"a is recommended; {end}"]
