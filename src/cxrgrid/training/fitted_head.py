"""Classifiers that are fitted to features at once, without steps: logistic regression and k-NN."""

import warnings

import numpy as np
import torch
from torch import Tensor, nn

from cxrgrid.config.cell import Cell
from cxrgrid.config.errors import UserError
from cxrgrid.data.split_arrays import Split
from cxrgrid.models.neighbours import Neighbours
from cxrgrid.models.probe import Probe, replace_classifier
from cxrgrid.training.features import Features, Images

ITERATIONS = 5000  # of L-BFGS, at most
AT_ONCE = 1024  # images whose neighbours are looked for at once


def fit(model: nn.Module, seen: Images, split: Split, cell: Cell, task: str) -> None:
    """Fit the classifier of a probe to a split of features, in place; knn is a new one.

    `UserError` where the network has no features, or a classifier that is no linear layer.
    """
    x, targets = split.pixels[split.rows, 0], split.labels
    if not isinstance(seen, Features) or not isinstance(model, Probe):
        raise UserError(
            f"cell {cell.path()}: head: {cell.head} is fitted to features, but {seen.why}; "
            "set head: linear"
        )
    device = model.mean.device
    if cell.head == "knn":
        kept = [torch.from_numpy(np.asarray(part, np.float32)) for part in (x, targets)]
        model.classifier = Neighbours(cell.neighbours, *kept, task == "multiclass").to(device)
        model.shape = (x.shape[1],)
        replace_classifier(seen.network, model.classifier)
        return
    weight, bias = logistic(x, targets, cell, task)
    own = getattr(model.classifier, "weight", None), getattr(model.classifier, "bias", None)
    if own[0] is None or own[1] is None or own[0].numel() != weight.size:
        raise UserError(
            f"cell {cell.path()}: head: logistic needs a linear layer with a bias as classifier, "
            f"which {cell.backbone} does not have; set head: linear or knn"
        )
    with torch.no_grad():
        for place, value in zip(own, (weight, bias), strict=True):
            place.copy_(torch.from_numpy(value).view_as(place))


@torch.inference_mode()
def answers(model: Probe, split: Split) -> tuple[Tensor, Tensor]:
    """Logits and labels of the training images [N, L]; no image votes for itself."""
    device = model.mean.device
    values = torch.from_numpy(split.pixels[split.rows]).unsqueeze(1).to(device)
    if isinstance(model.classifier, Neighbours):
        parts = [model.classifier(part.flatten(1), skip=1) for part in values.split(AT_ONCE)]
        logits = torch.cat(parts)
    else:
        logits = model(values)
    return logits, torch.from_numpy(split.labels).to(device)


def logistic(
    x: np.ndarray, targets: np.ndarray, cell: Cell, task: str
) -> tuple[np.ndarray, np.ndarray]:
    """Weights [L, D] and biases [L] of scikit-learn's logistic regression, for unscaled features.

    It is fitted to standardised features, so that `head_c` means the same for each network. Classes
    that compete are fitted together, labels each by itself, to the images where it is known.
    """
    mean, scale = x.mean(axis=0, dtype=float), x.std(axis=0, dtype=float)
    scale[scale == 0] = 1
    z = (x - mean) / scale
    if task == "multiclass":
        weight, bias = of_classes(z, targets, cell)
    else:
        pairs = [of_label(z, column, cell) for column in targets.T.astype(float)]
        weight, bias = (np.stack(part) for part in zip(*pairs, strict=True))
    weight = weight / scale
    return weight.astype(np.float32), (bias - weight @ mean).astype(np.float32)


def of_classes(z: np.ndarray, targets: np.ndarray, cell: Cell) -> tuple[np.ndarray, np.ndarray]:
    """Weights and biases of classes that compete; one that no image shows is nearly excluded."""
    known = np.isfinite(targets).all(axis=1)
    named = targets[known].argmax(axis=1)
    there, shape = np.unique(named), (targets.shape[1], z.shape[1])
    weight, bias = np.zeros(shape), np.full(shape[0], -np.log(2.0 * len(z)))
    if len(there) == 1:
        bias[there] = 0
        return weight, bias
    found = regression(cell, cell.class_weight, z[known], named)
    if len(there) == 2:  # scikit-learn gives the second class's weights, against the first
        half = found[0][0] / 2, found[1][0] / 2
        weight[there], bias[there] = np.stack([-half[0], half[0]]), [-half[1], half[1]]
    else:
        weight[there], bias[there] = found
    return weight, bias


def of_label(z: np.ndarray, target: np.ndarray, cell: Cell) -> tuple[np.ndarray, float]:
    """Weights and bias of one label. A target between 0 and 1 counts in part as each of the two."""
    known = np.isfinite(target)
    z, target = z[known], target[known]
    present, absent = target > 0, target < 1
    if not (present.any() and absent.any()):
        share = (target.sum() + 0.5) / (len(target) + 1)
        return np.zeros(z.shape[1]), float(np.log(share / (1 - share)))
    y = np.concatenate([np.ones(present.sum()), np.zeros(absent.sum())])
    counts = np.concatenate([target[present], 1 - target[absent]])
    if cell.pos_weight:
        counts[y == 1] *= (1 - target).sum() / target.sum()
    weight, bias = regression(cell, False, np.concatenate([z[present], z[absent]]), y, counts)
    return weight[0], bias[0]


def regression(
    cell: Cell, balanced: bool, x: np.ndarray, y: np.ndarray, counts: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """scikit-learn's coefficients and intercepts; counts: weight of each row."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    kind = LogisticRegression(
        C=cell.head_c, max_iter=ITERATIONS, class_weight="balanced" if balanced else None
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        try:
            kind.fit(x, y, counts)
        except ConvergenceWarning:
            raise UserError(
                f"cell {cell.path()}: the logistic regression does not converge in {ITERATIONS:,} "
                f"iterations; set a head_c below {cell.head_c:g}"
            ) from None
    return kind.coef_, kind.intercept_
