"""Which cells of a study are explained, where that lies, and what `explain` has to know of it."""

from pathlib import Path
from typing import Any

from cxrgrid.config.cell import Cell
from cxrgrid.config.grid import Grid
from cxrgrid.config.operating_points import word


class Explained:
    """The cells that `report.explain` chooses; of an incomplete run those that are explained."""

    def __init__(self, grid: Grid):
        self.grid = grid
        firsts = {cell.path().rpartition("/")[0]: cell for cell in reversed(grid.cells)}
        chosen = {"none": [], "first_seed": [*reversed(firsts.values())], "all": grid.cells}
        self.cells: list[Cell] = chosen[grid.study.report.explain]

    def files(self, part: str) -> list[str]:
        """The files of a part: `gallery`, `pointing` or `embedding`."""
        paths = [f"{self.grid.folder(cell)}/explain/{part}.parquet" for cell in self.cells]
        return [path for path in paths if not self.grid.incomplete or Path(path).is_file()]

    def flags(self, wildcards: Any) -> str:
        """The study's first operating point, and what it says of calibration and of pixels."""
        report = self.grid.study.report
        flags = [f"--threshold {word(report.operating_points[0])}"]
        flags += ["--calibrate"] if report.calibrate == "temperature" else []
        flags += ["--show-credentialed"] if may_show(self.grid, wildcards.dataset) else []
        return " ".join(flags)


def hidden(grid: Grid, dataset: str, facts: dict) -> bool:
    """Whether no pixel of a dataset may be shown; facts: of its table.parquet."""
    return facts.get("credentialed", True) and not may_show(grid, dataset)


def may_show(grid: Grid, dataset: str) -> bool:
    """Whether the study allows pixels of a dataset that its source does not let go further."""
    phantom = grid.study.datasets[dataset].phantom is not None
    return phantom or grid.study.report.show_credentialed
