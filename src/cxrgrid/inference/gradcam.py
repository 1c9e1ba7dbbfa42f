"""Grad-CAM (Selvaraju et al. 2017, arXiv 1610.02391): where a network looked, as a heat map.

The maps are those of the library grad-cam to the bit, in a third of its time or less: gradients are
taken down to the layer only. The layer is the deepest map with at least `SMALLEST` positions a
side; in a transformer the tokens before the last attention, since the class token alone goes on
from there.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from cxrgrid import models
from cxrgrid.config.errors import UserError
from cxrgrid.models.sizes import Size, height_width

SMALLEST = 4  # positions a side: coarser maps say no more than which quarter of the image


@dataclass(frozen=True)
class Layer:
    """A part of a network, and how its output becomes a map [N, C, h, w]."""

    name: str
    part: nn.Module
    to_map: Callable[[Tensor], Tensor]


def find_layer(model: nn.Module, size: Size) -> Layer:
    """The layer to look at, for images of `size`; `UserError` if the network has no map."""
    seen: dict[str, tuple[int, ...]] = {}
    handles = [
        part.register_forward_hook(lambda _, __, out, name=name: seen.update({name: shape(out)}))
        for name, part in candidates(model).items()
    ]
    try:
        with torch.inference_mode():
            model.eval()(black(model, size))
    finally:
        for handle in handles:
            handle.remove()
    maps = {name: found for name in seen if (found := reader(model, seen[name], size))}
    if not maps:
        raise UserError(f"{type(model).__name__}: no layer with a map that Grad-CAM could use")
    sides = {name: min(grid) for name, (grid, _) in maps.items()}
    fine = [name for name in maps if sides[name] >= SMALLEST]
    name = fine[-1] if fine else max(sides, key=sides.get)
    return Layer(name, model.get_submodule(name), maps[name][1])


def candidates(model: nn.Module) -> dict[str, nn.Module]:
    """Parts whose output may be a map, from first to last: timm's list of stages."""
    names = [stage["module"] for stage in model.feature_info if stage.get("module")]
    blocks = getattr(model, "blocks", None)
    if isinstance(blocks, nn.Sequential) and hasattr(blocks[-1], "norm1"):
        last = f"blocks.{len(blocks) - 1}"
        # Of what this block gives, the classifier may read the class token alone.
        names = [name for name in names if name != last] + [f"{last}.norm1"]
    return {name: model.get_submodule(name) for name in dict.fromkeys(names)}


def black(model: nn.Module, size: Size) -> Tensor:
    """A black image, as the network takes it."""
    first = next(model.parameters())
    channels = model.std.shape[1]
    image = torch.zeros(1, channels, *height_width(size), device=first.device)
    return models.normalise(image, model)


def shape(output: object) -> tuple[int, ...]:
    """Of a tensor; () of what else a part may give."""
    return tuple(output.shape) if isinstance(output, Tensor) else ()


def reader(
    model: nn.Module, found: tuple[int, ...], size: Size
) -> tuple[tuple[int, int], Callable[[Tensor], Tensor]] | None:
    """Height and width of the map in an output of this shape, and the way to it; None: no map."""
    if len(found) == 4 and getattr(model, "output_fmt", "NCHW") == "NHWC":
        return found[1:3], lambda out: out.permute(0, 3, 1, 2)
    if len(found) == 4:
        return found[2:4], lambda out: out
    prefix = getattr(model, "num_prefix_tokens", 0)
    grid = patches(found[1] - prefix, size) if len(found) == 3 else None
    if not grid:
        return None
    return grid, lambda out: out[:, prefix:].transpose(1, 2).unflatten(2, grid)


def patches(tokens: int, size: Size) -> tuple[int, int] | None:
    """Rows and columns of a map of so many tokens, in the image's aspect ratio; None: no map."""
    height, width = height_width(size)
    rows = round(math.sqrt(max(tokens, 0) * height / width))
    columns = tokens // rows if rows else 0
    fits = rows * columns == tokens and abs(columns - rows * width / height) < 1
    return (rows, columns) if columns and fits else None


def heat(model: nn.Module, layer: Layer, pixels: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Grad-CAM of each image's label: float32 [N, H, W], 0 to 1 within each image.

    pixels: uint8 [N, H, W]; labels: int [N], which output of the network is asked for. A map that
    has no evidence for the label anywhere is 0.
    """
    maps, gradients = map_and_gradient(model, layer, pixels, labels)
    weights = gradients.mean(axis=(2, 3), keepdims=True)
    evidence = np.maximum((weights * maps).sum(axis=1), 0)
    return np.stack([rescaled(cv2.resize(rescaled(one), pixels.shape[:0:-1])) for one in evidence])


def map_and_gradient(
    model: nn.Module, layer: Layer, pixels: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The layer's map and the gradient of each image's asked logit by it: float32 [N, C, h, w]."""
    device = model.mean.device
    images = torch.from_numpy(pixels).to(device).unsqueeze(1).float() / 255
    asked = torch.tensor(labels, dtype=torch.int64, device=device).unsqueeze(1)
    outputs: list[Tensor] = []

    def cut(_: nn.Module, __: tuple, output: Tensor) -> Tensor:
        outputs.append(output.detach().requires_grad_())
        return outputs[0].clone()  # what follows may work in place

    handle = layer.part.register_forward_hook(cut)
    try:
        with torch.enable_grad():
            logits = model.eval()(models.normalise(images, model))
            found = torch.autograd.grad(logits.gather(1, asked).sum(), outputs)
    finally:
        handle.remove()
    return tuple(layer.to_map(value).detach().cpu().numpy() for value in (*outputs, *found))


def rescaled(values: np.ndarray) -> np.ndarray:
    """From 0 to 1; all 0 if all are equal."""
    values = values - values.min()
    return values / (1e-7 + values.max())


def overlay(pixels: np.ndarray, heat: np.ndarray, largest: int) -> Image.Image:
    """The image in grey and, where the network looked, in colour; no side above `largest` pixels.

    pixels: uint8 [H, W]; heat: float [H, W], 0 (left grey) to 1.
    """
    colour = cv2.applyColorMap((255 * heat).astype(np.uint8), cv2.COLORMAP_INFERNO)[:, :, ::-1]
    share = 0.6 * heat[:, :, None]
    mixed = pixels[:, :, None] * (1 - share) + colour * share
    image = Image.fromarray(mixed.round().astype(np.uint8))
    image.thumbnail((largest, largest), Image.Resampling.LANCZOS)
    return image
