"""Start of a run, and its training step: from a batch on the device to new weights.

With `accumulate` a batch is processed in parts. Each part's loss is a mean over its known labels,
so it is weighted by its share of the batch's known labels: the parts add up to the loss and
gradient of the whole batch. Only BatchNorm differs, which normalises each part by itself; where it
cannot learn from a single image, no part has fewer than two.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from timm.utils import ModelEmaV3
from torch import Tensor, nn
from tqdm import tqdm

from cxrgrid import models
from cxrgrid.config.cell import Cell
from cxrgrid.config.errors import UserError
from cxrgrid.models import device as device_use
from cxrgrid.models.beside import resize_note
from cxrgrid.models.sizes import Size, fewest_images
from cxrgrid.training.answers import counter
from cxrgrid.training.checkpoint import Run
from cxrgrid.training.loss import make_optimizer

# How torch's allocator, cuDNN and cuBLAS say it where they raise a plain RuntimeError.
REFUSED = " does not have a deterministic implementation"
SHORT = ("can't allocate memory", "cannot allocate memory", "out of memory", "_alloc_failed")


def make_run(
    cell: Cell, labels: int, size: Size, device: torch.device, image: dict[str, Any] | None = None
) -> Run:
    """A new run: the cell's model on its device, with initial weights that follow from its seed.

    image: the image recipe of the training images; the line of the start compares it.
    """
    device_use.prepare(cell, device)
    torch.manual_seed(cell.seed)
    model = models.build(cell, labels, size)
    start, path = "", cell.weights
    if path:
        start = models.start_from(model, path, cell.weights_sha256, bool(cell.weights_mean))
        start += resize_note(path, model.pretrained_cfg, image or {})
    layout = torch.channels_last if cell.channels_last else torch.contiguous_format
    model.to(device, memory_format=layout)
    ema = ModelEmaV3(model, decay=cell.ema_decay) if cell.ema_decay else None
    optimizer = make_optimizer(cell, model)
    models.set_trainable(model, cell, cell.epochs)
    least = fewest_images(model, cell.channels, size)
    models.set_trainable(model, cell, 1)
    return Run(model, optimizer, ema, cell.accumulate, least, start=start)


class Step:
    """Training step: called with images (float [N, 1, H, W], 0 to 1) and labels [N, L].

    Returns their loss, on the device. Options are set up here; `update` holds the functions that
    they add to the step. With a task, right and wrong answers are added to the run's.
    """

    def __init__(
        self, run: Run, cell: Cell, loss: Callable[[Tensor, Tensor], Tensor], task: str = ""
    ):
        self.run, self.cell, self.loss = run, cell, loss
        self.count, self.answers = counter(task, cell), torch.zeros(())
        self.forward = self.compiled()
        self.layout = torch.channels_last if cell.channels_last else torch.contiguous_format
        device = run.model.mean.device
        amp = device_use.bfloat16(cell.amp, device)
        self.autocast = torch.autocast(device.type, torch.bfloat16, enabled=amp)
        self.buffers = list(run.model.buffers()) if cell.on_oom == "accumulate" else []
        self.update = updates(run, cell)

    def compiled(self) -> Callable[[Tensor], Tensor]:
        """The network's forward pass; of a batch in parts without CUDA graphs.

        A graph's gradients lie where its next run writes: those of parts would not add up.
        """
        how = self.cell.compile
        return models.compiled(self.run.model, how if self.run.parts == 1 else bool(how))

    def __call__(self, images: Tensor, labels: Tensor) -> Tensor:
        value = self.gradient(images, labels)
        self.run.answers = self.run.answers + self.answers
        for act in self.update:
            act()
        return value

    def gradient(self, images: Tensor, labels: Tensor) -> Tensor:
        """Loss of a batch, with its gradient in the weights; in more parts if memory runs out."""
        while True:
            before = [buffer.clone() for buffer in self.buffers]
            device_use.seed(
                images.device, chance(self.cell.seed, self.run.epoch, self.run.step + 1)
            )
            try:
                return self.backward(images, labels)
            except (MemoryError, RuntimeError) as error:
                if not is_short(error):
                    raise
            # Not in the handler: there the error still holds the memory of the step that failed.
            self.divide(len(images))
            self.run.optimizer.zero_grad(set_to_none=True)
            for buffer, value in zip(self.buffers, before, strict=True):
                buffer.copy_(value)

    def backward(self, images: Tensor, labels: Tensor) -> Tensor:
        """Loss of a batch, with forward and backward pass of one part after the other."""
        known = labels.isfinite().sum().clamp(min=1)
        total = torch.zeros((), device=images.device)
        answers = torch.zeros((), device=images.device)
        parts = min(self.run.parts, self.most_parts(len(images)))
        for some, wanted in zip(
            images.tensor_split(parts), labels.tensor_split(parts), strict=True
        ):
            some = models.normalise(some, self.run.model).contiguous(memory_format=self.layout)
            with self.autocast:
                logits = self.forward(some)
                value = self.loss(logits, wanted)
            value = value * (wanted.isfinite().sum() / known)
            value.backward()
            total += value.detach()
            answers = answers + self.count(logits, wanted)
        self.answers = answers
        return total

    def most_parts(self, images: int) -> int:
        """Most parts of which each has the images that batch norms need."""
        return max(1, images // self.run.least)

    def divide(self, images: int) -> None:
        """Double the number of parts from now on; `UserError` if not allowed or not possible."""
        run = self.run
        where = f"epoch {run.epoch}, step {run.step + 1}"
        if self.cell.on_oom == "fail":
            raise UserError(remedy(self.cell, f"in {where}"))
        if run.parts >= self.most_parts(images):
            few = "one image" if run.least == 1 else "two images, which batch norms need,"
            raise UserError(
                f"cell {self.cell.path()}: out of memory in {where}, with {few} at a time; "
                "take a smaller backbone, a smaller image size or a machine with more memory"
            )
        run.parts = min(2 * run.parts, self.most_parts(images))
        self.forward = self.compiled()
        tqdm.write(f"{where}: out of memory; from here in {run.parts} parts", file=sys.stderr)
        torch.cuda.empty_cache()  # does nothing where there is no GPU


def updates(run: Run, cell: Cell) -> list[Callable[[], object]]:
    """Functions that a step calls after the gradient, in order."""
    acts: list[Callable[[], object]] = []
    if cell.clip_grad:
        acts.append(lambda: nn.utils.clip_grad_norm_(run.model.parameters(), cell.clip_grad))
    acts += [run.optimizer.step, lambda: run.optimizer.zero_grad(set_to_none=True)]
    if run.ema is not None:
        acts.append(lambda: run.ema.update(run.model))
    return acts


def chance(*numbers: int) -> int:
    """Torch seed that follows from a tuple of numbers."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])


def is_short(error: BaseException) -> bool:
    """True if an error says that memory ran out, on a GPU or on the host."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return any(word in str(error).lower() for word in SHORT)


def remedy(cell: Cell, where: str) -> str:
    """Error message for lack of memory, with the remedy."""
    line = f"cell {cell.path()}: out of memory {where}, with batches of {cell.batch_size}"
    if cell.accumulate > 1 or cell.on_oom == "accumulate":
        line += " taken in parts"
    return line + (
        "; set a smaller batch_size, accumulate: 2 or more, or on_oom: accumulate "
        "(the same batches in parts)"
    )


@contextmanager
def failures_explained(cell: Cell) -> Iterator[None]:
    """Context that turns two failures into a `UserError` with the remedy.

    Lack of memory outside of a step, and an operation that a GPU cannot repeat to the bit.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if REFUSED in str(error):
            operation = str(error).split(REFUSED)[0].split()[-1]
            raise UserError(
                f"cell {cell.path()}: {operation}, which {cell.backbone} needs, has no "
                "deterministic implementation on this GPU; set deterministic: false, or take "
                "another backbone or image size"
            ) from None
        if not is_short(error):
            raise
        raise UserError(remedy(cell, f"({str(error).splitlines()[0][:120]})")) from None
