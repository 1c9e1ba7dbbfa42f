"""Networks: built by timm's name, initialised from a weights file, and run over a split.

The networks registered with timm in the files of this folder are timm names too.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import timm
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from cxrgrid.config.cell import TRAIN_AGAIN, Cell
from cxrgrid.config.errors import PASSING, UserError, code_of, unread
from cxrgrid.data.loader import Feed
from cxrgrid.data.split_arrays import Split
from cxrgrid.io.parquet import facts_of
from cxrgrid.models import au as au
from cxrgrid.models import chexfound as chexfound
from cxrgrid.models import device as device_use
from cxrgrid.models import eva_x as eva_x
from cxrgrid.models import sizes, start
from cxrgrid.models import toh as toh
from cxrgrid.models import toh_xvt as toh_xvt
from cxrgrid.models.input import set_input, usual


def build(cell: Cell, labels: int, size: sizes.Size) -> nn.Module:
    """The cell's backbone with a fresh classifier; initial weights follow torch's random state.

    `model.mean` and `model.std` (float [1, C, 1, 1], not in its state dict) are the grey levels,
    0 to 1, with which the backbone's published weights were trained; one channel takes their mean.
    `model.amp` and `model.compiling` are the cell's settings amp and compile.
    `UserError` if the backbone cannot take images of `size`: the side of a square in pixels, or
    height and width.
    """
    options = {"num_classes": labels, "in_chans": cell.channels, "drop_rate": cell.dropout}
    model = sizes.create(cell.backbone, size, options)
    set_input(model, usual(model, cell))
    model.amp, model.compiling = cell.amp, cell.compile
    return model


def compiled(model: nn.Module, how: bool | str) -> Callable[[Tensor], Tensor]:
    """The network's forward pass, by torch.compile if asked; how: the cell's setting `compile`."""
    # The model itself is not wrapped: its state dict keeps its keys.
    if not how:
        return model
    return torch.compile(model, mode=how if isinstance(how, str) else None)


def is_own(backbone: str) -> bool:
    """True if timm knows the network only through this folder."""
    own = "--" not in backbone and timm.models.model_entrypoint(backbone)
    return bool(own) and own.__module__.startswith(__name__)


def start_from(
    model: nn.Module, path: str | Path, sha256: str = "", own_input: bool = False
) -> str:
    """Load all weights but the classifier's from a checkpoint; one line on what it filled.

    The model's `mean` and `std` become the checkpoint's, where these are known and not set by the
    cell (`own_input`). `UserError` if the file cannot be read, its weights do not fit the backbone,
    its SHA-256 is not `sha256` (empty: not checked), or it is a cell's and damaged.
    """
    if sha256 and sha256 != (found := checksum(path)):
        raise UserError(
            f"{path}: its SHA-256 is {found}, not {sha256}; fetch it again, or correct it"
        )
    check_written(Path(path))
    begun = start.fit(model, path, lambda name: in_classifier(model, name))
    model.load_state_dict(model.state_dict() | begun.weights)
    if not own_input:
        set_input(model, begun.input)
    return begun.line


def in_classifier(model: nn.Module, name: str) -> bool:
    """True if a weight or module belongs to the classifier."""
    heads = model.pretrained_cfg["classifier"]
    heads = [heads] if isinstance(heads, str) else heads
    return any(f"{name}.".startswith(f"{head}.") for head in heads)


def set_trainable(model: nn.Module, cell: Cell, epoch: int) -> None:
    """Set the network to training mode for an epoch (from 1): all of it, or only the classifier.

    Frozen parts do not change, including the running statistics of batch norms: the optimiser
    skips weights without a gradient, so that it may hold all of them from the start.
    """
    head_only = cell.train == "head" or epoch <= cell.freeze_epochs
    model.train()
    for name, weight in model.named_parameters():
        weight.requires_grad_(not head_only or in_classifier(model, name))
    for name, part in model.named_modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm) and head_only:
            part.train(in_classifier(model, name))


def checksum(path: str | Path) -> str:
    """SHA-256 of a file, in hexadecimal. `UserError` if it cannot be read."""
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise unread(path, error) from None


def size_and_checksum(path: Path) -> dict[str, int | str]:
    """`bytes` and `sha256` of a weights file, as the facts of a cell's history hold them."""
    return {"sha256": checksum(path), "bytes": path.stat().st_size}


def check_written(path: Path) -> None:
    """`UserError` unless a cell's weights are those that its training wrote, by size and checksum.

    Cells of before, copies without history.parquet, and other weights have neither: none is asked.
    """
    made = facts_of(path.with_name("history.parquet")).get("model")
    if made and size_and_checksum(path) != made:
        size = f"{path.stat().st_size:,} bytes, of {made.get('bytes')} written"
        raise UserError(
            f"{path}: damaged, or of another training than history.parquet ({size}); {TRAIN_AGAIN}"
        )


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """Weights of a safetensors file; nothing is unpickled."""
    try:
        return load_file(path)
    except (SafetensorError, OSError, RuntimeError) as error:
        if code_of(error) in PASSING or isinstance(error, FileNotFoundError):
            raise unread(path, error) from None
        raise UserError(f"{path}: not a readable safetensors file ({error})") from None


def check_fit(own: dict[str, Tensor], weights: dict[str, Tensor], path: str | Path) -> None:
    """`UserError` that names the first weight that is missing or has another shape."""
    for name, tensor in own.items():
        if name not in weights:
            raise UserError(f"{path}: holds no {name}; are these weights of another backbone?")
        if weights[name].shape != tensor.shape:
            shapes = f"{tuple(weights[name].shape)} for {tuple(tensor.shape)}"
            raise UserError(
                f"{path}: {name} does not fit ({shapes}); another backbone or input size?"
            )


def grey(images: Tensor) -> Tensor:
    """Grey levels 0 to 1 of uint8 images; features, which are float, as they are."""
    return images.float() / 255 if images.dtype == torch.uint8 else images


def normalise(images: Tensor, model: nn.Module) -> Tensor:
    """Grey levels 0 to 1, float [N, 1, H, W], normalised for the backbone: [N, C, H, W]."""
    return (images - model.mean) / model.std


@torch.inference_mode()
def logits(
    model: nn.Module,
    split: Split,
    batch_size: int,
    pause: Callable[[], None] = lambda: None,
    change: Callable[[Tensor, int], Tensor] = lambda images, batch: images,
) -> Tensor:
    """Logits of all images of a split, in its order: float32 [N, L] on the CPU.

    pause: called after each batch, and may raise to end the work; change: function of each batch,
    float [N, 1, H, W] from 0 to 1, and its number, that returns the model's input.
    """
    model.eval()
    device = model.mean.device
    # A CPU's cells have always been evaluated in float32, a GPU's are as they are trained.
    gpu = device.type == "cuda"
    forward = compiled(model, gpu and model.compiling)
    amp = gpu and device_use.bfloat16(model.amp, device)
    parts = np.array_split(np.arange(len(split.rows)), max(1, -(-len(split.rows) // batch_size)))
    way = "prefetch" if device.type == "cuda" else "gather"
    outputs = []
    for number, (images, _) in enumerate(Feed(split, device, way)(parts)):
        seen = change(grey(images), number)
        with torch.autocast(device.type, torch.bfloat16, enabled=amp):
            # A copy: with CUDA graphs the next batch's answers are written over this one's.
            outputs.append(forward(normalise(seen, model)).to(torch.float32, copy=True))
        pause()
    return torch.cat(outputs).cpu()  # the one wait for a GPU


def probabilities(outputs: Tensor, task: str) -> np.ndarray:
    """Probabilities of logits [N, L]: independent labels, or for multi-class a sum of 1."""
    return (outputs.sigmoid() if task == "multilabel" else outputs.softmax(dim=1)).numpy()
