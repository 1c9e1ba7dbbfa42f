"""Checks of initial weights: what an entry of `weights:` names, and the input that it expects."""

import difflib
import json
import zipfile
from pathlib import Path

from cxrgrid.config.cell import Cell, Point
from cxrgrid.config.check_files import check_input
from cxrgrid.config.checks import ADAPTERS, modules
from cxrgrid.config.errors import UserError, known
from cxrgrid.config.folds import words
from cxrgrid.config.pooling import fold_of, read_by
from cxrgrid.config.source import Source

ENDINGS = (".safetensors", ".pth", ".pt", ".tar", ".bin", ".ckpt")
POINTER = b"version https://git-lfs"
FROM_A_PAGE = "take the address of the page's download button"


def weights_file(file: str, backbone: str) -> str:
    """Path of a checkpoint: the file that is named, or the backbone's in the folder."""
    file = file.replace("{backbone}", backbone)
    return file if file.endswith(ENDINGS) else f"{file}/{backbone}.safetensors"


def check_source(source: Source, where: str) -> None:
    """`UserError` unless a source is one thing, and its input can be."""
    given = [source.dataset, source.file, source.package]
    if sum(map(bool, given)) != 1 or (source.sha256 and not source.file):
        raise UserError(
            f"{where}: either a dataset (another cell), or a file and its sha256, or a package"
        )
    for adapter in source.trained_on:
        known(adapter, modules(ADAPTERS), f"{where}.trained_on", "adapter")
    asked = source.mean or source.std or source.value_range
    if asked and source.dataset:
        raise UserError(f"{where}: another cell's input is known; leave out mean, std, value_range")
    if source.interpolation and source.dataset:
        raise UserError(f"{where}.interpolation: of a cell it is its recipe's image.interpolation")
    if bool(source.mean) != bool(source.std) or (source.value_range and source.mean):
        raise UserError(f"{where}: mean and std, or value_range alone")
    for name, values in (("mean", source.mean), ("std", source.std)):
        if values and len(values) not in (1, 3):
            raise UserError(f"{where}.{name}: one number, or one for each of three channels")
    if source.std and min(source.std) <= 0:
        raise UserError(f"{where}.std: numbers above 0, please")
    span = source.value_range
    if span and (len(span) != 2 or span[0] >= span[1]):
        raise UserError(f"{where}.value_range: [low, high], such as [-1024, 1024]")


def input_of(source: Source | str | None) -> dict[str, tuple[float, ...]]:
    """Settings of a cell for the input that its start expects; empty where nothing is said."""
    if not isinstance(source, Source) or not (source.mean or source.value_range):
        return {}
    if source.mean:
        return {"weights_mean": source.mean, "weights_std": source.std}
    low, high = source.value_range
    # low + x (high - low), for grey levels x from 0 to 1.
    return {"weights_mean": (-low / (high - low),), "weights_std": (1 / (high - low),)}


def check_start(path: str, where: str) -> None:
    """`UserError` with the remedy unless a file of weights is there and could be one.

    path: as `weights_file` gives it. Its weights are not read.
    """
    file, folder = Path(path), Path(path).parent
    if folder.is_file():
        raise UserError(
            f"{where}: {str(folder)!r} has none of the endings {', '.join(ENDINGS)}; rename it if "
            "torch wrote it (.pth), or else convert it to safetensors"
        )
    if not file.exists() and folder.is_dir():
        there = [one.name for one in folder.iterdir() if one.name.endswith(ENDINGS)]
        near = difflib.get_close_matches(file.name, there, n=1, cutoff=0.75)
        hint = f"; did you mean {str(folder / near[0])!r}?" if near else ""
        raise UserError(f"{where}: no file {path!r}{hint}")
    check_input(path, where)
    check_checkpoint(path, where)


def check_checkpoint(path: str, where: str) -> None:
    """`UserError` if a checkpoint that is there is not the weights themselves, or cut short."""
    with Path(path).open("rb") as file:
        start = file.read(len(POINTER))
    if not start:
        raise UserError(f"{where}: {path} is empty (0 bytes); fetch it again")
    if start == POINTER:
        raise UserError(f"{where}: {path} is a Git LFS pointer, not the weights; run git lfs pull")
    if start.lstrip().startswith(b"<"):
        raise UserError(f"{where}: {path} is a web page, not the weights; {FROM_A_PAGE}")
    safe = path.endswith(".safetensors")
    if not safe and start[:2] != b"PK" and start[:1] != b"\x80":
        raise UserError(f"{where}: {path} is no checkpoint of torch; fetch or convert it anew")
    if cut_short(path) if safe else start[:2] == b"PK" and not zipfile.is_zipfile(path):
        what = "is no whole safetensors file" if safe else "is cut short"
        raise UserError(
            f"{where}: {path} {what} ({Path(path).stat().st_size:,} bytes); fetch it again"
        )


def cut_short(path: str) -> bool:
    """True if a safetensors file has not the size that its header says, or no header."""
    size = Path(path).stat().st_size
    try:
        with Path(path).open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(length)) if length < size else None
        header.pop("__metadata__", None)
        ends = [tensor["data_offsets"][1] for tensor in header.values()]
    except (ValueError, AttributeError, KeyError, TypeError):
        return True
    return 8 + length + max(ends, default=0) != size


def check_folds(start: Cell, above: tuple[Point, ...], folds: dict[str, tuple[int, ...]]) -> None:
    """`UserError` if a start has trained on the images that a cell above it is tested on.

    above: the cells that start from it, directly or by others; folds: of each dataset.
    """
    read = read_by(start)
    for cell in [cell for cell in above if cell.dataset in read]:
        name, fold = cell.dataset, fold_of(folds, start, cell.dataset)
        if fold == cell.fold:
            continue
        chain = f"weights.{cell.init}: the cell {cell.path()} would start from {start.path()}"
        if start.dataset == name:
            raise UserError(
                f"{chain}, a cell of another fold, which has trained on its test images"
            )
        raise UserError(
            f"{chain}, which trains on fold {fold} of {name} and so on its test images; leave "
            f"{name} out of its `train_on`, or test the folds {words(folds[name])} of "
            f"{start.dataset} too (grid.datasets, datasets.{start.dataset}.split.folds)"
        )
