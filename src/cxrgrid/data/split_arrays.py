"""One split of a dataset as arrays: pixels, labels and what is known of each image."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute

from cxrgrid.config.errors import UserError
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


def load_split(folder: str | Path, split: str) -> tuple[Split, dict]:
    """The images of `split` (train, val or test) in a dataset's folder, and the table's facts."""
    folder = Path(folder)
    table, facts = read_parquet(folder / "table.parquet")
    chosen = table.filter(pa.compute.equal(table["split"], split))
    if chosen.num_rows == 0:
        raise UserError(f"{folder / 'table.parquet'}: the {split} split is empty")
    labels = [chosen[name].to_numpy(zero_copy_only=False) for name in facts["labels"]]
    return Split(
        pixels=np.load(folder / "pixels.npy", mmap_mode="r"),
        rows=chosen["row"].to_numpy(),
        labels=np.stack(labels, axis=1).astype(np.float32),
        image=chosen["image"].to_pylist(),
        patient=chosen["patient"].to_pylist(),
    ), facts
