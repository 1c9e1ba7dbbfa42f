"""Cost of a cell: parameters, multiply-adds, time, memory, energy."""

import time
from pathlib import Path

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from cxrgrid import models
from cxrgrid.config.cell import Cell
from cxrgrid.models.sizes import Size, height_width

# Attention that torch makes as one is two products: the first its own, the second a Linear in it.
WEIGHTED = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.ConvTranspose2d, nn.MultiheadAttention)


def count(model: nn.Module, cell: Cell, size: Size) -> dict[str, int | str | None]:
    """`of_model`, with the weights that learn in the cell's last epoch."""
    models.set_trainable(model, cell, cell.epochs)
    return of_model(model, cell.channels, size)


def of_model(model: nn.Module, channels: int, size: Size) -> dict[str, int | str | None]:
    """Numbers of weights, and multiply-adds for one image of `size`.

    parameters: all weights; trainable: those that are trained; buffers: stored values that are not
    trained, such as BatchNorm's running statistics; layers: convolutions and matrix products with
    weights, those of shortcuts included. multiply_adds: of convolutions and matrix
    products, a multiplication with its addition counting once, as in papers (often called FLOPs);
    None where they cannot be counted, with the reason under multiply_adds_reason.
    """
    weights = list(model.parameters())
    counts = {
        "parameters": sum(weight.numel() for weight in weights),
        "trainable": sum(weight.numel() for weight in weights if weight.requires_grad),
        "buffers": sum(buffer.numel() for buffer in model.state_dict().values())
        - sum(weight.numel() for weight in weights),
        "layers": sum(isinstance(part, WEIGHTED) for part in model.modules()),
    }
    try:
        return counts | {"multiply_adds": multiply_adds(model, channels, size)}
    except Exception as error:  # a figure of a table: no training is lost for the lack of it
        reason = f"not counted ({type(error).__name__}: {str(error)[:120]})"
        return counts | {"multiply_adds": None, "multiply_adds_reason": reason}


@torch.inference_mode()
def multiply_adds(model: nn.Module, channels: int, size: Size) -> int:
    """Multiply-adds, counted by running one black image through the model in evaluation mode."""
    was_training = model.training
    learning = [weight for weight in model.parameters() if weight.requires_grad]
    device = next(model.parameters()).device
    try:
        # The counter looks for the origin of each input with a gradient; a class token has none.
        for weight in learning:
            weight.requires_grad_(False)
        with FlopCounterMode(display=False) as counter:
            model.eval()(torch.zeros(1, channels, *height_width(size), device=device))
    finally:
        model.train(was_training)
        for weight in learning:
            weight.requires_grad_(True)
    return counter.get_total_flops() // 2


class Meter:
    """Resources that a run uses from now on, added to those of its earlier attempts.

    seconds: wall time; gpu_seconds: the same if the device is a GPU, else 0; peak_host_mb: peak
    memory of the process; peak_device_mb: peak memory of torch on the GPU; energy_joules: of the
    whole card by NVML (including other jobs on the card); None if NVML has no value.
    """

    def __init__(self, device: torch.device, before: dict[str, float | None]):
        self.device, self.before = device, before
        self.started, self.joules = time.perf_counter(), energy(device)

    def read(self) -> dict[str, float | None]:
        """The resources used so far."""
        gpu = self.device.type == "cuda"
        seconds = time.perf_counter() - self.started
        joules = energy(self.device)
        now = {"seconds": seconds, "gpu_seconds": seconds if gpu else 0.0}
        now["energy_joules"] = None if joules is None else joules - (self.joules or joules)
        peaks = {"peak_host_mb": peak_memory()}
        peaks["peak_device_mb"] = torch.cuda.max_memory_allocated(self.device) / 1e6 if gpu else 0.0
        found = {
            name: None if value is None else value + (self.before.get(name) or 0.0)
            for name, value in now.items()
        }
        return found | {name: max(mb, self.before.get(name) or 0.0) for name, mb in peaks.items()}


def peak_memory() -> float:
    """Peak memory of this process in MB; NaN if the system does not report it."""
    # Not getrusage: a child's figure begins with what its parent once used.
    try:
        status = Path("/proc/self/status").read_text("utf-8")
    except OSError:
        return float("nan")
    return int(status.split("VmHWM:")[1].split()[0]) / 1000


def energy(device: torch.device) -> float | None:
    """Joules that the card has used since its driver was loaded; None if NVML has no value."""
    if device.type != "cuda":
        return None
    try:
        import pynvml

        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByUUID(
            f"GPU-{torch.cuda.get_device_properties(device).uuid}"
        )
        return pynvml.nvmlDeviceGetTotalEnergyConsumption(handle) / 1000
    except Exception:  # no package, no NVML, or a card without a counter: each raises its own kind
        return None
