"""Learning-rate schedules: functions of the step and the history, without a state of their own."""

import math

import torch

from cxrgrid.config.cell import Cell

THRESHOLD = 1e-4  # what counts as better on a plateau, relative: torch's default


def set_lr(
    optimizer: torch.optim.Optimizer, cell: Cell, step: int, steps: int, history: list[dict]
) -> float:
    """Set the learning rate of a step, and return it.

    step: from 0, over all epochs; steps: per epoch; history: one row per finished epoch, with
    `val_loss` and `val_{monitor}`. A layer's own factor (`lr_scale`) is multiplied on top.
    """
    at, unit = (step, steps) if cell.schedule_per == "step" else (step // steps, 1)
    warmup = cell.warmup_epochs * unit
    if at < warmup:
        rate = cell.lr * ((at + 1) / (warmup + 1))
    else:
        rate = SCHEDULES[cell.schedule](cell, at - warmup, unit, history)
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get("lr_scale", 1.0)
    return rate


# Each takes where the step is after the warm-up, and how many such places an epoch has.


def constant(cell: Cell, at: float, unit: int, history: list[dict]) -> float:
    """The peak rate throughout."""
    return cell.lr


def anneal(start: float, end: float, share: float) -> float:
    """Half a cosine period from start to end (Loshchilov and Hutter 2017, arXiv 1608.03983)."""
    return end + (start - end) * (0.5 * (1 + math.cos(math.pi * share)))


def cosine(cell: Cell, at: float, unit: int, history: list[dict]) -> float:
    """One cosine decay over the rest of the run."""
    total = max(1, cell.epochs * unit - cell.warmup_epochs * unit)
    return anneal(cell.lr, cell.min_lr, at / total)


def restarts(cell: Cell, at: float, unit: int, history: list[dict]) -> float:
    """Repeated cosine decays, each `restart_mult` times as long as the last (arXiv 1608.03983)."""
    period = cell.restart_epochs * unit
    while at >= period:
        at, period = at - period, period * cell.restart_mult
    return anneal(cell.lr, cell.min_lr, at / period)


def step(cell: Cell, at: float, unit: int, history: list[dict]) -> float:
    """Decay by `factor` every `step_epochs`."""
    return max(cell.lr * cell.factor ** (at // (cell.step_epochs * unit)), cell.min_lr)


def plateau(cell: Cell, at: float, unit: int, history: list[dict]) -> float:
    """Decay by `factor` after more than `plateau_epochs` epochs in a row without improvement.

    As torch's ReduceLROnPlateau; epochs of the warm-up do not count.
    """
    name = "loss" if cell.plateau_on == "loss" else cell.monitor
    sign = 1 if name == "loss" else -1
    rate, best, bad = cell.lr, math.inf, 0
    for row in history[math.ceil(cell.warmup_epochs) :]:
        value = sign * row[f"val_{name}"]
        better = value < best - THRESHOLD * abs(best) if math.isfinite(best) else value < best
        best, bad = (value, 0) if better else (best, bad + 1)
        if bad > cell.plateau_epochs:
            rate, bad = max(rate * cell.factor, cell.min_lr), 0
    return rate


def onecycle(cell: Cell, at: float, unit: int, history: list[dict]) -> float:
    """Rise from lr / div_factor to lr, then decay below the start (Smith 2018, arXiv 1803.09820).

    As torch's OneCycleLR, but with constant momentum.
    """
    total = cell.epochs * unit
    start, peak = cell.lr / cell.div_factor, cell.pct_start * total - 1
    if at <= peak:
        return anneal(start, cell.lr, at / peak) if peak > 0 else cell.lr
    return anneal(cell.lr, start / cell.final_div_factor, (at - peak) / (total - 1 - peak))


SCHEDULES = {
    "constant": constant,
    "cosine": cosine,
    "restarts": restarts,
    "step": step,
    "plateau": plateau,
    "onecycle": onecycle,
}
