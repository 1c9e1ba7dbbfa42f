"""Backbones are built for the size, or refused in one line that names sizes that they take."""

from types import SimpleNamespace

import numpy as np
import pytest
import timm
import torch
from timm.models._registry import _deprecated_models

from cxrgrid import models
from cxrgrid.config import checks
from cxrgrid.config.errors import UserError
from cxrgrid.models.sizes import fewest_images
from cxrgrid.models.start import at_size
from cxrgrid.training import cost
from cxrgrid.training.sampling import batches
from test_train import make_cell

TAKEN = [("cait_xxs24_224", 64), ("pit_ti_224", 64), ("tnt_s_patch16_224", 64)]
TAKEN += [("crossvit_tiny_240", 64), ("vit_tiny_patch16_224", 96), ("levit_128s", 112)]
TAKEN += [("xcit_nano_12_p16_224", 64), ("resnet18", 64)]
REFUSED = ["inception_v3"]
REFUSED += [
    pytest.param(name, marks=pytest.mark.long) for name in ("halonet26t", "efficientformer_l1")
]


@pytest.mark.parametrize(("backbone", "size"), TAKEN)
def test_backbones_are_built_for_the_size_and_their_cost_is_counted(backbone, size):
    model = models.build(make_cell(backbone=backbone), 5, size).eval()
    assert model(torch.zeros(1, 1, size, size)).shape == (1, 5)
    assert cost.of_model(model, 1, size)["multiply_adds"] > 0
    assert all(weight.requires_grad for weight in model.parameters())


@pytest.mark.parametrize("backbone", ["vit_tiny_patch16_224", "test_resnet", "toh_cnn"])
def test_an_image_need_not_be_square(backbone):
    model = models.build(make_cell(backbone=backbone), 5, (64, 96)).eval()
    assert model(torch.zeros(1, 1, 64, 96)).shape == (1, 5)
    square = models.build(make_cell(backbone=backbone), 5, 96)
    few, many = (cost.of_model(m, 1, s) for m, s in ((model, (64, 96)), (square, 96)))
    assert 0.5 * many["multiply_adds"] < few["multiply_adds"] < 0.75 * many["multiply_adds"]
    assert fewest_images(model, 1, (64, 96)) == 1


def test_what_is_said_of_a_size_that_is_not_square_is_width_by_height():
    with pytest.raises(UserError, match=r"cannot take 70x250 px images .* set image\.size to 224"):
        models.build(make_cell(backbone="inception_v3"), 5, (250, 70))


@pytest.mark.parametrize("backbone", REFUSED)
def test_a_size_that_a_backbone_cannot_take_is_refused_with_one_that_it_can(backbone):
    with pytest.raises(UserError, match=r"cannot take 64 px .*set image\.size to") as refused:
        models.build(make_cell(backbone=backbone), 5, 64)
    size = int(str(refused.value).split("set image.size to ")[1].split(",")[0])
    models.build(make_cell(backbone=backbone), 5, size)


def test_the_trial_draws_nothing_from_the_random_state():
    torch.manual_seed(0)
    model = models.build(make_cell(backbone="resnet10t"), 2, 32)
    after = torch.rand(3)
    torch.manual_seed(0)
    plain = timm.create_model("resnet10t", num_classes=2, in_chans=1)
    assert torch.equal(after, torch.rand(3))
    assert all(map(torch.equal, model.parameters(), plain.parameters()))


def test_a_cost_that_cannot_be_counted_is_left_out_with_its_reason():
    found = cost.of_model(torch.nn.Linear(3, 2), 1, 8)
    assert found["multiply_adds"] is None and found["parameters"] == 8
    assert found["multiply_adds_reason"].startswith("not counted (RuntimeError")


def test_batch_norms_that_see_one_value_need_two_images():
    for size, least in ((32, 2), (64, 1)):
        model = models.build(make_cell(backbone="test_resnet"), 2, size).train()
        try:
            model(torch.zeros(1, 1, size, size))
            assert least == fewest_images(model, 1, size) == 1
        except ValueError:
            assert fewest_images(model, 1, size) == 2
    assert fewest_images(model.eval(), 1, 32) == 1


def test_a_last_batch_of_one_joins_the_others():
    labels, cell = np.zeros((9, 1), np.float32), make_cell(batch_size=2)
    assert [len(rows) for rows in batches(labels, cell, 1)] == [2, 2, 2, 2, 1]
    assert [len(rows) for rows in batches(labels, cell, 1, least=2)] == [3, 2, 2, 2]
    with pytest.raises(UserError, match="set batch_size to 2 or more"):
        batches(labels, make_cell(batch_size=1), 1, least=2)
    with pytest.raises(UserError, match=r"1 training images.*needs more"):
        batches(labels[:1], cell, 1, least=2)


@pytest.mark.long
def test_old_names_are_answered_with_what_timm_calls_them_now():
    assert checks.renamed() == {old: new or "" for old, new in _deprecated_models.items()}
    with pytest.raises(UserError, match=r"'tf_efficientnet_b0\.ns_jft_in1k' now"):
        checks.check_backbone("tf_efficientnet_b0_ns", checks.backbones(), "grid.backbones")


def ramp(rows, columns):
    """A map [1, H, W, 2] that grows to the right in one channel, and downwards in the other."""
    down, right = (torch.linspace(0, 1, count) for count in (rows, columns))
    return torch.stack(torch.meshgrid(down, right, indexing="ij"), dim=-1).unsqueeze(0)


def test_positions_of_every_shape_keep_their_directions_at_another_size():
    """cait's are without the class token, hiera says no grid, volo's channels are last."""
    had, has = ramp(14, 14), ramp(4, 4)
    vit = SimpleNamespace(patch_embed=SimpleNamespace(grid_size=(4, 4)), num_prefix_tokens=1)
    cait, hiera = vit, SimpleNamespace()
    tokens, own = had.flatten(1, 2), has.flatten(1, 2)
    token = torch.full((1, 1, 2), 7.0)
    with_token = [torch.cat([token, one], dim=1) for one in (tokens, own)]
    found = [
        at_size(tokens, own, cait).unflatten(1, (4, 4)),
        at_size(tokens, own, hiera).unflatten(1, (4, 4)),
        at_size(*with_token, vit)[:, 1:].unflatten(1, (4, 4)),
        at_size(had, has, SimpleNamespace()),
        at_size(had.permute(0, 3, 1, 2), has.permute(0, 3, 1, 2), hiera).permute(0, 2, 3, 1),
    ]
    for one in found:
        assert one.shape == has.shape and (one - has).abs().max() < 0.15
