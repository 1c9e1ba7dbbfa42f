"""Logits of a network with the features from which its classifier makes them, in one pass."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn

from cxrgrid import models
from cxrgrid.data.split_arrays import Split
from cxrgrid.inference.familiar import chosen

MOST = 4096  # features


def logits_and_features(
    model: nn.Module, split: Split, batch: int
) -> tuple[torch.Tensor, np.ndarray | None]:
    """Logits float32 [N, L] as `models.logits` gives them, and features float32 [N, D].

    None instead of features where the network has no single classifier. batch: images at once.
    """
    with listening(model) as heard:
        logits = models.logits(model, split, batch)
    found = np.concatenate(heard) if heard else None
    return logits, found if found is not None and len(found) == len(logits) else None


@contextmanager
def listening(model: nn.Module) -> Iterator[list[np.ndarray]]:
    """The inputs of the model's classifier, batch by batch, as they pass: float32 [B, D] each.

    Of an input with places, such as a map, the mean over them; of more than `MOST` features so
    many, evenly chosen.
    """
    heard: list[np.ndarray] = []

    def hear(module: nn.Module, inputs: tuple) -> None:
        seen = inputs[0].detach().float()
        seen = seen.flatten(2).mean(dim=2) if seen.ndim == 4 else seen
        heard.append(seen[:, chosen(seen.shape[1], MOST)].cpu().numpy())

    find = getattr(model, "get_classifier", None)
    classifier = find() if find else None
    if not isinstance(classifier, nn.Module) or isinstance(classifier, nn.Identity):
        yield heard
        return
    handle = classifier.register_forward_pre_hook(hear)
    try:
        yield heard
    finally:
        handle.remove()
