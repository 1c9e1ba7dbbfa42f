"""Augmentation on the batch and on its device, each image with draws of its own."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from cxrgrid.settings import Cell


def augment(images: Tensor, cell: Cell, rng: np.random.Generator) -> Tensor:
    """Move and shade `images` (float [N, 1, H, W], 0 to 1) as the cell says.

    A cell that says nothing gets its images back as they are.
    """
    if cell.hflip or cell.rotate or cell.shift or cell.scale:
        images = move(images, transforms(len(images), cell, rng))
    if cell.brightness or cell.contrast:
        gain = 1 + uniform(rng, len(images), cell.contrast)
        bias = uniform(rng, len(images), cell.brightness)
        # Contrast turns about mid-grey, so that it does not also brighten.
        gain, bias = on(images, gain), on(images, 0.5 - 0.5 * gain + bias)
        images = (images * gain + bias).clamp(0, 1)
    return images


def uniform(rng: np.random.Generator, n: int, bound: float) -> np.ndarray:
    """n draws from [-bound, bound]; the generator moves on by as much whatever the bound."""
    return bound * rng.uniform(-1, 1, n)


def on(images: Tensor, values: np.ndarray) -> Tensor:
    """One value an image, shaped to multiply `images`."""
    return torch.from_numpy(values.astype(np.float32)).to(images.device).view(-1, 1, 1, 1)


def transforms(n: int, cell: Cell, rng: np.random.Generator) -> np.ndarray:
    """Affine maps from output to input coordinates (both -1 to 1): float32 [n, 2, 3]."""
    angle = np.radians(uniform(rng, n, cell.rotate))
    size = 1 + uniform(rng, n, cell.scale)
    # Coordinates span 2, so a shift by a share of the side is twice that share.
    shift = [2 * uniform(rng, n, cell.shift) for _ in range(2)]
    mirror = np.where(cell.hflip & (rng.random(n) < 0.5), -1.0, 1.0)
    rows = [
        [mirror * np.cos(angle) / size, -mirror * np.sin(angle) / size, shift[0]],
        [np.sin(angle) / size, np.cos(angle) / size, shift[1]],
    ]
    return np.array(rows, dtype=np.float32).transpose(2, 0, 1)


def move(images: Tensor, maps: np.ndarray) -> Tensor:
    """Resample `images` by affine maps, black outside."""
    maps = torch.from_numpy(np.ascontiguousarray(maps)).to(images.device)
    grid = F.affine_grid(maps, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, align_corners=False)
