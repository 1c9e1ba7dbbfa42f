"""DINOv2's training checkpoints (CheXFound is one): the blocks of a transformer in chunks.

Names: facebookresearch/dinov2, dinov2/models/vision_transformer.py (DinoVisionTransformer with
`block_chunks`, whose blocks are `blocks.{chunk}.{block}`, numbered through), and its layers/
swiglu_ffn.py; RPIDIAL/CheXFound, chexfound/configs/train/vitl16_ibot333_highres512.yaml. The file
holds them as `teacher`, below `backbone.`. Without chunks timm reads them itself.
"""

import re

from torch import Tensor

from cxrgrid.models.starts.transformers_vit import without_class_position

OUTSIDE = {"register_tokens": "reg_token"}
BLOCK = {"mlp.w12": "mlp.fc1", "mlp.w3": "mlp.fc2"}
CHUNKED = re.compile(r"blocks\.\d+\.(\d+)\.(.+)\.(\w+)")


def recognise(weights: dict[str, Tensor]) -> bool:
    """True for keys of this layout."""
    return {"cls_token", "pos_embed", "blocks.0.0.attn.qkv.weight"} <= weights.keys()


def convert(weights: dict[str, Tensor], own: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights in timm's names."""
    found = {translate(name): tensor for name, tensor in weights.items()}
    return without_class_position(found, own)


def translate(name: str) -> str:
    """Name of one weight in timm."""
    if found := CHUNKED.fullmatch(name):
        number, part, kind = found.groups()
        return f"blocks.{number}.{BLOCK.get(part, part)}.{kind}"
    return OUTSIDE.get(name, name)
