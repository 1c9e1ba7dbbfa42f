"""The device to compute on: chosen and claimed once per process, and how it computes.

A GPU that was allotted to the process and cannot be used ends it, with the reason: a training that
runs on the CPU instead would take days and say nothing. Trainings that run side by side on one
machine share its GPUs by locks, which other users' processes see too. Under Slurm with one GPU
there is nothing to share: Slurm has chosen.

CUDA, XPU (Intel) and MPS (Apple) are the devices of torch; ROCm's GPUs are torch's `cuda`.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import torch

from cxrgrid.config.cell import Cell
from cxrgrid.config.errors import UserError
from cxrgrid.io import locks

KINDS = ("auto", "cuda", "cpu", "mps", "xpu")
MIG = re.compile(r"\(UUID: (MIG-[^)]+)\)")  # an instance of a divided GPU, in `nvidia-smi -L`
WHOLE = re.compile(r"^(GPU-\S+), (?!Enabled)", re.MULTILINE)  # of GPUs by their mode of MIG
ALLOTTED = ("SLURM_JOB_GPUS", "SLURM_STEP_GPUS", "SLURM_GPUS_ON_NODE")
WHEELS = "docs/gpu.md says which torch fits which driver and GPU"
_owned: list[torch.device] = []  # the device that this process has chosen, if it has


def add_device(parser: ArgumentParser) -> None:
    """Add the flags that say where to compute: --device and --cells-per-gpu."""
    parser.add_argument(
        "--device",
        choices=KINDS,
        default="auto",
        help="auto: a CUDA GPU if there is one, else the CPU; mps and xpu only where named",
    )
    parser.add_argument(
        "--cells-per-gpu",
        type=int,
        default=1,
        help="processes of one machine that share a GPU at a time; the others wait (1)",
    )


@contextmanager
def own(args: Namespace) -> Iterator[torch.device]:
    """Choose the device of this process and hold it; args: those of `add_device`.

    `UserError` if the device that is asked for, or was allotted, cannot be used.
    """
    held, slots = None, max(1, args.cells_per_gpu)
    if args.device in ("auto", "cuda"):
        held = claim_instance(slots)  # before CUDA's first call, which reads the environment
    kind = choose(args.device)
    if kind == "cuda" and not held:
        held = claim_gpu(slots)
    number = torch.cuda.current_device() if kind == "cuda" else None
    _owned.append(torch.device(kind, number))
    try:
        yield _owned[-1]
    finally:
        _owned.pop()
        if held:
            held.close()


def pick_device() -> torch.device:
    """The device that this process holds; without `own` that of `auto`, shared."""
    return _owned[-1] if _owned else torch.device(choose("auto"))


# ------------------------------------------------------------------ which one


def choose(asked: str) -> str:
    """Kind of the device: `cuda`, `cpu`, `mps` or `xpu`. `UserError` if it cannot be used."""
    if asked in ("mps", "xpu"):
        part = torch.backends.mps if asked == "mps" else torch.xpu
        if not part.is_available():
            raise UserError(f"--device {asked}: this torch or this machine has none; {WHEELS}")
        return asked
    if asked == "cpu":
        return "cpu"
    reason = unusable()
    if not reason:
        return "cuda"
    if asked == "cuda":
        raise UserError(f"--device cuda: {reason}; {WHEELS}")
    if given := allotted(dict(os.environ)):
        raise UserError(
            f"a GPU was allotted to this job ({given}), but {reason}; {WHEELS}, or ask for "
            "no GPU and set device: cpu"
        )
    if Path("/dev/nvidiactl").exists():
        print(f"warning: on the CPU: {reason}; {WHEELS}", file=sys.stderr, flush=True)
    return "cpu"


def unusable() -> str:
    """Reason why torch cannot compute on a CUDA GPU, in one line; empty if it can."""
    if not torch.cuda.is_available():
        if not (torch.version.cuda or torch.version.hip):
            return f"torch {torch.__version__} is built for the CPU alone"
        try:
            torch.cuda.init()
        except (RuntimeError, AssertionError) as error:
            return str(error).split(". ")[0].splitlines()[0].rstrip(".")
        return "torch sees no GPU (CUDA_VISIBLE_DEVICES may be empty)"
    reasons = [misfit(number) for number in range(torch.cuda.device_count())]
    return "" if "" in reasons else reasons[0]


def misfit(number: int) -> str:
    """Reason why torch has no code for a GPU, by its number; empty if it has."""
    built = torch.cuda.get_arch_list()
    found = torch.cuda.get_device_capability(number)
    if torch.version.hip or any(runs(name, found) for name in built):
        return ""
    return (
        f"the {torch.cuda.get_device_name(number)} has compute capability {found[0]}.{found[1]}, "
        f"and torch {torch.__version__} is built for {', '.join(built)}"
    )


def runs(built: str, capability: tuple[int, int]) -> bool:
    """True if code for `built` (sm_80: this major version; compute_80: any later) runs there."""
    form, _, digits = built.partition("_")
    major, minor = int(re.sub(r"\D", "", digits)[:-1]), int(re.sub(r"\D", "", digits)[-1])
    if form == "compute":
        return (major, minor) <= capability
    return major == capability[0] and minor <= capability[1]


def allotted(environment: dict[str, str]) -> str:
    """The variable by which a GPU was given to this Slurm job, with its value; empty if none."""
    if "SLURM_JOB_ID" not in environment:
        return ""
    names = [name for name in (*ALLOTTED, "CUDA_VISIBLE_DEVICES") if usable(environment.get(name))]
    if environment.get("SLURM_GPUS_ON_NODE") == "0":  # the others are numbers of GPUs
        names.remove("SLURM_GPUS_ON_NODE")
    return f"{names[0]}={environment[names[0]]}" if names else ""


def usable(value: str | None) -> bool:
    """True if a variable's value names or counts a GPU."""
    return value not in (None, "", "NoDevFiles", "-1", "none", "void")


# ------------------------------------------------------------------ one of several


def claim_instance(slots: int) -> IO[bytes] | None:
    """Lock one of several MIG instances, the only one that CUDA then sees; None without any."""
    instances = divided(os.environ.get("CUDA_VISIBLE_DEVICES"))
    if not instances or chosen_by_slurm(len(instances)):
        return None
    number, held = wait_for(instances, slots)
    os.environ["CUDA_VISIBLE_DEVICES"] = instances[number]
    return held


def claim_gpu(slots: int) -> IO[bytes] | None:
    """Lock one of the process's GPUs and make it current; None where there is nothing to share."""
    count = torch.cuda.device_count()
    if chosen_by_slurm(count):
        return None
    # By the UUIDs of CUDA's own list, whose numbers differ between containers. A second card may be
    # too old for torch, as one for the screen alone.
    numbers = [number for number in range(count) if not misfit(number)]
    names = [str(torch.cuda.get_device_properties(number).uuid) for number in numbers]
    at, held = wait_for(names, slots)
    torch.cuda.set_device(numbers[at])
    return held


def chosen_by_slurm(count: int) -> bool:
    """True if this is a Slurm job with one GPU, which others may share if Slurm says so."""
    return "SLURM_JOB_ID" in os.environ and count < 2


def divided(visible: str | None) -> list[str]:
    """UUIDs of the MIG instances that this process may use, and of the GPUs beside them.

    Empty where no GPU is divided. visible: the value of CUDA_VISIBLE_DEVICES.
    """
    if visible is not None:
        return visible.split(",") if "MIG-" in visible else []
    instances = MIG.findall(nvidia_smi("-L"))
    if not instances:
        return []
    modes = nvidia_smi("--query-gpu=uuid,mig.mode.current", "--format=csv,noheader")
    return instances + WHOLE.findall(modes)


def nvidia_smi(*words: str) -> str:
    """Answer of NVIDIA's tool; empty without it."""
    if not shutil.which("nvidia-smi"):
        return ""
    with suppress(OSError, subprocess.SubprocessError):
        call = ["nvidia-smi", *words]
        return subprocess.run(call, capture_output=True, text=True, timeout=30).stdout
    return ""


def wait_for(names: list[str], slots: int) -> tuple[int, IO[bytes]]:
    """Number of the first GPU with a free slot, and its lock; waits until there is one.

    slots: processes that may share a GPU.
    """
    said = False
    while True:
        for slot in range(slots):
            for number, name in enumerate(names):
                uuid = re.sub("^(GPU|MIG)-", "", name)  # CUDA's own list has them without it
                if held := locks.hold_for_all(f"gpu-{uuid}-{slot}".replace("/", "-")):
                    return number, held
        if not said:
            many = "the GPU" if len(names) == 1 else f"one of the {len(names)} GPUs"
            print(f"waiting for {many} of this machine", file=sys.stderr, flush=True)
        said = True
        time.sleep(1)


# ------------------------------------------------------------------ how it computes


def prepare(cell: Cell, device: torch.device) -> None:
    """Set how torch computes in this process: the cell's determinism, and TF32 on a GPU.

    With `deterministic`, operations without a deterministic implementation on a GPU raise
    RuntimeError, and attention takes its deterministic backward pass; with warnings alone, as on a
    CPU, whose kernels are deterministic anyway, it would not.
    """
    torch.utils.deterministic.fill_uninitialized_memory = False  # 945 of 1,574 launches of a step
    gpu = device.type == "cuda"
    torch.use_deterministic_algorithms(cell.deterministic or not gpu, warn_only=not gpu)
    if gpu:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # else cuBLAS is refused
        torch.backends.cudnn.benchmark = not cell.deterministic
        # Not by `fp32_precision`: after it torch.compile cannot read `allow_tf32`, and some does.
        torch.backends.cuda.matmul.allow_tf32 = True
        torch.backends.cudnn.allow_tf32 = True


def seed(device: torch.device, number: int) -> None:
    """Seed the device's generator: torch.manual_seed takes a millisecond, for all devices."""
    torch.default_generator.manual_seed(number)
    if device.type in ("cuda", "mps", "xpu"):
        torch.get_device_module(device).manual_seed(number)


def bfloat16(amp: bool | str, device: torch.device) -> bool:
    """True if a cell computes in bfloat16 here; amp: its setting, `auto`: from capability 8.0."""
    if amp != "auto":
        return bool(amp)
    return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)


def used(cell: Cell, device: torch.device) -> dict:
    """Facts of how a cell computes on a device."""
    gpu = device.type == "cuda"
    return {
        "device": device.type,
        "bfloat16": bfloat16(cell.amp, device),
        "tf32": gpu,
        "deterministic": cell.deterministic or device.type == "cpu",
    }
