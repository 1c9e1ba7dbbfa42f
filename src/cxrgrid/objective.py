"""What training minimises and how it steps: loss, optimiser, learning rate."""

import math

import numpy as np
import timm.optim
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cxrgrid.settings import Cell


def make_optimizer(cell: Cell, model: nn.Module) -> torch.optim.Optimizer:
    """timm's optimiser by name; biases and norms do not decay."""
    return timm.optim.create_optimizer_v2(
        model,
        opt=cell.optimizer,
        lr=cell.lr,
        weight_decay=cell.weight_decay,
        momentum=cell.momentum,
    )


def make_loss(cell: Cell, task: str, labels: np.ndarray, device: torch.device):
    """The loss of (logits, labels), both [N, L]; unknown labels (NaN) count for nothing.

    labels: the training split's, from which `pos_weight` and `class_weight` are counted.
    """
    positives, known = np.nansum(labels, axis=0), np.isfinite(labels).sum(axis=0)
    if task == "multiclass":
        weight = known / (labels.shape[1] * np.maximum(positives, 1)) if cell.class_weight else None
        weight = None if weight is None else torch.tensor(weight, dtype=torch.float32).to(device)
        return lambda logits, targets: F.cross_entropy(
            logits.float(), targets, weight, label_smoothing=cell.label_smoothing
        )
    balance = (known - positives) / np.maximum(positives, 1) if cell.pos_weight else None
    balance = None if balance is None else torch.tensor(balance, dtype=torch.float32).to(device)

    def masked_bce(logits: Tensor, targets: Tensor) -> Tensor:
        mask = targets.isfinite().float()
        smooth = targets.nan_to_num() * (1 - cell.label_smoothing) + cell.label_smoothing / 2
        total = F.binary_cross_entropy_with_logits(
            logits.float(), smooth, mask, pos_weight=balance, reduction="sum"
        )
        return total / mask.sum().clamp(min=1)

    return masked_bce


def set_rate(optimizer: torch.optim.Optimizer, cell: Cell, step: int, steps: int) -> float:
    """Set the learning rate of a step; a pure function of it, so that nothing needs saving."""
    warmup = cell.warmup_epochs * steps
    if step < warmup:
        share = (step + 1) / (warmup + 1)
    elif cell.schedule == "cosine":
        total = max(1, cell.epochs * steps - warmup)
        share = 0.5 * (1 + math.cos(math.pi * (step - warmup) / total))
    else:
        share = 1.0
    for group in optimizer.param_groups:
        group["lr"] = cell.lr * share * group.get("lr_scale", 1.0)
    return cell.lr * share
