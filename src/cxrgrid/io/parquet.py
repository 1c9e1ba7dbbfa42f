"""Parquet tables that carry facts, and notice damage.

A table's facts are a JSON object in the Parquet metadata under the key `cxrgrid`. Each page of
values has a checksum, and so have the facts, the names and kinds of the columns and the number of
rows: a flipped bit is found when the table is read. Files of before, without checksums, are read as
they are. No pandas here: a training process starts a second sooner without it.
"""

import hashlib
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq

from cxrgrid.config.errors import PASSING, UserError, unread
from cxrgrid.io.atomic import replacing
from cxrgrid.io.json_file import AGAIN, Facts, check_kinds

KEY = b"cxrgrid"
SUM = b"cxrgrid.sha256"  # of everything but the values, which have checksums of their own
OWN = (SUM, b"ARROW:schema")  # metadata that the checksum leaves out: pyarrow writes the latter

TEXTS = ("image", "patient", "split", "dataset", "backbone", "init", "recipe", "target", "subset")
TEXTS += ("label", "metric", "curve")
NUMBERS = ("value", "low", "high", "fold", "seed")
NUMBERS += ("epoch", "seconds", "images_per_second", "lr", "steps")
# Begin the names of an epoch's losses and metrics; of truth, probabilities and their log odds.
NUMERIC = ("train_", "val_", "y:", "p:", "z:")


def write_parquet(table, path: str | Path, facts: dict) -> None:
    """Write a pyarrow table, a dict of columns or a pandas frame, with `facts`, atomically."""
    if isinstance(table, dict):
        table = pa.table(table)
    elif not isinstance(table, pa.Table):
        table = pa.Table.from_pandas(table, preserve_index=False)
    table = table.replace_schema_metadata(
        {**(table.schema.metadata or {}), KEY: json.dumps(facts).encode()}
    )
    table = table.replace_schema_metadata({**table.schema.metadata, SUM: checksum(table)})
    with replacing(Path(path)) as partial:
        pq.write_table(table, partial, compression="zstd", write_page_checksum=True)


def checksum(table: pa.Table) -> bytes:
    """Checksum of a table's facts and shape: number of rows, names and kinds of the columns."""
    shape = [table.num_rows, [[field.name, field.type.id] for field in table.schema]]
    found = hashlib.sha256(json.dumps(shape).encode())
    for key, value in sorted((table.schema.metadata or {}).items()):
        if key not in OWN:
            found.update(b"\0" + key + b"\0" + value)
    return found.hexdigest().encode()


def read_parquet(path: str | Path, *needs: str) -> tuple[pa.Table, Facts]:
    """A table and its facts ({} if it has none).

    needs: columns. `UserError`, one line, if the file is missing or damaged, lacks a column or has
    one of another kind.
    """
    table, facts = read_any_kind(path)
    check_kinds(facts)
    for name in [name for name in needs if table.schema.get_field_index(name) < 0][:1]:
        raise UserError(f"{path}: needs one column {name!r}; {AGAIN}")
    for field in table.schema:
        if kind := wanted_kind(field, facts):
            raise UserError(f"{path}: column {field.name!r} is {field.type}, not {kind}; {AGAIN}")
    return table, facts


def read_answers(path: str | Path, *needs: str) -> tuple[pa.Table, Facts]:
    """The table of a cell's predictions, with `y:<label>` and `p:<label>` of each of its labels."""
    table, facts = read_parquet(path, *needs)
    names = {f"{kind}:{label}" for label in facts["labels"] or [""] for kind in "yp"}
    for name in sorted(names.difference(table.column_names))[:1]:
        raise UserError(f"{path}: needs one column {name!r}; {AGAIN}")
    if not table.num_rows:
        raise UserError(f"{path}: has no rows; {AGAIN}")
    return table, facts


def wanted_kind(field: pa.Field, facts: dict) -> str:
    """Kind that a column of this name has in every file; empty if it is so, or has none.

    A column without any value, of kind null, may stand for each.
    """
    types, labels = pa.types, facts.get("labels")
    whole, number = types.is_integer(field.type), types.is_floating(field.type)
    text = field.type.value_type if types.is_dictionary(field.type) else field.type
    if types.is_null(field.type):
        return ""
    label = isinstance(labels, list) and field.name in labels
    if field.name in TEXTS and not label:
        known = types.is_string(text) or types.is_large_string(text) or types.is_string_view(text)
        return "" if known else "text"
    if field.name == "row":
        return "" if whole else "whole numbers"
    if field.name == "best" and not label:
        return "" if types.is_boolean(field.type) else "true or false"
    numeric = label or field.name in NUMBERS or field.name.startswith(NUMERIC)
    return "numbers" if numeric and not (whole or number) else ""


def read_any_kind(path: str | Path) -> tuple[pa.Table, Facts]:
    """The same of a file that may be anybody's: its columns are of any kinds."""
    try:
        # read_table would first import all of pyarrow.dataset
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            table = file.read()
        metadata = table.schema.metadata or {}
        if metadata.get(SUM, b"") not in (b"", checksum(table)):
            raise ValueError("its checksum does not fit")
        facts = Facts(json.loads(metadata.get(KEY, b"{}")), path)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; run snakemake to make it") from None
    # A damaged file may ask for anything: more memory than there is, names that are no text, …
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError, MemoryError) as error:
        if isinstance(error, OSError) and error.errno in PASSING:
            raise unread(path, error) from None
        if Path(path).is_dir():
            raise UserError(f"{path}: is a folder; name a file in it") from None
        why = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{path}: not a readable Parquet file ({why}); {AGAIN}") from None
    return table, facts


def facts_of(path: str | Path) -> dict:
    """A table's facts alone; {} where it has none, or cannot be read."""
    try:
        metadata = pq.read_metadata(path).metadata or {}
        return Facts(json.loads(metadata.get(KEY, b"{}")), path)
    except (OSError, pa.ArrowException, ValueError, TypeError):
        return {}
