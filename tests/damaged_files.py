"""Damages of a file that a command has written: by name, the file's bytes as they then are.

None stands for a folder in the file's place.
"""

import io
import json
from collections.abc import Iterator

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from cxrgrid.io.parquet import KEY, OWN

TYPES = [None, "x", -1, 1.5, [], {}, True, [None], {"a": 1}]
KINDS = {"text": pa.string(), "null": pa.null(), "int8": pa.int8(), "bool": pa.bool_()}
KINDS |= {"date": pa.timestamp("us", "UTC"), "list": pa.list_(pa.float64()), "binary": pa.binary()}
KINDS |= {"decimal": pa.decimal128(20, 3), "struct": pa.struct({"a": pa.int8()})}
ANY = {"empty": b"", "{}": b"{}", "[]": b"[]", "null": b"null", "text": b'"x"', "folder": None}
ANY |= {"not UTF-8": b"\xd1\xff\xfe,\xd1\n", "NUL": b"\0" * 40, "nested": b"[" * 9000}


def damages(name: str, whole: bytes) -> Iterator[tuple[str, bytes | None]]:
    """Every damage of a file, with a word for it."""
    yield from ANY.items()
    yield "cut in half", whole[: len(whole) // 2]
    yield "cut at its end", whole[:-3]
    yield "not UTF-8 within", whole[: len(whole) // 2] + b"\xd1" + whole[len(whole) // 2 + 1 :]
    kinds = {"json": of_json, "parquet": of_parquet, "csv": of_csv}
    yield from kinds.get(name.rpartition(".")[2], lambda whole: ())(whole)


def of_json(whole: bytes) -> Iterator[tuple[str, bytes]]:
    """Fields of a JSON object lost, added and of other types."""
    found = json.loads(whole)
    yield "more fields", json.dumps(found | {"of_2031": {"a": [1]}}).encode()
    for at, name in enumerate(found):
        yield f"without {name}", json.dumps({n: v for n, v in found.items() if n != name}).encode()
        for each in TYPES[at % 2 :: 2]:
            yield f"{name}: {each!r}", json.dumps(found | {name: each}).encode()


def of_parquet(whole: bytes) -> Iterator[tuple[str, bytes]]:
    """Columns lost, added and of other kinds, values that are no numbers, rows and facts lost."""
    table = pq.read_table(io.BytesIO(whole))
    metadata = {key: value for key, value in table.schema.metadata.items() if key not in OWN}
    facts = json.loads(metadata[KEY])
    table = table.replace_schema_metadata(metadata)
    yield "more columns", parquet(table.append_column("of_2031", pa.nulls(table.num_rows)))
    yield "no rows", parquet(table.slice(0, 0))
    yield "no columns", parquet(table.select([]))
    yield "rows doubled", parquet(pa.concat_tables([table, table]))
    for name in facts:
        left = {key: value for key, value in facts.items() if key != name}
        yield f"without the fact {name}", parquet(with_facts(table, left))
        for each in TYPES[::3]:
            yield f"fact {name}: {each!r}", parquet(with_facts(table, facts | {name: each}))
    for at, field in enumerate(table.schema):
        yield f"without {field.name}", parquet(table.remove_column(at))
        for word, column in others(table[field.name]):
            yield f"{field.name} {word}", parquet(table.set_column(at, field.name, column))


def others(column: pa.ChunkedArray) -> Iterator[tuple[str, pa.ChunkedArray | pa.Array]]:
    """A column of other kinds, or with other values."""
    for word, kind in KINDS.items():
        try:
            yield word, column.cast(kind)
        except pa.ArrowException:
            yield f"{word}, empty", pa.nulls(len(column), kind)
    for value in (float("nan"), float("inf"), -1e308):
        if pa.types.is_floating(column.type) and len(column):
            yield f"{value}", pa.array([value, *column.to_pylist()[1:]], column.type)


def with_facts(table: pa.Table, facts: dict) -> pa.Table:
    """The table with other facts."""
    return table.replace_schema_metadata({KEY: json.dumps(facts).encode()})


def parquet(table: pa.Table) -> bytes:
    """The bytes of a table's file, without checksums: as another program would write it."""
    made = io.BytesIO()
    pq.write_table(table, made)
    return made.getvalue()


def of_csv(whole: bytes) -> Iterator[tuple[str, bytes]]:
    """Columns lost, added and of other types, lines lost and doubled."""
    table = pd.read_csv(io.BytesIO(whole), dtype=str, keep_default_na=False)
    yield "more columns", csv(table.assign(of_2031="1"))
    yield "no rows", csv(table[:0])
    yield "rows lost", csv(table[: len(table) // 2])
    yield "rows doubled", csv(pd.concat([table, table]))
    yield "a quote", whole[:-20] + b'"' + whole[-20:]
    for name in table:
        yield f"without {name}", csv(table.drop(columns=name))
        for each in ("x", "", "inf", "nan", "-1e999", "[]"):
            yield f"{name}: {each!r}", csv(table.assign(**{name: [each, *table[name][1:]]}))


def csv(table: pd.DataFrame) -> bytes:
    """The bytes of a table's file."""
    return table.to_csv(index=False).encode()
