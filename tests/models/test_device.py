"""The device is the one that was allotted, or the reason why not; GPUs are shared by locks."""

import os
from argparse import Namespace
from types import SimpleNamespace

import pytest
import torch

from cxrgrid.config.cell import Cell
from cxrgrid.config.errors import UserError
from cxrgrid.io import locks
from cxrgrid.models import device

AXES = {"study": "s", "dataset": "d", "backbone": "b", "init": "i", "recipe": "r", "seed": 0}
ANY = Namespace(device="auto", cells_per_gpu=1)
SLURM = [*device.ALLOTTED, "SLURM_JOB_ID", "CUDA_VISIBLE_DEVICES"]


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine outside of Slurm, with a folder of its own for locks and no GPU."""
    tmp_path.chmod(0o1777)
    monkeypatch.setattr(locks, "SHARED", (tmp_path,))
    for name in SLURM:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    return monkeypatch


def gpus(monkeypatch, uuids, capability=(8, 0), current=None):
    """Pretend that torch sees these GPUs; returns the list that holds the current one's number."""
    at = [0] if current is None else current
    cuda, several = torch.cuda, isinstance(capability, list)
    capabilities = capability if several else [capability] * len(uuids)
    monkeypatch.setattr(cuda, "is_available", lambda: True)
    monkeypatch.setattr(cuda, "get_arch_list", lambda: ["sm_75", "sm_80", "compute_90"])
    monkeypatch.setattr(cuda, "get_device_capability", lambda number: capabilities[number])
    monkeypatch.setattr(cuda, "get_device_name", lambda number: f"GPU {number}")
    monkeypatch.setattr(cuda, "device_count", lambda: len(uuids))
    monkeypatch.setattr(
        cuda, "get_device_properties", lambda number: SimpleNamespace(uuid=uuids[number])
    )
    monkeypatch.setattr(cuda, "set_device", lambda number: at.__setitem__(0, number))
    monkeypatch.setattr(cuda, "current_device", lambda: at[0])
    return at


def test_without_a_gpu_the_cpu_is_used(machine):
    with device.own(ANY) as chosen:
        assert chosen == device.pick_device() == torch.device("cpu")


@pytest.mark.parametrize("name", [*device.ALLOTTED, "CUDA_VISIBLE_DEVICES"])
def test_a_gpu_that_slurm_allotted_and_torch_cannot_use_is_an_error(machine, name):
    machine.setenv("SLURM_JOB_ID", "7")
    machine.setenv(name, "0" if name != "SLURM_GPUS_ON_NODE" else "1")
    with pytest.raises(UserError, match=f"allotted to this job .{name}=.*docs/gpu.md"):
        device.choose("auto")
    assert device.choose("cpu") == "cpu"


@pytest.mark.parametrize("value", ["", "NoDevFiles"])
def test_a_slurm_job_without_a_gpu_computes_on_the_cpu(machine, value):
    machine.setenv("SLURM_JOB_ID", "7")
    machine.setenv("SLURM_GPUS_ON_NODE", "0")
    machine.setenv("CUDA_VISIBLE_DEVICES", value)
    assert device.choose("auto") == "cpu"


@pytest.mark.parametrize("asked", ["cuda", "mps", "xpu"])
def test_a_device_asked_for_by_name_is_used_or_refused(machine, asked):
    with pytest.raises(UserError, match=f"--device {asked}"):
        device.choose(asked)


@pytest.mark.parametrize(
    ("capability", "fits"),
    [((7, 0), False), ((7, 5), True), ((8, 6), True), ((6, 1), False), ((12, 0), True)],
)
def test_a_gpu_older_than_torch_is_built_for_is_named(machine, capability, fits):
    gpus(machine, ["a"], capability)
    assert (device.unusable() == "") == fits
    if not fits:
        assert f"capability {capability[0]}.{capability[1]}" in device.unusable()
        with pytest.raises(UserError, match="sm_75, sm_80"):
            device.choose("cuda")


def test_a_second_card_that_torch_has_no_code_for_is_left_alone(machine):
    at = gpus(machine, ["screen", "a", "b"], [(5, 0), (8, 0), (8, 0)])
    assert device.unusable() == ""
    held = [device.claim_gpu(1), device.claim_gpu(2)]
    assert at == [2] and all(held)
    machine.setattr(device.time, "sleep", lambda _: held.pop(0).close())
    assert device.claim_gpu(1) and at == [1]  # it waits, and does not take the first


def test_processes_of_one_machine_get_different_gpus(machine):
    at = gpus(machine, ["a", "b"])
    first = device.claim_gpu(1)
    assert at == [0]
    second = device.claim_gpu(1)
    assert at == [1]
    first.close()
    with device.own(ANY) as chosen:
        assert chosen == torch.device("cuda", 0)
    assert second


def test_one_gpu_without_slurm_is_not_taken_by_more_than_fit(machine, capsys):
    gpus(machine, ["a"])
    held = [device.claim_gpu(2), device.claim_gpu(2)]
    waits = []
    machine.setattr(device.time, "sleep", lambda _: (waits.append(1), held.pop().close()))
    assert device.claim_gpu(2)
    assert waits == [1]
    assert "waiting for the GPU" in capsys.readouterr().err


def test_within_an_allocation_of_several_gpus_each_gets_its_own_and_with_one_none_waits(machine):
    machine.setenv("SLURM_JOB_ID", "7")
    at = gpus(machine, ["a", "b"])
    held = [device.claim_gpu(1), device.claim_gpu(1)]
    assert at == [1] and all(held)
    gpus(machine, ["a"])
    assert device.claim_gpu(1) is None


def test_instances_of_a_divided_gpu_are_shared_before_cuda_starts(machine):
    machine.setenv("CUDA_VISIBLE_DEVICES", "MIG-1,MIG-2")
    first = device.claim_instance(1)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "MIG-1"
    machine.setenv("CUDA_VISIBLE_DEVICES", "MIG-1,MIG-2")
    second = device.claim_instance(1)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "MIG-2"
    assert first and second
    machine.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    assert device.claim_instance(1) is None


def test_instances_are_read_from_nvidia_smi(machine, tmp_path):
    tool = tmp_path / "nvidia-smi"
    tool.write_text(
        "#!/bin/sh\nif [ $1 != -L ]; then echo 'GPU-5, Enabled'; echo 'GPU-6, Disabled'; exit; fi\n"
        "echo 'GPU 0: NVIDIA A100 (UUID: GPU-5)'\n"
        "echo '  MIG 1g.5gb     Device  0: (UUID: MIG-7)'\n"
        "echo '  MIG 1g.5gb     Device  1: (UUID: MIG-8)'\n"
        "echo 'GPU 1: NVIDIA A100 (UUID: GPU-6)'\n"
    )
    tool.chmod(0o755)
    machine.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert device.divided(None) == ["MIG-7", "MIG-8", "GPU-6"]
    # One lock for one card, by whichever list it was found.
    assert device.claim_instance(1) and os.environ["CUDA_VISIBLE_DEVICES"] == "MIG-7"
    held = device.wait_for(["MIG-7", "MIG-8"], 1)
    assert held[0] == 0 and device.wait_for(["7", "8"], 1)[0] == 1


def test_bfloat16_is_automatic_only_where_a_gpu_has_it(machine):
    cpu, gpu = torch.device("cpu"), torch.device("cuda")
    machine.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: True)
    assert [device.bfloat16("auto", where) for where in (cpu, gpu)] == [False, True]
    machine.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: False)
    assert device.bfloat16("auto", gpu) is False
    assert device.bfloat16(True, cpu) is True and device.bfloat16(False, gpu) is False


def test_a_gpu_refuses_what_cannot_be_repeated_and_a_cpu_warns(machine):
    gpu = torch.device("cuda")
    before = torch.are_deterministic_algorithms_enabled()
    warned = torch.is_deterministic_algorithms_warn_only_enabled()
    precision = torch.backends.cuda.matmul.allow_tf32
    try:
        for deterministic in (True, False):
            device.prepare(Cell(**AXES, deterministic=deterministic), gpu)
            assert torch.are_deterministic_algorithms_enabled() == deterministic
            assert not torch.is_deterministic_algorithms_warn_only_enabled()
            assert torch.backends.cudnn.benchmark != deterministic
            assert not torch.utils.deterministic.fill_uninitialized_memory
            # As torch.compile reads them: it cannot where the two ways of setting are mixed.
            assert torch.backends.cuda.matmul.allow_tf32 and torch.backends.cudnn.allow_tf32
            assert torch.get_float32_matmul_precision() == "high"
        device.prepare(Cell(**AXES), torch.device("cpu"))
        assert torch.is_deterministic_algorithms_warn_only_enabled()
    finally:
        torch.use_deterministic_algorithms(before, warn_only=warned)
        torch.backends.cudnn.benchmark = False
        torch.backends.cuda.matmul.allow_tf32 = precision
