"""Says how far a training has come, while it trains; costs a look at the clock per step."""

import contextlib
import time
from pathlib import Path

from cxrgrid.cluster.training_progress import TrainingProgress, write
from cxrgrid.config.cell import Cell
from cxrgrid.config.errors import UserError

SECONDS = 5.0  # between two writes, at least


class Reporter:
    """Writes progress.json into a cell's folder, once every few seconds."""

    def __init__(self, cell: Cell, folder: Path):
        self.cell, self.folder = cell, folder
        self.began: tuple[float, float] | None = None  # time and epochs done at the first call
        self.due = 0.0

    def tell(self, history: list[dict], step: int, steps: int, seconds: float) -> None:
        """Write, if it is time to. history: of epochs done; seconds: of the steps of the next one.

        A file that cannot be written is left out: the training does not depend on it.
        """
        now, done = time.perf_counter(), len(history) + step / max(1, steps)
        self.began = self.began or (now, done)
        if now < self.due:
            return
        self.due = now + SECONDS
        best = next((row for row in history if row["best"]), {})
        monitor = f"val_{self.cell.monitor}"
        progress = TrainingProgress(
            epochs=self.cell.epochs,
            step=step,
            steps=steps,
            seconds=seconds + sum(row["seconds"] for row in history),
            left=self.left(now, done),
            monitor=monitor,
            best_epoch=best.get("epoch"),
            value=best.get(monitor),
            history=history,
        )
        with contextlib.suppress(OSError, UserError):
            write(progress, self.folder)

    def left(self, now: float, done: float) -> float | None:
        """Seconds to come, at the pace since the first call; epochs count with their evaluation."""
        began, before = self.began
        return (
            (self.cell.epochs - done) * (now - began) / (done - before) if done > before else None
        )
