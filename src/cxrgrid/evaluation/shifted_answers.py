"""Answers of a study's cells under changes, and the distances of images, as `shift` wrote them."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from cxrgrid.config.cell import Cell
from cxrgrid.config.grid import Grid, finished
from cxrgrid.config.shifted_cells import WHOLE, Shifted
from cxrgrid.evaluation.predictions import Predictions, read_predictions
from cxrgrid.evaluation.same_images import by_image, check_same
from cxrgrid.io.parquet import read_parquet


@dataclass(frozen=True)
class Asked:
    """A cell that `shift` has run on. folder: of the cell."""

    cell: Cell
    folder: Path

    @cached_property
    def clean(self) -> Predictions:
        """Its predictions of its own test images, sorted by image."""
        path = self.folder / f"predictions/{self.cell.dataset}.parquet"
        return by_image(read_predictions(path, self.cell))

    @cached_property
    def val(self) -> Predictions:
        """Its predictions of its validation images."""
        return read_predictions(self.folder / "predictions/val.parquet", self.cell)

    @cached_property
    def distances(self) -> dict[str, tuple[list[str], list[str], np.ndarray]]:
        """Image, patient and distance from the training images, by dataset."""
        columns = ("dataset", "image", "patient", "distance")
        table = read_parquet(self.folder / "shift" / WHOLE, *columns)[0].to_pandas()
        return {
            name: (list(rows["image"]), list(rows["patient"]), rows["distance"].to_numpy())
            for name, rows in table.groupby("dataset", sort=False)
        }

    @property
    def own_distance(self) -> np.ndarray:
        """The distance of each image of `clean` [N]."""
        image, _, distance = self.distances[self.cell.dataset]
        at = dict(zip(image, distance, strict=True))
        return np.array([at[name] for name in self.clean.image])

    def under(self, change: str, strength: str) -> tuple[Predictions, np.ndarray]:
        """The predictions under a change, in the order of `clean`, and their distances [N]."""
        path = self.folder / f"shift/{change}-{strength}.parquet"
        made = read_predictions(path, self.cell)
        distance = read_parquet(path, "distance")[0]["distance"].to_numpy(zero_copy_only=False)
        order = np.argsort(made.image, kind="stable")
        made = made.take(order)
        check_same(self.clean, made)
        return made, distance[order]


Seeds = list[list[Asked]]  # of each seed the cells of its folds


def asked_cells(grid: Grid, folder: Path) -> dict[tuple, tuple[Seeds, int]]:
    """Of each configuration the seeds whose cells `shift` has run on, and how many are planned.

    folder: of the study's cells.
    """
    found: dict[tuple, dict[int, list[Asked]]] = {}
    for cell in Shifted(grid).cells:
        seeds = found.setdefault(cell.configuration(), {})
        seeds.setdefault(cell.seed, []).append(Asked(cell, folder / cell.path()))
    return {
        configuration: ([folds for folds in seeds.values() if all(map(done, folds))], len(seeds))
        for configuration, seeds in found.items()
    }


def done(one: Asked) -> bool:
    """True if a cell has finished, and `shift` on it."""
    return (one.folder / "shift" / WHOLE).is_file() and finished(one.folder, one.cell)
