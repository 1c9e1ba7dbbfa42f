"""Per-epoch history rows, choice of the best epoch, and run metadata."""

import math
import platform
from pathlib import Path

import msgspec
import numpy as np
import timm
import torch
from torch import Tensor, nn

from cxrgrid.config.cell import Cell
from cxrgrid.config.errors import UserError
from cxrgrid.training.answers import trace
from cxrgrid.training.checkpoint import Run


def close_epoch(
    run: Run, cell: Cell, trained: dict[str, float], scores: dict[str, float], images: int
) -> None:
    """Append the epoch's row, and copy the weights if it is the best so far.

    trained, scores: of training and of validation images, by column; images: number that the
    epoch trained on. `UserError` if the validation loss is not finite.
    """
    if not math.isfinite(scores["val_loss"]):
        raise UserError(
            f"cell {cell.path()}: the validation loss is not finite in epoch {run.epoch}, "
            f"after step {run.step}; try an lr below {cell.lr}"
        )
    better = is_better(scores, run.history, cell.monitor)
    if better:
        run.best = copy(run.eval_model)
        for row in run.history:
            row["best"] = False
    row = {"epoch": run.epoch, **trained, **scores, "lr": run.lr, "steps": run.step}
    row |= {"seconds": run.seconds, "best": better, "images_per_second": images / run.seconds}
    run.history.append(row)
    run.step_losses.append(trace(run.losses))
    run.step, run.seconds = 0, 0.0


def copy(model: nn.Module) -> dict[str, Tensor]:
    """A copy of the model's current weights, on the CPU."""
    return {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, tensor in model.state_dict().items()
    }


def columns(run: Run) -> dict[str, list]:
    """Columns of history.parquet; None where a version before this one recorded no value."""
    names = dict.fromkeys(name for row in run.history for name in row)
    found = {name: [row.get(name) for row in run.history] for name in names}
    unknown = [None] * (len(run.history) - len(run.step_losses))
    return found | {"step_losses": [*unknown, *run.step_losses]}


def is_better(scores: dict[str, float], history: list[dict], monitor: str) -> bool:
    """True if an epoch is better than all before it; the first always is, NaN never."""
    kept = next((row for row in history if row["best"]), None)
    if kept is None or math.isnan(kept[f"val_{monitor}"]):
        return True
    sign = -1 if monitor == "loss" else 1
    return sign * scores[f"val_{monitor}"] > sign * kept[f"val_{monitor}"]


def finished(history: list[dict], cell: Cell) -> bool:
    """True if all epochs are done, or `patience` epochs have passed since the best one."""
    best = next((row["epoch"] for row in history if row["best"]), 0)
    return len(history) >= cell.epochs or 0 < cell.patience <= len(history) - best


def epoch_line(row: dict, epochs: int) -> str:
    """Line of the log for one epoch."""
    return (
        f"epoch {row['epoch']}/{epochs}  train loss {row['train_loss']:.4f}  "
        f"val loss {row['val_loss']:.4f}  val AUROC {row['val_auroc']:.4f}  lr {row['lr']:.2e}  "
        f"{row['seconds']:.1f} s  {row['images_per_second']:.0f} images/s"
        f"{'  best' if row['best'] else ''}"
    )


def result_line(history: list[dict], cell: Cell) -> str:
    """Last line of the log: the monitored value of the epoch whose weights are kept."""
    kept = next(row for row in history if row["best"])
    name = {"auroc": "AUROC", "ap": "AP"}.get(cell.monitor, cell.monitor.replace("_", " "))
    value = kept[f"val_{cell.monitor}"]
    return f"val {name} {value:.4f} in epoch {kept['epoch']} of {len(history)}"


def warnings(names: list[str], labels: np.ndarray) -> list[str]:
    """Warnings about labels without a positive, from training labels float [N, L].

    No loss requires one: the weight of absent positives multiplies nothing.
    """
    return [
        f"label {name}: none of the {int(np.isfinite(known).sum())} training images that are "
        "labelled shows it; what the model says of it means nothing"
        for name, known in zip(names, labels.T, strict=True)
        if not (known > 0).any()
    ]


def run_facts(run: Run, cell: Cell, facts: dict, images: dict[str, int], more: dict) -> dict:
    """Facts of history.parquet: data, hardware, versions; more: cost and others."""
    on_gpu = run.model.mean.device.type == "cuda"
    return {
        "cell": msgspec.to_builtins(cell),
        "hardware": torch.cuda.get_device_name() if on_gpu else processor(),
        "threads": torch.get_num_threads(),
        "versions": {"python": platform.python_version(), "torch": torch.__version__}
        | {"timm": timm.__version__, "numpy": np.__version__},
        "split": facts["split"],
        "split_hash": facts["split_hash"],
        "images": images,
        "parts": run.parts,
        "first_step_seconds": run.first_step,
        **more,
    }


def processor() -> str:
    """Name of the processor, if the system reports it."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":")[1].strip() for line in lines if "model name" in line), "CPU")
