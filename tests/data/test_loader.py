"""Every way to the device gives the same images, labels and order."""

import threading

import numpy as np
import pytest
import torch
from torch.overrides import TorchFunctionMode

from cxrgrid.data import loader
from cxrgrid.data.loader import Feed
from cxrgrid.data.split_arrays import Split

CPU = torch.device("cpu")


@pytest.fixture
def split() -> Split:
    """20 of 30 images, in an order of their own."""
    rng = np.random.default_rng(0)
    labels = rng.random((20, 3)).astype(np.float32)
    pixels = rng.integers(0, 256, (30, 5, 4), dtype=np.uint8)
    return Split(pixels, rng.permutation(30)[:20], labels, [""] * 20, [""] * 20)


@pytest.mark.parametrize("way", ["resident", "prefetch", "gather"])
def test_a_batch_holds_its_images_and_labels(split, way, monkeypatch):
    monkeypatch.setattr(loader, "CHUNK", 7)
    batches = np.array_split(np.random.default_rng(1).permutation(20), 6)
    given = list(Feed(split, CPU, way)(batches))
    assert len(given) == 6
    for batch, (images, labels) in zip(batches, given, strict=True):
        assert images.dtype == torch.uint8 and images.shape == (len(batch), 1, 5, 4)
        for place, one in enumerate(batch):
            assert np.array_equal(images[place, 0], split.pixels[split.rows[one]])
            assert np.array_equal(labels[place], split.labels[one])


def test_a_cpu_gathers(split):
    assert Feed(split, CPU).way == "gather"


def test_pixels_may_take_half_of_what_is_free():
    assert loader.fits(50, 100)
    assert not loader.fits(51, 100)


def test_processes_that_share_a_card_share_its_memory_too(split, monkeypatch):
    gpu, size = torch.device("cuda"), 20 * split.pixels[0].nbytes
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (4 * size, 4 * size))
    ways = [loader.choose(split, gpu, sharing) for sharing in (1, 2, 3)]
    assert ways == ["resident", "resident", "prefetch"]


@pytest.mark.parametrize(("kind", "waits"), [("mps", True), ("xpu", False)])
def test_apples_gpu_is_waited_for_since_it_reads_memory_that_is_reused(split, kind, waits):
    asked = []

    class Sent(TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            if func is torch.Tensor.to:
                asked.append((args[1].type, not kwargs["non_blocking"]))
                return args[0]
            return func(*args, **(kwargs or {}))

    with Sent():
        list(Feed(split, torch.device(kind))([np.arange(3)]))
    assert asked == 2 * [(kind, waits)]


def test_the_next_batch_is_loaded_while_the_last_is_in_use():
    second = threading.Event()

    def load(number: int) -> int:
        if number == 1:
            second.set()
        return number

    ready = loader.ahead(load, range(4))
    assert next(ready) == 0
    assert second.wait(timeout=5), "batch 1 has to load before it is asked for"
    assert list(ready) == [1, 2, 3]


def test_nothing_is_loaded_twice_or_left_out():
    loaded = []
    assert list(loader.ahead(lambda n: loaded.append(n) or n, range(5))) == loaded == list(range(5))
    assert list(loader.ahead(lambda n: n, [])) == []


def test_an_error_while_loading_ahead_is_not_lost():
    def load(number: int) -> int:
        if number == 2:
            raise OSError("the disk has gone")
        return number

    with pytest.raises(OSError, match="the disk has gone"):
        list(loader.ahead(load, range(5)))
