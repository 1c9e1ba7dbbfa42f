"""EVA-X (Yao et al. 2024, arXiv 2405.05237): three vision transformers, pretrained on chest X-rays.

timm has their design but not their patches of 16 pixels. Settings of the networks: hustvl/EVA-X,
eva_x.py; grey levels: classification/utils/datasets.py there. Their weights are a start like any
other: `weights: {evax: {file: eva_x_tiny_patch16_merged520k_mim.pt}}`.
"""

from typing import Any

from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from timm.models.eva import Eva, checkpoint_filter_fn

from cxrgrid.models.network import settings

LEVELS = {"mean": (0.49185243,) * 3, "std": (0.28509309,) * 3}
NAMES = [f"eva_x_{size}_patch16_224" for size in ("tiny", "small", "base")]
default_cfgs = generate_default_cfgs(
    {name: settings(224, "patch_embed.proj", fixed_input_size=True, **LEVELS) for name in NAMES}
)
SAME = {"img_size": 224, "patch_size": 16, "depth": 12, "mlp_ratio": 4 * 2 / 3, "swiglu_mlp": True}
SAME |= {"use_rot_pos_emb": True, "ref_feat_shape": (14, 14)}


def build(name: str, pretrained: bool, width: int, heads: int, options: dict[str, Any]) -> Eva:
    """One of the three."""
    options = {**SAME, "embed_dim": width, "num_heads": heads, **options}
    features = {"out_indices": options.pop("out_indices", 3), "feature_cls": "getter"}
    read = {"pretrained_filter_fn": checkpoint_filter_fn, "feature_cfg": features}
    return build_model_with_cfg(Eva, name, pretrained, **read, **options)


@register_model
def eva_x_tiny_patch16_224(pretrained: bool = False, **options: Any) -> Eva:
    """EVA-X-Ti: 5.5 million parameters."""
    return build("eva_x_tiny_patch16_224", pretrained, 192, 3, options)


@register_model
def eva_x_small_patch16_224(pretrained: bool = False, **options: Any) -> Eva:
    """EVA-X-S: 22 million parameters."""
    return build("eva_x_small_patch16_224", pretrained, 384, 6, options)


@register_model
def eva_x_base_patch16_224(pretrained: bool = False, **options: Any) -> Eva:
    """EVA-X-B: 86 million parameters."""
    options = {"qkv_fused": False, "scale_mlp": True, **options}
    return build("eva_x_base_patch16_224", pretrained, 768, 12, options)
