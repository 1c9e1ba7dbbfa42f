"""On a device a step reads no value back, copies without waiting, and mixes no devices.

The real step runs on torch's `meta` device, which has shapes and no values, under a mode that sees
every operation: so this holds without a GPU.
"""

from contextlib import nullcontext
from itertools import cycle

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

from cxrgrid import find_lr, models, predict
from cxrgrid.data.loader import Feed
from cxrgrid.data.split_arrays import Split
from cxrgrid.inference import embedding, heat_layer, occlusion
from cxrgrid.training import augment as augmentation
from cxrgrid.training import step as steps
from cxrgrid.training.augment import POLICIES, augment, mix
from cxrgrid.training.loss import make_loss
from test_train import make_cell

META = torch.device("meta")
N, LABELS = 6, 3
EVERYTHING = {"hflip": True, "rotate": 5, "shear": 3, "shift": 0.1, "scale": 0.1, "crop": 0.8}
EVERYTHING |= {"brightness": 0.1, "contrast": 0.1, "sharpness": 0.2, "autocontrast": 0.5}
EVERYTHING |= {"noise": 0.1, "erasing": 0.5, "mixup": 0.4, "clip_grad": 1.0, "ema_decay": 0.9}
TO = ("aten::_to_copy", "aten::to")  # in inference mode the latter


class Held(TorchDispatchMode):
    """Refuses what would make a GPU wait; `reads` counts whole tensors that go back to the host."""

    def __init__(self):
        super().__init__()
        self.reads = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs, name = kwargs or {}, func.name().split(".")[0]
        tensors = [value for value in tree_flatten((args, kwargs))[0] if torch.is_tensor(value)]
        there = [value for value in tensors if value.device == META]
        here = [value for value in tensors if value.device != META and value.dim()]
        if there and name == "aten::_local_scalar_dense":
            raise AssertionError("a value is read")
        if name in TO and there and str(kwargs.get("device")) == "cpu":
            self.reads += 1
            return torch.zeros(there[0].shape, dtype=there[0].dtype)
        # torch.tensor(values, device=…) shows what it has copied, and not the copy.
        assert not (there and name == "aten::lift_fresh"), "torch.tensor waits for its copy"
        upload = name in TO and kwargs.get("device") == META and not there
        if upload or (name == "aten::copy_" and there and here):
            assert kwargs.get("non_blocking"), f"{name} waits for its copy"
        elif there and here:
            raise AssertionError(f"{name} mixes devices")
        return func(*args, **kwargs)


def make_split() -> Split:
    """A split of N images in memory."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, (N, LABELS)).astype(np.float32)
    names = [f"{number}.png" for number in range(N)]
    pixels = rng.integers(0, 255, (N, 32, 32)).astype(np.uint8)
    return Split(pixels, np.arange(N), labels, names, names)


def on_meta(monkeypatch) -> None:
    """Let what the meta device lacks pass."""
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())
    host = torch.Generator
    monkeypatch.setattr(torch, "Generator", lambda device="cpu": host())


def make_step(monkeypatch, **settings) -> steps.Step:
    """The real step, on the meta device, after its first call, which fills the optimiser."""
    on_meta(monkeypatch)
    cell = make_cell(**settings)
    split = make_split()
    loss = make_loss(cell, "multilabel", split.labels, META)
    made = steps.Step(steps.make_run(cell, LABELS, 32, META), cell, loss, "multilabel")
    models.set_trainable(made.run.model, cell, 1)
    return made


def take(made: steps.Step, way: str) -> Held:
    """The mode, after an epoch of two batches under it."""
    feed, rng = Feed(make_split(), META, way), np.random.default_rng(0)
    with Held() as held:
        for images, labels in feed([np.arange(0, 3), np.arange(3, 6)]):
            seen = augment(images.float() / 255, made.cell, rng)
            made(*mix(seen, labels, made.cell, rng))
    return held


@pytest.mark.parametrize("way", ["gather", "resident"])
@pytest.mark.parametrize("settings", [{}, EVERYTHING, {"accumulate": 2, "loss": "focal"}])
def test_a_step_never_waits_for_the_device(monkeypatch, way, settings):
    assert take(make_step(monkeypatch, **settings), way).reads == 0


@pytest.mark.parametrize("loss", ["asymmetric", "bce"])
def test_no_loss_waits_for_the_device(monkeypatch, loss):
    made = make_step(monkeypatch, loss=loss, pos_weight=True, label_smoothing=0.1)
    assert take(made, "gather").reads == 0


def test_validation_and_prediction_wait_once(monkeypatch):
    made = make_step(monkeypatch, **EVERYTHING)
    for change in ({}, {"change": predict.augmented(made.cell, 1)}):
        with Held() as held:
            assert models.logits(made.run.eval_model, make_split(), 2, **change).shape == (
                N,
                LABELS,
            )
        assert held.reads == 1


@pytest.mark.parametrize("policy", ["randaugment", "trivialaugment", "augmix"])
def test_no_operation_of_a_policy_waits_for_the_device(monkeypatch, policy):
    """Torchvision's own would, for each matrix; and all chance follows from the image's seed."""
    from torchvision.transforms import v2

    kind, seeded = getattr(v2, POLICIES[policy]), []
    space = kind._AUGMENTATION_SPACE
    chosen = cycle(space)
    monkeypatch.setattr(kind, "_get_random_item", lambda *_: (name := next(chosen), space[name]))
    monkeypatch.setattr(torch, "_sample_dirichlet", torch.rand_like)  # meta has none
    monkeypatch.setattr(augmentation, "seed", lambda device, number: seeded.append(device))
    with Held() as held:
        for _ in range(3):
            images = torch.zeros(N, 1, 32, 32, device=META)
            augment(images, make_cell(policy=policy), np.random.default_rng(0))
    assert next(chosen) and seeded == [META] * 3 * N and held.reads == 0


def test_find_lr_looks_at_its_losses_each_tenth_step(monkeypatch):
    on_meta(monkeypatch)
    run, read, real = steps.make_run(make_cell(), LABELS, 32, META), [], torch.Tensor.tolist
    monkeypatch.setattr(find_lr, "pick_device", lambda: META)
    monkeypatch.setattr(find_lr, "make_run", lambda *_: run)

    def values(self: torch.Tensor) -> list:
        if self.device != META:
            return real(self)
        read.append(len(self))
        return [1.0] * len(self)

    monkeypatch.setattr(torch.Tensor, "tolist", values)
    facts = {"labels": ["A", "B", "C"], "task": "multilabel"}
    with Held() as held:
        losses = find_lr.range_test(make_cell(batch_size=3), make_split(), facts, np.ones(12))
    assert len(losses) == 12 and read == [10, 2] and held.reads == 0


@pytest.mark.parametrize("backbone", ["test_resnet", "test_vit"])
def test_explaining_waits_for_whole_results_alone(monkeypatch, backbone):
    """A map and its gradient a batch, an occlusion of all tiles, the features of all images."""
    model, split = make_step(monkeypatch, backbone=backbone).run.eval_model, make_split()
    for parameter in model.parameters():
        parameter.requires_grad_(True)
    pixels, asked = split.pixels[split.rows], np.arange(N) % LABELS
    monkeypatch.setattr(occlusion, "TILES", 2)
    layer = next(heat_layer.layers(model, heat_layer.stages(model), 32))
    with Held() as held:
        maps, gradients = heat_layer.map_and_gradient(model, layer, pixels, asked)
    assert maps.shape == gradients.shape and held.reads == 2
    with Held() as held:
        assert occlusion.heat(model, pixels, asked).shape == pixels.shape
    assert held.reads == 1
    with Held() as held:
        assert len(embedding.features(model, split, np.arange(N), 2)) == N
    assert held.reads == 1


def test_what_would_wait_is_caught_in_explaining_too(monkeypatch):
    model, split = make_step(monkeypatch).run.eval_model, make_split()
    layer = next(heat_layer.layers(model, heat_layer.stages(model), 32))
    monkeypatch.setattr(heat_layer, "send", lambda values, device: values.to(device))
    with pytest.raises(AssertionError, match="waits for its copy"), Held():
        heat_layer.map_and_gradient(model, layer, split.pixels, np.zeros(N, int))


@pytest.mark.parametrize(
    ("plant", "words"),
    [
        (lambda value: value.item(), "a value is read"),
        (lambda value: value + torch.ones(3), "mixes devices"),
        (lambda value: torch.ones(3).to(META), "waits for its copy"),
        (lambda value: torch.tensor([1.0], device=META), "torch.tensor waits for its copy"),
    ],
)
def test_what_would_wait_is_caught(monkeypatch, plant, words):
    made = make_step(monkeypatch)
    made.update.append(lambda: plant(made.run.losses.new_zeros((), device=META)))
    with pytest.raises(AssertionError, match=words):
        take(made, "gather")
