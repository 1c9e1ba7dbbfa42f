"""The Snakefile's handlers of a run's start and failure; the latter never fails itself.

A grid with holes is reported as what it is, and the last lines on the screen are why the run
failed and the commands that run it again.
"""

import atexit
import contextlib
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from cxrgrid.cluster import forecast, patience, preflight
from cxrgrid.cluster.run_config import INCOMPLETE, elsewhere, failure_of, places, storage_of
from cxrgrid.config.grid import Grid, finished
from cxrgrid.io.atomic import write_text

FAULT = re.compile(r"(Error in (local)?rule|\w*(Error|Exception)\b)")  # in Snakemake's log
LONG = 300  # characters of what is quoted


def began(workflow: Any, grid: Grid) -> None:
    """Before the first job: forget the failure of the run before, and look at the queue."""
    failure_of(grid.name).unlink(missing_ok=True)
    with patience.interruptible():
        forecast.begin(workflow, grid)
        preflight.begin(workflow, grid.name)
    if storage_of(grid.name).is_file():
        return
    with contextlib.suppress(OSError):  # whatever writes there will say so
        Path("results", grid.name).mkdir(parents=True, exist_ok=True)  # `status` knows of it now


def failed(workflow: Any, grid: Grid, logs: list[str] | None) -> None:
    """Report the cells that are done; at the exit of this process print what failed and why.

    logs: Snakemake's own logs of the run.
    """
    if grid.incomplete:
        return
    lines = [f"Snakemake's log: {' '.join(map(str, logs))}"] if logs else []
    try:
        write_text(failure_of(grid.name), why(logs))
        if any(finished(grid.folder(cell), cell) for cell in grid.cells):
            lines = [*report(workflow, grid), *lines]
        if storage_of(grid.name).is_file() and not Path("results", grid.name).exists():
            lines.append(elsewhere(grid.name))  # what failed is told above, each job with its log
        else:
            lines += said(["-m", "cxrgrid.status", grid.frozen, "--failed"])[1]
    except Exception as error:  # a full disk, say: the run's own failure is what counts
        lines.append(f"No more could be found out about it ({type(error).__name__}: {error})")
    # After Snakemake's own last words.
    atexit.register(show, lines)


def attach(workflow: Any, grid: Grid) -> None:
    """Of a module, call `began` and `failed` beside the handlers of the main Snakefile.

    Snakemake passes over the handlers of modules.
    """
    if workflow.modifier.is_main_snakefile():
        return
    before = {name: getattr(workflow, name, None) for name in ("_onstart", "_onerror")}

    def start(log: Any) -> None:
        began(workflow, grid)
        if before["_onstart"]:
            before["_onstart"](log)

    def error(log: Any) -> None:
        failed(workflow, grid, log)
        if before["_onerror"]:
            before["_onerror"](log)

    workflow._onstart, workflow._onerror = start, error


def why(logs: list[str] | None) -> str:
    """The first failure in Snakemake's log, in one line; else the log's path."""
    for log in logs or []:
        with contextlib.suppress(OSError):
            lines = Path(log).read_text(errors="replace").splitlines()
            for at, line in enumerate(lines):
                if FAULT.match(line):
                    told = " ".join(" ".join(lines[at : at + 2]).split())
                    return f"{told[:LONG]} ({log})"
    return " ".join(map(str, logs or ["no log"]))


def report(workflow: Any, grid: Grid) -> list[str]:
    """Make the report of the cells that are done; what to tell of it."""
    page = Path(f"results/{grid.name}/report/report.html")
    words = ["-m", "snakemake", str(page), "--snakefile", str(workflow.main_snakefile), "--nolock"]
    words += ["--quiet", "all", "--executor", "local", "--cores", "all"]
    files = workflow.config_settings.configfiles
    words += ["--configfile", *map(str, files)] if files else []
    more = workflow.config_settings.config_args
    words += ["--config", *more] if more else []
    # Where results lie in a storage, also what is prepared: else it would be prepared here anew.
    words += places(sys.argv) if storage_of(grid.name).is_file() else []
    status, _ = said(words, {INCOMPLETE: "1"})
    if status:
        return [f"No report of the cells that are done could be made; {page.parent} has the logs."]
    return [f"Report of the cells that are done: {page}"]


def said(words: list[str], more: dict[str, str] | None = None) -> tuple[int, list[str]]:
    """Run Python: its status, and the lines that it printed; more: environment variables."""
    env = os.environ | (more or {})
    try:
        done = subprocess.run([sys.executable, *words], capture_output=True, text=True, env=env)
    except OSError as error:
        return 1, [f"{words[1]}: {error}"]
    return done.returncode, [line for line in (done.stdout + done.stderr).splitlines() if line]


def show(lines: list[str]) -> None:
    """Print lines where errors go, if that is still open."""
    try:
        sys.stderr.write("\n".join([*lines, ""]))  # at once: another thread writes as well
        sys.stderr.flush()
    except (OSError, ValueError):
        return
