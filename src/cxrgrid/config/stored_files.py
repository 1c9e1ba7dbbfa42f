"""Files that commands find beside those named to them, for runs whose results lie in a storage.

With `--default-storage-provider` Snakemake brings a job the files that its rule names, and no
others. Without it all lie in results/ anyway: there these inputs are none, since a plan would look
at the files of each cell six times over, and what was predicted without them would be again.
"""

from typing import Any

from cxrgrid.config.cell import Cell
from cxrgrid.config.folds import divisions
from cxrgrid.config.grid import Grid, finished
from cxrgrid.config.pooling import division, read_by
from cxrgrid.config.preparation import array_suffix
from cxrgrid.config.shifts import strangers
from cxrgrid.config.transfers import start_of
from cxrgrid.config.wildcards import named, quick


@quick
class Stored:
    """Input functions of one grid's rules; used: True if its results lie in a storage."""

    def __init__(self, grid: Grid, used: bool):
        self.grid, self.used = grid, used
        self.strangers = strangers(grid) if used else {}

    def asked(self, wildcards: Any) -> list[str]:
        """For a cell that is asked again: its history, and the list of the images it is shown."""
        cell = named(self.grid, wildcards)
        shown = getattr(wildcards, "target", cell.dataset)
        found = [f"{self.grid.folder(cell)}/history.parquet", self.images(cell, shown)]
        return found if self.used else []

    def images(self, cell: Cell, dataset: str) -> str:
        """List of the images in the array that a cell is shown of a dataset."""
        suffix = array_suffix(self.grid.image_on(cell, dataset))
        return f"results/data/{dataset}/pixels{suffix}.parquet"

    def training(self, wildcards: Any) -> list[str]:
        """For a training: the lists of its images, and what is looked at of its start."""
        cell = named(self.grid, wildcards)
        found = [self.images(cell, name) for name in read_by(cell)] if self.used else []
        return [*found, *self.starts(wildcards)]

    def shifting(self, wildcards: Any) -> list[str]:
        """For `shift`: as for the training, and the lists of the images of others."""
        cell = named(self.grid, wildcards)
        found = [*self.training(wildcards), *self.asked(wildcards)]
        found += [self.images(cell, name) for name in self.strangers.get(cell.dataset, [])]
        return list(dict.fromkeys(found))

    def starts(self, wildcards: Any) -> list[str]:
        """Files that `check_start` reads of the cells that a cell starts from, down the chain."""
        cell = named(self.grid, wildcards)
        start = start_of(self.grid, cell) if self.used else None
        found = [f"{division(self.grid, cell, cell.dataset)}/hashes.npy"] if start else []
        while start:
            folder = self.grid.folder(start)
            found += [f"{folder}/cell.json", f"{folder}/history.parquet"]
            for name in read_by(start):
                taught = division(self.grid, start, name)
                found += [f"{taught}/table.parquet", f"{taught}/hashes.npy"]
            start = start_of(self.grid, start)
        return list(dict.fromkeys(found))

    def cells(self, wildcards: Any) -> list[str]:
        """Files that finished cells have written, and the datasets' tables with their audits."""
        if not self.used:
            return []
        cells = [cell for cell in self.grid.cells if self.counts(cell)]
        found = [f"{self.grid.folder(cell)}/{name}" for cell in cells for name in written(cell)]
        found += [path for path, _ in self.grid.across()]
        for name in self.grid.used():
            found.append(f"results/data/{name}/pixels.parquet")
            for folder in divisions(self.grid.folds, name):
                found += [f"{folder}/table.parquet", f"{folder}/audit.json"]
        return found

    def counts(self, cell: Cell) -> bool:
        """True unless the run is incomplete and lacks the cell."""
        return not self.grid.incomplete or finished(self.grid.folder(cell), cell)

    def results(self, wildcards: Any) -> list[str]:
        """The same, what `score` makes of it, and the images that datasets share."""
        if not self.used:
            return []
        study, kinds = f"results/{self.grid.name}", ("scores", "curves", "thresholds")
        scored = [f"{study}/{kind}/{name}.parquet" for name in self.grid.tested() for kind in kinds]
        return [*self.cells(wildcards), *scored, f"{study}/overlap.parquet"]

    def collected(self, wildcards: Any) -> list[str]:
        """The same, and all that `collect` makes."""
        made = ("metrics", "history", "cells", "confusions") if self.used else ()
        found = [f"results/{self.grid.name}/report/{name}.csv" for name in made]
        return [*self.results(wildcards), *found]


def written(cell: Cell) -> list[str]:
    """Files of a training that no GPU is needed for."""
    own = f"predictions/{cell.dataset}.parquet"
    return ["cell.json", "history.parquet", "predictions/val.parquet", own]
