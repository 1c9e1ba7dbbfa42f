"""Snakemake's records of a run: the config that its jobs read, and the settings of its outputs.

A job on a cluster may start hours later, and reads the config anew. So it gets a copy: a file that
is edited meanwhile changes the next run, not half of this one. People get the file that they edit.
"""

import ast
import contextlib
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cxrgrid.config.grid import FROZEN, Grid
from cxrgrid.io.atomic import replacing

OWN = ("results", ".snakemake")  # folders whose files nobody edits


def freeze(workflow: Any, grid: Grid) -> None:
    """Before any job: copy the config as it is now, and let the jobs of this run read the copy."""
    if not workflow.is_main_process:
        return
    settings, copy = workflow.config_settings, Path(grid.frozen)
    files = [relative(Path(file)) for file in settings.configfiles]
    if not any(file.parts[0] in OWN for file in files):
        words = [word for word in settings.config_args or [] if not word.startswith("incomplete=")]
        command = ["--configfile", *map(str, files)] if files else []
        command += ["--config", *words] if words else []
        with replacing(command_of(grid.name)) as partial:
            partial.write_text(shlex.join(command))
    if not copy.is_file():
        with replacing(copy) as partial:
            partial.write_text(grid.to_json() + "\n")
    settings.configfiles = [copy.absolute()]


def relative(path: Path) -> Path:
    """A path as a person would write it: below the working folder, if it lies there."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def command_of(study: str) -> Path:
    """The file with the words by which a study was last asked for."""
    return Path(FROZEN) / f"{study}.command"


def asked_by(study: str) -> str:
    """Arguments of `snakemake` for running a study again, with the config file that a person edits.

    Where no run has left it, the study as it was run.
    """
    with contextlib.suppress(OSError):
        return command_of(study).read_text()
    return f"--configfile results/{study}/study.json"


def recorded(workflow: Any) -> Callable[[str], list[str]]:
    """A function: the texts among the `params` that Snakemake has recorded with a file."""
    from snakemake.io import IOFile

    def read(path: str) -> list[str]:
        known = workflow.persistence and workflow.persistence.params(IOFile(path))
        return [ast.literal_eval(text) for text in known or [] if text[:1] in "'\""]

    return read
