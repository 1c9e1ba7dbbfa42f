"""Reading of checkpoint files: safetensors, and torch's own format without running any code.

A file that torch wrote may hold a whole pickled network, which runs code when it is read. Such a
file is refused with the command that converts it where its publisher is trusted.
"""

import argparse
import json
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor

from cxrgrid.config.check_starts import FROM_A_PAGE, POINTER
from cxrgrid.config.errors import PASSING, UserError, code_of, unread

# Where checkpoints keep their weights, the first that is there counts: a moving average before the
# rest, as in timm, and DINO's teacher before its student.
INSIDE = ("state_dict_ema", "model_ema", "teacher", "state_dict", "model_state_dict", "model")
INSIDE += ("student", "module", "network", "net", "encoder", "weights", "params")
CONVERT = (
    'python -c "import sys, torch, safetensors.torch as s; m = torch.load(sys.argv[1], '
    "map_location='cpu', weights_only=False); "
    "m = next((m[k] for k in ('model', 'state_dict') if isinstance(m, dict) and k in m), m); "
    "m = m if isinstance(m, dict) else m.state_dict(); "
    "s.save_file({k: torch.as_tensor(v).clone().contiguous() for k, v in m.items() "
    "if hasattr(v, 'shape')}, sys.argv[2])\""
)
# Beside tensors: settings, and NumPy's numbers, such as the best score so far. None runs code.
NUMPYS = (np.float64(0).__reduce__()[0], np.zeros(1).__reduce__()[0])
HARMLESS = [
    argparse.Namespace,
    np.ndarray,
    np.dtype,
    *(type(np.dtype(one)) for one in "?bBhilqefd"),
]
HARMLESS += [
    (one, f"numpy.{core}.multiarray.{one.__name__}") for one in NUMPYS for core in ("core", "_core")
]


def read(path: str | Path) -> dict[str, Tensor]:
    """The weights of a checkpoint, on the CPU, under the names that it has; nothing is unpickled.

    `UserError` in one line for a file that cannot be read, or that would run code.
    """
    path = Path(path)
    check(path)
    if is_program(path):
        raise UserError(
            f"{path}: is a TorchScript program, not a checkpoint; ask its publisher for the "
            "weights (a state_dict)"
        )
    if path.suffix == ".safetensors":
        try:
            return load_file(path)
        except (SafetensorError, OSError, RuntimeError) as error:
            if code_of(error) in PASSING or isinstance(error, FileNotFoundError):
                raise unread(path, error) from None
            raise UserError(
                f"{path}: not a readable safetensors file ({error}); fetch it again"
            ) from None
    found = dict(tensors_in(unpickled(path)))
    if not found:
        raise UserError(f"{path}: holds no weights under any of the usual names")
    return found


def check(path: Path) -> None:
    """`UserError` if a checkpoint is a folder, empty, or a pointer to where it really is."""
    if path.is_dir():
        raise UserError(f"{path}: is a folder; name the file of weights in it")
    try:
        with path.open("rb") as file:
            start = file.read(len(POINTER))
    except OSError as error:
        raise unread(path, error) from None
    if not start:
        raise UserError(f"{path}: is empty (0 bytes); fetch it again")
    if start == POINTER:
        raise UserError(f"{path}: is a Git LFS pointer, not the weights; run git lfs pull there")
    if start.lstrip().startswith(b"<"):
        raise UserError(f"{path}: is a web page, not the weights; {FROM_A_PAGE}")


def is_program(path: Path) -> bool:
    """True for what torch.jit.save writes."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def unpickled(path: Path) -> Any:
    """Content of a file that torch wrote: tensors and plain values only."""
    try:
        with torch.serialization.safe_globals(HARMLESS):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if path.read_bytes()[:2] in (b"PK", b"\x80\x04", b"\x80\x05") or "global" in str(error):
            raise UserError(
                f"{path}: holds a pickled network or other code, which is not run here. Where you "
                f"trust its publisher, convert it: {CONVERT} {path} {path.with_suffix('')}"
                ".safetensors"
            ) from None
        raise UserError(f"{path}: is no checkpoint of torch, or is cut short") from None
    except Exception as error:  # torch raises its own kind for each way a file can be broken
        cut = isinstance(error, (EOFError, zipfile.BadZipFile)) or "zip archive" in str(error)
        why = (
            "is cut short; fetch it again" if cut else "is no checkpoint of torch, or is cut short"
        )
        raise UserError(f"{path}: {why}") from None


def tensors_in(value: Any) -> dict[str, Tensor]:
    """The tensors of a checkpoint, from where they are usually kept; empty if there are none."""
    if not isinstance(value, dict):
        return {}
    for name in INSIDE:
        if isinstance(value.get(name), dict) and (found := tensors_in(value[name])):
            return found
    return {
        str(name): torch.as_tensor(tensor)
        for name, tensor in value.items()
        if isinstance(tensor, Tensor) or (isinstance(tensor, np.ndarray) and tensor.dtype != object)
    }


def metadata(path: str | Path) -> dict[str, Any]:
    """Facts that cxrgrid wrote beside the weights of a safetensors file; empty for other files."""
    if Path(path).suffix != ".safetensors":
        return {}
    try:
        with safe_open(path, "pt") as file:
            found = (file.metadata() or {}).get("cxrgrid")
        return json.loads(found) if found else {}
    except (SafetensorError, OSError, ValueError) as error:
        raise UserError(f"{path}: not a readable safetensors file ({error})") from None
