"""Costs agree with counts by hand and published numbers."""

import subprocess
import sys
import time

import pytest
import timm
import torch
from torch import nn
from torchvision import models

from cxrgrid.training import cost

CPU = torch.device("cpu")


def test_multiply_adds_of_a_convolution_and_a_linear_layer_by_hand():
    model = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.Flatten(), nn.Linear(8 * 16 * 16, 5))
    wanted = 16 * 16 * 8 * 3 * 9 + 8 * 16 * 16 * 5
    assert cost.multiply_adds(model, 3, 16) == wanted


def test_grouped_convolutions_count_what_they_do():
    model = nn.Conv2d(8, 8, 3, padding=1, groups=8)
    assert cost.multiply_adds(model, 8, 16) == 16 * 16 * 8 * 9


@pytest.mark.parametrize(
    ("name", "weights"),
    [
        ("resnet18", models.ResNet18_Weights.DEFAULT),
        ("densenet121", models.DenseNet121_Weights.DEFAULT),
        ("mobilenetv3_large_100", models.MobileNet_V3_Large_Weights.DEFAULT),
        ("vit_base_patch16_224", models.ViT_B_16_Weights.DEFAULT),
    ],
)
def test_counts_are_those_that_torchvision_publishes(name, weights):
    with torch.device("meta"):
        model = timm.create_model(name)
    found = cost.of_model(model, 3, 224)
    assert found["multiply_adds"] / 1e9 == pytest.approx(weights.meta["_ops"], rel=0.003)
    assert found["parameters"] == weights.meta["num_params"]


@pytest.mark.parametrize(
    ("name", "layers"), [("resnet18", 17 + 3 + 1), ("vit_tiny_patch16_224", 50)]
)
def test_layers_are_those_with_products(name, layers):
    """ResNet-18: 17 convolutions, 3 on shortcuts, a classifier; ViT: 4 per block and both ends."""
    with torch.device("meta"):
        model = timm.create_model(name)
    assert sum(isinstance(part, cost.WEIGHTED) for part in model.modules()) == layers
    attention = nn.MultiheadAttention(8, 2)
    assert sum(isinstance(part, cost.WEIGHTED) for part in attention.modules()) == 2


def test_buffers_are_counted_apart_and_frozen_weights_are_not_trainable():
    model = nn.Sequential(nn.Conv2d(1, 4, 3, bias=False), nn.BatchNorm2d(4))
    model[0].requires_grad_(False)
    found = cost.of_model(model, 1, 8)
    assert found["parameters"] == 4 * 9 + 8
    assert found["trainable"] == 8
    assert found["buffers"] == 4 + 4 + 1  # running mean, running variance, number of batches


def test_counting_changes_nothing_in_the_model():
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4)).train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    random = torch.get_rng_state()
    cost.of_model(model, 1, 8)
    assert model.training
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_what_a_stopped_run_had_used_is_added():
    meter = cost.Meter(CPU, {"seconds": 100.0, "gpu_seconds": 90.0, "peak_host_mb": 1e9})
    time.sleep(0.01)
    found = meter.read()
    assert 100.01 <= found["seconds"] < 101
    assert found["gpu_seconds"] == 90.0  # none on a CPU
    assert found["peak_host_mb"] == 1e9
    assert found["energy_joules"] is None


def test_peak_memory_sees_what_was_held_and_let_go():
    # In a process of its own: in this one other tests may have held more before.
    code = """
from cxrgrid.training.cost import peak_memory
before = peak_memory()
held = bytearray(b"1") * 400_000_000
del held
print(peak_memory() - before)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 380 < float(run.stdout) < 450
