"""Features in the place of images: of a frozen network they are computed once for all epochs.

They serve every cell with the same weights, image recipe and network. The training that needs them
first computes them, under a lock, and others read them (training/feature_store.py).
"""

import hashlib
import time
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import timm
import torch
from timm.utils import ModelEmaV3
from torch import Tensor, nn
from tqdm import tqdm

from cxrgrid.config.augmentation import changing
from cxrgrid.config.cell import Cell
from cxrgrid.data.loader import Feed
from cxrgrid.data.split_arrays import Split
from cxrgrid.io.signals import Stop
from cxrgrid.models import in_classifier, probe, set_trainable
from cxrgrid.models.sizes import Size
from cxrgrid.training.checkpoint import Run
from cxrgrid.training.feature_store import Store
from cxrgrid.training.step import is_short

BATCH = 64  # images at once: from 32 on, the bits do not depend on how many these are
SECONDS = 60  # of work that a stop may lose, at most


@dataclass
class Images:
    """The images as they are: each step runs the whole network.

    network: the one that is saved; why: reason why a frozen network is run nevertheless.
    """

    network: nn.Module
    why: str = ""

    def __call__(self, split: Split, stop: Stop, amp: bool = False) -> Split:
        """The split itself."""
        return split

    def key(self) -> dict[str, Any]:
        """Part of the key of a training's state."""
        return {}

    def facts(self) -> dict[str, Any]:
        """Facts of the history."""
        return {"features": {"used": False, "reason": self.why}} if self.why else {}

    def line(self) -> str:
        """Line of the log; empty where the network is not frozen."""
        why = f"features: not used, since {self.why}; each step runs the whole network"
        return why if self.why else ""


@dataclass
class Features(Images):
    """Features in the place of images. shape: of one image's; about: what they follow from."""

    shape: tuple[int, ...] = ()
    about: dict[str, Any] = field(default_factory=dict)
    counts: dict[str, Any] = field(
        default_factory=lambda: {"computed": 0, "read": 0, "seconds": 0.0}
    )

    def __call__(self, split: Split, stop: Stop, amp: bool = False) -> Split:
        """The split with its features as pixels, float32 [N, 1, D]; amp: in bfloat16."""
        arrays = getattr(split.pixels, "parts", [split.pixels])
        starts = np.cumsum([0, *map(len, arrays)])
        found = np.empty((len(split.rows), 1, int(np.prod(self.shape))), np.float32)
        for array, start, end in zip(arrays, starts, starts[1:], strict=False):
            here = (split.rows >= start) & (split.rows < end)
            found[here, 0] = self.of_array(array, split.rows[here] - start, stop, amp)
        return replace(split, pixels=found, rows=np.arange(len(found)))

    def of_array(self, pixels: np.ndarray, rows: np.ndarray, stop: Stop, amp: bool) -> np.ndarray:
        """Features of some rows of one array, float32 [N, D]; what is not kept yet is computed."""
        began, store = time.perf_counter(), Store(pixels, {**self.about, "amp": amp})
        with store.held(stop):
            known, values = store.read(rows)
            missing = np.setdiff1d(rows, known)
            if len(missing):
                more = self.compute(pixels, missing, store, stop, amp)
                known = np.concatenate([known, missing])
                values = more if values is None else np.concatenate([values, more])
        self.counts["computed"] += len(missing)
        self.counts["read"] += len(known) - len(missing)
        self.counts["seconds"] += time.perf_counter() - began
        order = np.argsort(known)
        return values[order[np.searchsorted(known, rows, sorter=order)]]

    def compute(
        self, pixels: np.ndarray, rows: np.ndarray, store: Store, stop: Stop, amp: bool
    ) -> np.ndarray:
        """Features of the rows, in order; kept as they come, so that a stop loses a minute's."""
        batches = np.array_split(rows, max(1, -(-len(rows) // BATCH)))
        every = Split(pixels, np.arange(len(pixels)), np.zeros((len(pixels), 0)), [], [])
        feed = Feed(every, self.network.mean.device, "gather")
        self.network.eval()
        found, kept, due = [], 0, time.perf_counter() + SECONDS
        with tqdm(total=len(rows), unit="img", desc="features", disable=None) as bar:
            for images, _ in feed(batches):
                found.append(self.of_images(images, amp).cpu().numpy())
                bar.update(len(images))
                if stop.signal or time.perf_counter() > due or len(found) == len(batches):
                    store.add(
                        np.concatenate(batches[kept : len(found)]), np.concatenate(found[kept:])
                    )
                    kept, due = len(found), time.perf_counter() + SECONDS
                stop.check("while features were computed")
        return np.concatenate(found)

    def of_images(self, images: Tensor, amp: bool) -> Tensor:
        """Features of a batch, float32 [N, D]; in halves where memory is short."""
        try:
            return probe.of_images(self.network, images, amp)
        except (MemoryError, RuntimeError) as error:
            if not is_short(error) or len(images) == 1:
                raise
        torch.cuda.empty_cache()  # does nothing where there is no GPU
        return torch.cat([self.of_images(half, amp) for half in images.chunk(2)])

    def key(self) -> dict[str, Any]:
        """Part of the key of a training's state, which holds the classifier alone."""
        return {"on_features": True}

    def line(self) -> str:
        """Line of the log: how many features were computed, and how many were there."""
        made, read = self.counts["computed"], self.counts["read"]
        return f"features: {made:,} computed, {read:,} read, in {self.counts['seconds']:.1f} s"

    def facts(self) -> dict[str, Any]:
        """Facts of the history: how many features were computed, and how many were there."""
        return {"features": {"used": True, "size": int(np.prod(self.shape)), **self.counts}}


def set_up(run: Run, cell: Cell, size: Size) -> Images:
    """Features of a cell's network, if they can stand for its images; else the images.

    With features the run's network becomes its classifier alone (`probe.Probe`), and so do its
    moving average and what its optimiser holds.
    """
    network = run.model
    if cell.train != "head":
        return Images(network)
    if why := blocked(cell):
        return Images(network, why)
    set_trainable(network, cell, 1)
    try:
        shape = probe.tried(network, cell.channels, size)
    except ValueError as error:
        return Images(network, str(error))
    about = described(network, cell)
    run.model = probe.Probe(probe.classifier_of(network)[1], shape, network.mean.device)
    run.ema = ModelEmaV3(run.model, cell.ema_decay) if cell.ema_decay else None
    for group in run.optimizer.param_groups:
        group["params"] = [weight for weight in group["params"] if weight.requires_grad]
    run.optimizer.param_groups[:] = [g for g in run.optimizer.param_groups if g["params"]]
    return Features(network, shape=shape, about=about)


def blocked(cell: Cell) -> str:
    """Settings under which a frozen network sees an image differently at each step; else empty."""
    names = changing(cell) + ["compile"] * cell.compile
    return f"{', '.join(names)} {'are' if len(names) > 1 else 'is'} on" if names else ""


def described(network: nn.Module, cell: Cell) -> dict[str, Any]:
    """All that features follow from, but for the images: plain values, for a key."""
    found = hashlib.sha256()
    state = {**network.state_dict(), "mean": network.mean, "std": network.std}
    for name, value in state.items():
        if not in_classifier(network, name):
            found.update(f"{name} {tuple(value.shape)}".encode())
            found.update(value.detach().cpu().contiguous().numpy().tobytes())
    return {
        "backbone": cell.backbone,
        "weights": found.hexdigest(),
        "channels": cell.channels,
        "options": str(sorted(network.size_options.items())),
        "layer": f"input of {probe.classifier_of(network)[0]}",
        "channels_last": cell.channels_last,
        "device": network.mean.device.type,
        "versions": [torch.__version__, timm.__version__],
    }
