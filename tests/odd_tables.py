"""Tables as strangers have them: columns lost, doubled, of other kinds, and values of all sorts."""

import copy
import os

import pyarrow as pa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from cxrgrid.config.errors import UserError

TRIED = settings(
    max_examples=int(os.environ.get("CXRGRID_EXAMPLES", 12)),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
VALUES = [None, float("nan"), float("inf"), -1.0, 0.0, 1.0, 2, 1e308, "x", "", "1", "=1", "\n", "ı"]
VALUES += [True, 2**62, "2020-01-01", "\0"]
FACTS = [None, "", "x", 0, -1, 1.5, [], {}, ["A"], ["A", "A"], [None], {"A": 1}, True, "multiclass"]
KINDS = [pa.string(), pa.large_string(), pa.int8(), pa.bool_(), pa.float16(), pa.null()]
KINDS += [pa.binary(), pa.date32(), pa.timestamp("us"), pa.decimal128(9, 3), pa.list_(pa.float64())]
KINDS += [pa.dictionary(pa.int32(), pa.string()), pa.struct({"a": pa.int8()}), pa.uint64()]
HOW = ["drop", "rename", "kind", "value", "value", "swap", "constant", "empty", "double", "facts"]


def of_kind(column: pa.ChunkedArray, kind: pa.DataType):
    """The column as another kind; empty of it where its values cannot be so."""
    try:
        return column.cast(kind)
    except pa.ArrowException:
        return pa.nulls(len(column), kind)


def changed_columns(table: pa.Table, data, how: str) -> pa.Table:
    """A table with one column lost, named otherwise, of another kind or of other values."""
    at = data.draw(st.integers(0, table.num_columns - 1))
    name, column, other = table.column_names[at], table[at], data.draw(st.sampled_from(VALUES))
    if how == "drop":
        return table.remove_column(at)
    if how == "rename":
        names = [
            *table.column_names,
            "y:A",
            "p:Z",
            "z:A",
            "y:",
            "",
            "patient",
            "p:macro",
            "y:macro",
        ]
        names[at] = data.draw(st.sampled_from(names))
        return table.rename_columns(names[: table.num_columns])
    if how == "kind":
        column = of_kind(column, data.draw(st.sampled_from(KINDS)))
    elif how == "swap":
        column = table[data.draw(st.integers(0, table.num_columns - 1))]
    else:
        values = column.to_pylist()
        row = data.draw(st.integers(0, max(len(values) - 1, 0)))
        values = [other if how == "constant" or i == row else v for i, v in enumerate(values)]
        column = as_array(values)
    return table.set_column(at, name, column)


def as_array(values: list):
    """Values of any kinds as a column: as text where they have no kind in common."""
    try:
        return pa.array(values)
    except (pa.ArrowException, TypeError, OverflowError):
        return pa.array([None if value is None else str(value) for value in values])


def changed(table: pa.Table, facts: dict, data) -> tuple[pa.Table, dict]:
    """A table and its facts with one to three changes."""
    facts = copy.deepcopy(facts)
    for _ in range(data.draw(st.integers(1, 3))):
        how = data.draw(st.sampled_from(HOW))
        if how == "facts" and facts:
            name = data.draw(st.sampled_from(sorted(facts)))
            facts[name] = data.draw(st.sampled_from(FACTS))
            if data.draw(st.booleans()):
                del facts[name]
        elif how == "empty":
            table = table.slice(0, data.draw(st.integers(0, 1)))
        elif how == "double":
            table = pa.concat_tables([table, table.slice(0, 2)])
        elif table.num_columns and how != "facts":
            table = changed_columns(table, data, how)
    return table, facts


def one_line(command, *args) -> None:
    """Call a command; what it refuses is refused in one line."""
    try:
        command(*args)
    except UserError as error:
        assert str(error) and "\n" not in str(error), error
