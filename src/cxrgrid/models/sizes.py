"""Image sizes that a backbone can take: it is built for the size where it can be, and tried once.

The trial is a forward of one image in evaluation mode on the meta device, which computes shapes
alone: 0.2 to 2 s for most of timm, and no draw from torch's random state.
"""

import copy
from typing import Any

import timm
import torch
from timm.models import PretrainedCfg, load_model_config_from_hf
from timm.models._hub import load_model_config_from_path
from torch import Tensor, nn

from cxrgrid.config.backbone_names import timm_name
from cxrgrid.config.errors import UserError
from cxrgrid.models import hub

Size = int | tuple[int, int]  # side of a square, or height and width; in pixels
COMMON = (32, 64, 96, 112, 128, 160, 192, 224, 240, 256, 288, 299, 320, 384, 448, 512)
NAMED = 3  # sizes that a refusal names


def create(backbone: str, size: Size, options: dict[str, Any]) -> nn.Module:
    """The network, built for the size where it can be; options: of timm's `create_model`.

    Of several ways to build it the first whose network takes an image counts, and its initial
    weights are the same whatever was tried before. `UserError` with sizes that the backbone takes.
    """
    if unreachable := not_there(backbone):
        raise UserError(unreachable)
    model, reason = attempt(backbone, size, options)
    if model is None:
        raise UserError(refusal(backbone, size, options, reason))
    return model


def attempt(backbone: str, size: Size, options: dict[str, Any]) -> tuple[nn.Module | None, str]:
    """The network, or None and why there is none, in a few words."""
    state, reasons = torch.get_rng_state(), []
    try:
        options_in_turn = ways(backbone, size)
    except Exception as error:  # a hub that cannot be reached, a folder that is none of timm's
        return None, first_line(error)
    for way in options_in_turn:
        torch.set_rng_state(state)
        try:
            model = timm.create_model(timm_name(backbone), **options, **way)
            try_one_image(model, options["in_chans"], size)
            model.size_options = way  # what else timm's `create_model` needs to make it again
            return model, ""
        except Exception as error:  # networks refuse in many ways: asserts, shapes, keywords
            reasons.append(error)
    # A way that a network does not know says nothing of the size.
    telling = [error for error in reasons if not isinstance(error, TypeError)] or reasons
    return None, first_line(telling[0])


def first_line(error: Exception) -> str:
    """An error in a few words."""
    return (str(error).splitlines() or [type(error).__name__])[0][:120]


def settings_of(backbone: str) -> PretrainedCfg:
    """timm's settings of a backbone, also of one on a hub or in a folder."""
    source, _, place = timm_name(backbone).partition(":")
    if not place:
        return timm.get_pretrained_cfg(backbone)
    if source == "hf-hub":
        hub.unreachable()  # then the cache is asked alone
        return PretrainedCfg(**load_model_config_from_hf(place)[0])
    return PretrainedCfg(**load_model_config_from_path(place)[0])


def not_there(backbone: str) -> str:
    """One line if a backbone's settings, timm's or a hub's, cannot be read; else empty."""
    name = timm_name(backbone)
    source, _, place = name.partition(":")
    try:
        known = settings_of(backbone) is not None
        return "" if known else f"backbone {name}: timm {timm.__version__} has none of this name"
    except KeyError:
        return (
            f"backbone {name}: its config.json names no `architecture`, so it is not timm's; "
            "choose a network of timm's that is like it, and name the weights' file under weights:"
        )
    except Exception as error:  # what the hub's client raises varies with version and network
        if source != "hf-hub":
            return f"backbone {name}: {first_line(error)}"
        return (
            f"backbone {name}: its config.json cannot be fetched ({hub.why(error)}). Without "
            f"a network: save config.json and model.safetensors from https://huggingface.co/"
            f"{place} in a folder here, and write local-dir:FOLDER"
        )


def near(size: Size) -> list[Size]:
    """Other sizes, the nearest first; for one that is not square also its sides in 32 pixels."""
    height, width = height_width(size)
    steps = [max(32, 32 * round(side / 32)) for side in (height, width)]
    squares = sorted(COMMON, key=lambda side: abs(side - max(height, width)))
    others = squares if height == width else [plain((steps[0], steps[1])), *squares]
    return [other for other in others if height_width(other) != (height, width)]


def height_width(size: Size) -> tuple[int, int]:
    """Height and width of images, in pixels."""
    return (size, size) if isinstance(size, int) else (size[0], size[1])


def plain(size: Size) -> Size:
    """The side, of a square."""
    height, width = height_width(size)
    return height if height == width else (height, width)


def written(size: Size) -> str:
    """A size as configs write it: 512, or width x height as 768x640."""
    height, width = height_width(size)
    return str(height) if height == width else f"{width}x{height}"


def ways(backbone: str, size: Size) -> list[dict[str, Any]]:
    """Options to build a backbone for a size, in the order in which they are tried."""
    built, as_it_is = {"img_size": plain(size)}, {}
    if settings_of(backbone).fixed_input_size:
        return [built, as_it_is, {"dynamic_img_size": True}]
    return [as_it_is, built]


def try_one_image(model: nn.Module, channels: int, size: Size) -> None:
    """Raise what the network raises, or `ValueError` if it gives no logits [1, labels]."""
    own = next(model.parameters()).device
    try:
        found = answer(model, channels, size, "meta")
    except Exception:  # a few networks keep tensors where `to` does not find them
        if own.type == "meta":
            raise
        found = answer(model, channels, size, own)
    if not isinstance(found, Tensor) or found.ndim != 2:
        raise ValueError("the network gives no logits for labels")


@torch.inference_mode()
def answer(model: nn.Module, channels: int, size: Size, device: Any) -> Any:
    """Output of the network in evaluation mode for a black image, on a device."""
    # Some networks keep what they have computed for a size: the one that is tried is another one,
    # which shares the weights.
    values = [*model.parameters(), *model.buffers()]
    tried = copy.deepcopy(model, {id(value): value for value in values}).eval()
    weights = {**dict(tried.named_parameters()), **dict(tried.named_buffers())}
    weights = {name: value.detach().to(device) for name, value in weights.items()}
    image = torch.zeros(1, channels, *height_width(size), device=device)
    with torch.random.fork_rng(devices=[]):
        return torch.func.functional_call(tried, weights, (image,))


def fewest_images(model: nn.Module, channels: int, size: Size) -> int:
    """Images that a part of a training step needs at least: 2 or 1.

    2 where a batch norm that learns would see one value per channel of a single image, which has
    no spread. Batch norms that are frozen (in evaluation mode) need none.
    """
    found: list[int] = []

    def look(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        found.append(inputs[0].numel() // inputs[0].shape[1])

    parts = [part for part in model.modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)]
    handles = [part.register_forward_pre_hook(look) for part in parts if part.training]
    try:
        try_one_image(model, channels, size)
    finally:
        for handle in handles:
            handle.remove()
    return 2 if 1 in found else 1


def refusal(backbone: str, size: Size, options: dict[str, Any], reason: str) -> str:
    """One line: what the backbone cannot take, and what it can."""
    line = f"backbone {backbone} cannot take {written(size)} px images"
    taken: list[Size] = []
    for other in near(size):
        if len(taken) < NAMED and attempt(backbone, other, options)[0]:
            taken.append(other)
    if taken:
        sizes = ", ".join(written(other) for other in sorted(taken, key=height_width))
        return f"{line} ({reason}); set image.size to {sizes}"
    if options["in_chans"] == 1 and attempt(backbone, size, options | {"in_chans": 3})[0]:
        return f"backbone {backbone} cannot take one channel ({reason}); set channels: 3"
    return f"{line}, nor any other size that was tried ({reason}); choose another backbone"
