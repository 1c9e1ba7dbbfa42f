"""Speed of augmenting a batch, each image with its own draw, beside torchvision and kornia.

Sides take turns; printed are medians, their ranges and the ratio to cxrgrid's. torchvision's
transforms draw once a call, so its side goes through the batch image by image; kornia's side runs
where kornia can be imported.

Example:
  OMP_NUM_THREADS=1 python benchmarks/augment.py
"""

import argparse
import statistics
import time
from collections.abc import Callable

import msgspec
import numpy as np
import torch
from torch import Tensor
from torchvision.transforms import v2

from cxrgrid.config.cell import Cell
from cxrgrid.training.augment import augment

NAMES = {"study": "b", "dataset": "b", "backbone": "b", "init": "scratch", "recipe": "b"}
CASES: dict[str, dict] = {
    "move": {"rotate": 10, "shift": 0.05, "scale": 0.1, "shear": 5},
    "crop": {"crop": 0.5},
    "sharpness": {"sharpness": 0.5},
    "autocontrast": {"autocontrast": 0.5},
    "noise": {"noise": 0.1},
    "erasing": {"erasing": 0.5},
    "randaugment": {"policy": "randaugment"},
    "trivialaugment": {"policy": "trivialaugment"},
    "augmix": {"policy": "augmix"},
}


def torchvision(size: int) -> dict[str, Callable[[Tensor], Tensor]]:
    """Its transforms of the same kind."""
    bilinear = v2.InterpolationMode.BILINEAR
    affine = v2.RandomAffine(10, (0.05, 0.05), (0.9, 1.1), 5, interpolation=bilinear)
    each = {
        "move": affine,
        "crop": v2.RandomResizedCrop(size, scale=(0.5, 1), antialias=False),
        "sharpness": v2.RandomAdjustSharpness(1.5, p=1),
        "autocontrast": v2.RandomAutocontrast(0.5),
        "noise": v2.GaussianNoise(sigma=0.1),
        "erasing": v2.RandomErasing(0.5, value=0.5),
        "randaugment": v2.RandAugment(),
        "trivialaugment": v2.TrivialAugmentWide(),
        "augmix": v2.AugMix(),
    }
    return {name: over_images(call) for name, call in each.items()}


def over_images(call: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """A call for each image of the batch."""
    return lambda images: torch.stack([call(image) for image in images])


def kornia(size: int) -> dict[str, Callable[[Tensor], Tensor]]:
    """Its augmentations of the same kind; none where it is not installed."""
    try:
        from kornia import augmentation as K
    except ImportError:
        return {}
    return {
        "move": K.RandomAffine(10.0, (0.05, 0.05), (0.9, 1.1), 5.0, p=1.0),
        "crop": K.RandomResizedCrop((size, size), scale=(0.5, 1.0), p=1.0),
        "sharpness": K.RandomSharpness(0.5, p=1.0),
        "autocontrast": K.RandomAutoContrast(p=0.5),
        "noise": K.RandomGaussianNoise(std=0.1, p=1.0),
        "erasing": K.RandomErasing(value=0.5, p=0.5),
    }


def compare(sides: dict[str, Callable[[Tensor], Tensor]], images: Tensor, rounds: int) -> None:
    """Time all sides in turn and print a line for each."""
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(rounds + 2):  # the first two warm up
        for name, call in sides.items():
            started = time.perf_counter()
            call(images)
            if images.is_cuda:
                torch.cuda.synchronize()
            if turn >= 2:
                seconds[name].append(time.perf_counter() - started)
    ours = statistics.median(seconds["cxrgrid"])
    for name, each in seconds.items():
        middle, low, high = (1000 * f(each) for f in (statistics.median, min, max))
        times = f"{middle:8.2f} ms ({low:.2f} to {high:.2f})"
        print(f"  {name:12} {times:30} {middle / 1000 / ours:6.2f} of cxrgrid's")


def main() -> None:
    """Time every case."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--batch", type=int, default=32, help="images in a batch (32)")
    parser.add_argument("--size", type=int, default=224, help="their side (224)")
    parser.add_argument("--rounds", type=int, default=15, help="timed rounds (15)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (cpu)")
    args = parser.parse_args()
    images = torch.rand(args.batch, 1, args.size, args.size, device=args.device)
    rng = np.random.default_rng(0)
    others = {"torchvision": torchvision(args.size), "kornia": kornia(args.size)}
    for case, settings in CASES.items():
        cell = msgspec.convert({**NAMES, "seed": 0, "weights": "", **settings}, Cell)
        sides = {"cxrgrid": lambda batch, cell=cell: augment(batch, cell, rng)}
        sides |= {name: calls[case] for name, calls in others.items() if case in calls}
        print(f"{case}: {args.batch} images of {args.size} px on {args.device}")
        compare(sides, images, args.rounds)


if __name__ == "__main__":
    main()
