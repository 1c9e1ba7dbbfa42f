"""Seconds that a training waits as it saves its state, and what a thread that writes could win.

The state of a network with AdamW after its first step, with the best weights kept from before. Now
the training waits for all: copies to the host and the disk. With a thread it would wait for a copy
of all that the next step changes, and train on beside the writing: how much slower its steps are
then is measured too, where the copy is complete before the first of them.

Example:
  python benchmarks/saving.py --backbone vit_base_patch16_224 --rounds 3
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import numpy as np
import torch
from torch.utils._pytree import tree_map_only

from cxrgrid.config.cell import Cell
from cxrgrid.training.checkpoint import SAVE_EVERY, Run, save_state
from cxrgrid.training.history import copy
from cxrgrid.training.loss import make_loss
from cxrgrid.training.step import Step, make_run

LABELS = 14
MINUTES = 5  # --save-minutes, as it is
AXES = {"study": "b", "dataset": "b", "backbone": "b", "init": "scratch", "recipe": "default"}


def make(args: argparse.Namespace) -> tuple[Run, Callable[[], object]]:
    """A run after its first step, and a step."""
    device = torch.device(args.device)
    cell = msgspec.convert({**AXES, "seed": 0, "backbone": args.backbone}, Cell)
    run = make_run(cell, LABELS, args.size, device)
    labels = np.ones((args.batch_size, LABELS), np.float32)
    step = Step(run, cell, make_loss(cell, "multilabel", labels, device))
    images = torch.rand(args.batch_size, 1, args.size, args.size, device=device)
    wanted = torch.from_numpy(labels).to(device)
    run.best = copy(run.model)
    step(images, wanted)
    run.step = 1
    return run, lambda: step(images, wanted).item()


def tensors(run: Run) -> dict:
    """All that a step changes."""
    return {"model": run.model.state_dict(), "optimizer": run.optimizer.state_dict()}


def parts(run: Run) -> dict[str, int]:
    """Bytes of the state's parts."""
    found: dict[str, int] = {}
    for name, part in (tensors(run) | {"best weights": run.best}).items():
        sizes: list[int] = []
        tree_map_only(torch.Tensor, lambda tensor, to=sizes: to.append(tensor.nbytes), part)
        found[name] = sum(sizes)
    return found


def copied(run: Run) -> dict:
    """Copy on the host of all that a step changes, complete."""
    gpu = run.model.mean.is_cuda

    def one(tensor: torch.Tensor) -> torch.Tensor:
        target = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=gpu)
        return target.copy_(tensor, non_blocking=True)

    found = tree_map_only(torch.Tensor, one, tensors(run))
    if gpu:
        torch.cuda.synchronize()
    return found


def seconds(act: Callable[[], object]) -> float:
    """Wall time of an act."""
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def beside(write: Callable[[], object], step: Callable[[], object]) -> float:
    """Seconds of a step while a thread writes: of those that were done meanwhile."""
    found = []
    with ThreadPoolExecutor(1) as thread:
        writing = thread.submit(write)
        while not writing.done():
            found.append(seconds(step))
        writing.result()
    return statistics.mean(found)


def measure(folder: Path, args: argparse.Namespace) -> dict[str, list[float]]:
    """Seconds of each, in turn."""
    run, step = make(args)
    path = folder / "state.pt"
    for name, size in parts(run).items():
        print(f"{name:16} {size / 1e6:8.1f} MB")
    found: dict[str, list[float]] = {}
    for _ in range(args.rounds):
        row = {"a step": seconds(step), "a save": seconds(lambda: save_state(run, path, "key"))}
        row["a copy"] = seconds(lambda: copied(run))
        row["a step beside a save"] = beside(lambda: save_state(run, path, "key"), step)
        for name, value in row.items():
            found.setdefault(name, []).append(value)
    print(f"{'state.pt':16} {path.stat().st_size / 1e6:8.1f} MB")
    return found


def main() -> None:
    """Print sizes, seconds, and shares of a training."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--backbone", default="vit_base_patch16_224")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--folder", type=Path, help="on the disk that results go to")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.folder) as temporary:
        found = measure(Path(temporary), args)
    for name, values in found.items():
        middle = statistics.median(values)
        print(f"{name:22} {middle:7.2f} s ({min(values):.2f} to {max(values):.2f})")
    save = statistics.median(found["a save"])
    print(f"after epochs: at most {1 / (1 + SAVE_EVERY):.1%} of a training", end="; ")
    print(f"within epochs, each {MINUTES} minutes: {save / (60 * MINUTES + save):.1%}")


if __name__ == "__main__":
    main()
