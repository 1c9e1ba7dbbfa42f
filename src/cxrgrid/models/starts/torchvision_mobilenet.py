"""MobileNetV2 as torchvision names it: stem, blocks and last convolution are numbered through.

Names: pytorch/vision, torchvision/models/mobilenetv2.py (InvertedResidual, MobileNetV2). timm's
blocks are numbered within stages, in the same order. The tests compare outputs with torchvision's
own network.
"""

import re

from torch import Tensor

EXPANDED = {"0.0": "conv_pw", "0.1": "bn1", "1.0": "conv_dw", "1.1": "bn2"}
EXPANDED |= {"2": "conv_pwl", "3": "bn3"}
PLAIN = {"0.0": "conv_dw", "0.1": "bn1", "1": "conv_pw", "2": "bn2"}
PART = re.compile(r"features\.(\d+)\.(?:conv\.)?([\d.]+)\.(\w+)")


def recognise(weights: dict[str, Tensor]) -> bool:
    """True for keys of this layout."""
    return {"features.0.0.weight", "features.1.conv.0.0.weight"} <= weights.keys()


def convert(weights: dict[str, Tensor], own: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights in timm's names."""
    found = [re.match(r"blocks\.\d+\.\d+", name) for name in own]
    blocks = list(dict.fromkeys(one[0] for one in found if one))
    return {translate(name, blocks, weights): tensor for name, tensor in weights.items()}


def translate(name: str, blocks: list[str], weights: dict[str, Tensor]) -> str:
    """Name of one weight in timm; blocks: timm's, in order."""
    found = PART.fullmatch(name)
    if found is None:
        return name.replace("classifier.1.", "classifier.")
    number, part, kind = int(found[1]), found[2], found[3]
    if 0 < number <= len(blocks):
        names = EXPANDED if f"features.{number}.conv.3.weight" in weights else PLAIN
        return f"{blocks[number - 1]}.{names.get(part, part)}.{kind}"
    ends = {0: ("conv_stem", "bn1"), len(blocks) + 1: ("conv_head", "bn2")}
    return f"{ends[number][int(part)]}.{kind}" if number in ends else name
