"""Fetch a backbone's published weights once, so that GPU jobs need no network.

Example:
  python -m cxrgrid.weights resnet18.a1_in1k --out results/weights/resnet18.a1_in1k.safetensors

PACKAGE/BACKBONE takes them from an installed package instead. Without a network it takes what the
local Hugging Face cache holds, or with --from the file that you put there, or a folder with it as
{backbone}.safetensors or model.safetensors. Beside the file goes its checksum, as `sha256sum -c`
reads it.
"""

import importlib.util
import socket
from pathlib import Path

import timm
import torch
from huggingface_hub.utils import logging as hub_words
from safetensors.torch import save_file
from timm.models import PretrainedCfg
from torch import nn

from cxrgrid.config.backbone_names import timm_name
from cxrgrid.config.checks import backbones, check_backbone
from cxrgrid.config.errors import UserError
from cxrgrid.config.packaged_weights import PACKAGES, check_installed
from cxrgrid.io import cli
from cxrgrid.io.atomic import replacing, write_text
from cxrgrid.models import checkpoint_file, checksum, hub, sizes
from cxrgrid.models.starts import efficientnet_pytorch

SECONDS = 8  # without a byte, in which a download is given up


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
    cfg = settings(backbone)
    names = [f"{backbone}.safetensors", "model.safetensors", f"{backbone}.pth"]
    names += [Path(cfg.url).name] if cfg.url else ["pytorch_model.bin"]
    paths = [folder, *(folder / name for name in names)]
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        raise UserError(f"weights: {folder} holds none of {', '.join(names)}; put one there")
    checkpoint_file.read(path)  # says what is wrong with a file that is none
    try:
        return load(backbone, path)
    except Exception as error:  # what timm raises for a file that does not fit varies
        raise UserError(
            f"{path}: not the published weights of {backbone} ({type(error).__name__}); fetch them "
            f"from {home(cfg)}, or name the file under weights: if they are another publisher's"
        ) from None


def published(backbone: str, out: Path) -> nn.Module:
    """The network with weights from the hub, or from the hub's cache on this machine."""
    cfg = settings(backbone)
    if cfg.hf_hub_id:
        hub.unreachable()  # then the cache is asked alone
    socket.setdefaulttimeout(SECONDS)  # of downloads that are not the hub's, which has its own
    try:
        return timm.create_model(timm_name(backbone), pretrained=True)
    except Exception as error:  # what the hub's client raises varies with version and network
        why = hub.why(error) if cfg.hf_hub_id else sizes.first_line(error)
        file = f"model.safetensors from {home(cfg)}" if cfg.hf_hub_id else home(cfg)
        suffix = ".safetensors" if cfg.hf_hub_id else ".pth"
        raise UserError(
            f"weights: cannot fetch {backbone} ({why}). Without a network: save {file} elsewhere, "
            f"copy it to a folder here as {backbone}{suffix}, and run: python -m cxrgrid.weights "
            f"{backbone} --from FOLDER --out {out}"
        ) from None


def settings(backbone: str) -> PretrainedCfg:
    """timm's settings of a backbone. `UserError` if no weights are published for it."""
    unreadable = sizes.not_there(backbone)
    cfg = None if unreadable else sizes.settings_of(backbone)
    if cfg is None:
        check_backbone(backbone, backbones(), "weights")
    if unreadable:
        raise UserError(unreadable)
    if cfg is None or not (cfg.hf_hub_id or cfg.url or cfg.file):
        raise UserError(f"weights: timm publishes no weights for {backbone}; use the init scratch")
    return cfg


def home(cfg: PretrainedCfg) -> str:
    """Address or folder of published weights."""
    return f"https://huggingface.co/{cfg.hf_hub_id}" if cfg.hf_hub_id else cfg.url or cfg.file


def load(backbone: str, path: Path) -> nn.Module:
    """The network with weights from a file on this machine."""
    name = timm_name(backbone)
    return timm.create_model(name, pretrained=True, pretrained_cfg_overlay={"file": str(path)})


def main(argv: list[str] | None) -> None:
    """Fetch one backbone."""
    parser = cli.parser("weights", __doc__)
    parser.add_argument("backbone", help="a timm name, or PACKAGE/NAME")
    parser.add_argument("--out", type=Path, required=True, help="the safetensors file to write")
    parser.add_argument(
        "--from", dest="folder", type=Path, help="the file, or a folder that holds it"
    )
    args = parser.parse_args(argv)
    hub_words.set_verbosity_error()  # its retries; what to do without a network is said in one line
    print(f"{fetch(args.backbone, args.out, args.folder)}  {args.out}")


if __name__ == "__main__":
    cli.run(main)
