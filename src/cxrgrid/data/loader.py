"""Feed of uint8 batches to the device ahead of use: resident, prefetched or gathered.

On a CPU a batch is gathered from the memory map when its turn comes: sorting its rows first, or a
thread that gathers ahead, made it no faster. On a GPU the split lives there if it fits, else a
thread gathers the next batch into pinned memory while the device works on the last.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from cxrgrid.data.split_arrays import Split

SHARE = 0.5  # of the device's free memory that pixels may take; the rest is the model's
CHUNK = 1024  # images that are uploaded at once
T = TypeVar("T")


def send(values: Tensor, device: torch.device) -> Tensor:
    """A tensor of the host on the device; a GPU is not waited for, as it copies pinned memory."""
    if device.type == "cuda":
        values = values.pin_memory()
    return values.to(device, non_blocking=device.type != "mps")


class Feed:
    """The images and labels of a split, batch by batch, on a device.

    `way` is how they get there: `resident`, `prefetch` or `gather`. The bits do not depend on it.
    sharing: processes that may share the device, and its free memory.
    """

    def __init__(
        self, split: Split, device: torch.device, way: str | None = None, sharing: int = 1
    ):
        self.split, self.device = split, device
        self.way = way or choose(split, device, sharing)
        if self.way == "resident":
            self.pixels = upload(split, device)
            self.labels = torch.from_numpy(split.labels).to(device)

    def __call__(self, batches: Iterable[np.ndarray]) -> Iterator[tuple[Tensor, Tensor]]:
        """For each batch of positions in the split: pixels [N, 1, H, W], float32 [N, L]."""
        if self.way == "resident":
            return map(self.select, batches)
        ready = ahead(self.gather, batches) if self.way == "prefetch" else map(self.gather, batches)
        return (tuple(send(part, self.device) for part in pair) for pair in ready)

    def select(self, batch: np.ndarray) -> tuple[Tensor, Tensor]:
        """A batch of what is on the device already."""
        at = send(torch.from_numpy(batch), self.device)
        return self.pixels[at].unsqueeze(1), self.labels[at]

    def gather(self, batch: np.ndarray) -> tuple[Tensor, Tensor]:
        """A batch from the memory map; in pinned memory if a GPU is to fetch it."""
        images = torch.from_numpy(self.split.pixels[self.split.rows[batch]]).unsqueeze(1)
        labels = torch.from_numpy(self.split.labels[batch])
        if self.device.type == "cuda":
            return images.pin_memory(), labels.pin_memory()
        return images, labels


def choose(split: Split, device: torch.device, sharing: int = 1) -> str:
    """The way that suits the device and what is free of its memory for each that shares it."""
    if device.type != "cuda":
        return "gather"
    size = len(split.rows) * split.pixels[0].nbytes
    return "resident" if fits(size, torch.cuda.mem_get_info(device)[0] // sharing) else "prefetch"


def fits(size: int, free: int) -> bool:
    """True if pixels of `size` bytes leave enough of the `free` bytes to the model."""
    return size <= SHARE * free


def upload(split: Split, device: torch.device) -> Tensor:
    """The split's pixels on the device, [N, H, W]; chunk by chunk, so the host holds few."""
    kind = torch.from_numpy(split.pixels[split.rows[:1]]).dtype
    pixels = torch.empty(len(split.rows), *split.pixels.shape[1:], dtype=kind, device=device)
    for start in range(0, len(split.rows), CHUNK):
        rows = split.rows[start : start + CHUNK]
        pixels[start : start + len(rows)] = torch.from_numpy(split.pixels[rows]).to(device)
    return pixels


def ahead(load: Callable[[np.ndarray], T], batches: Iterable[np.ndarray]) -> Iterator[T]:
    """Results of `load` for each batch, in order; the next is loaded while the last is in use."""
    with ThreadPoolExecutor(1) as thread:
        coming = None
        for batch in batches:
            last, coming = coming, thread.submit(load, batch)
            if last is not None:
                yield last.result()
        if coming is not None:
            yield coming.result()
