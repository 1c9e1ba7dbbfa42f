"""EfficientNet as the package efficientnet_pytorch and its Lite variants name it.

Names: lukemelas/EfficientNet-PyTorch, efficientnet_pytorch/model.py (MBConvBlock, EfficientNet);
without squeeze-and-excitation RangiLyu/EfficientNet-Lite, efficientnet_lite.py. Their blocks are
numbered through; timm's are numbered within stages, in the same order.
"""

import re

from torch import Tensor, nn

OUTSIDE = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2"}
OUTSIDE |= {"_fc": "classifier"}
EXPANDED = {"_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw", "_bn1": "bn2"}
EXPANDED |= {"_project_conv": "conv_pwl", "_bn2": "bn3"}
PLAIN = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
SQUEEZE = {"_se_reduce": "se.conv_reduce", "_se_expand": "se.conv_expand"}


def recognise(weights: dict[str, Tensor]) -> bool:
    """True for keys of this layout."""
    return {"_conv_stem.weight", "_blocks.0._depthwise_conv.weight"} <= weights.keys()


def convert(weights: dict[str, Tensor], own: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights in timm's names."""
    blocks = dict.fromkeys(
        found[0] for name in own if (found := re.match(r"blocks\.\d+\.\d+", name))
    )
    renamed = {}
    for name, tensor in weights.items():
        renamed[translate(name, list(blocks), weights)] = tensor
    return renamed


def note(model: nn.Module) -> str:
    """End of the start's line where the network does not pad as that of these weights does."""
    same = type(model.conv_stem).__name__ == "Conv2dSame"
    return "" if same else "; trained with TensorFlow's padding, as timm's networks tf_… have it"


def translate(name: str, blocks: list[str], weights: dict[str, Tensor]) -> str:
    """Name of one weight in timm; blocks: timm's, in order."""
    block = re.match(r"_blocks\.(\d+)\.(\w+)\.(.+)", name)
    if block is None:
        part, _, kind = name.partition(".")
        return f"{OUTSIDE.get(part, part)}.{kind}"
    number, part, kind = int(block[1]), block[2], block[3]
    if number >= len(blocks):
        return name
    expanded = f"_blocks.{number}._expand_conv.weight" in weights
    names = (EXPANDED if expanded else PLAIN) | SQUEEZE
    return f"{blocks[number]}.{names.get(part, part)}.{kind}"
