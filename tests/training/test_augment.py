"""Augmentation: nothing when off, each image its own draw, in the direction that it says."""

import numpy as np
import pytest
import torch
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as reference

from cxrgrid.training.augment import (
    POLICIES,
    augment,
    crops,
    erase,
    mix,
    move,
    noise,
    rectangles,
    sharpen,
    stretch,
    transforms,
)
from test_train import make_cell


def rng():
    return np.random.default_rng(0)


def test_off_means_untouched():
    images = torch.rand(4, 1, 16, 16)
    assert augment(images, make_cell(), rng()) is images


def test_each_image_has_its_own_draw():
    images = torch.rand(1, 1, 16, 16).repeat(4, 1, 1, 1)
    moved = augment(images, make_cell(rotate=30), rng())
    assert len({tuple(image.flatten().tolist()) for image in moved}) == 4


def test_identity_map_gives_the_image_back():
    images = torch.rand(3, 1, 16, 16)
    maps = transforms(3, make_cell(), rng())
    assert torch.allclose(move(images, maps), images, atol=1e-5)


def test_flip_mirrors_half_of_the_images():
    images = torch.rand(200, 1, 8, 8)
    moved = augment(images, make_cell(hflip=True), rng())
    mirrored = torch.isclose(moved, images.flip(3), atol=1e-5).flatten(1).all(1)
    same = torch.isclose(moved, images, atol=1e-5).flatten(1).all(1)
    assert (mirrored ^ same).all()
    assert 70 < mirrored.sum() < 130


def test_shift_moves_by_no_more_than_it_says():
    images = torch.zeros(50, 1, 33, 33)
    images[:, :, 16, 16] = 1
    moved = augment(images, make_cell(shift=0.1), rng())
    weight = moved[:, 0] / moved.sum((1, 2, 3)).view(-1, 1, 1)
    column = (weight.sum(1) * torch.arange(33.0)).sum(1)
    assert (column - 16).abs().max() <= 3.3 + 0.01
    assert (column - 16).abs().max() > 2


def test_brightness_and_contrast_stay_in_range():
    images = torch.rand(50, 1, 8, 8)
    shaded = augment(images, make_cell(brightness=0.3, contrast=0.3), rng())
    assert shaded.min() >= 0 and shaded.max() <= 1
    grey = augment(torch.full((50, 1, 8, 8), 0.5), make_cell(contrast=0.5), rng())
    assert torch.allclose(grey, torch.full_like(grey, 0.5), atol=1e-6)  # contrast turns about grey


NEW = {
    "shear": 20,
    "crop": 0.5,
    "sharpness": 0.9,
    "noise": 0.2,
    "autocontrast": 0.5,
    "erasing": 0.5,
}


@pytest.mark.parametrize("option", NEW)
def test_each_option_by_itself_stays_in_range_and_differs_by_image(option):
    images = 0.2 + 0.5 * torch.rand(1, 1, 24, 24).repeat(20, 1, 1, 1)
    found = augment(images, make_cell(**{option: NEW[option]}), rng())
    assert found.shape == images.shape and found.dtype == torch.float32
    assert found.min() >= 0 and found.max() <= 1
    different = len({tuple(image.flatten().tolist()) for image in found})
    assert different == 2 if option == "autocontrast" else different > 5
    again = augment(images, make_cell(**{option: NEW[option]}), rng())
    assert torch.equal(found, again)


def test_options_that_are_off_draw_nothing():
    cell = make_cell(rotate=10, contrast=0.3)
    one, two = rng(), rng()
    augment(torch.rand(5, 1, 16, 16), cell, one)
    two.uniform(size=(6 * 5,)), two.uniform(size=5)  # angle, size, shift twice, mirror; gain, bias
    assert one.bit_generator.state == two.bit_generator.state


def test_shear_moves_rows_by_the_tangent_of_its_angle():
    maps = transforms(200, make_cell(shear=30), rng())
    slope = maps[:, 0, 1]
    assert np.abs(slope).max() <= np.tan(np.radians(30)) and np.abs(slope).max() > 0.5
    assert slope.min() < 0 < slope.max()
    rest = maps - slope[:, None, None] * np.array([[0, 1, 0], [0, 0, 0]])
    assert np.allclose(rest, np.eye(2, 3), atol=1e-6)


@pytest.mark.parametrize("shape", [(40, 40), (40, 80)])
def test_a_turned_disk_stays_a_disk(shape):
    """Rotation, shear and mirroring are of pixels, however wide the image."""
    y, x = (np.arange(side) - (side - 1) / 2 for side in shape)
    disk = torch.from_numpy(np.float32(np.hypot(y[:, None], x) < 12)).expand(8, 1, *shape)
    for image in augment(disk, make_cell(rotate=90), rng())[:, 0].numpy():
        spread = [(image.sum(axis) * side**2).sum() for axis, side in ((1, y), (0, x))]
        assert spread[0] == pytest.approx(spread[1], rel=0.05)
        assert image.sum() == pytest.approx(disk[0].sum().item(), rel=0.02)


def test_an_erased_rectangle_has_its_aspect_in_pixels():
    cell = make_cell(erasing=1)
    square, wide = rectangles(500, cell, rng()), rectangles(500, cell, rng(), ratio=2.0)
    sides = [boxes[:, 2:] - boxes[:, :2] for boxes in (square, wide)]
    inside = (sides[0] < 0.7).all(axis=1)  # not cut to the image's side, in either
    assert np.allclose(sides[1][inside], sides[0][inside] * [0.5**0.5, 2**0.5])


def test_crops_lie_within_the_image_and_cover_what_they_say():
    side, middle = crops(2000, make_cell(crop=0.3), rng())
    area, aspect = side.prod(axis=1), side[:, 0] / side[:, 1]
    assert (np.abs(middle) + side).max() <= 1 + 1e-9
    assert 0.3 <= area.min() < 0.31 and 0.99 < area.max() <= 1
    assert np.mean(area) == pytest.approx(0.65, abs=0.02)
    assert 0.75 - 1e-9 <= aspect.min() < 0.77 and 1.3 < aspect.max() <= 4 / 3 + 1e-9


def test_a_crop_is_that_part_of_the_image_enlarged():
    images = torch.rand(1, 1, 32, 32)
    maps = np.array([[[0.5, 0, -0.5], [0, 0.5, -0.5]]], np.float32)  # the upper left quarter
    expected = torch.nn.functional.interpolate(
        images[:, :, :16, :16], scale_factor=2, mode="bilinear"
    )
    assert torch.allclose(
        move(images, maps)[:, :, 1:30, 1:30], expected[:, :, 1:30, 1:30], atol=1e-5
    )


def test_sharpness_is_torchvisions_for_each_image():
    images = torch.rand(4, 1, 16, 16)
    factor = np.array([0.0, 0.5, 1.0, 1.9])
    for ours, image, each in zip(sharpen(images, factor), images, factor, strict=True):
        assert torch.allclose(ours, reference.adjust_sharpness(image, each), atol=1e-6)


def test_autocontrast_is_torchvisions_for_the_chosen():
    images = 0.3 + 0.3 * torch.rand(3, 1, 16, 16)
    images[2] = 0.4  # one level: nothing to stretch
    found = stretch(images, np.array([True, False, True]))
    assert torch.allclose(found[0], reference.autocontrast(images[0]), atol=1e-6)
    assert torch.equal(found[1:], images[1:])


def test_noise_has_a_standard_deviation_up_to_what_it_says():
    drawn = noise(torch.zeros(300, 1, 32, 32), make_cell(noise=0.2), rng())
    spread = drawn.std((1, 2, 3))
    assert spread.max() < 0.21 and spread.mean() == pytest.approx(0.1, abs=0.01)
    assert abs(drawn.mean()) < 0.002


def test_erasing_takes_a_rectangle_of_some_images():
    boxes = rectangles(2000, make_cell(erasing=0.25), rng())
    sides = boxes[:, 2:] - boxes[:, :2]
    chosen = sides.prod(axis=1) > 0
    assert chosen.mean() == pytest.approx(0.25, abs=0.03)
    assert boxes.min() >= 0 and boxes.max() <= 1
    area = sides[chosen].prod(axis=1)
    assert area.min() >= 0.02 - 1e-9 and area.max() <= 0.33 + 1e-9


def test_what_is_erased_is_the_images_own_grey_and_nothing_else_changes():
    images = torch.rand(2, 1, 20, 20)
    found = erase(images, np.array([[0.25, 0.5, 0.75, 0.9], [0, 0, 0, 0]]))
    assert torch.equal(found[1], images[1])
    changed = found[0, 0] != images[0, 0]
    assert changed[10:18, 5:15].all() and changed.sum() == 80
    assert torch.allclose(found[0, 0, 10:18, 5:15], images[0].mean().expand(8, 10), atol=1e-6)


def test_mixup_blends_images_and_targets_alike():
    # Each image is as bright as its first target: it must stay so.
    targets = torch.rand(30, 2)
    images = targets[:, :1, None, None].expand(30, 1, 4, 4)
    mixed, wanted = mix(images, targets, make_cell(mixup=0.4), rng())
    assert torch.allclose(mixed[:, 0, 0, 0], wanted[:, 0], atol=1e-6)
    assert len(set((wanted[:, 0] - targets[:, 0]).tolist())) > 20
    assert wanted[:, 0].mean() == pytest.approx(targets[:, 0].mean().item(), abs=0.1)


def test_mixup_of_classes_adds_up_to_one_and_of_the_unknown_is_unknown():
    classes = torch.eye(3)[torch.tensor([0, 1, 2, 0, 1, 2])]
    images = torch.rand(6, 1, 4, 4)
    _, wanted = mix(images, classes, make_cell(mixup=1.0), rng())
    assert torch.allclose(wanted.sum(1), torch.ones(6))
    labels = classes.clone()
    labels[0, 1] = float("nan")
    _, wanted = mix(images, labels, make_cell(mixup=1.0), rng())
    assert wanted[:, [0, 2]].isfinite().all()
    assert 1 <= wanted[:, 1].isnan().sum() <= 2


def test_without_mixup_nothing_is_touched():
    images, targets = torch.rand(2, 1, 4, 4), torch.rand(2, 3)
    assert mix(images, targets, make_cell(), rng()) == (images, targets)


POLICY = ("randaugment", "trivialaugment", "augmix")


@pytest.mark.parametrize("policy", POLICY)
def test_a_policy_draws_for_each_image_from_the_steps_own_numbers(policy):
    images = torch.rand(1, 1, 32, 32, generator=torch.manual_seed(0)).repeat(8, 1, 1, 1)
    before = torch.get_rng_state()
    first = augment(images, make_cell(policy=policy), rng())
    assert torch.equal(before, torch.get_rng_state())  # the step's own chance is not touched
    torch.manual_seed(7)
    assert torch.equal(augment(images, make_cell(policy=policy), rng()), first)
    assert len({tuple(image.flatten().tolist()) for image in first}) > 4
    assert first.shape == images.shape and 0 <= first.min() <= first.max() <= 1


@pytest.mark.parametrize("policy", POLICY)
def test_a_policy_is_torchvisions(policy):
    image = torch.rand(1, 1, 32, 32)
    made = augment(image, make_cell(policy=policy), rng())
    torch.manual_seed(int(rng().integers(2**63, size=1)[0]))
    assert torch.equal(made[0], getattr(v2, POLICIES[policy])()(image[0]).clamp(0, 1))


def test_cutmix_puts_in_as_much_of_another_image_as_the_labels_say():
    images = torch.arange(8.0).view(8, 1, 1, 1).expand(8, 1, 20, 30)
    targets = torch.eye(8)
    mixed, shares = mix(images, targets, make_cell(policy="cutmix"), rng())
    for number in range(8):
        values, counts = mixed[number].unique(return_counts=True)
        found = torch.zeros(8)
        found[values.long()] = counts / 600
        assert torch.allclose(found, shares[number], atol=1e-6)
    assert (shares.max(dim=1).values < 1).sum() > 4


def test_a_label_that_is_unknown_in_either_image_of_a_cutmix_is_unknown():
    images, targets = torch.rand(2, 1, 8, 8), torch.tensor([[1.0, torch.nan], [0.0, 1.0]])
    _, mixed = mix(images, targets, make_cell(policy="cutmix"), np.random.default_rng(1))
    order = np.random.default_rng(1)
    order.uniform(size=6)
    crossed = list(order.permutation(2)) == [1, 0]
    assert mixed[0, 1].isnan() and mixed[1, 1].isnan() == crossed
