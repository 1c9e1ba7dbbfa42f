"""A training run's state: saved as it goes, and resumed bit for bit after a stop."""

import hashlib
import json
import math
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import torch
from timm.utils import ModelEmaV3
from torch import Tensor, nn
from tqdm import tqdm

from cxrgrid.config.cell import Cell
from cxrgrid.config.errors import UserError, unread
from cxrgrid.config.identity import changed
from cxrgrid.io.atomic import replacing
from cxrgrid.io.signals import Stop
from cxrgrid.training import answers
from cxrgrid.training.cost import Meter
from cxrgrid.training.reporter import Reporter

LOOK = 100  # steps between two looks at the device for a loss that is not finite
SAVE_EVERY = 50  # an epoch's end is saved once 50 times the last save's time has passed: 2 %
# The fields of a Run that a state holds as they are, by their names in the file. These names are
# part of the state's key: if one changes, a stopped training starts afresh.
STORED = {"history": "history", "best": "best", "answers": "val_logits", "step": "step"}
STORED |= {"losses": "losses", "rate": "lr", "parts": "parts", "seconds": "seconds"}
STORED |= {"first_step": "first_step", "spent": "spent"}
# Fields that a state may lack, as those of earlier versions do, which go on all the same.
ADDED = {"counted": "answers", "step_losses": "step_losses"}


@dataclass
class Run:
    """The state of a training run that changes from step to step and survives a stop.

    All chance of a step follows from (seed, epoch, step), so no generator is kept.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    ema: ModelEmaV3 | None = None
    parts: int = 1  # that a step's batch is taken in; grows where memory runs out
    least: int = 1  # images in a part: 2 where a batch norm cannot learn from one
    start: str = ""  # one line on the weights that it started from; empty from scratch
    history: list[dict] = field(default_factory=list)  # one row per finished epoch
    best: dict[str, Tensor] = field(default_factory=dict)  # a copy of the best epoch's weights
    val_logits: Tensor = field(default_factory=lambda: torch.zeros(0))  # of the best epoch
    step: int = 0  # steps done in the epoch under way
    losses: Tensor = field(default_factory=lambda: torch.zeros(0))  # of its steps, on the device
    # Right and wrong answers of the epoch's steps [4, L], on the device; NaN: not counted.
    answers: Tensor = field(default_factory=lambda: torch.zeros(()))
    step_losses: list[list[float]] = field(default_factory=list)  # of each epoch, thinned
    lr: float = math.nan  # learning rate of the last step
    seconds: float = 0.0  # that the epoch's steps have taken so far
    first_step: float | None = None  # seconds of the run's first step, which compiles if asked to
    spent: dict[str, float | None] = field(default_factory=dict)  # as `cost.Meter` counts it

    @property
    def epoch(self) -> int:
        """The epoch under way, from 1."""
        return len(self.history) + 1

    @property
    def eval_model(self) -> nn.Module:
        """The network that is evaluated, saved and predicted with: the EMA if there is one."""
        return self.model if self.ema is None else self.ema.module

    def where(self) -> str:
        """The run's position, as text for a message."""
        if self.step == 0:
            return f"after epoch {len(self.history)}"
        if self.step < len(self.losses):
            return f"in epoch {self.epoch}, after step {self.step} of {len(self.losses)}"
        return f"in epoch {self.epoch}, after its last step, before validation"


def state_key(cell: Cell, facts: dict) -> str:
    """Hash of a state's cell (by identity), data, initial weights and stored fields."""
    kinds = ("split_hash", "image", "policy", "pool", "files", "on_features")
    data = [facts[name] for name in kinds if name in facts]
    parts = [json.dumps([changed(cell), data, list(STORED)], sort_keys=True).encode()]
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
        "average": run.ema.module.state_dict() if run.ema else {},
        **{name: getattr(run, own) for name, own in (STORED | ADDED).items()},
    }
    if run.step == 0 and run.history and run.history[-1]["best"]:
        # The best weights are the present ones: of tensors in one storage torch saves one.
        state["best"] = run.eval_model.state_dict()
    with replacing(path) as partial, partial.open("wb") as file:
        torch.save(state, file)


def resume(run: Run, path: Path, key: str) -> None:
    """Continue from the state at `path`, if it exists and its key is this run's."""
    if not path.is_file():
        return
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        own = state["key"]
    except OSError as error:  # the state itself may be whole, and is days of work
        raise unread(path, error) from None
    except Exception as error:  # torch raises many kinds for a broken file
        raise UserError(
            f"{path}: unreadable ({type(error).__name__}); start afresh with --fresh, or remove it"
        ) from None
    if own != key:
        tqdm.write(f"{path}: of other settings or data; not used, starting afresh", file=sys.stderr)
        return
    run.model.load_state_dict(state["model"])
    run.optimizer.load_state_dict(state["optimizer"])
    if run.ema:
        run.ema.module.load_state_dict(state["average"])
    for name, own in STORED.items():
        setattr(run, own, state[name])
    run.answers = state.get("counted", torch.tensor(math.nan))
    run.step_losses = state.get("step_losses", [])
    device = run.model.mean.device
    run.losses, run.answers = run.losses.to(device), run.answers.to(device)
    tqdm.write(f"going on {run.where()}", file=sys.stderr)


class Checkpointer:
    """Saves a run's state to disk, and ends the run after a signal.

    minutes: at most, between two saves. Each step's loss stays on the device, and is fetched only
    where it is looked at.
    """

    def __init__(self, run: Run, path: Path, cell: Cell, facts: dict, stop: Stop, minutes: float):
        self.run, self.path, self.cell, self.stop = run, path, cell, stop
        self.key = state_key(cell, facts)
        self.every = 60 * minutes
        self.began = time.perf_counter()
        self.due = self.began + self.every  # within an epoch
        self.epoch_due = self.began  # at its end
        self.meter = Meter(run.model.mean.device, {})
        self.reporter = Reporter(cell, path.parent)

    def resume(self) -> None:
        """Continue from the saved state, if there is one."""
        resume(self.run, self.path, self.key)
        self.meter.before = self.run.spent

    def begin_epoch(self, steps: int) -> None:
        """Allocate the losses of an epoch's steps, unless the saved state has some."""
        if self.run.step == 0:
            device = self.run.model.mean.device
            self.run.losses, self.run.answers = (torch.zeros(n, device=device) for n in (steps, ()))
        self.began = time.perf_counter() - self.run.seconds

    def after_step(self, loss: Tensor) -> None:
        """Record a step's loss; check losses, save and stop when due."""
        run = self.run
        run.losses[run.step] = loss
        run.step += 1
        if run.first_step is None or run.step % LOOK == 0:
            self.look()
        run.seconds = time.perf_counter() - self.began
        run.first_step = run.first_step or run.seconds
        self.pause()

    def look(self) -> None:
        """`UserError` with the first step of the epoch whose loss was not finite."""
        bad = (~self.run.losses[: self.run.step].isfinite()).nonzero()
        if len(bad):
            raise UserError(
                f"cell {self.cell.path()}: the loss is not finite in epoch {self.run.epoch}, "
                f"step {bad[0].item() + 1}; try an lr below {self.cell.lr}"
            )

    def trained(self, sizes: list[int], task: str) -> dict[str, float]:
        """Loss, accuracy and F1 over an epoch's images, at each step's weights.

        sizes: images per step. Keys as in the history: `train_loss`, …
        """
        self.look()
        self.run.seconds = time.perf_counter() - self.began
        weights = torch.tensor(sizes, dtype=torch.float64)
        loss = (self.run.losses.cpu().double() @ weights / weights.sum()).item()
        return {"train_loss": loss, **answers.scores(self.run.answers, task)}

    def save(self) -> None:
        """Save the state to disk, unless a loss is not finite."""
        self.look()
        began = time.perf_counter()
        self.run.spent = self.meter.read()
        save_state(self.run, self.path, self.key)
        ended = time.perf_counter()
        self.due = ended + self.every
        self.epoch_due = ended + min(SAVE_EVERY * (ended - began), self.every)

    def end_epoch(self) -> None:
        """Save if that is cheap compared with the lost work; stop if a signal has come."""
        if time.perf_counter() > self.epoch_due:
            self.save()
        self.pause()

    def pause(self) -> None:
        """Save if due; if a signal has come, save and raise `Stopped`."""
        run, asked = self.run, self.stop.signal
        self.reporter.tell(run.history, run.step, len(run.losses), run.seconds)
        if asked or time.perf_counter() > self.due:
            self.save()
        if asked:  # one that has come since waits until the next pause, which saves once more
            self.stop.check(run.where())
