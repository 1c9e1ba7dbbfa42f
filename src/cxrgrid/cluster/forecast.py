"""Forecast of a run before its first job: cells, jobs, hours and disk; many cells ask for a word.

Hours and weights are as finished cells of the same kind took, and are said to be unknown where none
has finished. Arrays are counted once their images are listed (index.parquet).
"""

import atexit
import contextlib
import shutil
import statistics
import sys
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from cxrgrid.cluster import training_parts
from cxrgrid.cluster.progress import benchmark, kind
from cxrgrid.cluster.wording import amount, duration
from cxrgrid.config.cell import Cell
from cxrgrid.config.grid import Grid, finished
from cxrgrid.config.wildcards import named

MODEL = "model.safetensors"


@dataclass(frozen=True)
class Forecast:
    """A run's trainings and all its jobs. Sums over what is known, and how many are not.

    again: cells that have finished with these settings, and train all the same, since data that
    they rest on are new, or prepared anew; seconds: of training; weights, arrays: bytes to write.
    """

    cells: int
    jobs: int
    seconds: float
    unknown_cells: int
    weights: float
    arrays: int
    unknown_arrays: int
    again: int = 0

    def sentence(self) -> str:
        """The forecast in words."""
        cells = f"{self.cells:,} cell{'s' * (self.cells != 1)}"
        jobs = f"{self.jobs:,} job{'s' * (self.jobs != 1)}"
        again = f", {self.again:,} of them again, as what they rest on is made anew"
        parts = [f"{cells} to train in {jobs}{again * bool(self.again)}", self.hours()]
        if self.arrays or self.unknown_arrays:
            parts.append(self.disk())
        if self.weights:
            parts.append(f"about {amount(self.weights)} of weights")
        return "forecast: " + "; ".join(parts)

    def hours(self) -> str:
        """Training time in words; one job has at most one GPU, so GPU-hours are the same."""
        known = self.cells - self.unknown_cells
        if not known:
            return "hours of training unknown: no cell of their kind has finished"
        part = f" for {known:,} of them, unknown for the others" if self.unknown_cells else ""
        return f"about {duration(self.seconds)} of training{part}, as finished cells took"

    def disk(self) -> str:
        """Disk of the arrays of pixels in words, and what is free."""
        free = f"{amount(shutil.disk_usage(Path.cwd()).free)} free"
        if not self.arrays:
            return f"disk of arrays unknown until their images are listed, {free}"
        more = " and more that is unknown yet" if self.unknown_arrays else ""
        return f"{amount(self.arrays)} of disk for arrays{more}, {free}"


def begin(workflow: Any, grid: Grid) -> None:
    """Before the first job: print the forecast; end where more cells would train than allowed."""
    jobs = list(workflow.dag.needrun_jobs())
    found = of_run(jobs, grid)
    if not found.cells:
        return
    if reason := training_parts.refusal(jobs, grid):
        sys.exit(f"error: {reason}")
    if found.cells > grid.max_cells:
        sys.exit(f"{found.sentence()}\nerror: {refusal(found, grid)}")
    tell(found.sentence())


def of_dry_run(workflow: Any, grid: Grid) -> None:
    """When the Snakefile is read: print the forecast at the end of a dry run that is not quiet."""
    if workflow.is_main_process:  # as yet it does not know that it is a dry run
        atexit.register(at_the_end, workflow, grid, Path.cwd())


def at_the_end(workflow: Any, grid: Grid, folder: Path) -> None:
    """Print what a dry run has planned; nothing where it planned no training, or failed.

    folder: of the results; with --directory Snakemake has left it by now.
    """
    if not workflow.dryrun or workflow.output_settings.quiet or not workflow.dag:
        return
    with contextlib.chdir(folder):
        tell_plan(workflow, grid)


def tell_plan(workflow: Any, grid: Grid) -> None:
    """Print the forecast of a plan, and whether the run itself would stop."""
    jobs = list(workflow.dag.needrun_jobs(exclude_finished=False))
    found = of_run(jobs, grid)
    if found.cells:
        tell(found.sentence())
    if found.cells > grid.max_cells:
        tell(f"The run itself would stop: {refusal(found, grid)}")
    if reason := training_parts.refusal(jobs, grid):
        tell(f"The run itself would stop: {reason}")


def tell(line: str) -> None:
    """Print where Snakemake prints its progress, whose lines another thread writes meanwhile."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def refusal(found: Forecast, grid: Grid) -> str:
    """The line that asks for the user's word."""
    return (
        f"{found.cells:,} cells would train, more than max_cells, {grid.max_cells:,}; to start "
        f"them all, add: --config max_cells={found.cells}"
    )


def of_run(jobs: list[Any], grid: Grid) -> Forecast:
    """Forecast of planned jobs."""
    jobs = [job for job in jobs if job.rule.name != "all"]
    cells = [named(grid, job.wildcards) for job in jobs if job.rule.name == "train"]
    pairs = [(j.wildcards.dataset, j.wildcards.image) for j in jobs if j.rule.name == "pixels"]
    sizes = [array_bytes(grid, *pair) for pair in pairs]
    seconds, weights = costs(cells, grid)
    return Forecast(
        cells=len(cells),
        jobs=len(jobs),
        seconds=sum(filter(None, seconds)),
        unknown_cells=seconds.count(None),
        weights=sum(filter(None, weights)),
        arrays=sum(filter(None, sizes)),
        unknown_arrays=sizes.count(None),
        again=sum(finished(grid.folder(cell), cell) for cell in cells),
    )


def costs(cells: list[Cell], grid: Grid) -> tuple[list, list]:
    """Seconds and bytes of weights of each cell, as finished ones of its kind took; None: unknown.

    Finished are the cells of the study that would not train now.
    """
    planned = set(cells)
    kinds: dict[tuple, list[Path]] = {}
    for cell in grid.cells if len(planned) < len(grid.cells) else ():
        folder = Path(grid.folder(cell))
        if cell not in planned and (folder / MODEL).is_file():
            kinds.setdefault(kind(cell), []).append(folder)
    seconds = {key: mean([benchmark(folder) for folder in kinds[key]]) for key in kinds}
    weights = {key: mean([(f / MODEL).stat().st_size for f in kinds[key]]) for key in kinds}
    return [seconds.get(kind(c)) for c in cells], [weights.get(kind(c)) for c in cells]


def mean(values: list[float]) -> float | None:
    """Mean of those that are known, which are not 0."""
    known = [value for value in values if value]
    return statistics.mean(known) if known else None


def array_bytes(grid: Grid, dataset: str, suffix: str) -> int | None:
    """Bytes of an array of pixels; None before the dataset's images are listed."""
    index = Path(f"results/data/{dataset}/index.parquet")
    if not index.is_file():
        return None
    import pyarrow.parquet  # at the start of a run only, not at each parse

    try:
        images = pyarrow.parquet.read_metadata(index).num_rows
    except (OSError, ValueError):  # damaged: the command that reads it says so
        return None
    return images * prod(grid.arrays(dataset)[suffix].shape)
