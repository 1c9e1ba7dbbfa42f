"""Doubts are told where there is a reason, and only there."""

import msgspec

from conftest import CONFIG
from cxrgrid.config.grid import Grid
from cxrgrid.reporting import doubts


def test_trainings_that_cannot_be_repeated_are_counted():
    cells = Grid(CONFIG).cells
    assert doubts.unrepeatable(cells) == ""
    loose = msgspec.structs.replace(cells[0], deterministic=False)
    assert doubts.unrepeatable([loose, *cells]).startswith(f"1 of {len(cells) + 1} cells were")
