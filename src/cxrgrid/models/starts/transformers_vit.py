"""DINOv2 (RAD-DINO is one) and ViT as the library transformers names them.

Names: huggingface/transformers, models/dinov2/convert_dinov2_to_hf.py (create_rename_keys,
read_in_q_k_v), models/dinov2_with_registers and models/vit/modeling_vit.py; from its version 5 on a
network's own names are others (`layers.0.attention.q_proj`), while its files keep these. Queries,
keys and values are matrices of their own there; timm stacks them, in this order.
"""

import re

import torch
from torch import Tensor

OUTSIDE = {
    "embeddings.cls_token": "cls_token",
    "embeddings.register_tokens": "reg_token",
    "embeddings.position_embeddings": "pos_embed",
    "embeddings.patch_embeddings.projection.weight": "patch_embed.proj.weight",
    "embeddings.patch_embeddings.projection.bias": "patch_embed.proj.bias",
    "layernorm.weight": "norm.weight",
    "layernorm.bias": "norm.bias",
}
BLOCK = {
    "norm1": "norm1",
    "norm2": "norm2",
    "layernorm_before": "norm1",
    "layernorm_after": "norm2",
    "attention.output.dense": "attn.proj",
    "attention.o_proj": "attn.proj",
    "intermediate.dense": "mlp.fc1",
    "output.dense": "mlp.fc2",
    "mlp.weights_in": "mlp.fc1",
    "mlp.weights_out": "mlp.fc2",
    "layer_scale1.lambda1": "ls1.gamma",
    "layer_scale2.lambda1": "ls2.gamma",
}
LAYER = re.compile(r"(?:encoder\.)?layers?\.(\d+)\.(.+)")
QKV = re.compile(r"attention\.(?:attention\.)?(query|key|value|[qkv]_proj)\.(weight|bias)")


def recognise(weights: dict[str, Tensor]) -> bool:
    """True for keys of this layout."""
    outside = {"embeddings.cls_token", "embeddings.position_embeddings"}
    layers = [layer[2] for name in weights if (layer := LAYER.fullmatch(name))]
    return outside <= weights.keys() and any(map(QKV.fullmatch, layers))


def convert(weights: dict[str, Tensor], own: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights in timm's names."""
    found, stacks = {}, {}
    for name, tensor in weights.items():
        layer = LAYER.fullmatch(name)
        part = QKV.fullmatch(layer[2]) if layer else None
        if part:
            target = f"blocks.{layer[1]}.attn.qkv.{part[2]}"
            stacks.setdefault(target, {})[part[1][0]] = tensor
        else:
            found[translate(name)] = tensor
    for target, parts in stacks.items():
        if len(parts) == 3:
            found[target] = torch.cat([parts[part] for part in "qkv"])
    return without_class_position(found, own)


def translate(name: str) -> str:
    """Name in timm of a weight that is no query, key or value."""
    layer = LAYER.fullmatch(name)
    if layer is None:
        return OUTSIDE.get(name, name)
    if layer[2] in BLOCK:
        return f"blocks.{layer[1]}.{BLOCK[layer[2]]}"
    part, _, kind = layer[2].rpartition(".")
    return f"blocks.{layer[1]}.{BLOCK.get(part, part)}.{kind}"


def without_class_position(found: dict[str, Tensor], own: dict[str, Tensor]) -> dict[str, Tensor]:
    """timm's networks with registers hold the class token's position in the token itself."""
    if "reg_token" in own and {"pos_embed", "cls_token"} <= found.keys():
        position = found["pos_embed"]
        found["cls_token"] = found["cls_token"] + position[:, :1]
        found["pos_embed"] = position[:, 1:]
    return found
