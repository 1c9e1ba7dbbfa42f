"""Loss and optimiser against torch's, timm's and torchvision's own, and against arithmetic."""

import numpy as np
import pytest
import timm
import torch
from timm.loss import AsymmetricLossMultiLabel
from torch import nn
from torch.nn import functional as F
from torchvision.ops import sigmoid_focal_loss

from cxrgrid.config.errors import UserError
from cxrgrid.config.optimizers import OPTIMIZERS
from cxrgrid.training.loss import make_loss, make_optimizer
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


def test_biases_and_norms_do_not_decay():
    model = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))
    groups = make_optimizer(make_cell(weight_decay=0.1), model).param_groups
    decayed = {id(p) for group in groups if group["weight_decay"] for p in group["params"]}
    assert decayed == {id(model[0].weight)}


def draw(classes: int = 5) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits, and targets of which some are soft."""
    generator = torch.Generator().manual_seed(0)
    targets = torch.randint(0, 2, (9, classes), generator=generator).float()
    targets[0, 0], targets[3, 2] = 0.7, 0.2
    return 3 * torch.randn(9, classes, generator=generator), targets


def both_ways(cell, task: str, expected) -> None:
    """Values and gradients agree with a reference's, to 1e-6."""
    logits, targets = draw()
    if task == "multiclass":
        targets = F.one_hot(targets.argmax(1), 5).float()
    ours, theirs = (logits.clone().requires_grad_() for _ in range(2))
    loss = make_loss(cell, task, targets.numpy(), CPU)(ours, targets)
    reference = expected(theirs, targets)
    loss.backward(), reference.backward()
    assert loss.item() == pytest.approx(reference.item(), abs=1e-6)
    assert torch.allclose(ours.grad, theirs.grad, atol=1e-6)


@pytest.mark.parametrize("gamma", [0.5, 2.0, 5.0])
def test_focal_is_torchvisions(gamma):
    cell = make_cell(loss="focal", focal_gamma=gamma)
    both_ways(
        cell, "multilabel", lambda x, y: sigmoid_focal_loss(x, y, -1, gamma, reduction="mean")
    )


@pytest.mark.parametrize(("positive", "negative", "clip"), [(0, 4, 0.05), (1, 4, 0.2), (1, 2, 0)])
def test_asymmetric_is_timms(positive, negative, clip):
    settings = {"asymmetric_positive": positive, "asymmetric_negative": negative}
    cell = make_cell(loss="asymmetric", asymmetric_clip=clip, **settings)
    both_ways(
        cell, "multilabel", AsymmetricLossMultiLabel(negative, positive, clip, reduction="mean")
    )


def test_focal_of_classes_weighs_each_image_by_how_wrong_it_is():
    def expected(logits, targets):
        p = logits.softmax(1).gather(1, targets.argmax(1, keepdim=True)).squeeze(1)
        return (-((1 - p) ** 2) * p.log()).mean()

    both_ways(make_cell(loss="focal"), "multiclass", expected)


@pytest.mark.parametrize("loss", ["bce", "focal", "asymmetric"])
def test_positives_are_weighted_in_every_loss_of_labels(loss):
    logits, targets = draw()
    targets = targets.round()
    plain, weighted = (
        make_loss(make_cell(loss=loss, pos_weight=on), "multilabel", targets.numpy(), CPU)
        for on in (False, True)
    )
    for label in range(5):
        column = torch.full_like(targets, float("nan"))
        column[:, label] = targets[:, label]
        positive = column.clone()
        positive[targets == 0] = float("nan")
        ratio = ((targets == 0).sum(0) / (targets == 1).sum(0))[label].item()
        heavy, light = weighted(logits, positive).item(), plain(logits, positive).item()
        assert heavy == pytest.approx(ratio * light, rel=1e-5)


@pytest.mark.parametrize(
    ("loss", "task"),
    [("bce", "multilabel"), ("focal", "multilabel"), ("asymmetric", "multilabel")]
    + [("ce", "multiclass"), ("focal", "multiclass")],
)
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_an_unknown_image_changes_no_loss(loss, task, smoothing):
    logits, targets = draw()
    if task == "multiclass":
        targets = F.one_hot(targets.argmax(1), 5).float()
    more = torch.cat([targets, torch.full((2, 5), float("nan"))])
    far = torch.cat([logits, torch.randn(2, 5)]).requires_grad_()
    cell = make_cell(loss=loss, label_smoothing=smoothing)
    measure = make_loss(cell, task, targets.numpy(), CPU)
    value = measure(far, more)
    value.backward()
    assert value.item() == pytest.approx(measure(logits, targets).item(), rel=1e-6)
    assert (far.grad[-2:] == 0).all() and (far.grad[:-2] != 0).any()


@pytest.mark.parametrize(
    ("settings", "task"),
    [({"loss": "ce"}, "multilabel"), ({"loss": "bce"}, "multiclass")]
    + [({"loss": "asymmetric"}, "multiclass"), ({"monitor": "accuracy"}, "multilabel")],
)
def test_what_does_not_fit_the_task_is_one_line(settings, task):
    with pytest.raises(UserError, match=r"cell toy/.*choose") as error:
        make_loss(make_cell(**settings), task, LABELS, CPU)
    assert "\n" not in str(error.value)


def test_optimisers_are_timms_that_need_nothing_more():
    known = {
        name
        for name in timm.optim.list_optimizers()
        if not name.startswith(("bnb", "fused", "kron")) and name != "adahessian"
    }
    assert set(OPTIMIZERS) == known


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimiser_steps(name):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 1))
    before = model[0].weight.detach().clone()
    optimizer = make_optimizer(make_cell(optimizer=name), model)
    for _ in range(2):
        model(torch.ones(2, 4)).sum().backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    assert model[0].weight.isfinite().all() and not torch.equal(model[0].weight, before)


def test_layers_step_less_the_deeper_they_lie():
    model = timm.create_model("test_resnet", num_classes=2, in_chans=1)
    groups = make_optimizer(make_cell(layer_decay=0.5), model).param_groups
    share = {id(p): group["lr_scale"] for group in groups for p in group["params"]}
    scales = [share[id(model.get_parameter(name))] for name in ("conv1.0.weight", "fc.weight")]
    assert scales[1] == 1.0 and scales[0] <= 0.25


@pytest.mark.parametrize("tau", [0.5, 1.0])
def test_the_logit_adjusted_loss_is_cross_entropy_of_shifted_logits(tau):
    """Menon et al. 2021, eq. 10, for classes; for labels the same of each label's two classes."""
    cell = make_cell(loss="logit_adjusted", adjust_tau=tau)
    labels = np.eye(3, dtype=np.float32)[[0, 0, 0, 0, 1, 1, 2]]
    logits = torch.randn(7, 3, generator=torch.Generator().manual_seed(0))
    priors = torch.tensor([5, 3, 2]) / 10
    wanted = F.cross_entropy(logits + tau * priors.log(), torch.from_numpy(labels).argmax(1))
    found = make_loss(cell, "multiclass", labels, CPU)(logits, torch.from_numpy(labels))
    assert found.item() == pytest.approx(wanted.item(), rel=1e-6)

    one = labels[:, :1]  # four of seven are positive: 5 to 4 with one more of each
    pair = torch.stack([torch.zeros(7), logits[:, 0]], dim=1)
    pair = pair + tau * torch.tensor([4 / 9, 5 / 9]).log()
    wanted = F.cross_entropy(pair, torch.from_numpy(one[:, 0]).long())
    found = make_loss(cell, "multilabel", one, CPU)(logits[:, :1], torch.from_numpy(one))
    assert found.item() == pytest.approx(wanted.item(), rel=1e-6)


def test_a_label_without_positives_leaves_the_logit_adjusted_loss_finite():
    labels = np.zeros((4, 2), dtype=np.float32)
    loss = make_loss(make_cell(loss="logit_adjusted"), "multilabel", labels, CPU)
    assert loss(torch.zeros(4, 2), torch.from_numpy(labels)).isfinite()
