"""Learning curves: a panel for each configuration that there is, and no other."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from cxrgrid.reporting import epoch_curves, step_losses


def trained(**values) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Cells and histories of four configurations, each backbone with a recipe of its own."""
    names = [("x", "a", "one"), ("x", "b", "two"), ("x", "c", "three"), ("y", "a", "one")]
    cells = pd.DataFrame(names, columns=epoch_curves.PANEL)
    cells = cells.assign(init="scratch", state="done")
    epochs = pd.DataFrame({"epoch": [1, 2], "best": [False, True]}).assign(val_auroc=0.7, **values)
    return cells, cells.merge(epochs, how="cross")


def drawn(figure: Figure) -> list:
    """The panels that are not blank."""
    return [axes for axes in figure.axes if axes.axison]


@pytest.mark.parametrize("names", [["auroc"], ["f1", "auroc"]])
def test_no_panel_is_empty(names):
    cells, history = trained(train_f1=0.5, val_f1=0.4)
    panels = drawn(epoch_curves.draw(cells, history, names))
    assert len(panels) == 4 * len(names)
    assert all(axes.lines for axes in panels)
    assert all("1 of 1 cells" in axes.get_xlabel() for axes in panels)


def test_what_was_not_recorded_is_said():
    cells, history = trained(train_f1=np.nan, val_f1=np.nan)
    panels = drawn(epoch_curves.draw(cells, history, ["f1"]))
    assert all(axes.texts[0].get_text().startswith("not recorded") for axes in panels)


def test_steps_go_on_from_epoch_to_epoch_and_stand_at_the_end_of_their_part():
    rows = [{"steps": 5, "step_losses": [3.0, 2.0]}, {"steps": 4, "step_losses": [1.0, 0.5]}]
    found = step_losses.of_epochs(rows)
    assert found["step"].tolist() == [3, 5, 7, 9]
    assert found["loss"].tolist() == [3.0, 2.0, 1.0, 0.5]
    assert step_losses.of_epochs([{"steps": None, "step_losses": None}, *rows]).empty
