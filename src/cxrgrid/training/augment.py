"""Augmentation of a batch on its device, with random values of its own for each image."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from cxrgrid.config.cell import Cell
from cxrgrid.data.loader import send
from cxrgrid.models.device import seed

POLICIES = {"randaugment": "RandAugment", "trivialaugment": "TrivialAugmentWide"}
POLICIES |= {"augmix": "AugMix"}  # torchvision's names


def augment(images: Tensor, cell: Cell, rng: np.random.Generator) -> Tensor:
    """Augment `images` (float [N, 1, H, W], 0 to 1) by the cell's settings.

    Without augmentation settings the images are returned unchanged. Options that are off draw no
    random numbers, so that they do not change the others' results.
    """
    if cell.policy in POLICIES:
        images = by_policy(images, POLICIES[cell.policy], rng)
    if cell.hflip or cell.rotate or cell.shift or cell.scale or cell.shear or cell.crop < 1:
        images = move(images, transforms(len(images), cell, rng, ratio(images)))
    if cell.brightness or cell.contrast:
        gain = 1 + uniform(rng, len(images), cell.contrast)
        bias = uniform(rng, len(images), cell.brightness)
        # Contrast turns about mid-grey, so that it does not also brighten.
        gain, bias = on(images, gain), on(images, 0.5 - 0.5 * gain + bias)
        images = (images * gain + bias).clamp(0, 1)
    if cell.sharpness:
        images = sharpen(images, 1 + uniform(rng, len(images), cell.sharpness))
    if cell.autocontrast:
        images = stretch(images, rng.random(len(images)) < cell.autocontrast)
    if cell.noise:
        images = (images + noise(images, cell, rng)).clamp(0, 1)
    if cell.erasing:
        images = erase(images, rectangles(len(images), cell, rng, ratio(images)))
    return images


def mix(
    images: Tensor, targets: Tensor, cell: Cell, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Blend each image and its targets [N, L] with another's: cutmix, then mixup, where asked.

    Mixup: Zhang et al. 2018, arXiv 1710.09412. Each image has its own share. A label that is
    unknown (NaN) in either of the two is unknown.
    """
    if cell.policy == "cutmix":
        images, targets = cut_and_mix(images, targets, rng)
    if not cell.mixup:
        return images, targets
    share = rng.beta(cell.mixup, cell.mixup, len(images))
    other = send(torch.from_numpy(rng.permutation(len(images))), images.device)
    weight = on(images, share)
    mixed = images[other].lerp(images, weight)
    return mixed, targets[other].lerp(targets, weight.view(-1, 1).to(targets.dtype))


def by_policy(images: Tensor, name: str, rng: np.random.Generator) -> Tensor:
    """Images by a policy of torchvision, whose random numbers follow from a seed of each image."""
    from torchvision.transforms import v2  # where it is asked for: it is long to import

    transform = getattr(v2, name)()
    changed = []
    for image, number in zip(images, rng.integers(2**63, size=len(images)), strict=True):
        with torch.random.fork_rng(devices=[]), Sent():
            seed(images.device, int(number))  # AugMix draws on the device, and the step seeds anew
            changed.append(transform(image))
    return torch.stack(changed).clamp(0, 1)


class Sent(TorchFunctionMode):
    """Sends numbers, of which torchvision makes tensors, to the device without a wait."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if func is not torch.tensor or kwargs.get("device") is None:
            return func(*args, **kwargs)
        device = torch.device(kwargs.pop("device"))
        return send(func(*args, **kwargs), device)


def cut_and_mix(images: Tensor, targets: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """CutMix (Yun et al. 2019, arXiv 1905.04899): a rectangle of each image is another image's.

    The rectangle's share of the area is uniform before it is cut to the image; the targets are
    mixed by the share that is left.
    """
    n, (height, width) = len(images), images.shape[2:]
    side = np.sqrt(rng.uniform(0, 1, n))
    corner = rng.uniform(0, 1, (n, 2)) - side[:, None] / 2
    edges = np.concatenate([corner, corner + side[:, None]], axis=1).clip(0, 1)
    # Whole pixels, so that the share of the targets is that of the pixels.
    edges = np.rint(edges * [width, height, width, height])
    area = (edges[:, 2] - edges[:, 0]) * (edges[:, 3] - edges[:, 1]) / (width * height)
    other = send(torch.from_numpy(rng.permutation(n)), images.device)
    mixed = torch.where(
        inside(images, edges / [width, height, width, height]), images[other], images
    )
    kept = on(images, 1 - area).view(-1, 1).to(targets.dtype)
    return mixed, targets[other].lerp(targets, kept)


def uniform(rng: np.random.Generator, n: int, bound: float) -> np.ndarray:
    """n values from [-bound, bound]; the generator advances equally for any bound."""
    return bound * rng.uniform(-1, 1, n)


def on(images: Tensor, values: np.ndarray) -> Tensor:
    """One value per image, as a tensor that multiplies `images`."""
    return send(torch.from_numpy(values.astype(np.float32)), images.device).view(-1, 1, 1, 1)


def ratio(images: Tensor) -> float:
    """Width by height of the images [N, C, H, W]."""
    return images.shape[3] / images.shape[2]


def transforms(n: int, cell: Cell, rng: np.random.Generator, ratio: float = 1.0) -> np.ndarray:
    """Affine maps from output to input coordinates (both -1 to 1): float32 [n, 2, 3].

    ratio: width by height, so that a rotation in pixels is one; shares are of the side each.
    """
    angle = np.radians(uniform(rng, n, cell.rotate))
    size = 1 + uniform(rng, n, cell.scale)
    # Coordinates span 2, so a shift by a share of the side is twice that share.
    shift = [2 * uniform(rng, n, cell.shift) for _ in range(2)]
    mirror = np.where(cell.hflip & (rng.random(n) < 0.5), -1.0, 1.0)
    rows = [
        [mirror * np.cos(angle) / size, -mirror * np.sin(angle) / size, shift[0]],
        [np.sin(angle) / size, np.cos(angle) / size, shift[1]],
    ]
    maps = np.array(rows).transpose(2, 0, 1)
    if cell.shear:
        # x moves by y times the tangent: the second column gains that much of the first.
        maps[:, :, 1] += maps[:, :, 0] * np.tan(np.radians(uniform(rng, n, cell.shear)))[:, None]
    maps[:, 0, 1] /= ratio
    maps[:, 1, 0] *= ratio
    if cell.crop < 1:
        side, middle = crops(n, cell, rng)
        maps[:, :, 2] += np.einsum("nij,nj->ni", maps[:, :, :2], middle)
        maps[:, :, :2] *= side[:, None]
    return maps.astype(np.float32)


def crops(n: int, cell: Cell, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Sides and centres, x and y, of random windows of the image, which runs from -1 to 1.

    As torchvision's RandomResizedCrop: area uniform, aspect log-uniform from 3:4 to 4:3; but the
    aspect is drawn only from those that fit, and is relative to the image's own.
    """
    area = rng.uniform(cell.crop, 1, n)
    low, high = np.maximum(3 / 4, area), np.minimum(4 / 3, 1 / area)
    aspect = np.exp(rng.uniform(np.log(low), np.log(high)))
    side = np.stack([np.sqrt(area * aspect), np.sqrt(area / aspect)], axis=1)
    return side, (1 - side) * rng.uniform(-1, 1, (n, 2))


def move(images: Tensor, maps: np.ndarray) -> Tensor:
    """Resample `images` by affine maps, black outside."""
    maps = send(torch.from_numpy(np.ascontiguousarray(maps)), images.device)
    grid = F.affine_grid(maps, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, align_corners=False)


def sharpen(images: Tensor, factor: np.ndarray) -> Tensor:
    """Sharpen (factor above 1) or smooth (below 1) the images; the outermost pixels stay.

    As torchvision's adjust_sharpness, each image with its own factor [N].
    """
    # [1 1 1; 1 5 1; 1 1 1] / 13 is a mean over 3 x 3 and some more of the pixel itself.
    inner = images[:, :, 1:-1, 1:-1]
    smooth = F.avg_pool2d(images, 3, stride=1) * (9 / 13) + inner * (4 / 13)
    sharp = images.clone()
    sharp[:, :, 1:-1, 1:-1] = smooth.lerp(inner, on(images, factor))
    return sharp.clamp(0, 1)


def stretch(images: Tensor, chosen: np.ndarray) -> Tensor:
    """Stretch the grey levels of the chosen images to 0 to 1; a constant image stays."""
    low, high = (images.amin((1, 2, 3), True), images.amax((1, 2, 3), True))
    active = on(images, chosen).bool() & (high > low)
    gain = torch.where(active, 1 / (high - low), 1.0)
    return ((images - torch.where(active, low, 0.0)) * gain).clamp(0, 1)


def noise(images: Tensor, cell: Cell, rng: np.random.Generator) -> Tensor:
    """Gaussian noise, with a standard deviation of its own for each image.

    Drawn on the device, from a seed that `rng` gives: numpy draws as many numbers too slowly.
    """
    level = on(images, rng.uniform(0, cell.noise, len(images)))
    generator = torch.Generator(images.device).manual_seed(int(rng.integers(2**63)))
    drawn = torch.randn(images.shape, generator=generator, device=images.device, dtype=images.dtype)
    return drawn * level


def rectangles(n: int, cell: Cell, rng: np.random.Generator, ratio: float = 1.0) -> np.ndarray:
    """Rectangles to erase: left, top, right, bottom as shares of the side [n, 4]; all 0: none.

    Area and aspect as in Zhong et al. 2020 (arXiv 1708.04896), cut to the image's sides; ratio:
    width by height of the image.
    """
    chosen = rng.random(n) < cell.erasing
    area, aspect = rng.uniform(0.02, 0.33, n), np.exp(rng.uniform(-np.log(3.3), np.log(3.3), n))
    sides = np.stack([area * aspect / ratio, area / aspect * ratio], axis=1)
    size = np.minimum(np.sqrt(sides), 1)
    corner = (1 - size) * rng.random((n, 2))
    return np.concatenate([corner, corner + size], axis=1) * chosen[:, None]


def erase(images: Tensor, boxes: np.ndarray) -> Tensor:
    """Fill each image's rectangle with the image's mean grey."""
    return torch.where(inside(images, boxes), images.mean((1, 2, 3), keepdim=True), images)


def inside(images: Tensor, boxes: np.ndarray) -> Tensor:
    """True for the pixels within each image's rectangle, given as `rectangles`: [N, 1, H, W]."""
    height, width = images.shape[2:]
    box = send(torch.from_numpy(boxes.astype(np.float32)), images.device)
    left, top, right, bottom = box.view(-1, 4, 1, 1, 1).unbind(1)
    y = ((torch.arange(height, device=images.device) + 0.5) / height).view(1, 1, -1, 1)
    x = ((torch.arange(width, device=images.device) + 0.5) / width).view(1, 1, 1, -1)
    return (x >= left) & (x < right) & (y >= top) & (y < bottom)
