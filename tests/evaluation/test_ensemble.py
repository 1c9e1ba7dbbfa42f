"""An ensemble is the mean of its members, complete or not there, and no cell has its name."""

import numpy as np

from cxrgrid.config.grid import Grid
from cxrgrid.evaluation.ensemble import Ensembles, is_ensemble, members
from cxrgrid.evaluation.predictions import Predictions
from demo_config import DEMO


def cells(backbones, seeds):
    grid = {"datasets": ["ward"], "backbones": backbones, "seeds": seeds}
    return Grid({**DEMO, "grid": grid}).cells


def made(scores):
    return Predictions(["a", "b"], ["p", "q"], np.array([[1.0], [0.0]]), np.array(scores), {})


def test_names_are_no_cell_s_and_members_are_two_or_more():
    several = members(cells(["resnet18", "resnet10t"], [0, 1]))
    names = {key[1]: len(group) for key, group in several.items()}
    assert names == {"ensemble:resnet18": 2, "ensemble:resnet10t": 2, "ensemble": 4}
    assert all(is_ensemble(name) for name in names) and not is_ensemble("resnet18")
    assert all(key[-1] == -1 for key in several)
    assert {key[1] for key in members(cells(["resnet18"], [0, 1]))} == {"ensemble:resnet18"}
    assert {key[1] for key in members(cells(["resnet18", "resnet10t"], [0]))} == {"ensemble"}
    assert members(cells(["resnet18"], [0])) == {}


def test_the_mean_of_all_members_or_nothing():
    group = cells(["resnet18"], [0, 1, 2])
    together = Ensembles(members(group))
    for at, cell in enumerate(group):
        assert list(together.whole()) == []
        together.take(cell, made([[0.1 * at], [0.5]]), made([[0.2 * at], [0.9]]))
    [(key, val, test)] = together.whole()
    assert key[1] == "ensemble:resnet18"
    np.testing.assert_allclose(val.scores, [[0.1], [0.5]])
    np.testing.assert_allclose(test.scores, [[0.2], [0.9]])
