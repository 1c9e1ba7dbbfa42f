"""A step in parts is the step; memory that runs out changes the parts and nothing else."""

import numpy as np
import pytest
import torch
from torch import nn

from cxrgrid import models, train
from cxrgrid.config.errors import UserError
from cxrgrid.io.parquet import read_parquet
from cxrgrid.training.loss import make_loss
from cxrgrid.training.step import Step, chance, is_short
from test_train import answers, make_cell, make_data, run

CPU = torch.device("cpu")
LABELS = np.array([[1, 0], [0, np.nan], [np.nan, np.nan], [0, np.nan], [1, 1], [0, 0], [1, 0]])
IMAGES = torch.rand(7, 1, 32, 32, generator=torch.Generator().manual_seed(0))


def make_step(task: str = "multilabel", labels: np.ndarray = LABELS, **settings) -> Step:
    """A step of a backbone without BatchNorm."""
    cell = make_cell(**{"backbone": "test_vit", **settings})
    loss = make_loss(cell, task, labels.astype(np.float32), CPU)
    return Step(train.make_run(cell, labels.shape[1], 32, CPU), cell, loss)


def gradient(labels: np.ndarray = LABELS, **settings) -> torch.Tensor:
    """The loss and, behind it, all gradients of a step."""
    step = make_step(labels=labels, **settings)
    step.run.model.train()
    value = step.gradient(IMAGES, torch.from_numpy(labels.astype(np.float32)))
    grads = [parameter.grad.flatten() for parameter in step.run.model.parameters()]
    return torch.cat([value.view(1), *grads])


@pytest.mark.parametrize("parts", [2, 3, 7, 50])
def test_parts_add_up_to_the_batch_where_labels_are_unknown(parts):
    whole = gradient(pos_weight=True)
    assert whole[1:].norm() > 0.01
    assert torch.allclose(gradient(pos_weight=True, accumulate=parts), whole, atol=1e-6)


@pytest.mark.parametrize("parts", [2, 3, 7])
def test_parts_add_up_to_the_batch_where_classes_are_weighted(parts):
    options = {"task": "multiclass", "labels": np.eye(3)[[0, 1, 1, 1, 2, 0, 1]]}
    options["class_weight"] = True
    assert torch.allclose(gradient(accumulate=parts, **options), gradient(**options), atol=1e-6)


def test_clipping_bounds_the_norm_of_the_gradient():
    settings = {"optimizer": "momentum", "momentum": 0, "weight_decay": 0, "lr": 1.0}
    step = make_step(clip_grad=0.01, **settings)
    before = nn.utils.parameters_to_vector(step.run.model.parameters()).detach().clone()
    step(IMAGES, torch.from_numpy(LABELS.astype(np.float32)))
    after = nn.utils.parameters_to_vector(step.run.model.parameters()).detach()
    assert (after - before).norm().item() == pytest.approx(0.01, rel=1e-3)


def test_the_average_is_the_moving_average_of_the_weights():
    step = make_step(ema_decay=0.75)
    labels = torch.from_numpy(LABELS.astype(np.float32))
    expected = {name: value.clone() for name, value in step.run.model.state_dict().items()}
    for _ in range(3):
        step(IMAGES, labels)
        for name, value in step.run.model.state_dict().items():
            expected[name] = 0.75 * expected[name] + 0.25 * value
    for name, value in step.run.eval_model.state_dict().items():
        assert torch.allclose(value, expected[name], atol=1e-6), name
    assert not torch.equal(
        *(next(model.parameters()) for model in (step.run.model, step.run.eval_model))
    )


@pytest.fixture
def small_memory(monkeypatch):
    """No memory for more than two images of a training step at once, after a whole forward pass.

    The allocation that fails is a real one: a petabyte.
    """
    build = models.build

    def grow(model, _, answers):
        if model.training and len(answers) > 2:
            torch.empty(1 << 50, dtype=torch.uint8)

    def tight(*arguments):
        model = build(*arguments)
        model.register_forward_hook(grow)
        return model

    monkeypatch.setattr(models, "build", tight)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_data(tmp_path_factory.mktemp("data"), masked=True)


def test_out_of_memory_is_one_line_with_the_remedy(tmp_path, data, small_memory):
    with pytest.raises(UserError, match="out of memory in epoch 1, step 1.*batch_size") as error:
        run(make_cell(), data, tmp_path)
    assert "on_oom: accumulate" in str(error.value)
    assert "\n" not in str(error.value)


def test_out_of_memory_continues_in_parts_as_if_it_had_begun_so(
    tmp_path, data, small_memory, capfd
):
    """Also BatchNorm: what the passes that failed had counted is taken back."""
    settings = {"dropout": 0.2, "rotate": 10}
    planned = run(make_cell(accumulate=4, **settings), data, tmp_path / "a")
    found = run(make_cell(on_oom="accumulate", **settings), data, tmp_path / "b")
    assert answers(planned) == answers(found)
    _, facts = read_parquet(found / "history.parquet")
    assert facts["parts"] == 4
    assert "epoch 1, step 1: out of memory; from here in 4 parts" in capfd.readouterr().err


def test_parts_take_no_cuda_graphs_whose_gradients_would_be_written_over(monkeypatch):
    taken = []
    monkeypatch.setattr(torch, "compile", lambda model, mode: taken.append(mode) or model)
    make_step(compile="reduce-overhead", on_oom="accumulate").divide(7)
    make_step(compile="reduce-overhead", accumulate=2)
    assert taken == ["reduce-overhead", None, None]


def test_a_single_image_that_does_not_fit_ends_the_run(tmp_path, data, monkeypatch):
    def never(*_):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")

    monkeypatch.setattr(Step, "backward", never)
    with pytest.raises(
        UserError, match="step 1, with two images, which batch norms need, at a time"
    ):
        run(make_cell(on_oom="accumulate"), data, tmp_path)


def test_memory_that_runs_out_elsewhere_is_one_line_too(tmp_path, data, monkeypatch):
    monkeypatch.setattr(train, "validate", lambda *_: torch.empty(1 << 50, dtype=torch.uint8))
    with pytest.raises(UserError, match="out of memory .*smaller batch_size") as error:
        run(make_cell(), data, tmp_path)
    assert "\n" not in str(error.value)


def test_other_errors_are_not_mistaken_for_it():
    assert is_short(MemoryError())
    assert is_short(RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"))
    assert not is_short(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


def test_chance_differs_between_steps_and_from_the_order_of_the_epoch():
    triples = [(seed, epoch, step) for seed in range(3) for epoch in (1, 2) for step in (1, 2)]
    pairs = [(seed, epoch) for seed in range(3) for epoch in (1, 2)]
    seeds = {chance(*numbers) for numbers in [*triples, *pairs]}
    assert len(seeds) == len(triples) + len(pairs)
