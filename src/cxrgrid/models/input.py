"""Grey levels that a network expects: the mean and standard deviation of its input."""

import json
from typing import Any

import torch
from torch import Tensor, nn

from cxrgrid.config.cell import Cell


def usual(model: nn.Module, cell: Cell) -> dict[str, Tensor]:
    """`mean` and `std` of a cell's input, float [1, C, 1, 1]: its own settings, else timm's.

    One channel takes the mean over three. Grey levels are from 0 to 1.
    """
    cfg = model.pretrained_cfg
    given = {"mean": cell.weights_mean or cfg["mean"], "std": cell.weights_std or cfg["std"]}
    return {name: shaped(value, cell.channels) for name, value in given.items()}


def shaped(value: Any, channels: int) -> Tensor:
    """One number or three as a tensor [1, channels, 1, 1]."""
    value = torch.tensor(value)
    if channels == 1:
        value = value.mean(0, keepdim=True)
    return (value if len(value) == channels else value.expand(channels)).reshape(1, -1, 1, 1)


def set_input(model: nn.Module, given: dict[str, Any]) -> None:
    """Make `mean` and `std` the model's input; they are buffers, not in its state dict."""
    channels = model.mean.shape[1] if hasattr(model, "mean") else None
    for name, value in given.items():
        value = value if isinstance(value, Tensor) else shaped(value, channels)
        model.register_buffer(name, value.contiguous(), persistent=False)


def metadata(model: nn.Module, cell: Cell) -> dict[str, str] | None:
    """For a weights file: the model's input in JSON; None where `usual` gives the same."""
    found = {name: getattr(model, name).cpu() for name in ("mean", "std")}
    if all(torch.equal(found[name], value) for name, value in usual(model, cell).items()):
        return None
    return {
        "cxrgrid": json.dumps({name: value.flatten().tolist() for name, value in found.items()})
    }
