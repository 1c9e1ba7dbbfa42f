"""Config of a run, copied for its jobs, and the params that Snakemake has recorded for results.

A job on a cluster may start hours later, and reads the config anew. It reads a copy: a config that
is edited meanwhile changes the next run, not half of this one. Commands that are printed for people
name the file that they can edit.
"""

import ast
import contextlib
import hashlib
import json
import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cxrgrid.cluster import stored_paths
from cxrgrid.config import config_file
from cxrgrid.config.errors import UserError
from cxrgrid.config.grid import FROZEN, Grid
from cxrgrid.io.atomic import write_text

OWN = ("results", ".snakemake")  # folders whose files nobody edits
TAKE_OVER = "take_over"  # setting of a run: end another machine's run of this folder first
# Not of the study: a cell alone needs none of them.
OF_A_RUN = ("incomplete=", "max_cells=", "reread=", f"{TAKE_OVER}=")
PLANNED = "CXRGRID_PLANNED"  # digest of what turns a config into cells, as the run began
INCOMPLETE = "CXRGRID_INCOMPLETE"  # set where a report of the cells that are done is asked for
DEFAULT = "config.yaml"  # what the Snakefile reads where no other config is given


def check_file(workflow: Any, config: dict[str, Any]) -> None:
    """End with one line at the first fault of a config file, before the Snakefile reads another.

    config: what has been read so far; without datasets, `DEFAULT` is read next.
    """
    files = [*workflow.configfiles, *([] if "datasets" in config else [DEFAULT])]
    if workflow.is_main_process:
        try:
            config_file.check(relative(Path(file)) for file in files)
        except UserError as error:
            sys.exit(f"error: {error}")


def given(config: dict[str, Any]) -> dict[str, Any]:
    """The study's config as Snakemake read it, marked `incomplete` if the environment asks so."""
    config = {name: value for name, value in config.items() if name != TAKE_OVER}
    return {**config, "incomplete": True} if os.environ.get(INCOMPLETE) else config


def located(workflow: Any, error: UserError) -> str:
    """A mistake in words, with the file and the line of the setting that it names."""
    return config_file.located(str(error), workflow.configfiles)


def warn(workflow: Any, warnings: list[str]) -> None:
    """Print warnings once a run: its jobs read the Snakefile as well."""
    for line in warnings if workflow.is_main_process else []:
        print(f"warning: {line}", file=sys.stderr)


def freeze(workflow: Any, grid: Grid) -> None:
    """Copy the config before any job starts, and make the jobs of this run read the copy."""
    if not workflow.is_main_process:
        check_planned()
        return
    os.environ[PLANNED] = digest()
    settings, copy = workflow.config_settings, Path(grid.frozen)
    files = [relative(Path(file)) for file in settings.configfiles]
    if not any(file.parts[0] in OWN for file in files):
        words = [word for word in settings.config_args or [] if not word.startswith(OF_A_RUN)]
        command = ["--configfile", *map(str, files)] if files else []
        command += ["--config", *words] if words else []
        command += snakefile(workflow, sys.argv) + places(sys.argv)
        write_text(command_of(grid.name), shlex.join(command))
    storage_of(grid.name).unlink(missing_ok=True)
    if prefix := stored_paths.prefix_of(workflow.storage_settings):
        write_text(storage_of(grid.name), prefix)
    if not copy.is_file():
        write_text(copy, grid.to_json() + "\n")
    os.utime(copy)  # the newest copy of a study is its config now
    if "datasets" in workflow.modifier_stack[0].globals["config"]:  # else part of another's config
        settings.configfiles = [copy.absolute()]
        if workflow.storage_settings.default_storage_provider:
            workflow.configfiles.append(copy.absolute())  # else machines that share no disk lack it


def check_planned() -> None:
    """End a job with one line if cxrgrid has changed since its run began: it would make another."""
    if os.environ.get(PLANNED, digest()) != digest():
        sys.exit(
            "error: cxrgrid has changed since this run began, and its settings may mean something "
            "else now; end the run, and start it again"
        )


def digest() -> str:
    """Digest of the modules that turn a config into cells."""
    found = hashlib.sha256()
    for path in sorted(Path(config_file.__file__).parent.glob("*.py")):
        found.update(path.read_bytes())
    return found.hexdigest()[:16]


def snakefile(workflow: Any, arguments: list[str]) -> list[str]:
    """The words that name a run's Snakefile, if its command line had to name one."""
    if not any(word.partition("=")[0] in ("-s", "--snakefile") for word in arguments):
        return []
    return ["--snakefile", str(relative(Path(workflow.main_snakefile)))]


def profile(arguments: list[str]) -> list[str]:
    """The words of a command line that name a profile: with it, jobs go where they went."""
    return given_as(arguments, "--profile")


def places(arguments: list[str]) -> list[str]:
    """The words of a command line that say where jobs and results go: a profile, and a storage."""
    options = (word.partition("=")[0] for word in arguments)
    storage = dict.fromkeys(name for name in options if name.startswith(stored_paths.OPTIONS))
    return profile(arguments) + [word for name in storage for word in given_as(arguments, name)]


def given_as(arguments: list[str], option: str) -> list[str]:
    """An option of a command line and its value; empty where it is not given."""
    for at, word in enumerate(arguments):
        name, assigned, value = word.partition("=")
        if name == option:
            values = [word for word in arguments[at + 1 : at + 2] if not word.startswith("-")]
            return [name, value] if assigned else [name, *values]
    return []


def last_planned() -> dict[str, Path]:
    """The copy of each study's config that was run or planned last, by the study's name."""
    return {study: path for study, path in copies().items() if command_of(study).is_file()}


def relative(path: Path) -> Path:
    """`path` relative to the working folder, if it lies below it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def command_of(study: str) -> Path:
    """File with the arguments of a study's last run."""
    return Path(FROZEN) / f"{study}.command"


def storage_of(study: str) -> Path:
    """File that says where in a storage a study's results lie; none where they lie here."""
    return Path(FROZEN) / f"{study}.storage"


def elsewhere(*studies: str) -> str:
    """A line on results that lie in a storage: of these studies, or any; empty if none do."""
    for study in studies or copies():
        with contextlib.suppress(OSError):
            prefix = storage_of(study).read_text("utf-8")
            folder = f"results/{study}"
            if "://" in prefix:
                how = f"copy its {folder} to {folder} to see them here"
            else:
                there = shlex.quote(f"{Path(prefix).absolute()}/{folder}")
                how = f"`ln -s {there} {folder}` shows them here"
            return f"results/: those of {study} lie in a storage, {prefix}; {how}"
    return ""


def asked_by(study: str) -> str:
    """Arguments with which `snakemake` runs a study again: config files, settings, profile.

    `study.json` is the config file where no run has recorded another.
    """
    with contextlib.suppress(OSError):
        return command_of(study).read_text("utf-8")
    return f"--configfile results/{study}/study.json"


def failure_of(study: str) -> Path:
    """File that says why the last run of a study failed, in Snakemake's words; none if it ended."""
    return Path(FROZEN) / f"{study}.failed"


def last_failure(study: str) -> str:
    """Why the last run of a study failed, in Snakemake's words; empty if it did not."""
    with contextlib.suppress(OSError):
        return failure_of(study).read_text("utf-8")
    return ""


def copies() -> dict[str, Path]:
    """The newest copy of the config of each study that was run in this folder, by its name."""
    found: dict[str, Path] = {}
    for path in sorted(Path(FROZEN).glob("*.json"), key=lambda path: path.stat().st_mtime):
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            found[str(json.loads(path.read_bytes())["study"])] = path
    return found


def recorded(workflow: Any) -> Callable[[str], list[str]]:
    """Function that returns the strings among the params that are recorded for a file.

    None for one that is not there: it is made in any case, and its record is not looked for.
    """
    from snakemake.io import IOFile

    def read(path: str) -> list[str]:
        if not os.path.lexists(path):
            return []
        known = workflow.persistence and workflow.persistence.params(IOFile(path))
        return [ast.literal_eval(text) for text in known or [] if text[:1] in "'\""]

    return read
