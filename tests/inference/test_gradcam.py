"""Heat maps are Grad-CAM's, from a layer that exists in every kind of network."""

import msgspec
import numpy as np
import pytest
import torch
import yaml
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

from cxrgrid import models
from cxrgrid.config.cell import Cell
from cxrgrid.inference import gradcam
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
    for head in heads if isinstance(heads, tuple) else [heads]:
        torch.nn.init.normal_(head.weight)
    return model


def noise(count, size):
    return np.random.default_rng(0).integers(0, 255, (count, size, size)).astype(np.uint8)


@pytest.mark.parametrize("backbone, size", NETWORKS)
def test_every_network_has_a_layer_whose_map_depends_on_image_and_label(backbone, size):
    model = build(backbone, size)
    layer = gradcam.find_layer(model, size)
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
    layer = gradcam.find_layer(model, size)
    pixels, labels = noise(4, size), np.array([0, 3, 3, 7])
    images = models.normalise(torch.from_numpy(pixels).unsqueeze(1).float() / 255, model)
    targets = [ClassifierOutputTarget(label) for label in labels]
    with GradCAM(model, [layer.part], layer.to_map) as cam:
        wanted = cam(input_tensor=images, targets=targets)
    heat = gradcam.heat(model, layer, pixels, labels)
    np.testing.assert_allclose(heat, wanted, rtol=0, atol=1e-6)


def test_a_frozen_network_has_a_map_as_well():
    model = build("resnet10t", 64)
    layer, asked = gradcam.find_layer(model, 64), (noise(2, 64), np.array([1, 2]))
    wanted = gradcam.heat(model, layer, *asked)
    np.testing.assert_array_equal(gradcam.heat(model.requires_grad_(False), layer, *asked), wanted)


def test_of_a_linear_head_over_a_mean_grad_cam_is_the_class_activation_map():
    """Selvaraju et al. 2017, section 3: for such networks it is CAM (Zhou et al. 2016)."""
    size = 256  # so that the last stage is the layer
    model = build("test_resnet", size)
    torch.nn.init.uniform_(model.get_classifier().weight)  # positive: no map is cut off whole
    layer = gradcam.find_layer(model, size)
    pixels = noise(2, size)
    heat = gradcam.heat(model, layer, pixels, np.array([2, 1]))
    images = torch.from_numpy(pixels).unsqueeze(1).float() / 255
    with torch.inference_mode():
        features = model.forward_features(models.normalise(images, model))
    weights = model.get_classifier().weight.detach()[[2, 1]]
    maps = torch.einsum("nc,nchw->nhw", weights, features).clamp(min=0)
    maps = maps - maps.amin((1, 2), keepdim=True)
    maps = maps / maps.amax((1, 2), keepdim=True)
    assert maps.shape[-1] >= gradcam.SMALLEST
    side = size // maps.shape[-1]
    centres = heat[:, side // 2 :: side, side // 2 :: side]
    assert np.corrcoef(centres.ravel(), maps.numpy().ravel())[0, 1] > 0.99


@pytest.mark.parametrize("size, grid", [(32, 4), (64, 4), (128, 4), (224, 7)])
def test_the_layer_is_the_deepest_that_is_fine_enough(size, grid):
    model = build("resnet10t", size)
    layer = gradcam.find_layer(model, size)
    shapes = []
    layer.part.register_forward_hook(lambda _, __, out: shapes.append(layer.to_map(out).shape))
    with torch.inference_mode():
        model(gradcam.black(model, size))
    assert shapes[0][2:] == (grid, grid)


def test_a_vision_transformer_is_read_before_its_last_attention():
    model = build("test_vit", 160)
    layer = gradcam.find_layer(model, 160)
    assert layer.name == "blocks.5.norm1"
    tokens = torch.arange(101.0).view(1, 101, 1)
    assert torch.equal(layer.to_map(tokens), torch.arange(1.0, 101).view(1, 1, 10, 10))


def test_the_map_of_an_image_that_is_not_square_has_its_rows_and_columns():
    model = build("test_vit", (64, 96))
    layer = gradcam.find_layer(model, (64, 96))
    tokens = torch.arange(25.0).view(1, 25, 1)
    assert torch.equal(layer.to_map(tokens), torch.arange(1.0, 25).view(1, 1, 4, 6))
    pixels = np.random.default_rng(0).integers(256, size=(2, 64, 96), dtype=np.uint8)
    assert gradcam.heat(model, layer, pixels, np.array([0, 1])).shape == (2, 64, 96)


def test_asking_leaves_the_network_as_it_was():
    model = build("resnet10t", 64)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    layer = gradcam.find_layer(model, 64)
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
