"""Resources that a training requests: memory and time, from the cell and its earlier attempts.

Snakemake asks again before each job, so what an ended job wrote to its log counts for the next:
more memory after too little, more time after too short a limit, and the same after anything else.
"""

import json
from pathlib import Path
from typing import Any

from cxrgrid.cluster import slurm, training_progress
from cxrgrid.cluster.progress import coordinates, explain, kind
from cxrgrid.config.cell import Cell
from cxrgrid.config.grid import Grid
from cxrgrid.config.pooling import training_arrays
from cxrgrid.config.wildcards import named, quick

MEMORY = 8000  # MB: torch and CUDA take about half; the pixels are mapped, not read
MINUTES = 1440  # where nothing is known yet
SLOW = 5_000_000  # pixels a second: assumed of a slow GPU where no cell of the kind has run
ROOM = 2  # times what earlier cells took
MOST = 8  # times the first request


@quick
class Needs:
    """Resources of a grid's cells; each method takes Snakemake's wildcards."""

    def __init__(self, grid: Grid):
        self.grid = grid
        self.measured: dict[tuple, list[dict]] = {}
        self.alike: dict[tuple, list[Cell]] = {}
        for cell in grid.cells:
            self.alike.setdefault(kind(cell), []).append(cell)

    def memory(self, wildcards: Any) -> int:
        """MB: twice what the largest cell of its kind took, doubled for each end by memory."""
        cell = named(self.grid, wildcards)
        known = [run["max_rss"] for run in self.runs(cell)]
        asked = max([MEMORY, *(ROOM * rss for rss in known)])
        return int(asked * self.times("out of memory", cell))

    def runtime(self, wildcards: Any) -> int:
        """Minutes: twice what the slowest cell of its kind took, doubled for each end by time."""
        cell = named(self.grid, wildcards)
        known = [ROOM * run["s"] / 60 for run in self.runs(cell)]
        asked = max(known) if known else estimate(cell, self.grid)
        return int(max(30, asked) * self.times("time limit", cell))

    def runs(self, cell: Cell) -> list[dict]:
        """Time and memory of the cells of the same kind, read once.

        As Snakemake measured them, memory as the training itself did where it has said so:
        Snakemake looks at it each 30 s, and not at what is a fork of another process.
        """
        if kind(cell) not in self.measured:
            paths = [Path(self.grid.folder(c)) / "train.jsonl" for c in self.alike[kind(cell)]]
            said = [path.with_name(training_progress.MEMORY) for path in paths]
            pairs = zip(map(benchmark, paths), map(benchmark, said), strict=True)
            runs = [run | more for run, more in pairs if run]
            numeric = [run for run in runs if number(run.get("s")) and number(run.get("max_rss"))]
            self.measured[kind(cell)] = numeric
        return self.measured[kind(cell)]

    def times(self, cause: str, cell: Cell) -> int:
        """2 for each of the cell's last jobs in a row that ended by `cause`, up to `MOST`."""
        jobs = slurm.logs(cell.study, "train", coordinates(cell))
        causes = [slurm.ending(log)[0] for log in reversed(jobs[-MOST:])]
        if jobs and not causes[0]:
            causes[0] = explain(Path(self.grid.folder(cell)) / "train.log", [])[0]
        ended = next((at for at, each in enumerate(causes) if not each), len(causes))
        return min(MOST, 2 ** causes[:ended].count(cause))


def benchmark(path: Path) -> dict:
    """The last run that Snakemake measured; empty where there is none that can be read."""
    try:
        return dict(json.loads(path.read_text("utf-8").splitlines()[-1]))
    except (OSError, ValueError, TypeError, IndexError):
        return {}


def number(value: Any) -> bool:
    """True if a benchmark's value was measured: otherwise Snakemake writes null or NA."""
    return isinstance(value, int | float)


def estimate(cell: Cell, grid: Grid) -> float:
    """Minutes for a cell of whose kind none has run: its pixels, at a slow GPU's pace."""
    pixels = [Path(path) for path in training_arrays(grid, cell)]
    if not all(path.is_file() for path in pixels):
        return MINUTES
    return ROOM * sum(path.stat().st_size for path in pixels) * cell.epochs / SLOW / 60
