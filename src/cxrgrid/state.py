"""A run that can be stopped at any point and goes on with the same bits."""

import hashlib
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import torch
from torch import Tensor, nn
from tqdm import tqdm

from cxrgrid.config import UserError
from cxrgrid.settings import Cell


@dataclass
class Run:
    """What goes on from epoch to epoch, and survives a stop."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    history: list[dict] = field(default_factory=list)
    best: dict[str, Tensor] = field(default_factory=dict)  # a copy of the best epoch's weights


def state_key(cell: Cell, facts: dict) -> str:
    """What a state belongs to: the cell, split, pixels, labels' meaning, and where it started."""
    data = [facts[name] for name in ("split_hash", "image", "policy") if name in facts]
    parts = [msgspec.json.encode(cell), json.dumps(data).encode()]
    if cell.weights:
        parts.append(Path(cell.weights).read_bytes())
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def save_state(run: Run, path: Path, key: str) -> None:
    """Replace the state in one step: a stop at any point leaves the old one or the new one.

    Snakemake erases a failed job's declared outputs and its log, so the state is not declared,
    and the history lives in it.
    """
    state = {
        "key": key,
        "model": run.model.state_dict(),
        "optimizer": run.optimizer.state_dict(),
        "best": run.best,
        "history": run.history,
    }
    partial = path.with_name(f".{path.name}.partial")
    torch.save(state, partial)
    partial.replace(path)


def resume(run: Run, path: Path, key: str) -> None:
    """Go on from the state at `path`, if it is there and belongs to this very run."""
    if not path.is_file():
        return
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a broken file
        raise UserError(
            f"{path}: unreadable ({type(error).__name__}); remove it to start afresh"
        ) from None
    if state["key"] != key:
        tqdm.write(f"{path}: of other settings or data; not used, starting afresh", file=sys.stderr)
        return
    run.model.load_state_dict(state["model"])
    run.optimizer.load_state_dict(state["optimizer"])
    run.history, run.best = state["history"], state["best"]
    tqdm.write(f"going on after epoch {len(run.history)}", file=sys.stderr)
