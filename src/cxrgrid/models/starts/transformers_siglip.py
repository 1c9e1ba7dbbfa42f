"""SigLIP's image tower (MedSigLIP is one) as the library transformers names it.

Names: huggingface/transformers, models/siglip/modeling_siglip.py (SiglipVisionEmbeddings,
SiglipEncoderLayer, SiglipMultiheadAttentionPoolingHead). Queries, keys and values are matrices of
their own in its layers, and stacked in its pooling; in timm it is the other way round. Grey levels
from −1 to 1.
"""

import re

import torch
from torch import Tensor

INPUT = {"mean": [0.5] * 3, "std": [0.5] * 3}
OUTSIDE = {
    "embeddings.patch_embedding": "patch_embed.proj",
    "post_layernorm": "norm",
    "head.layernorm": "attn_pool.norm",
    "head.mlp.fc1": "attn_pool.mlp.fc1",
    "head.mlp.fc2": "attn_pool.mlp.fc2",
    "head.attention.out_proj": "attn_pool.proj",
}
BLOCK = {"layer_norm1": "norm1", "layer_norm2": "norm2", "self_attn.out_proj": "attn.proj"}
LAYER = re.compile(r"encoder\.layers\.(\d+)\.(.+)\.(\w+)")
QKV = tuple(f"self_attn.{part}_proj" for part in "qkv")


def recognise(weights: dict[str, Tensor]) -> bool:
    """True for keys of this layout."""
    first = f"encoder.layers.0.{QKV[0]}.weight"
    return {"embeddings.patch_embedding.weight", "post_layernorm.weight", first} <= weights.keys()


def convert(weights: dict[str, Tensor], own: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights in timm's names."""
    found: dict[str, Tensor] = {}
    for name, tensor in weights.items():
        layer, pooled = LAYER.fullmatch(name), re.fullmatch(r"head\.attention\.in_proj_(\w+)", name)
        if layer and layer[2] in QKV:
            if layer[2] == QKV[0]:
                names = [f"encoder.layers.{layer[1]}.{part}.{layer[3]}" for part in QKV]
                stacked = torch.cat([weights[one] for one in names if one in weights])
                found[f"blocks.{layer[1]}.attn.qkv.{layer[3]}"] = stacked
        elif pooled:
            width = len(tensor) // 3
            found[f"attn_pool.q.{pooled[1]}"] = tensor[:width]
            found[f"attn_pool.kv.{pooled[1]}"] = tensor[width:]
        elif name == "embeddings.position_embedding.weight":
            found["pos_embed"] = tensor.unsqueeze(0)
        else:
            found[translate(name)] = tensor
    return found


def translate(name: str) -> str:
    """Name in timm of a weight that is no query, key or value."""
    if name == "head.probe":
        return "attn_pool.latent"
    if layer := LAYER.fullmatch(name):
        return f"blocks.{layer[1]}.{BLOCK.get(layer[2], layer[2])}.{layer[3]}"
    part, _, kind = name.rpartition(".")
    return f"{OUTSIDE.get(part, part)}.{kind}"
