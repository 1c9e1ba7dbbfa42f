"""What a cell costs: parameters, multiply-adds, time, memory, energy."""

import time
from pathlib import Path

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


def of_model(model: nn.Module, channels: int, size: int) -> dict[str, int]:
    """Counts of weights, and multiply-adds for one image of [channels, size, size].

    parameters: all weights; trainable: those that learn; buffers: what is stored but not learnt,
    such as BatchNorm's running statistics. multiply_adds: of convolutions and matrix products, one
    multiplication with its addition counting once, as papers count (often under the name FLOPs).
    """
    weights = list(model.parameters())
    return {
        "parameters": sum(weight.numel() for weight in weights),
        "trainable": sum(weight.numel() for weight in weights if weight.requires_grad),
        "buffers": sum(buffer.numel() for buffer in model.state_dict().values())
        - sum(weight.numel() for weight in weights),
        "multiply_adds": multiply_adds(model, channels, size),
    }


@torch.inference_mode()
def multiply_adds(model: nn.Module, channels: int, size: int) -> int:
    """By running one black image through the model as it is for prediction."""
    was_training = model.training
    device = next(model.parameters()).device
    with FlopCounterMode(display=False) as counter:
        model.eval()(torch.zeros(1, channels, size, size, device=device))
    model.train(was_training)
    return counter.get_total_flops() // 2


class Meter:
    """What a run uses, from when this is made, added to what it had used before it was stopped.

    seconds: wall time; gpu_seconds: the same where the device is a GPU, else 0; peak_host_mb: most
    memory of the process; peak_device_mb: most that torch held on the GPU; energy_joules: of the
    whole card, as NVML counts it (other jobs on the card count too); None where it does not.
    """

    def __init__(self, device: torch.device, before: dict[str, float | None]):
        self.device, self.before = device, before
        self.started, self.joules = time.perf_counter(), energy(device)

    def read(self) -> dict[str, float | None]:
        """All of it, so far."""
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
    """Most memory that this process has held, in MB; NaN where the system does not tell."""
    # Not getrusage: a child's figure begins with what its parent once used.
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return float("nan")
    return int(status.split("VmHWM:")[1].split()[0]) / 1000


def energy(device: torch.device) -> float | None:
    """Joules that the card has used since its driver was loaded; None where NVML does not tell."""
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
