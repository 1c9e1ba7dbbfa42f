"""The factors of a study and its question are known when the Snakefile is parsed."""

import pytest

from cxrgrid.config.errors import UserError
from cxrgrid.config.grid import Grid
from cxrgrid.config.varied import asked, primary, varied
from demo_config import DEMO, replaced


def test_factors_are_those_of_the_grid_not_of_what_cells_start_from():
    grid = Grid(DEMO)
    assert varied(grid) == {
        "init": ["scratch", "pretrained"],
        "backbone": ["resnet10t", "cs3darknet_s"],
    }
    assert {entry[0] for entry in asked(grid)} == {"ward", "children"}
    turned = Grid(replaced(DEMO, "grid.inits", ["pretrained", "scratch"]))
    assert varied(turned)["init"] == ["scratch", "pretrained"], "scratch is what others beat"


def test_the_question_is_the_init_else_the_first_factor_else_what_is_named():
    lists = DEMO["recipes"]["default"] | {"lr": [0.001, 0.0003]}
    assert primary(Grid(DEMO)) == "init"
    one = {"backbones": ["resnet10t"], "inits": ["scratch"], "datasets": ["ward"]}
    config = replaced(DEMO, "recipes.default", lists) | {"grid": DEMO["grid"] | one}
    assert primary(Grid(config)) == "lr"
    assert primary(Grid(replaced(DEMO, "report.primary", {"factor": "backbone"}))) == "backbone"
    alone = DEMO | {"grid": DEMO["grid"] | one}
    assert primary(Grid(alone)) == "" and varied(Grid(alone)) == {}


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ("report.primary", {"factor": "bakbone"}, "did you mean 'backbone'"),
        ("report.primary", {"factor": "lr"}, "no factor that varies 'lr'"),
        ("report.primary", {"metric": "auc"}, "did you mean 'auroc'"),
        ("report.margin", -0.1, "of at least 0, got -0.1"),
        ("datasets.all", DEMO["datasets"]["ward"], "rename it"),
    ],
)
def test_a_question_that_the_study_does_not_ask_is_refused(path, value, reason):
    with pytest.raises(UserError, match=reason):
        Grid(replaced(DEMO, path, value))
