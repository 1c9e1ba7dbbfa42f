"""Progress of a training: a small file in the cell's folder that `status` and `track` read.

`train` writes it beside its state, every few seconds at most, and removes it when the cell is done.
Snakemake does not know of it; where there is none, nothing is known of a training but that it runs.
"""

import math
from pathlib import Path

import msgspec

from cxrgrid.io.atomic import write_bytes

FILE = "progress.json"
MEMORY = "memory.json"  # of a training that is done: the most that it took


class TrainingProgress(msgspec.Struct, frozen=True):
    """A training that has not ended. epochs: at most; step: of `steps`, in the epoch under way.

    seconds: that its epochs have taken, earlier attempts included; left: seconds to come if all
    epochs are trained, None before that can be said; monitor: the column of `history` that chooses
    the best epoch (None before the first), value: its value there; history: one row per epoch that
    is done, as in history.parquet.
    """

    epochs: int
    step: int
    steps: int
    seconds: float
    left: float | None
    monitor: str
    best_epoch: int | None
    value: float | None
    history: list[dict[str, float | bool | None]]

    @property
    def epoch(self) -> int:
        """The epoch under way, from 1; the last one where all are done."""
        return min(len(self.history) + 1, self.epochs)


def write(progress: TrainingProgress, folder: Path) -> None:
    """Replace the file in a cell's folder in one step."""
    write_bytes(folder / FILE, msgspec.json.encode(progress))


def write_memory(megabytes: float, folder: Path) -> None:
    """Write the most memory that a training took, if known, as Snakemake's benchmarks name it."""
    if math.isfinite(megabytes):
        write_bytes(folder / MEMORY, msgspec.json.encode({"max_rss": megabytes}) + b"\n")


def read(folder: Path) -> TrainingProgress | None:
    """The progress of the training in a cell's folder; None where it is not known."""
    try:
        return msgspec.json.decode((folder / FILE).read_bytes(), type=TrainingProgress)
    except (OSError, ValueError, RecursionError):
        return None
