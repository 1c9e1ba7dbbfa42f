"""Probe of a frozen network: its classifier alone, whose input is the features of an image.

The features are what the classifier is given. They can stand for the images if nothing between the
two is drawn by chance or changes with training.
"""

import torch
from torch import Tensor, nn

from cxrgrid import models
from cxrgrid.models.sizes import Size, height_width

NEAR = {"rtol": 1e-3, "atol": 1e-5}  # of the same features in training and in evaluation mode
TRIED = 2  # images of the trial


class Probe(nn.Module):
    """A classifier behind features: float [N, 1, 1, D] to logits [N, L].

    shape: of one image's features, as the classifier takes them. `mean` and `std`, by which
    `models.normalise` would change them, are 0 and 1.
    """

    def __init__(self, classifier: nn.Module, shape: tuple[int, ...], device: torch.device):
        super().__init__()
        self.classifier, self.shape = classifier, shape
        self.pretrained_cfg = {"classifier": "classifier"}
        self.register_buffer("mean", torch.zeros(1, device=device), persistent=False)
        self.register_buffer("std", torch.ones(1, device=device), persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        """Logits [N, L]."""
        return self.classifier(features.reshape(-1, *self.shape)).flatten(1)


def classifier_of(network: nn.Module) -> tuple[str, nn.Module]:
    """Name and module of the classifier; `ValueError` where there are several."""
    names = network.pretrained_cfg["classifier"]
    names = [names] if isinstance(names, str) else list(names)
    if len(names) != 1:
        raise ValueError("the network has several classifiers")
    return names[0], network.get_submodule(names[0])


def replace_classifier(network: nn.Module, classifier: nn.Module) -> None:
    """Put another module in the place of the network's classifier."""
    parent, _, last = classifier_of(network)[0].rpartition(".")
    setattr(network.get_submodule(parent), last, classifier)


def features(network: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
    """Input of the classifier, and the logits, of normalised images [N, C, H, W].

    `ValueError` if the classifier is not run once, on one tensor.
    """
    seen: list[Tensor] = []
    classifier = classifier_of(network)[1]
    handle = classifier.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    try:
        logits = network(images)
    finally:
        handle.remove()
    if len(seen) != 1 or len(seen[0]) != len(images):
        raise ValueError("the classifier is not run once per image")
    return seen[0], logits


@torch.inference_mode()
def tried(network: nn.Module, channels: int, size: Size) -> tuple[int, ...]:
    """Shape of one image's features; `ValueError` where they cannot stand for the image.

    network: as `models.set_trainable` leaves it for training the classifier alone.
    """
    device = network.mean.device
    shape = (TRIED, channels, *height_width(size))
    images = torch.rand(shape, generator=torch.Generator().manual_seed(0)).to(device)
    modes = [(part, part.training) for part in network.modules()]
    classifier_of(network)[1].eval()  # its own statistics stay as they are
    try:
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            learning, _ = features(network, images)
            found, logits = features(network.eval(), images)
    finally:
        for part, mode in modes:
            part.training = mode
    if not torch.allclose(learning.float(), found.float(), **NEAR):
        raise ValueError("the network changes, or draws by chance, while it trains")
    alone = Probe(classifier_of(network)[1], tuple(found.shape[1:]), device).eval()
    if not torch.allclose(alone(found.flatten(1)[:, None, None]), logits, **NEAR):
        raise ValueError("the classifier is not the network's last part")
    return alone.shape


@torch.inference_mode()
def of_images(network: nn.Module, images: Tensor, amp: bool) -> Tensor:
    """Features of images (uint8 [N, 1, H, W]): float32 [N, D]."""
    seen = models.normalise(models.grey(images), network)
    with torch.autocast(seen.device.type, torch.bfloat16, enabled=amp):
        return features(network, seen)[0].float().flatten(1)
