"""On a device a step reads no value back, copies without waiting, and mixes no devices.

The real step runs on torch's `meta` device, which has shapes and no values, under a mode that sees
every operation: so this holds without a GPU.
"""

from contextlib import nullcontext

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

from cxrgrid import models, predict
from cxrgrid.data.loader import Feed
from cxrgrid.data.split_arrays import Split
from cxrgrid.training import step as steps
from cxrgrid.training.augment import augment, mix
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


def make_step(monkeypatch, **settings) -> steps.Step:
    """The real step, on the meta device, after its first call, which fills the optimiser."""
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())
    host = torch.Generator
    monkeypatch.setattr(torch, "Generator", lambda device="cpu": host())  # meta has none
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


@pytest.mark.parametrize(
    ("plant", "words"),
    [
        (lambda value: value.item(), "a value is read"),
        (lambda value: value + torch.ones(3), "mixes devices"),
        (lambda value: torch.ones(3).to(META), "waits for its copy"),
    ],
)
def test_what_would_wait_is_caught(monkeypatch, plant, words):
    made = make_step(monkeypatch)
    made.update.append(lambda: plant(made.run.losses.new_zeros((), device=META)))
    with pytest.raises(AssertionError, match=words):
        take(made, "gather")
