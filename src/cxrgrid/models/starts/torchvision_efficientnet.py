"""EfficientNet and EfficientNetV2 as torchvision names them: stages from 1, blocks as sequences.

Names: pytorch/vision, torchvision/models/efficientnet.py (MBConv, FusedMBConv, EfficientNet). The
tests compare outputs with torchvision's own networks.
"""

import re

from torch import Tensor

BLOCK = re.compile(r"features\.(\d+)\.(\d+)\.block\.(\d)\.(\w+)\.(\w+)")
SQUEEZE = {"fc1": "se.conv_reduce", "fc2": "se.conv_expand"}
# Of the parts of a block, in order: its convolution and its batch norm in timm.
EXPANDED = [("conv_pw", "bn1"), ("conv_dw", "bn2"), None, ("conv_pwl", "bn3")]
PLAIN = [("conv_dw", "bn1"), None, ("conv_pw", "bn2")]
FUSED = [("conv_exp", "bn1"), ("conv_pwl", "bn2")]
ONE = [("conv", "bn1")]


def recognise(weights: dict[str, Tensor]) -> bool:
    """True for keys of this layout."""
    return {"features.0.0.weight", "features.1.0.block.0.0.weight"} <= weights.keys()


def convert(weights: dict[str, Tensor], own: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights in timm's names."""
    last = max(int(found[1]) for name in weights if (found := re.match(r"features\.(\d+)", name)))
    return {translate(name, last, weights): tensor for name, tensor in weights.items()}


def translate(name: str, last: int, weights: dict[str, Tensor]) -> str:
    """Name of one weight in timm; last: number of the layer after the stages."""
    if found := BLOCK.fullmatch(name):
        stage, block, part, layer, kind = found.groups()
        names = parts_of(f"features.{stage}.{block}.block", weights)[int(part)]
        within = SQUEEZE[layer] if names is None else names[int(layer)]
        return f"blocks.{int(stage) - 1}.{block}.{within}.{kind}"
    if found := re.fullmatch(r"features\.(\d+)\.(\d)\.(\w+)", name):
        names = {0: ("conv_stem", "bn1"), last: ("conv_head", "bn2")}.get(int(found[1]))
        return f"{names[int(found[2])]}.{found[3]}" if names else name
    return name.replace("classifier.1.", "classifier.")


def parts_of(block: str, weights: dict[str, Tensor]) -> list[tuple[str, str] | None]:
    """The parts of a block, which is known by the number of its last one."""
    parts = {3: EXPANDED, 2: PLAIN, 1: FUSED, 0: ONE}
    return next(names for last, names in parts.items() if f"{block}.{last}.0.weight" in weights)
