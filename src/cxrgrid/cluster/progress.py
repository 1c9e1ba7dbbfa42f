"""State of each cell: done, running, waiting, of other settings, failed, or never tried.

`collect` and `status` ask here, so that cells.csv and the terminal never disagree. Read are the
cell's files and, where there is one, Slurm's queue; no running Snakemake is needed.
"""

import contextlib
import json
import re
import statistics
from dataclasses import dataclass
from pathlib import Path

from cxrgrid.cluster import slurm, training_progress
from cxrgrid.cluster.other_settings import differences
from cxrgrid.cluster.run_config import asked_by
from cxrgrid.config.cell import Cell
from cxrgrid.config.grid import finished
from cxrgrid.io import locks
from cxrgrid.io.cli import PROMPT

STATES = ("done", "running", "waiting", "settings changed", "failed", "never tried")
# What an error line means, the first that matches.
CAUSES = {
    r"loss is not finite": "NaN",
    r"CUDA out of memory|OutOfMemoryError": "out of GPU memory",
    r"MemoryError|[Cc]annot allocate memory|can't allocate memory": "out of memory",
    r"No space left|Errno 28|Disk quota exceeded": "disk full",
    r"Read-only file system": "read-only disk",
    r"table\.parquet|pixels\.npy|labels?\b": "bad data",
}
SIGNALS = {"SIGUSR1": "time limit", "SIGTERM": "cancelled", "SIGINT": "cancelled"}
NOT_RUN, AT_START = "not run", "stopped at its start"  # where no log says more
TAIL = 65536  # bytes: the end of a log says enough


@dataclass(frozen=True)
class Progress:
    """A cell as it stands. seconds: of training, as far as known; left: an estimate, or None.

    epoch, step, steps: where a running cell is; monitor, value, best_epoch: of its best epoch.
    """

    cell: Cell
    state: str
    cause: str = ""
    reason: str = ""
    epoch: int | None = None
    step: int | None = None
    steps: int | None = None
    monitor: str = ""
    value: float | None = None
    best_epoch: int | None = None
    seconds: float = 0.0
    left: float | None = None
    job: str = ""

    @property
    def rerun(self) -> str:
        """The command that runs this cell and what it needs."""
        target = f"results/{self.cell.study}/cells/{self.cell.path()}/model.safetensors"
        sent = slurm.logs(self.cell.study, "train", coordinates(self.cell))
        asked = asked_by(self.cell.study)
        profile = "--profile slurm" if sent and "--profile" not in asked else ""
        words = ("snakemake", target, asked, profile)
        return " ".join(word for word in words if word)


def coordinates(cell: Cell) -> list[str]:
    """The cell's wildcards, in the order of the rule's."""
    return list(cell.wildcards().values())


def survey(cells: list[Cell], study: Path) -> list[Progress]:
    """Every cell's state, in their order. study: results/{study}."""
    queued = {job.what: job for job in slurm.queue(Path.cwd()) if job.of(study.name)}
    local = trainings()
    found = []
    for cell in cells:
        folder = study / "cells" / cell.path()
        job = queued.get(slurm.job_name("train", coordinates(cell)))
        if job and job.state != "PENDING":
            found.append(running(cell, folder, job.seconds, job.number))
        elif folder.resolve() in local or locks.taken(folder):
            found.append(running(cell, folder, 0.0, ""))
        elif job:
            found.append(Progress(cell, "waiting", reason=job.reason, job=job.number))
        elif finished(folder, cell):
            found.append(Progress(cell, "done", seconds=benchmark(folder)))
        else:
            found.append(failed(cell, folder))
    return with_states(found)


def trainings() -> set[Path]:
    """The cells' folders that processes of this machine are training, where /proc tells."""
    found = set()
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError):
            words = (path / "cmdline").read_bytes().decode(errors="replace").split("\0")
            if "cxrgrid.train" in words:
                out = words[words.index("--out") + 1]
                found.add(((path / "cwd").readlink() / out).resolve())
    return found


def tail(log: Path) -> list[str]:
    """The last lines of a log that say something, without the command in its first line."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - TAIL))
        text = file.read().decode(errors="replace")
    lines = re.split(r"[\r\n]+", text)
    return [line for line in lines if line.strip() and not line.startswith(PROMPT)]


def running(cell: Cell, folder: Path, seconds: float, job: str) -> Progress:
    """A cell at work: where it is, its best epoch so far, and the time that it will take."""
    found = training_progress.read(folder)
    if found is None:
        trained = "trained; its job ends" if finished(folder, cell) else "no progress reported yet"
        return Progress(cell, "running", reason=trained, seconds=seconds, job=job)
    names = ("epoch", "step", "steps", "monitor", "value", "best_epoch", "left")
    known = {name: getattr(found, name) for name in names}
    return Progress(cell, "running", seconds=seconds or found.seconds, job=job, **known)


def failed(cell: Cell, folder: Path) -> Progress:
    """A cell that is neither done nor in the queue: why, as its cell.json or its logs tell."""
    jobs = slurm.logs(cell.study, "train", coordinates(cell))
    changed = differences(folder, cell)
    if changed:
        return Progress(cell, "settings changed", "other settings", changed)
    cause, reason = explain(folder / "train.log", jobs)
    return Progress(cell, "failed" if cause else "never tried", cause, reason)


def explain(log: Path, jobs: list[Path]) -> tuple[str, str]:
    """Cause and words of an end before the end: what Slurm says, else the cell's own log."""
    cause, said = slurm.ending(jobs[-1]) if jobs else ("", "")
    if cause:
        return cause, f"{cause}: {said}"
    # Of a job whose command never ran, the cell's own log is an earlier one's.
    cause, said = slurm.fault(jobs[-1], slurm.UNBEGUN) if jobs else ("", "")
    if cause:
        return cause, said
    lines = tail(log) if log.is_file() else []
    for line in lines[-3:]:
        for name in SIGNALS:
            if f"stopped by {name}" in line:
                return SIGNALS[name], line.removeprefix("error: ")
    cause, said = error(lines)
    for faults in (slurm.FAULTS, slurm.ERROR) if jobs else ():
        cause, said = (cause, said) if cause else slurm.fault(jobs[-1], faults)
    if cause:
        return cause, said
    if lines:
        return "stopped", f"stopped after: {lines[-1]}"
    return ("stopped", AT_START) if log.is_file() or jobs else ("", NOT_RUN)


def error(lines: list[str]) -> tuple[str, str]:
    """The error that a log ends with: our own line, or the last one of a traceback."""
    own = [line for line in lines if line.startswith("error: ")]
    if not own and any(line.startswith("Traceback ") for line in lines):
        own = [f"error: {lines[-1]}"]
    if not own:
        return "", ""
    causes = (cause for pattern, cause in CAUSES.items() if re.search(pattern, own[-1]))
    return next(causes, "error"), own[-1]


def with_states(found: list[Progress]) -> list[Progress]:
    """Those whose logs end in mid-sentence, with what Slurm remembers of their last jobs."""
    last = {}
    for at, one in enumerate(found):
        if one.cause == "stopped":
            logs = slurm.logs(one.cell.study, "train", coordinates(one.cell))
            if logs:
                last[at] = logs[-1].stem
    known = slurm.states(list(last.values()))
    for at, number in last.items():
        if number in known:
            one, cause = found[at], known[number]
            found[at] = Progress(one.cell, "failed", cause, f"{cause}: {one.reason}", job=number)
    return found


def benchmark(folder: Path) -> float:
    """Seconds that the run took which finished a cell; 0 where Snakemake did not measure it."""
    with contextlib.suppress(OSError, ValueError, KeyError, IndexError):
        return float(json.loads((folder / "train.jsonl").read_text("utf-8").splitlines()[-1])["s"])
    return 0.0


def forecast(found: list[Progress]) -> float | None:
    """Seconds of training to come: as done cells of the kind took, else all; None if none is."""
    done = [one for one in found if one.state == "done" and one.seconds]
    if not done:
        return None
    total = 0.0
    for one in found:
        if one.state == "running" and one.left is not None:
            total += one.left
        elif one.state != "done":
            alike = [each.seconds for each in done if kind(each.cell) == kind(one.cell)]
            total += statistics.mean(alike or [each.seconds for each in done])
    return total


def kind(cell: Cell) -> tuple[str, str, str]:
    """Cells that cost about the same: all but init and seed."""
    return cell.dataset, cell.backbone, cell.recipe
