"""Refusal, when a run is planned, of backbones and starts that cannot be trained.

Each backbone, size and number of channels is tried once, in a process that imports timm and tries
it on the meta device (models/trials.py), and so is each checkpoint for each of them; the answers
are kept below .snakemake. What the demo and the tests run is known here, so that their first plan
starts no process.
"""

import hashlib
import importlib
import json
import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from cxrgrid.config.backbone_names import SOURCES
from cxrgrid.config.cell import Cell
from cxrgrid.config.check_cells import file_of
from cxrgrid.config.errors import UserError
from cxrgrid.config.grid import FROZEN, Grid, finished
from cxrgrid.io.atomic import write_text

TRIALS = "cxrgrid.models.trials"
SECONDS = 600  # the longest that a plan waits; what is not answered by then is tried as it trains
# Backbone, size, channels; of a start also its file, and that one's size and time of change.
Trial = tuple[str, Any, int] | tuple[str, Any, int, str, int, int]
# Held by tests/cluster/test_backbone_trials.py, for this version of timm.
KNOWN_TIMM = "1.0.31"
KNOWN = {("resnet10t", 64, 1), ("cs3darknet_s", 64, 1)}


def check(workflow: Any, grid: Grid) -> None:
    """`UserError` at the first backbone or start that is refused; in the main process."""
    if not workflow.is_main_process:
        return
    said = {**dict.fromkeys(known(), ""), **remembered()}
    trials = wanted(grid)
    new = [trial for trial in trials if json.dumps(trial) not in said]
    if new:
        said |= ask(new)
        remember({text: said[text] for text in said if text not in known()})
    refused = [trial for trial in trials if said.get(json.dumps(trial))]
    if refused:
        more = f" (and {len(refused) - 1} more of this kind)" if len(refused) > 1 else ""
        line = said[json.dumps(refused[0])]
        raise UserError(f"{setting(grid, refused[0])} {line}{more}")


def setting(grid: Grid, trial: Trial) -> str:
    """The setting that a trial is of; of a start also the backbone."""
    if len(trial) == 3:
        return "grid.backbones:"
    init = next(cell.init for cell in grid.cells if cell.weights == trial[3])
    return f"weights.{init}: {trial[0]} from"


def wanted(grid: Grid) -> list[Trial]:
    """The trials that the cells of a grid ask for, in their order."""
    found = {}
    for cell in grid.cells:
        image = msgspec.structs.replace(grid.study.datasets[cell.dataset].image, **cell.image)
        height, width = image.shape
        trial = (cell.backbone, height if height == width else (height, width), cell.channels)
        for one in (trial, *start_of(grid, cell, trial)):
            found[json.dumps(one)] = one
    return list(found.values())


def start_of(grid: Grid, cell: Cell, trial: Trial) -> list[Trial]:
    """The trial of the checkpoint that a cell starts from; none if it has none, or has trained."""
    source = grid.study.weights.get(cell.init)
    if source == "timm" or not file_of(source) or finished(grid.folder(cell), cell):
        return []
    facts = Path(cell.weights).stat()
    return [(*trial, cell.weights, facts.st_size, facts.st_mtime_ns)]


def known() -> set[str]:
    """The trials that need no process, as text; none for another timm."""
    return {json.dumps(trial) for trial in KNOWN} if version("timm") == KNOWN_TIMM else set()


def ask(trials: list[Trial]) -> dict[str, str]:
    """{trial: refusal or ""}, of those that are answered in time; it says what it does."""
    if "timm" in sys.modules:  # then there is nothing to wait for
        refusal = importlib.import_module(TRIALS).refusal
        return {json.dumps(trial): refusal(*trial) for trial in trials}
    names = ", ".join(dict.fromkeys(" from ".join([t[0], *t[3:4]]) for t in trials))
    print(f"Trying the backbones at their sizes, once: {names}", file=sys.stderr)
    done = run(json.dumps(trials))
    found = {json.dumps(trial): line for *trial, line in answers(done)}
    if missing := len(trials) - len(found):
        print(f"warning: {missing} of them could not be tried before they train", file=sys.stderr)
    return found


def run(question: str) -> str:
    """Output of the process that tries; as far as it came."""
    command = [sys.executable, "-W", "ignore", "-m", TRIALS]
    try:
        done = subprocess.run(
            command, input=question, capture_output=True, text=True, timeout=SECONDS
        )
    except subprocess.TimeoutExpired as late:
        return (late.stdout or b"").decode() if isinstance(late.stdout, bytes) else ""
    return done.stdout


def answers(text: str) -> Iterable[list]:
    """The process's lines of JSON; a line that is cut is left out."""
    for line in text.splitlines():
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, list) and len(found) in (4, 7):
            yield found


def memory() -> Path:
    """File of the answers, named after what they depend on: timm, torch and cxrgrid/models."""
    folder = Path(__file__).parents[1] / "models"
    digest = hashlib.sha256("".join(map(version, ("timm", "torch"))).encode())
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.read_bytes())
    return Path(FROZEN) / f"backbones-{digest.hexdigest()[:16]}.json"


def remembered() -> dict[str, str]:
    """The answers so far."""
    try:
        return msgspec.json.decode(memory().read_bytes(), type=dict[str, str])
    except (OSError, ValueError, RecursionError):
        return {}


def remember(said: dict[str, str]) -> None:
    """Keep the answers, but refusals of a hub or folder, which may be another tomorrow."""
    sources = tuple(f'["{source}--' for source in SOURCES)
    kept = {trial: line for trial, line in said.items() if not (line and trial.startswith(sources))}
    write_text(memory(), json.dumps(kept, indent=0, sort_keys=True))
