"""The learning rate of every step: a function of the step and the history, so nothing is saved."""

import math

import torch

from cxrgrid.config.cell import Cell

THRESHOLD = 1e-4  # what counts as better on a plateau, relative: torch's default


def set_lr(
    optimizer: torch.optim.Optimizer, cell: Cell, step: int, steps: int, history: list[dict]
) -> float:
    """Set the learning rate of a step of a run, and return it.

    step: from 0, over all epochs; steps: in an epoch; history: a row for each epoch that is over,
    with `val_loss` and `val_{monitor}`. A layer's own share (`lr_scale`) comes on top.
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
    """Always the peak."""
    return cell.lr


def anneal(start: float, end: float, share: float) -> float:
    """Half a cosine from start to end (Loshchilov and Hutter 2017, arXiv 1608.03983)."""
    return end + (start - end) * (0.5 * (1 + math.cos(math.pi * share)))


def cosine(cell: Cell, at: float, unit: int, history: list[dict]) -> float:
    """One descent over the rest of the run."""
    total = max(1, cell.epochs * unit - cell.warmup_epochs * unit)
    return anneal(cell.lr, cell.min_lr, at / total)


def restarts(cell: Cell, at: float, unit: int, history: list[dict]) -> float:
    """Descents that begin anew, each `restart_mult` times as long (arXiv 1608.03983)."""
    period = cell.restart_epochs * unit
    while at >= period:
        at, period = at - period, period * cell.restart_mult
    return anneal(cell.lr, cell.min_lr, at / period)


def step(cell: Cell, at: float, unit: int, history: list[dict]) -> float:
    """By `factor` every `step_epochs`."""
    return max(cell.lr * cell.factor ** (at // (cell.step_epochs * unit)), cell.min_lr)


def plateau(cell: Cell, at: float, unit: int, history: list[dict]) -> float:
    """By `factor` whenever more than `plateau_epochs` epochs in a row bring nothing better.

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
    """From lr / div_factor up to lr, then far below its start (Smith 2018, arXiv 1803.09820).

    As torch's OneCycleLR, but that the momentum stays as it is.
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
