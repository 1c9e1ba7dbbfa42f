"""The note below the table of the recommended configuration counts what it is told apart from."""

import pandas as pd
import pytest

from cxrgrid.comparison.conclusions import THIS
from cxrgrid.comparison.recommended import FEW, TOGETHER
from cxrgrid.tables import recommended

NOT = "not told apart from it on these test images:"


@pytest.mark.parametrize(
    ("verdicts", "end"),
    [
        ([TOGETHER, "worse"], f"{NOT} 1 of 2 other configurations."),
        (
            [THIS, "worse"],
            f"{NOT} 0 of 2 other configurations. Trainings that differ, one each, which says "
            "nothing of the methods: 1.",
        ),
        (
            [THIS],
            "the only other configuration was trained once and is not told apart from it on these "
            "test images. Trainings that differ, one each, which says nothing of the methods: 1.",
        ),
        (
            [TOGETHER],
            "the only other configuration is not told apart from it on these test images.",
        ),
        (["worse"], "the only other configuration is told apart from it on these test images."),
        ([FEW, FEW], "too few patients to tell it apart from any other configuration."),
    ],
)
def test_trainings_that_differ_are_no_methods_that_do(verdicts, end):
    rows = pd.DataFrame({"verdict": verdicts, "recommended": "a"})
    assert recommended.notes(rows, None) == [f"a is recommended; {end}"]
