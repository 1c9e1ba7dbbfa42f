"""The layer of a network at which Grad-CAM looks, found by running the network.

It is the deepest of timm's stages whose map has at least `SMALLEST` positions a side; in a
transformer the tokens before the last attention, since the class token alone goes on from there.
Where that layer's map is not sound (no gradient, no spread, no grid of the image's shape), the
other stages and then all other parts are tried, from the last back.
"""

import contextlib
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np
import torch
from torch import Tensor, nn

from cxrgrid import models
from cxrgrid.config.errors import UserError
from cxrgrid.data.loader import send
from cxrgrid.models.sizes import Size, height_width

SMALLEST = 4  # positions a side: coarser maps say no more than which quarter of the image
REACHED = 0.5  # share of a map's positions on which the answer depends, at least
# Parts of a block that hold something else than the map that the block passes on.
INNER = r"\w*att\w*|qkv|shortcut\w*|downsample|mlp\w*|\w*mixer|drop\w*|act\w*|se|head\w*|fc\w*"
INNER = re.compile(rf"(^|\.)({INNER})(\.|$)")
PREFIXES = (0, 1, 2)  # tokens before those of the map, where the network does not say


class NoHeatMap(UserError):
    """No layer of a network has a map that Grad-CAM could use."""


@dataclass(frozen=True)
class Layer:
    """A part of a network, and how its output becomes a map [N, C, h, w]."""

    name: str
    part: nn.Module
    to_map: Callable[[Tensor], Tensor]


def find_layer(model: nn.Module, size: Size) -> Layer:
    """The layer to look at, for images of `size`; `NoHeatMap` if no map of the network is sound."""
    for layer in chain(layers(model, stages(model), size), layers(model, parts(model), size)):
        if sound(model, layer, size):
            return layer
    raise NoHeatMap(
        f"no heat map for this network: {type(model).__name__} has no layer with a map of the "
        "image on which its answer depends"
    )


def layers(model: nn.Module, names: list[str], size: Size) -> Iterator[Layer]:
    """Layers among the named parts: fine maps from the last back, then the finest coarse ones."""
    seen: dict[str, tuple[int, ...]] = {}
    calls: Counter[str] = Counter()

    def look(name: str, output: object) -> None:
        calls[name] += 1
        seen.pop(name, None)  # so that the order is that of the last call
        seen[name] = shape(output)

    found = {name: model.get_submodule(name) for name in names}
    handles = [
        part.register_forward_hook(lambda _, __, out, name=name: look(name, out))
        for name, part in found.items()
    ]
    try:
        with torch.no_grad():
            model.eval()(black(model, size))
    finally:
        for handle in handles:
            handle.remove()
    once = [name for name in seen if calls[name] == 1]
    maps = {name: read for name in once if (read := reader(model, seen[name], size))}
    sides = {name: min(grid) for name, (grid, _) in maps.items()}
    fine = [name for name in maps if sides[name] >= SMALLEST]
    coarse = sorted((name for name in maps if sides[name] < SMALLEST), key=sides.get)
    for name in reversed([*coarse, *fine]):
        yield Layer(name, found[name], maps[name][1])


def stages(model: nn.Module) -> list[str]:
    """Names of the parts that timm lists as stages; none if it lists none."""
    names: list[str] = []
    # A few networks keep their stages elsewhere than where their list says.
    with contextlib.suppress(Exception):
        names = [stage["module"] for stage in model.feature_info if stage.get("module")]
    blocks = getattr(model, "blocks", None)
    if isinstance(blocks, nn.Sequential) and hasattr(blocks[-1], "norm1"):
        last = f"blocks.{len(blocks) - 1}"
        # Of what this block gives, the classifier may read the class token alone.
        names = [name for name in names if name != last] + [f"{last}.norm1"]
    there = dict(model.named_modules())
    return [name for name in dict.fromkeys(names) if name in there]


def parts(model: nn.Module) -> list[str]:
    """Names of all parts whose output may be a map that a network passes on."""
    return [name for name, _ in model.named_modules() if name and not INNER.search(name)]


def sound(model: nn.Module, layer: Layer, size: Size) -> bool:
    """True if the layer's map differs between places, and the answer depends on most of them."""
    pixels = np.random.default_rng(0).integers(0, 255, (2, *height_width(size)), dtype=np.uint8)
    last = max(getattr(model, "num_classes", 1), 1) - 1
    try:
        maps, gradients = map_and_gradient(model, layer, pixels, np.array([0, last]))
    except Exception:  # a layer in the middle of a step, or whose output is changed in place
        return False
    if maps.ndim != 4 or maps.shape != gradients.shape or not np.isfinite(gradients).all():
        return False
    reached = (np.abs(gradients).max(axis=1) > 0).mean()
    spread = np.ptp(maps, axis=(2, 3)).max() > 0
    return bool(reached >= REACHED and spread and in_place(model, layer, pixels))


def in_place(model: nn.Module, layer: Layer, pixels: np.ndarray) -> bool:
    """True if what changes in a quarter of the image changes the map most in the same quarter.

    Neither windows in an order of their own nor axes the wrong way round do. pixels: uint8
    [2, H, W], noise.
    """
    for number in (1, 2):  # top right, bottom left
        changed = pixels[[0, 0]]
        quarters(changed[1])[number][:] = quarters(pixels[1])[number]
        one, other = map_and_gradient(model, layer, changed, np.array([0, 0]))[0]
        moved = np.abs(one - other).mean(axis=0)
        if min(moved.shape) < 2 or number != np.argmax([q.mean() for q in quarters(moved)]):
            return False
    return True


def quarters(image: np.ndarray) -> list[np.ndarray]:
    """Top left, top right, bottom left and bottom right of an image [H, W], without its middle."""
    high, wide = (side // 2 for side in image.shape)
    return [
        image[rows, columns]
        for rows in (slice(high), slice(-high, None))
        for columns in (slice(wide), slice(-wide, None))
    ]


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
    if len(found) == 4:
        first, last = fits(found[2:4], size), fits(found[1:3], size)
        if last and (not first or getattr(model, "output_fmt", "NCHW") == "NHWC"):
            return found[1:3], lambda out: out.permute(0, 3, 1, 2)
        return (found[2:4], lambda out: out) if first else None
    if len(found) != 3:
        return None
    before = dict.fromkeys((getattr(model, "num_prefix_tokens", 0), *PREFIXES))
    grids = {prefix: grid for prefix in before if (grid := patches(found[1] - prefix, size))}
    if not grids:
        return None
    prefix, grid = next(iter(grids.items()))
    return grid, lambda out: out[:, prefix:].transpose(1, 2).unflatten(2, grid)


def fits(grid: tuple[int, ...], size: Size) -> bool:
    """True if rows and columns are in the image's aspect ratio, and not more than its pixels."""
    (rows, columns), (height, width) = grid, height_width(size)
    return rows <= height and abs(columns - rows * width / height) <= 1


def patches(tokens: int, size: Size) -> tuple[int, int] | None:
    """Rows and columns of a map of so many tokens, in the image's aspect ratio; None: no map."""
    height, width = height_width(size)
    rows = round(math.sqrt(max(tokens, 0) * height / width))
    columns = tokens // rows if rows else 0
    whole = rows * columns == tokens and abs(columns - rows * width / height) < 1
    return (rows, columns) if columns and whole else None


def map_and_gradient(
    model: nn.Module, layer: Layer, pixels: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The layer's map and the gradient of each image's asked logit by it: float32 [N, C, h, w]."""
    device = model.mean.device
    make_usable(model)
    images = send(torch.from_numpy(pixels), device).unsqueeze(1).float() / 255
    asked = send(torch.tensor(labels, dtype=torch.int64), device).unsqueeze(1)
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


def make_usable(model: nn.Module) -> None:
    """Copy what a network has kept of a prediction (convit: positions), as gradients need it."""
    for part in model.modules():
        for name, value in [*vars(part).items(), *part.named_buffers(recurse=False)]:
            if isinstance(value, Tensor) and value.is_inference():
                setattr(part, name, value.clone())
