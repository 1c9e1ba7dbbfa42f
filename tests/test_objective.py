"""Loss, optimiser and learning rate against torch's own and against arithmetic."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from cxrgrid.objective import make_loss, make_optimizer, set_rate
from test_train import make_cell

CPU = torch.device("cpu")
LABELS = np.array([[1, 0], [0, np.nan], [0, 1], [0, np.nan]], dtype=np.float32)


def test_masked_loss_is_the_mean_over_known_labels():
    logits = torch.randn(4, 2, generator=torch.Generator().manual_seed(0))
    loss = make_loss(make_cell(), "multilabel", LABELS, CPU)(logits, torch.from_numpy(LABELS))
    known = torch.from_numpy(np.isfinite(LABELS))
    each = F.binary_cross_entropy_with_logits(
        logits[known], torch.from_numpy(LABELS)[known], reduction="mean"
    )
    assert loss.item() == pytest.approx(each.item(), rel=1e-6)


def test_unknown_labels_have_no_gradient():
    logits = torch.zeros(4, 2, requires_grad=True)
    make_loss(make_cell(), "multilabel", LABELS, CPU)(logits, torch.from_numpy(LABELS)).backward()
    assert torch.equal(logits.grad == 0, torch.from_numpy(np.isnan(LABELS)))


def test_pos_weight_is_negatives_over_positives():
    logits = torch.zeros(4, 2)
    loss = make_loss(make_cell(pos_weight=True), "multilabel", LABELS, CPU)
    # Label A: one positive in four, weight 3; B: one in two known, weight 1. log 2 at logit 0.
    expected = np.log(2) * (3 * 1 + 3 + 1 + 1) / 6
    assert loss(logits, torch.from_numpy(LABELS)).item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_multiclass_loss_is_cross_entropy(smoothing):
    classes = torch.tensor([0, 1, 1, 2])
    labels = F.one_hot(classes, 3).float()
    logits = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    cell = make_cell(label_smoothing=smoothing, class_weight=True)
    weight = torch.tensor([4 / 3, 4 / 6, 4 / 3])  # images / (classes × images of the class)
    ours = make_loss(cell, "multiclass", labels.numpy(), CPU)(logits, labels)
    # With probabilities for targets torch averages over images, with indices over weights.
    expected = F.cross_entropy(logits, labels, weight, label_smoothing=smoothing)
    assert ours.item() == pytest.approx(expected.item(), rel=1e-6)


def rates(steps: int, **settings) -> list[float]:
    """The learning rate of every step of a run."""
    cell = make_cell(lr=1.0, **settings)
    optimizer = make_optimizer(cell, nn.Linear(2, 2))
    return [set_rate(optimizer, cell, step, steps) for step in range(cell.epochs * steps)]


def test_constant_rate_is_constant():
    assert set(rates(5, epochs=3, schedule="constant")) == {1.0}


def test_cosine_falls_from_the_peak_towards_zero():
    curve = rates(10, epochs=3, schedule="cosine")
    assert curve[0] == 1.0
    assert curve[15] == pytest.approx(0.5)
    assert all(later < earlier for earlier, later in zip(curve, curve[1:], strict=False))
    assert curve[-1] < 0.01


def test_warm_up_climbs_to_the_peak():
    curve = rates(10, epochs=3, schedule="cosine", warmup_epochs=1)
    assert all(later > earlier for earlier, later in zip(curve[:10], curve[1:11], strict=True))
    assert max(curve) == curve[10] == 1.0


def test_biases_and_norms_do_not_decay():
    model = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))
    groups = make_optimizer(make_cell(weight_decay=0.1), model).param_groups
    decayed = {id(p) for group in groups if group["weight_decay"] for p in group["params"]}
    assert decayed == {id(model[0].weight)}
