"""A study's results as data frames, for notebooks: what `cxrgrid.load` returns.

Everything is read from the files of a results folder when it is asked for; nothing is computed
anew, and no torch is imported. Names and columns that are documented here stay.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from cxrgrid.config.cell import AXES, Cell
from cxrgrid.config.errors import UserError, known
from cxrgrid.config.grid import Grid
from cxrgrid.config.study_json import read_grid
from cxrgrid.config.transfers import targets_of
from cxrgrid.io.parquet import read_answers, read_parquet
from cxrgrid.reporting.results import read_csv

PARTS = ("test", "val", "transfer")


@dataclass(frozen=True)
class Results:
    """A study's results. folder: results/{study}.

    Frames of cells have the columns `dataset, backbone, init, recipe, fold, seed` of the cell that
    a row is of, so that they can be joined on them. NaN is a value that is not known or not
    defined; `reason`, where there is such a column, says why.
    """

    folder: Path

    def __repr__(self) -> str:
        """The study's name and how many of its cells are done."""
        done = int((self.cells["state"] == "done").sum())
        return f"<cxrgrid results of {self.grid.name!r}: {done} of {len(self.cells)} cells done>"

    @cached_property
    def grid(self) -> Grid:
        """The study: `config` is its config as it was run, `cells` the settings of its cells."""
        return read_grid(self.folder / "study.json")

    @cached_property
    def cells(self) -> pd.DataFrame:
        """One row per cell that the study asks for: `state` (done or missing), what it cost, …

        Of a missing cell, `reason` and `rerun`, the command that runs it.
        """
        return self.read("cells")

    @cached_property
    def scores(self) -> pd.DataFrame:
        """One row per cell, test set, subset, label, metric and operating point.

        `value`, `low`, `high` (95 %, over patients), `n`, `positives`, `patients`; `label` is one
        or an average (macro, micro, weighted, samples, all); `threshold_rule` is empty for metrics
        without a threshold; `target` is the dataset tested on. Rows with fold −1 are means over the
        folds of a cross-validated model. Ensembles and external models have rows too.
        """
        return self.read("metrics")

    @cached_property
    def history(self) -> pd.DataFrame:
        """One row per cell and epoch: losses, monitored metric, learning rate, seconds, `best`."""
        return self.read("history")

    @cached_property
    def comparisons(self) -> pd.DataFrame:
        """One row per pair of configurations that differ in one axis, metric and label.

        `difference` is `a` − `b` with its interval, `p` and `p_holm`, and `sentence` in words.
        """
        return self.read("comparisons")

    @cached_property
    def configurations(self) -> pd.DataFrame:
        """One row per configuration, metric and label: the mean over its replicates.

        The interval holds patients and seeds.
        """
        return self.read("configurations")

    @property
    def tables(self) -> list[str]:
        """Names of the report's tables, each of which `table` reads."""
        return [name for name in self.grid.tables() if (self.report / f"{name}.csv").is_file()]

    def table(self, name: str) -> pd.DataFrame:
        """A table of the report with bare numbers, such as `leaderboard` or `labels`."""
        known(name, self.tables, "table", "table")
        return self.read(name)

    def images(self, dataset: str) -> pd.DataFrame:
        """One row per image of a dataset: patient, view, sex, age, `split`, and its labels' truth.

        Labels are 1, 0 or NaN (unknown).
        """
        known(dataset, self.grid.used(), "images", "dataset")
        return self.parquet(self.folder.parent / f"data/{dataset}/table.parquet")

    def predictions(self, part: str = "test", **cells: str | int) -> pd.DataFrame:
        """Answers of the cells that are done, one row per cell, image and label.

        part: `test` (a cell's own test images), `val` (its validation images) or `transfer` (test
        images of other datasets); cells: of these alone, such as `backbone="resnet50", seed=0`.
        Columns: AXES, `target` (dataset of the images), `image`, `patient`, `label`, `truth` (1, 0,
        NaN unknown), `probability`. Many cells on many images are many rows: choose.
        """
        known(part, PARTS, "predictions", "part")
        for axis in cells:
            known(axis, AXES, "predictions", "axis")
        chosen = [c for c in self.done() if all(c.axes()[a] == v for a, v in cells.items())]
        frames = [frame for cell in chosen for frame in self.answers(cell, part)]
        columns = [*AXES, "target", "image", "patient", "label", "truth", "probability"]
        return pd.concat(frames or [pd.DataFrame(columns=columns)], ignore_index=True)

    def done(self) -> list[Cell]:
        """Cells whose row of `cells` says that they are done."""
        rows = self.cells[self.cells["state"] == "done"]
        done = set(rows[AXES].itertuples(index=False, name=None))
        return [cell for cell in self.grid.cells if tuple(cell.axes().values()) in done]

    def answers(self, cell: Cell, part: str) -> Iterator[pd.DataFrame]:
        """The rows of `predictions` of one cell."""
        folder = self.folder / "cells" / cell.path()
        names = {"test": [f"predictions/{cell.dataset}"], "val": ["predictions/val"]}
        names["transfer"] = [f"transfer/{target}" for target in targets_of(self.grid, cell)]
        for name in names[part]:
            path = folder / f"{name}.parquet"
            if part == "transfer" and not path.is_file():  # asked of other datasets later
                continue
            target = cell.dataset if part == "val" else name.rpartition("/")[2]
            yield long(read_answers(path, "image", "patient")[0].to_pandas()).assign(
                **cell.axes(), target=target
            )[[*AXES, "target", "image", "patient", "label", "truth", "probability"]]

    @property
    def report(self) -> Path:
        """Folder of the report: tables, figures, pages."""
        return self.folder / "report"

    def read(self, name: str) -> pd.DataFrame:
        """A CSV file of the report."""
        return read_csv(self.report / f"{name}.csv")

    def parquet(self, path: Path) -> pd.DataFrame:
        """A Parquet table; `UserError` if it is not there."""
        if not path.is_file():
            raise UserError(f"{path}: no such file; run snakemake to make it")
        return read_parquet(path)[0].to_pandas()


def long(wide: pd.DataFrame) -> pd.DataFrame:
    """Predictions with a row per image and label instead of columns `y:<label>` and `p:<label>`."""
    labels = [name.removeprefix("p:") for name in wide if name.startswith("p:")]
    parts = [
        wide[["image", "patient"]].assign(
            label=label, truth=wide.get(f"y:{label}"), probability=wide[f"p:{label}"]
        )
        for label in labels
    ]
    return pd.concat(parts, ignore_index=True)


def load(results: str | Path) -> Results:
    """Results of a study from its folder, or its study.json; `UserError` if none is there."""
    path = Path(results)
    folder = path.parent if path.name == "study.json" else path
    if not (folder / "study.json").is_file():
        there = sorted(found.parent.name for found in folder.parent.glob("*/study.json"))
        more = f"; there are: {', '.join(there)}" if there else ""
        raise UserError(f"{folder}: no results of a study{more}")
    return Results(folder)
