"""Heat maps are Grad-CAM's, from a layer that exists in every kind of network."""

import msgspec
import numpy as np
import pytest
import timm
import torch
import yaml
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

from cxrgrid import models
from cxrgrid.config.cell import Cell
from cxrgrid.inference import gradcam, heat_layer, occlusion
from long_tests import by_turns
from test_architecture import ROOT

DEMO = yaml.safe_load((ROOT / "config.yaml").read_text())["grid"]["backbones"]
NETWORKS = [(name, 64) for name in DEMO] + [
    ("test_resnet", 64),
    ("test_convnext", 64),
    ("test_efficientnet", 64),
    ("test_byobnet", 64),
    ("test_vit", 160),
    ("test_vit2", 64),
    ("densenet121", 64),
    ("mobilenetv3_small_100", 64),
    ("deit_tiny_distilled_patch16_224", 64),
    ("toh_densenet", 64),
    ("toh_xvt", 64),
    ("au_cnn3", 64),
]
LABELS = 8


def build(backbone, size, labels=LABELS):
    """A network whose classifier is not zero, as some start with."""
    cell = {"study": "t", "dataset": "toy", "backbone": backbone, "init": "scratch"}
    cell |= {"recipe": "default", "seed": 0, "weights": "", "channels": 1}
    torch.manual_seed(0)
    model = models.build(msgspec.convert(cell, Cell), labels, size).eval()
    heads = model.get_classifier()
    for head in heads if isinstance(heads, (tuple, torch.nn.ModuleList)) else [heads]:
        torch.nn.init.normal_(head.weight)
    return model


def noise(count, size):
    return np.random.default_rng(0).integers(0, 255, (count, size, size)).astype(np.uint8)


@pytest.mark.parametrize("backbone, size", NETWORKS)
def test_every_network_has_a_layer_whose_map_depends_on_image_and_label(backbone, size):
    model = build(backbone, size)
    layer = heat_layer.find_layer(model, size)
    labels = np.tile(np.arange(LABELS), 2)
    heat = gradcam.heat(model, layer, noise(2, size).repeat(LABELS, axis=0), labels)
    assert heat.shape == (2 * LABELS, size, size) and heat.dtype == np.float32
    assert heat.min() >= 0 and heat.max() <= 1
    seen = heat.max(axis=(1, 2)) > 0.99  # a label may have no evidence for it anywhere
    assert seen.any() and (heat.min(axis=(1, 2)) < 0.01).all()
    # Of few places, two labels may happen to see the same one.
    assert len(np.unique(heat[seen], axis=0)) > seen.sum() / 2


@pytest.mark.parametrize("backbone, size", NETWORKS)
def test_maps_are_those_of_the_library_grad_cam(backbone, size):
    model = build(backbone, size)
    layer = heat_layer.find_layer(model, size)
    pixels, labels = noise(4, size), np.array([0, 3, 3, 7])
    images = models.normalise(torch.from_numpy(pixels).unsqueeze(1).float() / 255, model)
    targets = [ClassifierOutputTarget(label) for label in labels]
    with GradCAM(model, [layer.part], layer.to_map) as cam:
        wanted = cam(input_tensor=images, targets=targets)
    heat = gradcam.heat(model, layer, pixels, labels)
    np.testing.assert_allclose(heat, wanted, rtol=0, atol=1e-6)


def test_a_frozen_network_has_a_map_as_well():
    model = build("resnet10t", 64)
    layer, asked = heat_layer.find_layer(model, 64), (noise(2, 64), np.array([1, 2]))
    wanted = gradcam.heat(model, layer, *asked)
    np.testing.assert_array_equal(gradcam.heat(model.requires_grad_(False), layer, *asked), wanted)


def test_of_a_linear_head_over_a_mean_grad_cam_is_the_class_activation_map():
    """Selvaraju et al. 2017, section 3: for such networks it is CAM (Zhou et al. 2016)."""
    size = 256  # so that the last stage is the layer
    model = build("test_resnet", size)
    torch.nn.init.uniform_(model.get_classifier().weight)  # positive: no map is cut off whole
    layer = heat_layer.find_layer(model, size)
    pixels = noise(2, size)
    heat = gradcam.heat(model, layer, pixels, np.array([2, 1]))
    images = torch.from_numpy(pixels).unsqueeze(1).float() / 255
    with torch.inference_mode():
        features = model.forward_features(models.normalise(images, model))
    weights = model.get_classifier().weight.detach()[[2, 1]]
    maps = torch.einsum("nc,nchw->nhw", weights, features).clamp(min=0)
    maps = maps - maps.amin((1, 2), keepdim=True)
    maps = maps / maps.amax((1, 2), keepdim=True)
    assert maps.shape[-1] >= heat_layer.SMALLEST
    side = size // maps.shape[-1]
    centres = heat[:, side // 2 :: side, side // 2 :: side]
    assert np.corrcoef(centres.ravel(), maps.numpy().ravel())[0, 1] > 0.99


@pytest.mark.parametrize("size, grid", [(32, 4), (64, 4), (128, 4), (224, 7)])
def test_the_layer_is_the_deepest_that_is_fine_enough(size, grid):
    model = build("resnet10t", size)
    layer = heat_layer.find_layer(model, size)
    shapes = []
    layer.part.register_forward_hook(lambda _, __, out: shapes.append(layer.to_map(out).shape))
    with torch.inference_mode():
        model(heat_layer.black(model, size))
    assert shapes[0][2:] == (grid, grid)


def test_a_vision_transformer_is_read_before_its_last_attention():
    model = build("test_vit", 160)
    layer = heat_layer.find_layer(model, 160)
    assert layer.name == "blocks.5.norm1"
    tokens = torch.arange(101.0).view(1, 101, 1)
    assert torch.equal(layer.to_map(tokens), torch.arange(1.0, 101).view(1, 1, 10, 10))


def test_the_map_of_an_image_that_is_not_square_has_its_rows_and_columns():
    model = build("test_vit", (64, 96))
    layer = heat_layer.find_layer(model, (64, 96))
    tokens = torch.arange(25.0).view(1, 25, 1)
    assert torch.equal(layer.to_map(tokens), torch.arange(1.0, 25).view(1, 1, 4, 6))
    pixels = np.random.default_rng(0).integers(256, size=(2, 64, 96), dtype=np.uint8)
    assert gradcam.heat(model, layer, pixels, np.array([0, 1])).shape == (2, 64, 96)


def test_asking_leaves_the_network_as_it_was():
    model = build("resnet10t", 64)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    layer = heat_layer.find_layer(model, 64)
    gradcam.heat(model, layer, noise(2, 64), np.array([0, 0]))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(weight.grad is None for weight in model.parameters())
    assert not layer.part._forward_hooks


def test_an_overlay_is_the_grey_image_where_nothing_was_seen():
    pixels, heat = noise(1, 64)[0], np.zeros((64, 64), np.float32)
    heat[10:20, 30:40] = 1
    picture = np.asarray(gradcam.overlay(pixels, heat, 64)).astype(int)
    coloured = np.ptp(picture, axis=2) > 0
    assert np.array_equal(coloured, heat > 0)
    assert np.array_equal(picture[~coloured][:, 0], pixels[~coloured])
    assert gradcam.overlay(pixels, heat, 16).size == (16, 16)


# Networks at whose first choice of a layer the map is empty, has its axes wrong, or is no tensor.
AWKWARD = [("cait_xxs24_224", 64), ("convit_tiny", 224), ("crossvit_tiny_240", 64)]
AWKWARD += [
    ("hrnet_w18_small", 64),
    ("mvitv2_tiny", 64),
    ("pit_ti_224", 64),
    ("tnt_s_patch16_224", 64),
]
AWKWARD += [("twins_svt_small", 64), ("volo_d1_224", 64), ("xcit_nano_12_p16_224", 64)]
AWKWARD += [("coat_tiny", 64), ("swin_tiny_patch4_window7_224", 64), ("vit_tiny_r_s16_p8_224", 64)]
AWKWARD += [("vit_small_patch16_rope_224", 64), ("hiera_tiny_224", 64), ("mixer_s32_224", 128)]


@pytest.mark.parametrize("backbone, size", by_turns(AWKWARD, 5))
def test_awkward_networks_have_a_sound_map_or_say_that_they_have_none(backbone, size):
    if backbone not in timm.list_models():
        pytest.skip("not in this timm")
    model = build(backbone, size, labels=2)
    try:
        layer = heat_layer.find_layer(model, size)
    except heat_layer.NoHeatMap as error:
        assert str(error).startswith("no heat map for this network: ")
        return
    maps, gradients = heat_layer.map_and_gradient(model, layer, noise(2, size), np.array([0, 1]))
    assert maps.shape == gradients.shape and maps.shape[2] == maps.shape[3]
    assert (np.abs(gradients).max(axis=1) > 0).mean() >= 0.5


def test_a_network_without_a_map_says_so_and_is_looked_at_by_occlusion():
    """A perceptron on all pixels at once has no place that means a place of the image."""
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64 * 64, 2))
    for name in ("mean", "std"):
        model.register_buffer(name, torch.full((1, 1, 1, 1), 0.5))
    with pytest.raises(heat_layer.NoHeatMap, match="no heat map for this network: Sequential"):
        heat_layer.find_layer(model, 64)
    with torch.no_grad():  # it looks at one tile of the image
        weight = torch.zeros(2, 64, 64)
        weight[1, 16:24, 40:48] = 1
        model[1].weight.copy_(weight.flatten(1))
    pixels = np.zeros((1, 64, 64), np.uint8)
    pixels[0, 8:32, 32:56] = 255
    found = occlusion.heat(model, pixels, np.array([1]))[0]
    row, column = np.unravel_index(found.argmax(), found.shape)
    assert 16 <= row < 24 and 40 <= column < 48 and found.max() > 0.99
    assert not occlusion.heat(model, pixels, np.array([0])).any(), "a logit that never falls"


def squares(count, size, seed):
    """Noise, in every other image with a bright square: uint8 [N, H, W], labels, its corner."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(60, 120, (count, size, size)).astype(np.uint8)
    corners = rng.integers(0, size - size // 4, (count, 2))
    labels = np.arange(count) % 2
    for image, (top, left), label in zip(pixels, corners, labels, strict=True):
        if label:
            image[top : top + size // 4, left : left + size // 4] = 250
    return pixels, labels, corners


# One network of each kind: convolutions, maps with channels last, windows of attention, tokens
# with a class token, and without.
KINDS = [("test_resnet", 64), ("test_vit", 64)]
KINDS += [
    pytest.param(name, 64, marks=pytest.mark.long)
    for name in ("test_convnext", "test_mambaout", "test_maxvit", "test_vit_relpos")
]


@pytest.mark.slow
@pytest.mark.parametrize("backbone, size", KINDS)
def test_a_planted_square_that_a_network_has_learnt_is_where_its_map_is_hot(backbone, size):
    model = build(backbone, size, labels=2).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    for step in range(100):
        pixels, labels, _ = squares(16, size, step)
        images = torch.from_numpy(pixels).unsqueeze(1).float() / 255
        logits = model(models.normalise(images, model))
        loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(labels))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    pixels, labels, corners = squares(40, size, 1000)
    shown = labels == 1
    layer = heat_layer.find_layer(model, size)
    found = gradcam.heat(model, layer, pixels[shown], labels[shown])
    margin = size // 8  # half a position of a map of 4 x 4
    hits = 0
    for one, (top, left) in zip(found, corners[shown], strict=True):
        row, column = np.unravel_index(one.argmax(), one.shape)
        inside = [top - margin <= row < top + size // 4 + margin]
        inside += [left - margin <= column < left + size // 4 + margin]
        hits += all(inside)
    assert loss < 0.4, "the network has learnt the square"
    # By chance a hit has a probability of about a quarter.
    assert hits >= 0.7 * shown.sum(), (backbone, layer.name, hits)


def test_a_network_that_keeps_values_of_a_prediction_has_a_map_after_it():
    model = build("convit_tiny", 64).eval()
    with torch.inference_mode():
        model(models.normalise(torch.zeros(1, 1, 64, 64), model))
    layer = heat_layer.find_layer(model, 64)
    found = gradcam.heat(model, layer, noise(1, 64), np.array([1]))
    assert found.shape == (1, 64, 64) and np.isfinite(found).all()
