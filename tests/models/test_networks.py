"""The studies' own networks: their published sizes, and all that timm asks of a model."""

import re

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file
from torch.nn import functional as F

from cxrgrid import models
from cxrgrid.config.checks import MODELS, backbones, check_backbone
from cxrgrid.config.errors import UserError
from cxrgrid.data.split_arrays import Split
from cxrgrid.models.toh_xvt import ConvAttention
from long_tests import by_turns
from test_train import make_cell

NAMES = sorted(name for part in ("au", "toh", "toh_xvt") for name in timm.list_models(module=part))
LARGE = {"toh_unet_encoder", "au_cnn2_wide", "au_cnn3_wide"}
DEAR = {*LARGE, "toh_densenet", "toh_xvt"}
COUNTS = {  # 3 channels, 14 labels
    "toh_cnn": 17_390,
    "toh_resnet": 6_299_342,
    "toh_densenet": 2_136_302,
    "toh_unet_encoder": 18_857_550,
    "toh_xvt": 2_823_758,
    "au_cnn3": 552_014,
}


def build(name, channels=1, labels=2, size=64, **settings):
    """A network as a cell gets it, the same each time."""
    torch.manual_seed(0)
    return models.build(make_cell(backbone=name, channels=channels, **settings), labels, size)


def several(values):
    """Each network with each value; of those that take longest all but the first are long."""
    return [
        pytest.param(name, value, marks=[pytest.mark.long] * (name in DEAR and value != values[0]))
        for name in NAMES
        for value in values
    ]


def parameters(model):
    return sum(parameter.numel() for parameter in model.parameters())


def test_every_network_here_is_tested():
    assert set(COUNTS) < set(NAMES)
    text = "".join(path.read_text() for path in MODELS.glob("*.py"))
    others = {f"eva_x_{size}_patch16_224" for size in ("tiny", "small", "base")}
    others |= {"chexfound_vit_large_patch16_512"}  # tests/models/test_chest_starts.py
    assert set(re.findall(r"@register_model\ndef (\w+)", text)) == {*NAMES, *others}


@pytest.mark.parametrize("name", COUNTS)
def test_the_number_of_parameters_is_the_stated_one(name):
    assert parameters(timm.create_model(name, num_classes=14)) == COUNTS[name]


def test_the_docstrings_state_the_difference_from_the_published_counts():
    for name, published in {"toh_cnn": 19_026, "toh_unet_encoder": 21_129_038}.items():
        doc = timm.model_entrypoint(name).__doc__
        for count in (COUNTS[name], published, published - COUNTS[name]):
            assert f"{count:,}" in doc, name


def test_the_published_densenet_121_counts_running_statistics_as_trainable():
    """7,051,854 "trainable params" of Toh et al., Table 1."""
    model = timm.create_model("densenet121", num_classes=14)
    statistics = [b for n, b in model.named_buffers() if not n.endswith("num_batches_tracked")]
    assert parameters(model) == 6_968_206
    assert parameters(model) + sum(b.numel() for b in statistics) == 7_051_854


@pytest.mark.parametrize(("name", "channels"), several([1, 3]))
def test_a_network_learns_and_comes_back_from_its_file(name, channels, tmp_path):
    """One step on 64 px lowers the loss of its images; its state gives the same answers."""
    model = build(name, channels)
    images, targets = torch.rand(4, channels, 64, 64), torch.tensor([[1.0, 0.0]] * 4)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    losses = []
    for _ in range(2):
        loss = F.binary_cross_entropy_with_logits(model(images), targets)
        optimizer.zero_grad()
        loss.backward()
        assert all(p.grad is not None for p in model.parameters()), "a weight that nothing reads"
        optimizer.step()
        losses.append(loss.item())
    assert losses[1] < losses[0]
    save_file(model.state_dict(), tmp_path / "w.safetensors")
    other = build(name, channels)
    other.load_state_dict(models.read_weights(tmp_path / "w.safetensors"))
    assert torch.equal(other.eval()(images), model.eval()(images))


SIZES = [(name, 128) for name in NAMES] + [(name, 224) for name in NAMES if name not in LARGE]


@pytest.mark.parametrize(("name", "size"), SIZES)
def test_a_network_takes_other_sizes(name, size):
    model = build(name, size=size)
    with torch.inference_mode():
        assert model.eval()(torch.zeros(1, 1, size, size)).shape == (1, 2)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(LARGE))
def test_a_large_network_takes_224_pixels(name):
    test_a_network_takes_other_sizes(name, 224)


@pytest.mark.parametrize(("name", "channels"), several([(3, 1), (1, 3), (1, 1)]))
def test_a_network_starts_from_another_cell_with_other_labels(name, channels, tmp_path):
    """All weights but the classifier's carry over, and a grey image gives the same features.

    channels: of the network that the weights are of, and of the one that starts from them.
    """
    had, has = channels
    source = build(name, had, labels=14).eval()
    save_file(source.state_dict(), tmp_path / "w.safetensors")
    torch.manual_seed(1)
    model = models.build(make_cell(backbone=name, channels=has), 3, 64).eval()
    models.start_from(model, tmp_path / "w.safetensors")
    grey = torch.rand(2, 1, 64, 64)
    before = source.forward_features(grey.expand(-1, had, -1, -1))
    after = model.forward_features(grey.expand(-1, has, -1, -1))
    assert torch.allclose(before, after, atol=1e-4)
    assert model(grey.expand(-1, has, -1, -1)).shape == (2, 3)


@pytest.mark.parametrize("name", NAMES)
def test_a_network_is_a_citizen_of_timm(name):
    """Head, features, layers and maps, where timm and its users look for them."""
    model = build(name).eval()
    images = torch.rand(2, 1, 64, 64)
    features = model.forward_features(images)
    assert features.shape[:2] == (2, model.num_features)
    seen = model.forward_head(features, pre_logits=True)
    assert seen.shape == (2, model.head_hidden_size)
    assert torch.equal(model.get_classifier()(seen), model(images))
    head = f"{model.default_cfg['classifier']}."
    classifier = {key for key in model.state_dict() if key.startswith(head)}
    assert classifier == {f"{head}weight", f"{head}bias"}
    layers = timm.models.group_parameters(model, model.group_matcher(), reverse=True)
    stem, last = min(layers.values()), layers[f"{head}weight"]
    assert stem == 0 and last == max(layers.values()) > 1
    model.reset_classifier(5)
    assert model(images).shape == (2, 5) and model.num_classes == 5
    model.reset_classifier(0)
    assert torch.equal(model(images), seen)


@pytest.mark.parametrize("name", by_turns(NAMES, 3))
def test_a_network_gives_its_maps(name):
    options = {"img_size": 64} if timm.get_pretrained_cfg(name).fixed_input_size else {}
    maps = timm.create_model(name, features_only=True, **options)
    shapes = [(m.shape[1], m.shape[-1]) for m in maps.eval()(torch.zeros(1, 3, 64, 64))]
    info = maps.feature_info
    assert shapes == [(c, 64 // r) for c, r in zip(info.channels(), info.reduction(), strict=True)]


@pytest.mark.parametrize(
    "name", ["toh_cnn", "toh_resnet", "toh_unet_encoder", "toh_xvt", "au_cnn3"]
)
def test_dropout_acts_in_training_alone(name):
    model, images = build(name, dropout=0.5), torch.rand(2, 1, 64, 64)
    torch.manual_seed(0)
    with torch.no_grad():
        assert not torch.equal(model(images), model(images))
        assert torch.equal(model.eval()(images), model(images))


@pytest.mark.parametrize("name", by_turns(NAMES, 3))
def test_answers_do_not_depend_on_the_batch(name):
    model = build(name)
    pixels = np.random.default_rng(0).integers(0, 256, (3, 64, 64), dtype=np.uint8)
    split = Split(pixels, np.arange(3), np.zeros((3, 2), np.float32), [""] * 3, [""] * 3)
    one, all_ = models.logits(model, split, 1), models.logits(model, split, 3)
    assert torch.allclose(one, all_, atol=1e-4)


def test_attention_is_what_it_says():
    """Against the sum written out: softmax(q k / √d) v, head by head."""
    torch.manual_seed(0)
    attention = ConvAttention(12, 3, 0.0).eval()
    maps = torch.rand(2, 12, 4, 5)
    parts = [
        linear(conv(maps).flatten(2).transpose(1, 2))
        for conv, linear in zip(attention.convs, attention.linears, strict=True)
    ]
    heads = []
    for at in range(0, 12, 4):
        q, k, v = (part[..., at : at + 4] for part in parts)
        heads.append((q @ k.transpose(1, 2) / 2).softmax(dim=-1) @ v)
    expected = attention.proj(torch.cat(heads, dim=-1)).transpose(1, 2).reshape(2, 12, 4, 5)
    assert torch.allclose(attention(maps), expected, atol=1e-6)


def test_too_small_an_image_is_refused():
    with pytest.raises(UserError, match="toh_cnn cannot take 32 px images"):
        build("toh_cnn", size=32)


def test_the_config_knows_the_networks():
    names = backbones()
    assert set(NAMES) <= names
    with pytest.raises(UserError, match="toh_resnet"):
        check_backbone("toh_resnt", names, "grid.backbones")
