"""One split of a dataset as arrays: pixels, labels and what is known of each image."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute

from cxrgrid.config.cell import Cell
from cxrgrid.config.errors import UserError
from cxrgrid.config.preparation import array_suffix
from cxrgrid.data.training_part import training_part
from cxrgrid.io.parquet import read_parquet


@dataclass(frozen=True)
class Split:
    """The images of one split: `pixels[rows]` are its images, in the order of the other fields.

    pixels: uint8 [M, H, W], memory-mapped, all images of the dataset; rows: int64 [N];
    labels: float32 [N, L], 1 present, 0 absent, NaN unknown; image, patient: str, N each.
    """

    pixels: np.ndarray
    rows: np.ndarray
    labels: np.ndarray
    image: list[str]
    patient: list[str]


def load_split(folder: str | Path, split: str, image: dict | None = None) -> tuple[Split, dict]:
    """The images of `split` (train, val or test) in a dataset's folder, and the table's facts.

    folder: results/data/{dataset}, or its fold1 and so on, where it is cross-validated.

    image: image settings that differ from the dataset's own, as `Cell.image`; the facts' `image`
    is the recipe of the pixels that are given.
    """
    table, facts = read_part(folder, split)
    facts = {**facts, **image_facts(folder, image or {})}
    labels = [table[name].to_numpy(zero_copy_only=False) for name in facts["labels"]]
    labels = np.stack(labels, axis=1).astype(np.float32)
    return arrays(folder, table, labels, image or {}), facts


def load_training(folder: str | Path, cell: Cell) -> tuple[Split, dict]:
    """The training images of a cell, with its targets as labels, and the table's facts."""
    table, facts = read_part(folder, "train")
    kept, targets = training_part(table, facts, cell)
    chosen = table.filter(pa.array(kept))
    facts = {**facts, **image_facts(folder, cell.image)}
    return arrays(folder, chosen, targets[kept], cell.image), facts


def image_facts(folder: str | Path, image: dict) -> dict:
    """The fact `image` of an array that is not the dataset's own; nothing for that one."""
    path = pixels_folder(folder) / f"pixels{array_suffix(image)}.parquet"
    return {"image": read_parquet(path)[1]} if image else {}


def pixels_folder(folder: str | Path) -> Path:
    """The folder with a dataset's pixels; those of its folds have none of their own."""
    folder = Path(folder)
    return folder.parent if re.fullmatch(r"fold\d+", folder.name) else folder


def read_part(folder: str | Path, split: str) -> tuple[pa.Table, dict]:
    """The rows of one split in table.parquet, and its facts."""
    path = Path(folder) / "table.parquet"
    table, facts = read_parquet(path)
    chosen = table.filter(pa.compute.equal(table["split"], split))
    if chosen.num_rows == 0:
        raise UserError(f"{path}: the {split} split is empty")
    return chosen, facts


def arrays(folder: str | Path, table: pa.Table, labels: np.ndarray, image: dict) -> Split:
    """The rows of a table with their pixels and the given labels, float32 [N, L]."""
    path = pixels_folder(folder) / f"pixels{array_suffix(image)}.npy"
    if not path.is_file():
        raise UserError(f"{path}: is missing; prepare it (snakemake {path})")
    return Split(
        pixels=np.load(path, mmap_mode="r"),
        rows=table["row"].to_numpy(),
        labels=labels,
        image=table["image"].to_pylist(),
        patient=table["patient"].to_pylist(),
    )
