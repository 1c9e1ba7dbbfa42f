"""The Snakefile's handler of a failed run; it never fails itself, in any folder.

A grid with holes is reported as what it is, and the last lines on the screen are why the run
failed and the commands that run it again.
"""

import atexit
import subprocess
import sys
from pathlib import Path
from typing import Any

from cxrgrid.config.grid import Grid, finished


def failed(workflow: Any, grid: Grid, logs: list[str] | None) -> None:
    """Report the cells that are done; at the exit of this process print what failed and why.

    logs: Snakemake's own logs of the run.
    """
    if grid.incomplete:
        return
    lines = []
    if any(finished(grid.folder(cell), cell) for cell in grid.cells):
        lines += report(workflow.main_snakefile, grid)
    lines += [f"Snakemake's log: {' '.join(map(str, logs))}"] if logs else []
    lines += said(["-m", "cxrgrid.status", grid.frozen, "--failed"])[1]
    # After Snakemake's own last words.
    atexit.register(show, lines)


def report(snakefile: str, grid: Grid) -> list[str]:
    """Make the report of the cells that are done; what to tell of it."""
    words = ["-m", "snakemake", "report", "--snakefile", str(snakefile), "--nolock", "--quiet"]
    words += ["all", "--executor", "local", "--configfile", grid.frozen, "--config"]
    status, _ = said([*words, "incomplete=true"])
    page = Path(f"results/{grid.name}/report/report.html")
    if status:
        return [f"No report of the cells that are done could be made; {page.parent} has the logs."]
    return [f"Report of the cells that are done: {page}"]


def said(words: list[str]) -> tuple[int, list[str]]:
    """Run Python: its status, and the lines that it printed."""
    try:
        done = subprocess.run([sys.executable, *words], capture_output=True, text=True)
    except OSError as error:
        return 1, [f"{words[1]}: {error}"]
    return done.returncode, [line for line in (done.stdout + done.stderr).splitlines() if line]


def show(lines: list[str]) -> None:
    """Print lines where errors go, if that is still open."""
    try:
        print(*lines, sep="\n", file=sys.stderr, flush=True)
    except (OSError, ValueError):
        return
