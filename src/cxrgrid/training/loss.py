"""Losses and optimisers."""

import inspect
from collections.abc import Callable

import numpy as np
import timm.optim
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cxrgrid.config.cell import Cell
from cxrgrid.config.check_cells import check_task

Loss = Callable[[Tensor, Tensor], Tensor]


def make_optimizer(cell: Cell, model: nn.Module) -> torch.optim.Optimizer:
    """timm's optimiser by name, without decay of biases and norms, with optional layer decay."""
    return timm.optim.create_optimizer_v2(
        model,
        opt=cell.optimizer,
        lr=cell.lr,
        weight_decay=cell.weight_decay,
        momentum=cell.momentum,
        layer_decay=cell.layer_decay if cell.layer_decay < 1 else None,
        **fused(cell.optimizer, next(model.parameters()).device),
    )


def fused(optimizer: str, device: torch.device) -> dict[str, bool]:
    """Argument for a GPU's update in one kernel, where the optimiser has one."""
    kind = timm.optim.get_optimizer_class(optimizer, bind_defaults=False)
    has = "fused" in inspect.signature(kind).parameters
    return {"fused": True} if has and device.type == "cuda" else {}


def make_loss(cell: Cell, task: str, labels: np.ndarray, device: torch.device) -> Loss:
    """Loss function of (logits, labels), both [N, L]; unknown labels (NaN) do not count.

    The mean over known labels, or for multi-class over images of known class. labels: those of the
    training split, from which `pos_weight` and `class_weight` are computed. `UserError` if the
    cell's loss or monitor is not defined for the task.
    """
    check_task(cell, task, f"cell {cell.path()}")
    positives, known = np.nansum(labels, axis=0), np.isfinite(labels).sum(axis=0)
    if task == "multiclass":
        weight = known / (labels.shape[1] * np.maximum(positives, 1))
        loss = multiclass(cell, on(device, weight) if cell.class_weight else None)
    else:
        weight = (known - positives) / np.maximum(positives, 1)
        loss = multilabel(cell, on(device, weight) if cell.pos_weight else None)
    if cell.loss != "logit_adjusted":
        return loss
    shift = on(device, cell.adjust_tau * log_priors(positives, known, task))
    return lambda logits, targets: loss(logits.float() + shift, targets)


def log_priors(positives: np.ndarray, known: np.ndarray, task: str) -> np.ndarray:
    """Shift of the logits in training [L] (Menon et al. 2021, arXiv 2007.07314, eq. 10).

    Multi-class: the log of each class's share. Multi-label: of each label's odds, which is the same
    for its two classes. A label counts as if it had one more image of either kind.
    """
    if task == "multiclass":
        return np.log((positives + 1) / (positives + 1).sum())
    return np.log((positives + 1) / (known - positives + 1))


def on(device: torch.device, weight: np.ndarray) -> Tensor:
    """Weights of the labels as a tensor on the device."""
    return torch.tensor(weight, dtype=torch.float32).to(device)


def multiclass(cell: Cell, weight: Tensor | None) -> Loss:
    """Cross-entropy over classes; focal: each image by (1 - p)^gamma, p that of its classes."""
    gamma = cell.focal_gamma if cell.loss == "focal" else 0.0

    def loss(logits: Tensor, targets: Tensor) -> Tensor:
        logits, mask = logits.float(), targets.isfinite().all(dim=1, keepdim=True).float()
        smooth = cell.label_smoothing / targets.shape[1]
        targets = (targets.nan_to_num() * (1 - cell.label_smoothing) + smooth) * mask
        if gamma:
            targets = targets * (1 - logits.softmax(dim=1)) ** gamma
        total = F.cross_entropy(logits, targets, weight, reduction="sum")
        return total / mask.sum().clamp(min=1)

    return loss


def multilabel(cell: Cell, balance: Tensor | None) -> Loss:
    """A loss of independent labels, with positives weighted by `balance`."""
    each = {"focal": focal, "asymmetric": asymmetric}.get(cell.loss, bce)

    def loss(logits: Tensor, targets: Tensor) -> Tensor:
        mask = targets.isfinite().float()
        smooth = targets.nan_to_num() * (1 - cell.label_smoothing) + cell.label_smoothing / 2
        return each(logits.float(), smooth, mask, balance, cell) / mask.sum().clamp(min=1)

    return loss


def bce(logits: Tensor, targets: Tensor, mask: Tensor, balance: Tensor | None, cell: Cell):
    """Binary cross-entropy, summed over known labels."""
    return F.binary_cross_entropy_with_logits(
        logits, targets, mask, pos_weight=balance, reduction="sum"
    )


def focal(logits: Tensor, targets: Tensor, mask: Tensor, balance: Tensor | None, cell: Cell):
    """Binary cross-entropy times (1 - p_t)^gamma (Lin et al. 2017, arXiv 1708.02002, eq. 4)."""
    p = logits.sigmoid()
    wrong = p * (1 - targets) + (1 - p) * targets
    each = F.binary_cross_entropy_with_logits(logits, targets, pos_weight=balance, reduction="none")
    return (each * wrong**cell.focal_gamma * mask).sum()


def asymmetric(logits: Tensor, targets: Tensor, mask: Tensor, balance: Tensor | None, cell: Cell):
    """Focal loss with separate gammas for positives and negatives, and easy negatives cut off.

    Ridnik et al. 2021, arXiv 2009.14119, eq. 7; soft targets share between the two.
    """
    positive = logits.sigmoid()
    negative = (1 - positive + cell.asymmetric_clip).clamp(max=1)
    wrong = 1 - positive * targets - negative * (1 - targets)
    gamma = cell.asymmetric_positive * targets + cell.asymmetric_negative * (1 - targets)
    weight = 1.0 if balance is None else balance
    each = weight * targets * F.logsigmoid(logits)
    each = each + (1 - targets) * negative.clamp(min=1e-8).log()
    return -(each * wrong.clamp(min=0) ** gamma * mask).sum()
