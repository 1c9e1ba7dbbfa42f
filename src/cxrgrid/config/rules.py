"""Settings, inputs and flags of Snakemake's rules, from a grid and the wildcards."""

import json
import sys
from typing import Any

import msgspec

from cxrgrid.config.cell import Cell
from cxrgrid.config.dataset import Dataset
from cxrgrid.config.errors import UserError, known, suggest
from cxrgrid.config.grid import Grid, finished

OFF = {"files": None, "folds": 0, "fold": 0}  # options of a split that are off
CELL = "{dataset}/{backbone}/{init}/{recipe}/seed{seed}"


class Rules:
    """Input and parameter functions of one grid's rules; each takes Snakemake's wildcards."""

    def __init__(self, grid: Grid):
        self.grid = grid

    def cell(self, wildcards: Any) -> str:
        """`cell.json` of the cell that the wildcards name."""
        return msgspec.json.encode(named(self.grid, wildcards)).decode()

    def weights(self, wildcards: Any) -> list[str]:
        """The weights file that the cell starts from, if any."""
        weights = named(self.grid, wildcards).weights
        return [weights] if weights else []

    def dataset(self, wildcards: Any) -> Dataset:
        """The settings of the dataset that the wildcards name."""
        known(wildcards.dataset, self.grid.study.datasets, "datasets", "dataset")
        return self.grid.study.datasets[wildcards.dataset]

    def phantom(self, wildcards: Any) -> str:
        """Settings of `phantom`: the adapter and the cohort."""
        dataset = self.dataset(wildcards)
        if dataset.phantom is None:
            raise UserError(f"datasets.{wildcards.dataset}: has no `phantom` to draw")
        return to_json(dataset.phantom, adapter=dataset.adapter)

    def drawn(self, wildcards: Any) -> list[str]:
        """Folder of the phantom, if the dataset is one."""
        dataset = self.dataset(wildcards)
        return [f"results/data/{wildcards.dataset}/phantom"] if dataset.phantom else []

    def index(self, wildcards: Any) -> str:
        """Settings of `index`: the folder of the images, and the labels."""
        dataset = self.dataset(wildcards)
        root = self.drawn(wildcards)[0] if dataset.phantom else dataset.root
        names = ("adapter", "labels", "task", "patient")
        settings = {name: getattr(dataset, name) for name in names}
        settings["columns"] = dataset.columns.told()
        settings |= {"classes": dataset.classes} if dataset.classes else {}
        return to_json(settings | dataset.taken(), dataset=wildcards.dataset, root=root)

    def image(self, wildcards: Any) -> str:
        """Settings of `pixels`: the image recipe, and the largest share of unreadable images."""
        dataset = self.dataset(wildcards)
        return to_json(dataset.image, unreadable=dataset.unreadable)

    def split(self, wildcards: Any) -> str:
        """Settings of `split`, without options that are off: a new option reruns nothing."""
        settings = msgspec.to_builtins(self.dataset(wildcards).split)
        off = {name for name, value in OFF.items() if settings[name] == value}
        return to_json({name: settings[name] for name in settings if name not in off})

    def lists(self, wildcards: Any) -> list[str]:
        """The user's own files that list the split of a dataset."""
        files = self.dataset(wildcards).split.files
        return files.paths() if files else []

    def predictions(self, wildcards: Any) -> list[str]:
        """Paths of the cells' predictions on the target and on their own validation images."""
        return [
            f"{self.grid.folder(cell)}/predictions/{name}.parquet"
            for cell in self.grid.cells
            if cell.dataset == wildcards.target
            and (not self.grid.incomplete or finished(self.grid.folder(cell), cell))
            for name in ("val", cell.dataset)
        ]

    def transferred(self, wildcards: Any) -> list[str]:
        """Paths of the predictions on the target by other datasets' cells, and of the overlaps."""
        found = [path for path, target in self.grid.across() if target == wildcards.target]
        return [f"results/{self.grid.name}/overlap.parquet", *found] if found else []

    def external(self, wildcards: Any) -> list[str]:
        """Paths of the target's predictions by external models."""
        models = [m for m in self.grid.study.external.values() if m.dataset == wildcards.target]
        return [path for model in models for path in model.files()]

    def leakage(self, wildcards: Any) -> str:
        """Flag with which `audit` accepts patients in two splits, if the config allows that."""
        return "--allow-leakage" if self.dataset(wildcards).allow_leakage else ""


def named(grid: Grid, wildcards: Any) -> Cell:
    """The cell with the wildcards' coordinates."""
    where = CELL.format_map(vars(wildcards))
    if where not in grid.by_path:
        # Only a path typed by hand gets here. Snakemake would show a traceback of a UserError.
        near = suggest(where, list(grid.by_path))
        sys.exit(f"error: the study {grid.name!r} has no cell {where}; {near}")
    return grid.by_path[where]


def to_json(settings: Any, **more: Any) -> str:
    """Settings as one line of JSON, keys in a fixed order: what a printed command carries."""
    plain = msgspec.to_builtins(settings)
    return json.dumps({**more, **plain})
