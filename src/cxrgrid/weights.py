"""Fetch a backbone's published weights once, so that GPU jobs need no network.

Example:
  python -m cxrgrid.weights resnet18.a1_in1k --out results/weights/resnet18.a1_in1k.safetensors
"""

from pathlib import Path

import timm
from safetensors.torch import save_file

from cxrgrid import command
from cxrgrid.config import UserError


def fetch(backbone: str, out: Path) -> None:
    """Write the published state dict of `backbone`, classifier included."""
    cfg = timm.get_pretrained_cfg(backbone)
    if cfg is None or not (cfg.hf_hub_id or cfg.url or cfg.file):
        raise UserError(f"weights: timm publishes no weights for {backbone}; use the init scratch")
    try:
        model = timm.create_model(backbone, pretrained=True)
    except Exception as error:  # what the hub's client raises varies with version and network
        where = f"https://huggingface.co/{cfg.hf_hub_id}" if cfg.hf_hub_id else cfg.url
        raise UserError(
            f"weights: cannot fetch {backbone} ({type(error).__name__}). Without a network: save "
            f"model.safetensors from {where} elsewhere, copy it to {out}, and run again"
        ) from None
    partial = out.with_name(f".{out.name}.partial")
    out.parent.mkdir(parents=True, exist_ok=True)
    save_file(model.state_dict(), partial)
    partial.replace(out)


def main(argv: list[str] | None) -> None:
    """Fetch one backbone."""
    parser = command.parser("weights", __doc__)
    parser.add_argument("backbone", help="a timm name, with or without a weight tag")
    parser.add_argument("--out", type=Path, required=True, help="the safetensors file to write")
    args = parser.parse_args(argv)
    fetch(args.backbone, args.out)


if __name__ == "__main__":
    command.run(main)
