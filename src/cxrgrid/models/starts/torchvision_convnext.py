"""ConvNeXt as torchvision names it: stem, stages and downsampling are numbered through.

Names: pytorch/vision, torchvision/models/convnext.py (CNBlock, ConvNeXt). The tests compare outputs
with torchvision's own network.
"""

import re

from torch import Tensor

BLOCK = {"block.0": "conv_dw", "block.2": "norm", "block.3": "mlp.fc1", "block.5": "mlp.fc2"}
HEAD = {"classifier.0": "head.norm", "classifier.2": "head.fc"}


def recognise(weights: dict[str, Tensor]) -> bool:
    """True for keys of this layout."""
    return {"features.0.0.weight", "features.1.0.layer_scale"} <= weights.keys()


def convert(weights: dict[str, Tensor], own: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights in timm's names; a layer scale is one number per channel."""
    return {
        translate(name): tensor.flatten() if name.endswith("layer_scale") else tensor
        for name, tensor in weights.items()
    }


def translate(name: str) -> str:
    """Name of one weight in timm."""
    if found := re.fullmatch(r"features\.0\.(\d)\.(\w+)", name):
        return f"stem.{found[1]}.{found[2]}"
    if found := re.fullmatch(r"features\.(\d+)\.(\d+)\.layer_scale", name):
        return f"stages.{int(found[1]) // 2}.blocks.{found[2]}.gamma"
    if found := re.fullmatch(r"features\.(\d+)\.(\d+)\.(block\.\d)\.(\w+)", name):
        part = BLOCK.get(found[3], found[3])
        return f"stages.{int(found[1]) // 2}.blocks.{found[2]}.{part}.{found[4]}"
    if found := re.fullmatch(r"features\.(\d+)\.(\d)\.(\w+)", name):
        return f"stages.{int(found[1]) // 2}.downsample.{found[2]}.{found[3]}"
    part, _, kind = name.rpartition(".")
    return f"{HEAD.get(part, part)}.{kind}"
