"""MnasNet as torchvision names it: one sequence of stem, stacks of blocks and last convolution.

Names: pytorch/vision, torchvision/models/mnasnet.py (MNASNet, _InvertedResidual). The tests compare
outputs with torchvision's own network.
"""

import re

from torch import Tensor

OUTSIDE = {"0": "conv_stem", "1": "bn1", "3": "blocks.0.0.conv_dw", "4": "blocks.0.0.bn1"}
OUTSIDE |= {"6": "blocks.0.0.conv_pw", "7": "blocks.0.0.bn2", "14": "conv_head", "15": "bn2"}
BLOCK = {"0": "conv_pw", "1": "bn1", "3": "conv_dw", "4": "bn2", "6": "conv_pwl", "7": "bn3"}
FIRST = 8  # number of the first stack of blocks


def recognise(weights: dict[str, Tensor]) -> bool:
    """True for keys of this layout."""
    return {"layers.0.weight", "layers.8.0.layers.0.weight"} <= weights.keys()


def convert(weights: dict[str, Tensor], own: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights in timm's names."""
    return {translate(name): tensor for name, tensor in weights.items()}


def translate(name: str) -> str:
    """Name of one weight in timm."""
    if found := re.fullmatch(r"layers\.(\d+)\.(\d+)\.layers\.(\d)\.(\w+)", name):
        stack, block, part, kind = found.groups()
        return f"blocks.{int(stack) - FIRST + 1}.{block}.{BLOCK[part]}.{kind}"
    if found := re.fullmatch(r"layers\.(\d+)\.(\w+)", name):
        return f"{OUTSIDE[found[1]]}.{found[2]}"
    return name.replace("classifier.1.", "classifier.")
