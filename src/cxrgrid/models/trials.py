"""Trials of backbones on the meta device: which images and starts they refuse, before any job.

The networks have no weights and compute nothing, so that a giant is tried in seconds. This runs in
a process of its own, since importing timm takes seconds that a plan should not pay each time.

Usage: python -m cxrgrid.models.trials < list.json, of [[backbone, size, channels], …]; a checkpoint
to start from may follow, with its size and time. One line of JSON is written for each: the same and
the refusal, an empty text if it is taken.
"""

import contextlib
import functools
import json
import sys
from typing import Any

import torch

from cxrgrid import models
from cxrgrid.config.errors import UserError
from cxrgrid.models import sizes, start

LABELS = 2


def refusal(backbone: str, size: Any, channels: int, path: str = "", *_: int) -> str:
    """Empty if the backbone takes such images, else one line with sizes that it does take.

    path: of a checkpoint; then empty if the backbone can start from it, else one line.
    """
    options = {"num_classes": LABELS, "in_chans": channels, "drop_rate": 0.0}
    size = tuple(size) if isinstance(size, list) else size
    if path:
        return start_refusal(backbone, size, options, path)
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


def start_refusal(backbone: str, size: sizes.Size, options: dict[str, Any], path: str) -> str:
    """Empty if a checkpoint fits the backbone, or where that cannot be told; else one line."""
    line = ""
    for place in (torch.device("meta"), contextlib.nullcontext()):
        # Without values timm's filters may not resample; what is refused is tried with them.
        try:
            with place:
                model, _ = sizes.attempt(backbone, size, options)
            if model is None:
                return ""  # the trial without a start says why
            start.fit(model, path, functools.partial(models.in_classifier, model))
            return ""
        except UserError as error:
            line = str(error)
        except Exception:  # training tells
            line = ""
    return line


def main() -> None:
    """Answer for each line of the input as soon as it is known."""
    torch.set_num_threads(1)
    for trial in json.load(sys.stdin):
        print(json.dumps([*trial, refusal(*trial)]), flush=True)


if __name__ == "__main__":
    main()
