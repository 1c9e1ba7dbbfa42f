"""Vision transformer as torchvision names it.

Names: pytorch/vision, torchvision/models/vision_transformer.py (VisionTransformer, EncoderBlock,
MLPBlock). The tests compare outputs with torchvision's own network.
"""

import re

from torch import Tensor

OUTSIDE = {"class_token": "cls_token", "encoder.pos_embedding": "pos_embed"}
OUTSIDE |= {"conv_proj": "patch_embed.proj", "encoder.ln": "norm", "heads.head": "head"}
BLOCK = {"ln_1": "norm1", "ln_2": "norm2", "self_attention.out_proj": "attn.proj"}
BLOCK |= {"mlp.0": "mlp.fc1", "mlp.3": "mlp.fc2", "mlp.linear_1": "mlp.fc1"}
BLOCK |= {"mlp.linear_2": "mlp.fc2"}


def recognise(weights: dict[str, Tensor]) -> bool:
    """True for keys of this layout."""
    return {"class_token", "conv_proj.weight", "encoder.pos_embedding"} <= weights.keys()


def convert(weights: dict[str, Tensor], own: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights in timm's names."""
    return {translate(name): tensor for name, tensor in weights.items()}


def translate(name: str) -> str:
    """Name of one weight in timm."""
    if name in OUTSIDE:
        return OUTSIDE[name]
    found = re.fullmatch(r"encoder\.layers\.encoder_layer_(\d+)\.(.+)", name)
    if found is None:
        part, _, kind = name.rpartition(".")
        return f"{OUTSIDE.get(part, part)}.{kind}"
    if joint := re.fullmatch(r"self_attention\.in_proj_(weight|bias)", found[2]):
        return f"blocks.{found[1]}.attn.qkv.{joint[1]}"
    part, _, kind = found[2].rpartition(".")
    return f"blocks.{found[1]}.{BLOCK.get(part, part)}.{kind}"
