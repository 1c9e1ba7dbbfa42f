"""DINOv3 as the library transformers names it: a vision transformer with rotary positions.

Names: huggingface/transformers, models/dinov3_vit/modeling_dinov3_vit.py (DINOv3ViTEmbeddings,
DINOv3ViTAttention, DINOv3ViTGatedMLP). Queries, keys and values are matrices of their own there,
and keys have no bias; timm stacks the matrices, in this order.
"""

import re

import torch
from torch import Tensor

OUTSIDE = {"cls_token": "cls_token", "register_tokens": "reg_token"}
OUTSIDE |= {"patch_embeddings.weight": "patch_embed.proj.weight"}
OUTSIDE |= {"patch_embeddings.bias": "patch_embed.proj.bias"}
BLOCK = {"attention.o_proj": "attn.proj", "layer_scale1.lambda1": "gamma_1"}
BLOCK |= {"layer_scale2.lambda1": "gamma_2", "mlp.down_proj": "mlp.fc2"}
LAYER = re.compile(r"(?:model\.)?layer\.(\d+)\.(.+)")
QUERY = "attention.q_proj.weight"
BIAS = re.compile(r"attention\.([qv])_proj\.bias")


def recognise(weights: dict[str, Tensor]) -> bool:
    """True for keys of this layout."""
    outside = {"embeddings.cls_token", "embeddings.patch_embeddings.weight"}
    layers = [layer[2] for name in weights if (layer := LAYER.fullmatch(name))]
    return outside <= weights.keys() and QUERY in layers


def convert(weights: dict[str, Tensor], own: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights in timm's names."""
    found = {}
    for name, tensor in weights.items():
        layer = LAYER.fullmatch(name)
        if layer is None:
            found[OUTSIDE.get(name.removeprefix("embeddings."), name)] = tensor
        elif layer[2] == QUERY:
            three = [weights[name.replace("q_proj", f"{part}_proj")] for part in "qkv"]
            found[f"blocks.{layer[1]}.attn.qkv.weight"] = torch.cat(three)
        elif bias := BIAS.fullmatch(layer[2]):
            found[f"blocks.{layer[1]}.attn.{bias[1]}_bias"] = tensor
        elif not layer[2].startswith(("attention.k_proj", "attention.v_proj")):
            found[f"blocks.{layer[1]}.{within(layer[2], name, weights)}"] = tensor
    return found


def within(part: str, name: str, weights: dict[str, Tensor]) -> str:
    """Name in timm of a weight of a block; its feed-forward layer may be gated."""
    if part in BLOCK:
        return BLOCK[part]
    layer, _, kind = part.rpartition(".")
    gated = re.sub(r"up_proj\.\w+$", "gate_proj.weight", name) in weights
    names = {"mlp.gate_proj": "mlp.fc1_g", "mlp.up_proj": "mlp.fc1_x" if gated else "mlp.fc1"}
    return f"{({**BLOCK, **names}).get(layer, layer)}.{kind}"
