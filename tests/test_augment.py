"""Augmentation: nothing when off, each image its own draw, in the direction that it says."""

import numpy as np
import torch

from cxrgrid.augment import augment, move, transforms
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
