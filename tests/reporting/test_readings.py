"""The page knows whether the question came before the answer."""

import os

from cxrgrid.config.grid import Grid
from cxrgrid.reporting import readings
from demo_config import DEMO, replaced

ONE, TWO = (("ward", "resnet10t", init, "default") for init in ("scratch", "pretrained"))


def test_a_question_set_before_any_value_was_shown_is_said_to_be(tmp_path):
    grid = Grid(DEMO)
    assert readings.record(tmp_path, grid, []) == [] and readings.history([], grid) == ""
    readings.record(tmp_path, grid, [ONE])
    found = readings.record(tmp_path, grid, [ONE, TWO])
    assert [one["shown"] for one in found] == [["/".join(ONE)], ["/".join(TWO)]]
    assert readings.record(tmp_path, grid, [TWO, ONE]) == found, "nothing new is no reading"
    assert readings.read(tmp_path / readings.NAME) == found
    assert readings.came_after(found, grid) == ""
    said = readings.history(found, grid)
    assert "set before any test value was shown" in said and found[0]["date"] in said


def test_a_question_that_is_changed_after_a_look_came_after_the_answer(tmp_path):
    first = readings.record(tmp_path, Grid(DEMO), [ONE, TWO])
    for path, value in (
        ("report.primary", {"factor": "backbone"}),
        ("report.primary", {"metric": "ap"}),
        ("report.margin", 0.02),
        ("report.headline", "ap"),
        ("recipes.default.lr", [0.002, 0.001]),
    ):
        config = replaced(DEMO, path, value)
        if path.endswith("lr"):
            config = replaced(config, "recipes.default.choose", "validation")
        changed = Grid(config)
        found = readings.record(tmp_path, changed, [ONE, TWO])
        said = readings.came_after(found, changed)
        assert "test values of 2 configurations had been shown" in said, path
        assert first[0]["date"] in said and "after test values" in readings.history(found, changed)
    again = readings.record(tmp_path, Grid(DEMO), [ONE])
    assert readings.came_after(again, Grid(DEMO)) == "", "the first question stood first"


def test_other_settings_are_no_other_question(tmp_path):
    found = readings.record(tmp_path, Grid(DEMO), [ONE])
    for path, value in (("title", "Other"), ("report.resamples", 200), ("grid.seeds", [0, 1, 2])):
        assert readings.record(tmp_path, Grid(replaced(DEMO, path, value)), [ONE]) == found, path


def test_a_report_of_before_there_was_a_record_counts_as_a_look(tmp_path):
    page = tmp_path / "report/report.html"
    page.parent.mkdir()
    page.touch()
    os.utime(page, (0, 0))
    found = readings.record(tmp_path, Grid(DEMO), [ONE])
    said = readings.came_after(found, Grid(DEMO))
    assert "not recorded" in said and "a report was made on 1970-01-01 00:00 UTC" in said
    assert "set at a time not recorded" in readings.history(found, Grid(DEMO))
