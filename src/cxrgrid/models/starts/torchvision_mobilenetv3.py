"""MobileNetV3 as torchvision names it: stem, blocks and last convolution are numbered through.

Names: pytorch/vision, torchvision/models/mobilenetv3.py (InvertedResidual, MobileNetV3). timm's
blocks are numbered within stages, in the same order; the last convolution is a block of its own,
and the linear layer before the classifier a convolution. The tests compare outputs with
torchvision's own network, whose batch norms have an epsilon of 0.001, timm's one of 0.00001.
"""

import re

from torch import Tensor

BLOCK = re.compile(r"features\.(\d+)\.block\.(\d)\.(\w+)\.(\w+)")
SQUEEZE = {"fc1": "se.conv_reduce", "fc2": "se.conv_expand"}
# Of the parts of a block, by their number: its convolution and its batch norm in timm.
PARTS = {3: [("conv_pw", "bn1"), ("conv_dw", "bn2"), ("conv_pwl", "bn3")]}
PARTS[2] = [("conv_dw", "bn1"), ("conv_pw", "bn2")]


def recognise(weights: dict[str, Tensor]) -> bool:
    """True for keys of this layout."""
    return {"features.0.0.weight", "features.1.block.0.0.weight"} <= weights.keys()


def convert(weights: dict[str, Tensor], own: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights in timm's names."""
    found = [re.match(r"blocks\.\d+\.\d+", name) for name in own]
    blocks = list(dict.fromkeys(one[0] for one in found if one))
    renamed = {translate(name, blocks, weights): tensor for name, tensor in weights.items()}
    if "conv_head.weight" in renamed:
        renamed["conv_head.weight"] = renamed["conv_head.weight"][:, :, None, None]
    return renamed


def translate(name: str, blocks: list[str], weights: dict[str, Tensor]) -> str:
    """Name of one weight in timm; blocks: timm's, in order."""
    if found := BLOCK.fullmatch(name):
        number, part, layer, kind = found.groups()
        if layer in SQUEEZE:
            return f"{blocks[int(number) - 1]}.{SQUEEZE[layer]}.{kind}"
        convolutions = [
            one for one in range(4) if f"features.{number}.block.{one}.0.weight" in weights
        ]
        names = PARTS[len(convolutions)][convolutions.index(int(part))]
        return f"{blocks[int(number) - 1]}.{names[int(layer)]}.{kind}"
    if found := re.fullmatch(r"features\.(\d+)\.([01])\.(\w+)", name):
        number, layer = int(found[1]), int(found[2])
        ends = {0: ("conv_stem", "bn1")}
        ends[len(blocks)] = (f"{blocks[-1]}.conv", f"{blocks[-1]}.bn1")
        return f"{ends[number][layer]}.{found[3]}" if number in ends else name
    return name.replace("classifier.0.", "conv_head.").replace("classifier.3.", "classifier.")
