"""Checks of a start: weights of another network are refused, by the first one that says so."""

import re
from pathlib import Path

from torch import Tensor

from cxrgrid.config.errors import UserError

LEAST = 0.95  # share of the backbone's parameters that a start has to fill
STATISTICS = ("running_mean", "running_var")
SCALE = re.compile(r"\.(gamma(_\d)?|layer_scale(_\d)?)$")  # of a block's output, per channel
# Few weights that change all that follows: of a norm before the blocks, and of further tokens.
BEFORE = re.compile(r"(norm_pre|reg_token|dist_token)(\.|$)")
NUMBERED = re.compile(r"\.\d+\.")


def check(
    own: dict[str, Tensor], wanted: dict[str, Tensor], found: dict[str, Tensor], path: str | Path
) -> None:
    """`UserError` unless a checkpoint's weights are the backbone's.

    own, wanted: weights of the network, with and without its classifier; found: of the checkpoint.
    """
    check_share(wanted, found, path)
    check_kind(own, wanted, found, path)
    check_values(wanted, found, path)


def check_share(wanted: dict[str, Tensor], found: dict[str, Tensor], path: str | Path) -> None:
    """`UserError` that names the first weight that is missing, where too much is."""
    missing = [name for name in wanted if name not in found]
    total = sum(tensor.numel() for tensor in wanted.values())
    empty = {*missing, *others(found, wanted)} if missing else set()
    share = 1 - sum(wanted[name].numel() for name in empty) / total
    statistics = [name for name in missing if name.endswith(STATISTICS)]
    if missing and (share < LEAST or statistics):
        first = missing[0] if share < LEAST else statistics[0]
        raise UserError(
            f"{path}: holds no {first}, and fills {int(100 * share)}% of the backbone "
            f"({LEAST:.0%} is the least); are these weights of another backbone?"
        )


def check_values(wanted: dict[str, Tensor], found: dict[str, Tensor], path: str | Path) -> None:
    """`UserError` that names the first weight that has another shape, or is no finite number."""
    for name in others(found, wanted):
        shapes = f"{tuple(found[name].shape)} for {tuple(wanted[name].shape)}"
        raise UserError(f"{path}: {name} does not fit ({shapes}); another backbone or input size?")
    for name, own in wanted.items():
        if name in found and own.is_floating_point() and not found[name].is_floating_point():
            kind = str(found[name].dtype).removeprefix("torch.")
            raise UserError(
                f"{path}: {name} holds {kind} values, not floating-point numbers; take the weights "
                "as they were trained"
            )
        if name in found and not found[name].isfinite().all():
            raise UserError(f"{path}: {name} holds values that are not finite; fetch it again")


def others(weights: dict[str, Tensor], wanted: dict[str, Tensor]) -> list[str]:
    """Names of weights that have another shape in the network."""
    return [n for n, t in wanted.items() if n in weights and weights[n].shape != t.shape]


def check_kind(
    own: dict[str, Tensor], wanted: dict[str, Tensor], found: dict[str, Tensor], path: str | Path
) -> None:
    """`UserError` if one of the two has weights in its blocks that the other lacks.

    They may be few of the weights and much of the network: a layer scale begins near 0. A deeper
    network holds all that a shallow one of its family asks for.
    """
    heads = {first(name) for name in own if name not in wanted}
    body = {first(name) for name in wanted} - heads
    lacks = [name for name in wanted if name not in found]
    more = [name for name in found if name not in own]
    for names, words in ((lacks, "has no"), (more, "holds a")):
        for name in names:
            inside = first(name) in body
            if inside and SCALE.search(name):
                raise UserError(
                    f"{path}: {words} layer scale ({name}), and the backbone is of the other "
                    "kind; choose one like it, such as vit_base_patch14_dinov2 for DINOv2's"
                )
            block = inside and NUMBERED.search(name) and name.endswith(".weight")
            if block or BEFORE.match(name):
                raise UserError(
                    f"{path}: {words} weight {name}, and the backbone is of the other kind; choose "
                    "the backbone that these are weights of"
                )


def first(name: str) -> str:
    """First part of a weight's name."""
    return name.partition(".")[0]
