"""Start of a network from a checkpoint: what fits by name and shape, and one line on the rest.

A checkpoint is read in several ways: below each prefix that its names share (`module.`,
`teacher.backbone.`, …), in each layout of `starts/`, and as timm's own filter of the network reads
it, which also resamples position embeddings. The reading that fills most of the network counts.
"""

import contextlib
import importlib
import math
import pkgutil
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

from timm.layers import resample_abs_pos_embed, resize_rel_pos_bias_table
from timm.models import adapt_input_conv
from torch import Tensor, nn
from torch.nn.functional import interpolate

from cxrgrid.models import beside, checkpoint_file, starts
from cxrgrid.models.start_checks import check, others

DEPTH, COMMON = 4, 0.3  # parts of a prefix at most; share of the names that begin with it, at least
POSITION = re.compile(r"(^|\.)(pos_embed\d?|relative_position_bias_table)$")
SHOWN = 4  # groups of names in the line


@dataclass(frozen=True)
class Reading:
    """A checkpoint in timm's names.

    outside: names of its weights that lack the prefix; layout: module of starts/.
    """

    weights: dict[str, Tensor]
    outside: list[str]
    layout: ModuleType | None = None


@dataclass(frozen=True)
class Start:
    """Weights that the checkpoint fills, and the line that says so.

    input: `mean` and `std` that it was trained with, where the layout or the file says so.
    """

    weights: dict[str, Tensor]
    line: str
    input: dict[str, list[float]] = field(default_factory=dict)


def fit(model: nn.Module, path: str | Path, is_head: Callable[[str], bool]) -> Start:
    """The start of a network from a file; is_head: true for names of the classifier's weights.

    `UserError` if its weights are another network's (start_checks.py).
    """
    own, weights = model.state_dict(), checkpoint_file.read(path)
    wanted = {name: tensor for name, tensor in own.items() if not is_head(name)}
    best = max(readings(weights, model, own), key=lambda reading: filled(wanted, reading.weights))
    found = shaped(best.weights, model, wanted)
    check(own, wanted, found, path)
    taken = {name: found[name] for name in wanted if name in found}
    left = [name for name in found if name not in own] + best.outside
    new = [name for name in own if name not in taken]
    words = line([*taken], new, left) + getattr(best.layout, "note", lambda _: "")(model)
    return Start(taken, words, known_input(path, best.layout))


def known_input(path: str | Path, layout: ModuleType | None) -> dict[str, list[float]]:
    """`mean` and `std` that a checkpoint was trained with; empty for those of its network."""
    given = checkpoint_file.metadata(path)
    if given or (Path(path).parent / "cell.json").is_file():  # a cell says where they are others
        return given
    return getattr(layout, "INPUT", {}) or beside.given_input(path)


def readings(
    weights: dict[str, Tensor], model: nn.Module, own: dict[str, Tensor]
) -> Iterator[Reading]:
    """The ways to read a checkpoint; as it is comes first."""
    for prefix in prefixes(weights):
        inside = {n[len(prefix) :]: t for n, t in weights.items() if n.startswith(prefix)}
        outside = [name for name in weights if not name.startswith(prefix)]
        of_layout = [layout for layout in layouts() if layout.recognise(inside)]
        if prefix == "" and own.keys() <= inside.keys():
            # It is the network's own: nothing could fill more.
            yield Reading(inside, outside, next(iter(of_layout), None))
            return
        for layout in of_layout:
            yield Reading(by_layout(layout, inside, own), outside, layout)
        yield Reading(inside, outside)
        yield Reading(by_timm(inside, model), outside)


def by_layout(
    layout: ModuleType, weights: dict[str, Tensor], own: dict[str, Tensor]
) -> dict[str, Tensor]:
    """The weights in timm's names; as they are if they are of a kind that the layout lacks."""
    try:
        return layout.convert(weights, own)
    except Exception:  # foreign names fail in any way that they like
        return weights


def layouts() -> list[ModuleType]:
    """The modules of starts/."""
    names = sorted(found.name for found in pkgutil.iter_modules(starts.__path__))
    return [importlib.import_module(f"{starts.__name__}.{name}") for name in names]


def prefixes(weights: dict[str, Tensor]) -> list[str]:
    """Prefixes that many names share, none first; a teacher's before its student's."""
    counts: Counter[str] = Counter()
    for name in weights:
        parts = name.split(".")[:-1]
        counts.update(".".join(parts[: at + 1]) + "." for at in range(min(len(parts), DEPTH)))
    usual = [prefix for prefix, count in counts.items() if count >= COMMON * len(weights)]
    return ["", *sorted(usual, key=lambda prefix: ("student" in prefix, len(prefix)))]


def by_timm(weights: dict[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """The weights as timm's filter of this kind of network gives them; as they are without one."""
    module = sys.modules[type(model).__module__]
    names = ("checkpoint_filter_fn", "_filter_fn", "_filter_torchvision_pretrained")
    filter_fn = next((getattr(module, name) for name in names if hasattr(module, name)), None)
    if filter_fn is None:
        return weights
    # timm's own DeiT III is read with the second: its layer scales have names of their own.
    ways = [((dict(weights), model), {"adapt_layer_scale": True}), ((dict(weights), model), {})]
    for arguments, options in [*ways, ((dict(weights),), {})]:
        # A filter of foreign names fails in any way that it likes.
        with contextlib.suppress(Exception):
            return filter_fn(*arguments, **options)
    return weights


def filled(wanted: dict[str, Tensor], weights: dict[str, Tensor]) -> int:
    """Values of the network that have a weight of their name and, but for some, of their shape."""
    exact = sum(
        t.numel() for n, t in wanted.items() if n in weights and weights[n].shape == t.shape
    )
    named = sum(t.numel() for n, t in wanted.items() if n in weights)
    return 2 * named + exact


def shaped(
    weights: dict[str, Tensor], model: nn.Module, wanted: dict[str, Tensor]
) -> dict[str, Tensor]:
    """The weights with first convolution and position embeddings of the network's own shape."""
    weights = with_channels(weights, model, wanted)
    if others(weights, wanted):
        weights = min(weights, by_timm(weights, model), key=lambda ws: len(others(ws, wanted)))
    moved = {
        name: at_size(weights[name], wanted[name], model)
        for name in others(weights, wanted)
        if POSITION.search(name)
    }
    return {**weights, **moved}


def with_channels(
    weights: dict[str, Tensor], model: nn.Module, wanted: dict[str, Tensor]
) -> dict[str, Tensor]:
    """The weights with the first convolution for the network's number of input channels."""
    convs = model.pretrained_cfg["first_conv"]
    found = dict(weights)
    for conv in (convs,) if isinstance(convs, str) else convs or ():
        name = f"{conv}.weight"
        if name in found and name in wanted and found[name].shape[1] != wanted[name].shape[1]:
            found[name] = adapt_channels(found[name], wanted[name].shape[1])
    return found


def adapt_channels(weight: Tensor, channels: int) -> Tensor:
    """First convolution for another number of input channels: summed, or repeated and rescaled."""
    if channels == 1:
        return adapt_input_conv(1, weight)
    return weight.repeat(1, channels, 1, 1)[:, :channels] * (weight.shape[1] / channels)


def at_size(position: Tensor, own: Tensor, model: nn.Module) -> Tensor:
    """Position embeddings for the network's image size.

    [1, N, C], [1, C, H, W] or [1, H, W, C]; of relative positions [N, heads].
    """
    if position.ndim == own.ndim == 2:  # a bias for each distance within a square window
        window = (math.isqrt(len(own)) + 1) // 2
        if (2 * window - 1) ** 2 != len(own):
            return position
        return resize_rel_pos_bias_table(position, (window, window), own.shape)
    if position.ndim == own.ndim == 4:
        last = position.shape[3] == own.shape[3]  # channels last, as volo has them
        position, own = (one.permute(0, 3, 1, 2) if last else one for one in (position, own))
        moved = interpolate(position, size=own.shape[2:], mode="bicubic", antialias=True)
        return moved.permute(0, 2, 3, 1) if last else moved
    grid = getattr(getattr(model, "patch_embed", None), "grid_size", None)
    side = math.isqrt(own.shape[1])
    grid = grid or (side, side)  # hiera does not say it
    # The class token has a place among them in some networks only.
    prefix = own.shape[1] - grid[0] * grid[1]
    if position.ndim != 3 or not 0 <= prefix <= getattr(model, "num_prefix_tokens", 0):
        return position
    if math.isqrt(places := max(position.shape[1] - prefix, 0)) ** 2 != places:
        return position  # of a network with other tokens; it does not fit
    return resample_abs_pos_embed(position, new_size=list(grid), num_prefix_tokens=prefix)


def line(taken: list[str], new: list[str], left: list[str]) -> str:
    """The start in one line: how many tensors matched, what is new, and what was left out."""
    parts = [f"matched {len(taken)} of {len(taken) + len(new)} tensors"]
    parts += [
        f"{word}: {groups(names)}" for word, names in (("new", new), ("left out", left)) if names
    ]
    return "; ".join(parts)


def groups(names: list[str]) -> str:
    """Names by their first part, with their number: `head.*, decoder.* (48)`."""
    counts = Counter(name.partition(".")[0] + ".*" * ("." in name) for name in names)
    said = [f"{name} ({count})" if count > 2 else name for name, count in counts.items()]
    more = [f"and {len(said) - SHOWN} more"] if len(said) > SHOWN else []
    return ", ".join(said[:SHOWN] + more)
