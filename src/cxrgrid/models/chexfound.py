"""CheXFound (Yang et al. 2025, arXiv 2502.05142): a large vision transformer of chest X-rays.

DINOv2's ViT-L with patches of 16 pixels, gated feed-forward layers and four registers, which timm
has for patches of 14 pixels and other widths. Settings: RPIDIAL/CheXFound, chexfound/configs/train/
vitl16_ibot333_highres512.yaml and chexfound/layers/swiglu_ffn.py; grey levels are ImageNet's. Its
`teacher_checkpoint.pth` is a start like any other.
"""

from typing import Any

from timm.layers import SwiGLUPacked
from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from timm.models.vision_transformer import VisionTransformer, checkpoint_filter_fn
from torch import nn

from cxrgrid.models.network import settings

NAME = "chexfound_vit_large_patch16_512"
default_cfgs = generate_default_cfgs(
    {NAME: settings(512, "patch_embed.proj", fixed_input_size=True)}
)
HIDDEN = (
    2736  # two thirds of 4 × 1024, up to a multiple of 8; both halves of the gate are one layer
)
DESIGN = {"img_size": 512, "patch_size": 16, "embed_dim": 1024, "depth": 24, "num_heads": 16}
DESIGN |= {"init_values": 1e-5, "mlp_ratio": 2 * HIDDEN / 1024, "mlp_layer": SwiGLUPacked}
DESIGN |= {"act_layer": nn.SiLU, "reg_tokens": 4, "no_embed_class": True}


@register_model
def chexfound_vit_large_patch16_512(pretrained: bool = False, **options: Any) -> VisionTransformer:
    """The encoder: 303 million parameters."""
    options = {**DESIGN, **options}
    features = {"out_indices": options.pop("out_indices", 3), "feature_cls": "getter"}
    read = {"pretrained_filter_fn": checkpoint_filter_fn, "feature_cfg": features}
    return build_model_with_cfg(VisionTransformer, NAME, pretrained, **read, **options)
