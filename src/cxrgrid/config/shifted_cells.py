"""Cells that `shift` runs on, the paths of its files, and its inputs and flags."""

from pathlib import Path
from typing import Any

from cxrgrid.config.cell import Cell
from cxrgrid.config.grid import Grid, finished
from cxrgrid.config.image_settings import said_flag
from cxrgrid.config.preparation import array_suffix
from cxrgrid.config.shifts import STRENGTHS, asked, strangers
from cxrgrid.config.wildcards import named

WHOLE = "distances.parquet"  # the file of `shift` that is written last


class Shifted:
    """The changes that a study asks for, and the cells that meet them; none without `shifts`.

    names: of the changes; cells: all that are tested; on an incomplete run those already done;
    strangers: of each dataset the others of the study; stored: True if results lie in a storage.
    """

    def __init__(self, grid: Grid, stored: bool = False):
        self.grid, self.stored = grid, stored
        self.names = asked(grid.study.report.shifts)
        self.strangers = strangers(grid)
        lending = grid.sources()
        self.cells: list[Cell] = [
            cell
            for cell in grid.cells
            if self.names and cell.dataset not in lending and self.is_there(cell)
        ]

    def is_there(self, cell: Cell) -> bool:
        """True unless the run is incomplete and lacks the cell's files."""
        folder = self.grid.folder(cell)
        made = Path(folder, "shift", WHOLE).is_file() and finished(folder, cell)
        return made or not self.grid.incomplete

    def files(self) -> list[str]:
        """Paths of the last files of all cells; in a storage of all that `robustness` reads."""
        names = [WHOLE, *self.answers()]
        return [f"{self.grid.folder(cell)}/shift/{name}" for cell in self.cells for name in names]

    def answers(self) -> list[str]:
        """Names of the predictions under changes, where Snakemake has to bring them to a storage.

        Else it does not know of them: they outlast a rerun, which makes what is missing.
        """
        return [f"{'-'.join(part)}.parquet" for part in parts(self.names) if self.stored]

    def results(self) -> list[str]:
        """Paths of the files that `robustness` makes of them; empty without any."""
        folder = f"results/{self.grid.name}/shifts"
        names = ("losses", "abstention", "coverage", "unfamiliar")
        return [f"{folder}/{name}.parquet" for name in names] if self.cells else []

    def others(self, wildcards: Any) -> list[str]:
        """Tables and arrays of the other datasets, as the cell is shown them."""
        cell = named(self.grid, wildcards)
        found = []
        for name in self.strangers.get(cell.dataset, []):
            suffix = array_suffix(self.grid.image_on(cell, name))
            folder = f"results/data/{name}"
            found += [f"{folder}/table.parquet", f"{folder}/pixels{suffix}.npy"]
        return found

    def flags(self, wildcards: Any, input: Any) -> str:
        """Flags of `shift`: the changes, and the folders of the other datasets."""
        others = self.strangers.get(wildcards.dataset, [])
        folders = dict.fromkeys(path.rpartition("/")[0] for path in input.others)
        beside = f" --others {' '.join(folders)}" if folders else ""
        said = said_flag(self.grid, named(self.grid, wildcards), others) if folders else ""
        return " ".join([f"--shifts {' '.join(self.names)}{beside}", *filter(None, [said])])


def parts(names: list[str]) -> list[tuple[str, str]]:
    """Each change with each strength, in the order of the table: (change, strength)."""
    return [(name, strength) for name in names for strength in STRENGTHS]
