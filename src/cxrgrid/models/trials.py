"""Trials of backbones on the meta device: which image sizes they refuse, before any job.

The networks have no weights and compute nothing, so that a giant is tried in seconds. This runs in
a process of its own, since importing timm takes seconds that a plan should not pay each time.

Usage: python -m cxrgrid.models.trials < list.json, of [[backbone, size, channels], …]; one line of
JSON is written for each: [backbone, size, channels, refusal], with an empty text if it is taken.
"""

import contextlib
import json
import sys
from typing import Any

import torch

from cxrgrid.models import sizes

LABELS = 2


def refusal(backbone: str, size: Any, channels: int) -> str:
    """Empty if the backbone takes such images, else one line with sizes that it does take."""
    options = {"num_classes": LABELS, "in_chans": channels, "drop_rate": 0.0}
    size = tuple(size) if isinstance(size, list) else size
    if unreachable := sizes.not_there(backbone):
        return unreachable
    for place in (torch.device("meta"), contextlib.nullcontext()):
        # A few networks compute with the values of their tensors when they are made.
        with place:
            model, reason = sizes.attempt(backbone, size, options)
            if model is not None:
                return ""
            line = sizes.refusal(backbone, size, options, reason)
            if " nor any other size " not in line:
                return line
    return line


def main() -> None:
    """Answer for each line of the input as soon as it is known."""
    torch.set_num_threads(1)
    for backbone, size, channels in json.load(sys.stdin):
        print(json.dumps([backbone, size, channels, refusal(backbone, size, channels)]), flush=True)


if __name__ == "__main__":
    main()
