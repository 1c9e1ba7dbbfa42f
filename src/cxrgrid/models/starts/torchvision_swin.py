"""Swin and Swin V2 as torchvision names them: stem, stages and merging are numbered through.

Names: pytorch/vision, torchvision/models/swin_transformer.py (SwinTransformer, PatchMerging,
SwinTransformerBlock). timm's V2 has no bias of keys, which torchvision's sets to zero. The tests
compare outputs with torchvision's own networks.
"""

import re

from torch import Tensor

STEM = {"0": "patch_embed.proj", "2": "patch_embed.norm"}
MLP = {"mlp.0": "mlp.fc1", "mlp.3": "mlp.fc2"}
BLOCK = re.compile(r"features\.(\d+)\.(\d+)\.(.+)")
# What a network computes by itself, in a shape of its own.
COMPUTED = ("relative_position_index", "relative_coords_table")


def recognise(weights: dict[str, Tensor]) -> bool:
    """True for keys of this layout."""
    return {"features.0.0.weight", "features.1.0.attn.qkv.weight"} <= weights.keys()


def convert(weights: dict[str, Tensor], own: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights in timm's names."""
    found = {}
    for name, tensor in weights.items():
        target = translate(name)
        parts = [target.replace("qkv.bias", f"{letter}_bias") for letter in "qkv"]
        if target.endswith("qkv.bias") and parts[0] in own:
            query, _, value = tensor.chunk(3)
            found |= {parts[0]: query, parts[2]: value}
        elif not target.endswith(COMPUTED):
            found[target] = tensor
    return found


def translate(name: str) -> str:
    """Name of one weight in timm."""
    if found := re.fullmatch(r"features\.0\.([02])\.(\w+)", name):
        return f"{STEM[found[1]]}.{found[2]}"
    if found := BLOCK.fullmatch(name):
        part, _, kind = found[3].rpartition(".")
        stage = f"layers.{int(found[1]) // 2}"
        return f"{stage}.blocks.{found[2]}.{MLP.get(part, part)}.{kind}"
    if found := re.fullmatch(r"features\.(\d+)\.(norm|reduction)\.(\w+)", name):
        return f"layers.{int(found[1]) // 2}.downsample.{found[2]}.{found[3]}"
    return re.sub(r"^head\.", "head.fc.", name)
