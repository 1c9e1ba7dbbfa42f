"""A real GPU: the bits, the ways of feeding it, what a cell is said to have cost, and sharing.

`CXRGRID_TEST_DEVICE=cpu pytest tests/gpu` tries these tests themselves where there is no GPU.
"""

import os
import subprocess
import sys
import time

import msgspec
import numpy as np
import pytest
import torch

from cxrgrid.data import loader
from cxrgrid.io.parquet import read_parquet
from cxrgrid.training import checkpoint, cost
from test_train import answers, make_cell, make_data, run

DEVICE = os.environ.get("CXRGRID_TEST_DEVICE", "cuda")
pytestmark = pytest.mark.skipif(
    DEVICE == "cuda" and not torch.cuda.is_available(), reason="no GPU that torch can use"
)
SETTINGS = [
    {"rotate": 10, "noise": 0.1, "ema_decay": 0.9},
    {"backbone": "test_vit", "optimizer": "adamw", "mixup": 0.4},
    {"channels_last": True, "amp": "auto", "dropout": 0.2},
]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_data(tmp_path_factory.mktemp("data"))


def trained(cell, data, out, *more):
    """All bits of a training on the device."""
    return answers(run(cell, data, out, "--device", DEVICE, *more))


@pytest.mark.parametrize("settings", SETTINGS, ids=[str(sorted(each)) for each in SETTINGS])
def test_the_same_cell_gives_the_same_bits_also_after_a_stop(tmp_path, data, monkeypatch, settings):
    cell = make_cell(**settings)
    whole = trained(cell, data, tmp_path / "whole")
    assert trained(cell, data, tmp_path / "again") == whole
    real = checkpoint.Checkpointer.after_step

    def die(self, loss):
        real(self, loss)
        if self.run.epoch == 2:
            self.save()
            raise RuntimeError("died")

    with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="died"):
        patch.setattr(checkpoint.Checkpointer, "after_step", die)
        trained(cell, data, tmp_path / "stopped")
    assert trained(cell, data, tmp_path / "stopped") == whole


def test_images_give_the_same_bits_however_they_reach_the_device(tmp_path, data, monkeypatch):
    found = set()
    for way in ("resident", "prefetch", "gather"):
        monkeypatch.setattr(loader, "choose", lambda *_, way=way: way)
        found.add(trained(make_cell(), data, tmp_path / way))
    assert len(found) == 1


def test_a_cell_says_what_it_used(tmp_path, data):
    out = run(make_cell(), data, tmp_path, "--device", DEVICE)
    _, facts = read_parquet(out / "history.parquet")
    assert facts["device"] == DEVICE
    if DEVICE == "cuda":
        assert facts["hardware"] == torch.cuda.get_device_name() and facts["tf32"]
        assert 0 < facts["cost"]["peak_device_mb"] < torch.cuda.mem_get_info()[1] / 1e6
        assert 0 < facts["cost"]["gpu_seconds"] <= facts["cost"]["seconds"] + 1
        if (joules := cost.energy(torch.device("cuda"))) is None:
            pytest.skip("NVML has no energy counter of this card")
        assert joules > 0 and facts["cost"]["energy_joules"] >= 0


@pytest.mark.parametrize("parts", [1, 2])
@pytest.mark.parametrize("how", [True, "reduce-overhead"])
def test_a_compiled_network_answers_as_one_that_is_not(tmp_path, data, monkeypatch, how, parts):
    if DEVICE == "cpu":  # there it takes minutes, and has no graphs
        real = torch.compile
        monkeypatch.setattr(torch, "compile", lambda model, mode: real(model, backend="eager"))
    settings = {"backbone": "test_vit", "amp": False, "epochs": 1, "accumulate": parts}
    found = []
    for name, more in (("plain", {}), ("compiled", {"compile": how})):
        out = run(make_cell(**settings, **more), data, tmp_path / name, "--device", DEVICE)
        found.append(read_parquet(out / "predictions/toy.parquet")[0].to_pandas().filter(like="p:"))
    np.testing.assert_allclose(*found, atol=0.02)


@pytest.mark.parametrize("cells_per_gpu", [1, 2])
def test_processes_share_the_card_and_give_the_bits_of_running_alone(tmp_path, data, cells_per_gpu):
    alone = trained(make_cell(), data, tmp_path / "alone")
    started = []
    for at in range(3):
        command = [sys.executable, "-m", "cxrgrid.train", msgspec.json.encode(make_cell()).decode()]
        command += ["--data", str(data), "--out", str(tmp_path / str(at)), "--device", DEVICE]
        command += ["--cells-per-gpu", str(cells_per_gpu)]
        started.append(subprocess.Popen(command, stderr=subprocess.PIPE))
        time.sleep(0.1)
    for at, process in enumerate(started):
        _, said = process.communicate(timeout=600)
        assert process.returncode == 0, said
        assert answers(tmp_path / str(at)) == alone
