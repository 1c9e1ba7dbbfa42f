"""The learning rate of each step against torch's own schedulers."""

import math

import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler as reference

from cxrgrid.training.loss import make_optimizer
from cxrgrid.training.schedule import set_lr
from test_train import make_cell

STEPS = 7


def rates(steps: int = STEPS, history: list[dict] | None = None, **settings) -> list[float]:
    """The learning rate of every step of a run."""
    cell = make_cell(**{"lr": 1.0, **settings})
    optimizer = make_optimizer(cell, nn.Linear(2, 2))
    past = history or []
    return [
        set_lr(optimizer, cell, step, steps, past[: step // steps])
        for step in range(cell.epochs * steps)
    ]


def torchs(make, count: int, lr: float = 1.0) -> list[float]:
    """The same from a scheduler of torch."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr)
    scheduler, curve = make(optimizer), []
    for _ in range(count):
        curve.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return curve


SAME = [
    ({"schedule": "constant"}, lambda o, u: reference.ConstantLR(o, factor=1)),
    ({"schedule": "cosine"}, lambda o, u: reference.CosineAnnealingLR(o, 12 * u)),
    (
        {"schedule": "cosine", "min_lr": 0.2},
        lambda o, u: reference.CosineAnnealingLR(o, 12 * u, 0.2),
    ),
    (
        {"schedule": "restarts", "restart_epochs": 3, "min_lr": 0.01},
        lambda o, u: reference.CosineAnnealingWarmRestarts(o, 3 * u, 1, 0.01),
    ),
    (
        {"schedule": "restarts", "restart_epochs": 2, "restart_mult": 2},
        lambda o, u: reference.CosineAnnealingWarmRestarts(o, 2 * u, 2),
    ),
    (
        {"schedule": "step", "step_epochs": 5, "factor": 0.3},
        lambda o, u: reference.StepLR(o, 5 * u, 0.3),
    ),
    ({"schedule": "onecycle"}, lambda o, u: reference.OneCycleLR(o, 1.0, 12 * u)),
    (
        {"schedule": "onecycle", "pct_start": 0.5, "div_factor": 10, "final_div_factor": 100},
        lambda o, u: reference.OneCycleLR(
            o, 1.0, 12 * u, pct_start=0.5, div_factor=10, final_div_factor=100
        ),
    ),
]


@pytest.mark.parametrize(("settings", "make"), SAME, ids=[str(s) for s, _ in SAME])
@pytest.mark.parametrize("per", ["step", "epoch"])
def test_each_schedule_is_torchs_step_by_step(settings, make, per):
    unit = STEPS if per == "step" else 1
    theirs = torchs(lambda optimizer: make(optimizer, unit), 12 * unit)
    theirs = [rate for rate in theirs for _ in range(STEPS // unit)]
    ours = rates(epochs=12, schedule_per=per, **settings)
    assert ours == pytest.approx(theirs, abs=1e-9)


LOSSES = [1.0, 0.9, 0.9, 0.91, 0.89999, 0.95, 0.5, 0.6, math.nan, 0.7, 0.8, 0.9, 0.55, 0.4, 0.6]


@pytest.mark.parametrize("on", ["loss", "monitor"])
@pytest.mark.parametrize("patience", [0, 1, 3])
def test_plateau_is_torchs_epoch_by_epoch(on, patience):
    settings = {"schedule": "plateau", "plateau_epochs": patience, "factor": 0.5, "min_lr": 0.02}
    values = LOSSES if on == "loss" else [1.3 - value for value in LOSSES]
    name = "val_loss" if on == "loss" else "val_auroc"
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    mode = "min" if on == "loss" else "max"
    scheduler = reference.ReduceLROnPlateau(optimizer, mode, 0.5, patience, min_lr=0.02)
    theirs = []
    for value in values:
        theirs.append(optimizer.param_groups[0]["lr"])
        scheduler.step(value)
    history = [{name: value} for value in values]
    ours = rates(2, history, epochs=len(values), plateau_on=on, **settings)
    assert ours[::2] == ours[1::2] == pytest.approx(theirs, abs=1e-12)
    assert len(set(ours)) > 2


@pytest.mark.parametrize("schedule", ["constant", "cosine", "restarts", "step", "plateau"])
def test_warm_up_climbs_to_the_peak_and_then_the_schedule_begins(schedule):
    settings = {"schedule": schedule, "restart_epochs": 2, "step_epochs": 1, "epochs": 3}
    curve = rates(10, warmup_epochs=1, **settings)
    assert curve[:10] == pytest.approx([(step + 1) / 11 for step in range(10)])
    assert max(curve) == curve[10] == 1.0
    later = rates(10, **settings | {"epochs": 2})
    assert curve[10:] == pytest.approx(later)


def test_the_rate_depends_on_nothing_before_it():
    cell = make_cell(lr=1.0, epochs=12, schedule="restarts", restart_epochs=3)
    optimizer = make_optimizer(cell, nn.Linear(2, 2))
    forwards = rates(epochs=12, schedule="restarts", restart_epochs=3)
    for step in reversed(range(12 * STEPS)):
        assert set_lr(optimizer, cell, step, STEPS, []) == forwards[step]


def test_a_layers_own_share_stays():
    cell = make_cell(lr=1.0, schedule="step", step_epochs=1, factor=0.5)
    optimizer = torch.optim.SGD([{"params": [torch.zeros(1)], "lr_scale": 0.25}], lr=1.0)
    assert set_lr(optimizer, cell, STEPS, STEPS, []) == 0.5
    assert optimizer.param_groups[0]["lr"] == 0.125
