"""Saturated predictions are told, and only these."""

from types import SimpleNamespace

import numpy as np
import pytest

from conftest import CONFIG
from cxrgrid.config.grid import Grid
from cxrgrid.io.parquet import write_parquet
from cxrgrid.reporting import saturated


@pytest.fixture
def frames(tmp_path):
    return SimpleNamespace(grid=Grid(CONFIG), folder=tmp_path)


def write(frames, at: int, scores: list[float]) -> None:
    """Predictions of the cell at that place, the same for each of two labels."""
    cell = frames.grid.cells[at]
    columns = {"image": [str(n) for n in range(len(scores))]}
    columns |= {f"y:{label}": np.zeros(len(scores)) for label in "ab"}
    columns |= {f"p:{label}": np.array(scores, np.float32) for label in "ab"}
    path = frames.folder / f"cells/{cell.path()}/predictions/{cell.dataset}.parquet"
    write_parquet(columns, path, {"labels": ["a", "b"]})


def test_the_share_counts_what_single_precision_rounds_to_0_or_1(frames):
    logits = np.array([-20.0, -10, 0, 10, 17, 20])
    write(frames, 0, list(1 / (1 + np.exp(-logits))))
    assert saturated.sentence(frames).startswith("In 1 of 1 cell predictions are saturated: up to")
    assert "50 % of the test probabilities" in saturated.sentence(frames)


def test_certain_predictions_are_no_saturated_ones(frames):
    write(frames, 0, [1e-5, 0.5, 1 - 1e-5])
    assert saturated.sentence(frames) == ""


def test_each_cell_is_counted_and_cells_without_predictions_are_not(frames):
    write(frames, 0, [0.0, 0.5, 0.5, 0.5])
    write(frames, 1, [0.2] * 4)
    assert saturated.sentence(frames).startswith("In 1 of 2 cells")
    assert "25 %" in saturated.sentence(frames)


def test_one_in_a_hundred_is_not_worth_a_word(frames):
    write(frames, 0, [1.0] + [0.5] * 99)
    assert saturated.sentence(frames) == ""
    write(frames, 0, [1.0] * 2 + [0.5] * 98)
    assert saturated.sentence(frames)
