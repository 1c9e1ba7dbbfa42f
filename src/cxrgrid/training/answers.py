"""Right and wrong answers of an epoch's steps, counted on the device from the steps' own logits.

No image is looked at twice for them: they are answers to augmented images, with dropout, at each
step's weights.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from cxrgrid.config.cell import Cell

Count = Callable[[Tensor, Tensor], Tensor]


def counter(task: str, cell: Cell) -> Count:
    """Function of (logits, labels), both [N, L]: tp, fp, tn, fn, int64 [4, L], on their device.

    Decisions are at 0.5, or for multi-class by the largest logit. Labels that are neither 0 nor 1
    do not count, nor do images whose class is unknown. NaN where nothing can be counted: without a
    task, and where images are blended, so that none has one truth.
    """
    if not task or cell.mixup or cell.policy == "cutmix":
        return lambda logits, labels: torch.tensor(torch.nan)
    return of_classes if task == "multiclass" else of_labels


def of_labels(logits: Tensor, labels: Tensor) -> Tensor:
    """tp, fp, tn, fn of labels that stand alone, at 0.5."""
    return tally(logits.detach() >= 0, labels == 1, labels == 0)


def of_classes(logits: Tensor, labels: Tensor) -> Tensor:
    """tp, fp, tn, fn of classes that exclude each other."""
    named = torch.zeros_like(logits, dtype=torch.bool)
    named.scatter_(1, logits.detach().argmax(dim=1, keepdim=True), True)
    known = labels.isfinite().all(dim=1, keepdim=True)
    return tally(named, known & (labels == 1), known & (labels == 0))


def tally(said: Tensor, present: Tensor, absent: Tensor) -> Tensor:
    """Numbers of images [4, L] by decision and truth, bool [N, L] each."""
    cells = (said & present, said & absent, ~said & absent, ~said & present)
    return torch.stack([cell.sum(dim=0, dtype=torch.int64) for cell in cells])


def scores(counts: Tensor, task: str) -> dict[str, float]:
    """`train_accuracy` and `train_f1` of counts [4, L]; NaN where nothing was counted.

    accuracy: the share of known labels, or for multi-class of images, that are decided right; f1:
    mean over the labels that have both classes.
    """
    if counts.ndim < 2:
        return {"train_accuracy": float("nan"), "train_f1": float("nan")}
    tp, fp, tn, fn = counts.cpu().double()
    right, known = (tp, tp + fn) if task == "multiclass" else (tp + tn, tp + fp + tn + fn)
    both = (tp + fn > 0) & (fp + tn > 0)
    f1 = (2 * tp / (2 * tp + fp + fn))[both]
    return {
        "train_accuracy": (right.sum() / known.sum()).item(),
        "train_f1": f1.mean().item(),
    }


def trace(losses: Tensor, most: int = 20) -> list[float]:
    """Losses of an epoch's steps [S] as means of at most `most` parts of consecutive steps."""
    parts = losses.cpu().double().tensor_split(min(most, len(losses)))
    return [part.mean().item() for part in parts]
