"""Parquet tables that carry facts.

A table's facts are a JSON object in the Parquet metadata under the key `cxrgrid`. No pandas here:
a training process starts a second sooner without it.
"""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq

from cxrgrid.config.errors import UserError
from cxrgrid.io.atomic import replacing

KEY = b"cxrgrid"


def write_parquet(table, path: str | Path, facts: dict) -> None:
    """Write a pyarrow table, a dict of columns or a pandas frame, with `facts`, atomically."""
    if isinstance(table, dict):
        table = pa.table(table)
    elif not isinstance(table, pa.Table):
        table = pa.Table.from_pandas(table, preserve_index=False)
    metadata = {**(table.schema.metadata or {}), KEY: json.dumps(facts).encode()}
    with replacing(Path(path)) as partial:
        pq.write_table(table.replace_schema_metadata(metadata), partial, compression="zstd")


def read_parquet(path: str | Path) -> tuple[pa.Table, dict]:
    """A table and its facts ({} if it has none). `UserError` if missing or not Parquet."""
    try:
        with pq.ParquetFile(path) as file:  # read_table would first import all of pyarrow.dataset
            table = file.read()
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; run snakemake to make it") from None
    except pa.ArrowInvalid as error:
        raise UserError(f"{path}: not a readable Parquet file ({error})") from None
    return table, json.loads((table.schema.metadata or {}).get(KEY, b"{}"))


def facts_of(path: str | Path) -> dict:
    """A table's facts alone; {} where it has none, or cannot be read."""
    try:
        metadata = pq.read_metadata(path).metadata or {}
    except (OSError, pa.ArrowInvalid):
        return {}
    return json.loads(metadata.get(KEY, b"{}"))
