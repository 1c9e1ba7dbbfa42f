"""Fetch a backbone's published weights once, so that GPU jobs need no network.

Example:
  python -m cxrgrid.weights resnet18.a1_in1k --out results/weights/resnet18.a1_in1k.safetensors

PACKAGE/BACKBONE takes them from an installed package instead. Without a network it takes what the
local Hugging Face cache holds, or with --from FOLDER the file {backbone}.safetensors (or
model.safetensors) that you put there. Beside the file goes its checksum, as `sha256sum -c` reads
it.
"""

import contextlib
import importlib.util
from pathlib import Path

import timm
import torch
from huggingface_hub import try_to_load_from_cache
from huggingface_hub.utils import logging as hub_words
from safetensors.torch import save_file
from torch import nn

from cxrgrid.config.backbone_names import timm_name
from cxrgrid.config.errors import UserError
from cxrgrid.config.packaged_weights import PACKAGES, check_installed
from cxrgrid.io import cli
from cxrgrid.io.atomic import replacing, write_text
from cxrgrid.models import checksum, sizes
from cxrgrid.models.starts import efficientnet_pytorch


def fetch(backbone: str, out: Path, folder: Path | None = None) -> str:
    """Write the published state dict of `backbone`, classifier included; its SHA-256."""
    package, _, name = backbone.rpartition("/")
    if package in PACKAGES:
        model = carried(package, name)
    else:
        model = put_there(backbone, folder) if folder else published(backbone, out)
    with replacing(out) as partial:
        # Copies: two names of one tensor (coat) are no file.
        save_file({name: value.clone() for name, value in model.state_dict().items()}, partial)
    found = checksum(out)
    write_text(out.with_name(f"{out.name}.sha256"), f"{found}  {out.name}\n")
    return found


def carried(package: str, backbone: str) -> nn.Module:
    """The network with the weights that an installed package carries."""
    check_installed(package, "weights")
    module, pattern = PACKAGES[package].module, PACKAGES[package].file
    folder = Path(importlib.util.find_spec(module).submodule_search_locations[0])
    model = timm.create_model(backbone)
    weights = torch.load(next(folder.glob(pattern)), map_location="cpu", weights_only=True)
    model.load_state_dict(efficientnet_pytorch.convert(weights, model.state_dict()))
    return model


def put_there(backbone: str, folder: Path) -> nn.Module:
    """The network with weights from a folder, in the layout that their publisher uses."""
    names = [f"{backbone}.safetensors", "model.safetensors"]
    path = next((folder / name for name in names if (folder / name).is_file()), None)
    if path is None:
        raise UserError(f"weights: {folder} holds neither {names[0]} nor {names[1]}")
    try:
        return load(backbone, path)
    except Exception as error:  # what timm raises for a file that does not fit varies
        raise UserError(
            f"{path}: not the published weights of {backbone} ({type(error).__name__})"
        ) from None


def published(backbone: str, out: Path) -> nn.Module:
    """The network with weights from the hub, else from the hub's cache on this machine."""
    cfg = sizes.settings_of(backbone)
    if cfg is None or not (cfg.hf_hub_id or cfg.url or cfg.file):
        raise UserError(f"weights: timm publishes no weights for {backbone}; use the init scratch")
    try:
        return timm.create_model(timm_name(backbone), pretrained=True)
    except Exception as error:  # what the hub's client raises varies with version and network
        with contextlib.suppress(Exception):
            if path := try_to_load_from_cache(cfg.hf_hub_id, "model.safetensors"):
                return load(backbone, Path(path))
        where = f"https://huggingface.co/{cfg.hf_hub_id}" if cfg.hf_hub_id else cfg.url
        raise UserError(
            f"weights: cannot fetch {backbone} ({type(error).__name__}). Without a network: save "
            f"model.safetensors from {where} elsewhere, copy it to a folder here as "
            f"{backbone}.safetensors, and run: python -m cxrgrid.weights {backbone} "
            f"--from FOLDER --out {out}"
        ) from None


def load(backbone: str, path: Path) -> nn.Module:
    """The network with weights from a file on this machine."""
    name = timm_name(backbone)
    return timm.create_model(name, pretrained=True, pretrained_cfg_overlay={"file": str(path)})


def main(argv: list[str] | None) -> None:
    """Fetch one backbone."""
    parser = cli.parser("weights", __doc__)
    parser.add_argument("backbone", help="a timm name, or PACKAGE/NAME")
    parser.add_argument("--out", type=Path, required=True, help="the safetensors file to write")
    parser.add_argument("--from", dest="folder", type=Path, help="a folder that holds the file")
    args = parser.parse_args(argv)
    hub_words.set_verbosity_error()  # its retries; what to do without a network is said in one line
    print(f"{fetch(args.backbone, args.out, args.folder)}  {args.out}")


if __name__ == "__main__":
    cli.run(main)
