"""Base of the project's own networks: timm's methods, over a stem, blocks and a head."""

from typing import Any

import torch
from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from timm.models import build_model_with_cfg
from torch import Tensor, nn


def settings(size: int, first_conv: str | tuple[str, ...], **more: Any) -> dict[str, Any]:
    """A network's entry in timm's `default_cfgs`; no weights are published.

    `fixed_input_size` among `more`: the head depends on the image size, which `build` passes.
    """
    return {
        "input_size": (3, size, size),
        "mean": IMAGENET_DEFAULT_MEAN,
        "std": IMAGENET_DEFAULT_STD,
        "first_conv": first_conv,
        "classifier": "head",
        **more,
    }


def create(network: type[nn.Module], name: str, pretrained: bool, **options: Any) -> nn.Module:
    """The network from timm's own builder; `features_only` gives the maps after each block."""
    features = {"flatten_sequential": True, "out_indices": options.pop("out_indices", None)}
    features = {key: value for key, value in features.items() if value is not None}
    return build_model_with_cfg(network, name, pretrained, feature_cfg=features, **options)


class Network(nn.Module):
    """Images to logits: `stem`, `blocks`, then pooling or flattening, and the classifier `head`.

    A subclass makes `stem` and `blocks`, which map float [N, C, H, W] to [N, num_features, h, w],
    lists `feature_info`, one entry a block, and calls `make_head`. It may set `norm`, after the
    blocks, and `hidden`, between the pooled features and the head.
    """

    stem: nn.Module
    blocks: nn.Sequential
    feature_info: list[dict[str, Any]]

    def __init__(self, num_classes: int, in_chans: int, drop_rate: float):
        super().__init__()
        self.num_classes, self.in_chans, self.drop_rate = num_classes, in_chans, drop_rate
        self.stem = nn.Identity()

    def make_head(self, channels: int, inputs: int, pool: nn.Module, dropout: float) -> None:
        """Create the classifier; channels: of the last map; inputs: of the classifier."""
        self.num_features, self.head_hidden_size = channels, inputs
        for name in ("norm", "hidden"):
            # After the blocks: timm reads the order of the modules as the order of the steps.
            if not hasattr(self, name):
                setattr(self, name, nn.Identity())
        self.global_pool = pool
        self.head_drop = nn.Dropout(dropout)
        self.reset_classifier(self.num_classes)

    def forward_features(self, images: Tensor) -> Tensor:
        """The last map: float [N, num_features, h, w]."""
        return self.norm(self.blocks(self.stem(images)))

    def forward_head(self, features: Tensor, pre_logits: bool = False) -> Tensor:
        """Logits [N, num_classes]; with `pre_logits` the classifier's input."""
        pooled = self.head_drop(self.hidden(self.global_pool(features)))
        return pooled if pre_logits else self.head(pooled)

    def forward(self, images: Tensor) -> Tensor:
        """Logits [N, num_classes]."""
        return self.forward_head(self.forward_features(images))

    def get_classifier(self) -> nn.Module:
        """The last linear layer."""
        return self.head

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """Replace the classifier by a new one; 0 classes: none. Pooling is part of the network."""
        if global_pool not in (None, "avg"):
            raise ValueError(f"{type(self).__name__} has no other pooling")
        self.num_classes = num_classes
        self.head = nn.Linear(self.head_hidden_size, num_classes) if num_classes else nn.Identity()

    @torch.jit.ignore
    def group_matcher(self, coarse: bool = False) -> dict[str, Any]:
        """Layers from first to last, for layer decay."""
        last = (r"^norm|^hidden", (99999,))
        return {"stem": r"^stem", "blocks": [(r"^blocks\.(\d+)", None), last]}

    @torch.jit.ignore
    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Do nothing: these networks are small."""
        if enable:
            raise ValueError("these networks have no gradient checkpointing")


def average() -> nn.Module:
    """Global average pooling, which allows any image size."""
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
