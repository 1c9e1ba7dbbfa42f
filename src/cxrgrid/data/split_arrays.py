"""One split of a dataset as arrays: pixels, labels and what is known of each image."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute

from cxrgrid.config.cell import Cell
from cxrgrid.config.errors import UserError
from cxrgrid.config.preparation import array_suffix
from cxrgrid.data.pooled_part import (
    PooledPixels,
    check_pool,
    like_held_out,
    member,
    names_there,
    shown_as,
)
from cxrgrid.data.stored_array import open_array
from cxrgrid.data.training_part import training_part
from cxrgrid.io.parquet import read_parquet


@dataclass(frozen=True)
class Split:
    """The images of one split: `pixels[rows]` are its images, in the order of the other fields.

    pixels: uint8 [M, H, W], memory-mapped, all images of the dataset; rows: int64 [N];
    labels: float32 [N, L], 1 present, 0 absent, NaN unknown; image, patient: str, N each; dataset:
    number of the dataset of each image, int64 [N], where several are pooled.
    """

    pixels: np.ndarray | PooledPixels
    rows: np.ndarray
    labels: np.ndarray
    image: list[str]
    patient: list[str]
    dataset: np.ndarray | None = None


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


def load_training(folders: list[Path], cell: Cell, pool: Path | None = None) -> tuple[Split, dict]:
    """The training images of a cell, with its targets as labels, and the facts of its dataset.

    folders: of the cell's dataset, then of the others that it trains on; pool: of such a cell, the
    images that are like held-out images. The fact `pool` then says what each dataset gives.
    """
    if cell.train_on:
        return load_pool("train", folders, cell, pool)
    table, facts = read_part(folders[0], "train")
    kept, targets = training_part(table, facts, cell)
    chosen = table.filter(pa.array(kept))
    facts = {**facts, **image_facts(folders[0], cell.image)}
    return arrays(folders[0], chosen, targets[kept], cell.image), facts


def load_validation(folders: list[Path], cell: Cell, pool: Path | None = None) -> Split:
    """The validation images that choose a cell's epoch, with their truth."""
    if cell.validate_on == "train_on" and cell.train_on:
        return load_pool("val", folders, cell, pool)[0]
    return load_split(folders[0], "val", cell.image)[0]


def load_pool(part: str, folders: list[Path], cell: Cell, pool: Path | None) -> tuple[Split, dict]:
    """One part of all datasets that a cell trains on, as one, and the facts of its own dataset."""
    _, own = read_parquet(folders[0] / "table.parquet")
    own = {**own, **image_facts(folders[0], cell.image)}
    read = {
        facts["dataset"]: (folder, table, facts) for folder, table, facts in parts(part, folders)
    }
    if missing := [name for name in cell.train_on if name not in read]:
        raise UserError(
            f"cell {cell.path()}: trains on {missing[0]} too; name its folder in --data"
        )
    forbidden, members, splits, about = like_held_out(pool, cell), [], [], {}
    for name in cell.train_on:
        folder, table, facts = read[name]
        image = shown_as(cell, own, facts)
        facts = {**facts, **image_facts(folder, image)}
        found = member(part, table, facts, cell, own, forbidden.get(name, set()))
        members.append(found)
        splits.append(arrays(folder, found.table, found.targets, image))
        about[name] = found.about(names_there(cell, facts, own["labels"]))
    if part == "train":
        check_pool(members, cell, own["labels"])
    held_out = read_parquet(pool)[1].get("held_out", [])
    return joined(splits, cell), {**own, "pool": about, "held_out": held_out}


def parts(part: str, folders: list[Path]) -> Iterator[tuple[Path, pa.Table, dict]]:
    """The rows of one part of each dataset, with its folder and facts."""
    for folder in folders:
        yield folder, *read_part(folder, part)


def joined(splits: list[Split], cell: Cell) -> Split:
    """Several splits as one, dataset by dataset; `UserError` if their pixels differ in shape."""
    shapes = {split.pixels.shape[1:] for split in splits}
    if len(shapes) > 1:
        raise UserError(f"cell {cell.path()}: images of {sorted(shapes)} pixels cannot be pooled")
    pixels = PooledPixels([split.pixels for split in splits])
    return Split(
        pixels=pixels,
        rows=np.concatenate([s.rows + at for s, at in zip(splits, pixels.starts, strict=False)]),
        labels=np.concatenate([split.labels for split in splits]),
        image=[image for split in splits for image in split.image],
        patient=[patient for split in splits for patient in split.patient],
        dataset=np.repeat(np.arange(len(splits)), [len(split.rows) for split in splits]),
    )


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
    table, facts = read_parquet(path, "image", "patient", "split", "row")
    chosen = table.filter(pa.compute.equal(table["split"], split))
    if chosen.num_rows == 0:
        raise UserError(f"{path}: the {split} split is empty")
    return chosen, facts


def arrays(folder: str | Path, table: pa.Table, labels: np.ndarray, image: dict) -> Split:
    """The rows of a table with their pixels and the given labels, float32 [N, L]."""
    path = pixels_folder(folder) / f"pixels{array_suffix(image)}.npy"
    pixels, rows = open_array(path), table["row"].to_numpy()
    if len(rows) and not 0 <= rows.min() <= rows.max() < len(pixels):
        raise UserError(f"{path}: is of other images than table.parquet; run snakemake again")
    return Split(
        pixels=pixels,
        rows=rows,
        labels=labels,
        image=table["image"].to_pylist(),
        patient=table["patient"].to_pylist(),
    )
