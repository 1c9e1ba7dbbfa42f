"""The files that hold a dataset: Parquet tables that carry facts, and one array of pixels.

A table's facts are a JSON object in the Parquet metadata under the key `cxrgrid`. No pandas here:
a training process starts a second sooner without it.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq

from cxrgrid.config.grid import UserError
from cxrgrid.io.atomic import replacing

KEY = b"cxrgrid"


def write_parquet(table, path: str | Path, facts: dict) -> None:
    """Write a pyarrow table, a dict of columns or a pandas frame with `facts`, all or nothing."""
    if isinstance(table, dict):
        table = pa.table(table)
    elif not isinstance(table, pa.Table):
        table = pa.Table.from_pandas(table, preserve_index=False)
    metadata = {**(table.schema.metadata or {}), KEY: json.dumps(facts).encode()}
    with replacing(Path(path)) as partial:
        pq.write_table(table.replace_schema_metadata(metadata), partial, compression="zstd")


def read_parquet(path: str | Path) -> tuple[pa.Table, dict]:
    """A table and its facts, {} where it carries none. `UserError` if missing or not Parquet."""
    try:
        with pq.ParquetFile(path) as file:  # read_table would first import all of pyarrow.dataset
            table = file.read()
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; run snakemake to make it") from None
    except pa.ArrowInvalid as error:
        raise UserError(f"{path}: not a readable Parquet file ({error})") from None
    return table, json.loads((table.schema.metadata or {}).get(KEY, b"{}"))


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
