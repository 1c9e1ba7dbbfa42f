"""Choice of the cells that `explain` runs on, the paths of its files, and its flags."""

from pathlib import Path
from typing import Any

from cxrgrid.config.cell import Cell
from cxrgrid.config.grid import Grid
from cxrgrid.config.operating_points import word


class Explained:
    """Cells chosen by `report.explain`; on an incomplete run, those already explained.

    None of a dataset that is only a start for others: it is no result.
    """

    def __init__(self, grid: Grid):
        self.grid = grid
        lending = grid.sources()  # once: it looks at all cells
        cells = [cell for cell in grid.cells if cell.dataset not in lending]
        firsts = {cell.configuration(): cell for cell in reversed(cells)}
        chosen = {"none": [], "first_seed": [*reversed(firsts.values())], "all": cells}
        self.cells: list[Cell] = chosen[grid.study.report.explain]

    def files(self, part: str) -> list[str]:
        """Paths of one output of all explained cells: `gallery`, `pointing` or `embedding`."""
        paths = [f"{self.grid.folder(cell)}/explain/{part}.parquet" for cell in self.cells]
        return [path for path in paths if not self.grid.incomplete or Path(path).is_file()]

    def flags(self, wildcards: Any) -> str:
        """Flags of `explain`: first operating point, calibration, and permission to show pixels."""
        report = self.grid.study.report
        flags = [f"--threshold {word(report.operating_points[0])}"]
        flags += {"temperature": ["--calibrate"], "platt": ["--platt"]}.get(report.calibrate, [])
        flags += ["--show-credentialed"] if may_show(self.grid, wildcards.dataset) else []
        return " ".join(flags)


def hidden(grid: Grid, dataset: str, facts: dict) -> bool:
    """True if no pixel of a dataset may be shown; facts: those of its table.parquet."""
    return facts.get("credentialed", True) and not may_show(grid, dataset)


def may_show(grid: Grid, dataset: str) -> bool:
    """True if the study shows pixels of a dataset whose terms forbid redistribution."""
    phantom = grid.study.datasets[dataset].phantom is not None
    return phantom or grid.study.report.show_credentialed
