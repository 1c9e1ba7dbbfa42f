"""Rows of separated text, whatever separates it; comments, titles and ragged ends."""

import csv
import io
import re
from pathlib import Path

import pandas as pd

from cxrgrid.config.errors import UserError
from cxrgrid.data import encodings, table_header

SEPARATORS = ",;\t|"
LOOKED_AT = 20  # rows by which the separator is told
EXCEL = re.compile(r"sep=(.)\r?\n", re.I)  # the line in which Excel writes its separator


def read(path: Path, notes: list[str]) -> pd.DataFrame:
    """The fields of a CSV file, its header as the first row."""
    text = encodings.decoded(path, notes)
    excel = EXCEL.match(text)
    text = without_comments(text[excel.end() :] if excel else text)
    separator = excel[1] if excel else separator_of(text)
    if separator != ",":
        notes.append(f"{path.name}: columns are separated by {separator!r}.")
    widths = widths_of(text, separator)
    wide = bool(widths) and widths[0] * 2 <= max(widths)
    try:
        return fields(text, separator, max(widths) if wide else 0)
    except ValueError as error:
        first = str(error).strip().splitlines()[-1]
        if "Expected" not in first:
            raise not_separated(path, first) from None
    return ragged(path, text, separator)


def fields(text: str, separator: str, columns: int = 0) -> pd.DataFrame:
    """Every field as text; the header is a row, as pandas would rename a column that is there
    twice. columns: how many there are; 0: as the first row has."""
    return pd.read_csv(
        io.StringIO(text),
        sep=separator,
        header=None,
        dtype=str,
        keep_default_na=False,
        na_filter=False,
        skip_blank_lines=False,
        low_memory=False,
        names=range(columns) if columns else None,
    )


def ragged(path: Path, text: str, separator: str) -> pd.DataFrame:
    """The fields of a table with rows that are longer than the header.

    Empty fields at the end mean nothing. One more in every row names the row, as R writes it.
    """
    try:
        widths = [
            len(row) for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        ]
        rows = fields(text, separator, max(widths)).fillna("")
    except (ValueError, csv.Error) as error:
        raise not_separated(path, str(error)) from None
    header = widths[0]
    longer = (rows.iloc[:, header:] != "").any(axis=1)
    if not longer.any():
        return rows.iloc[:, :header]
    names = rows.iloc[1:, 0][[bool(width) for width in widths[1:]]]
    pictures = names.str.fullmatch(table_header.PICTURE.pattern, case=False)
    each = {width for width in widths[1:] if width} == {header + 1} and len(names) > 1
    if each and names.is_unique and not pictures.any():
        first = pd.DataFrame([["", *rows.iloc[0, :header]]], columns=rows.columns)
        return pd.concat([first, rows.iloc[1:]], ignore_index=True)
    at = int(longer.to_numpy().argmax())
    raise UserError(
        f"{path}: row {at + 1} has {widths[at]} fields, the first one {header}: put fields that "
        f"hold {separator!r} in quotes, or take away what is behind the last column"
    )


def not_separated(path: Path, why: str) -> UserError:
    """That a file is no table."""
    return UserError(f"{path}: not a table of separated text ({why})")


def without_comments(text: str) -> str:
    """The text without lines above the header that begin with #; one may be the header itself."""
    while text.startswith("#"):
        first, _, rest = text.partition("\n")
        next_line = rest.split("\n", 1)[0]
        same = any(first.count(sign) == next_line.count(sign) > 0 for sign in SEPARATORS)
        if same and re.search(r"\d", next_line):
            break
        text = rest
    return text


def separator_of(text: str) -> str:
    """The sign that gives the most columns, as many in each of the first rows; else a comma.

    Spaces separate columns where no other sign does.
    """

    def columns(separator: str) -> tuple[bool, int]:
        widths = widths_of(text, separator)
        while len(widths) > 2 and widths[0] == 1:  # a title above the header
            widths.pop(0)
        if len(widths) > 2 and widths[0] + 1 == widths[1]:  # each row has a name, as R writes it
            widths[0] += 1
        return len(set(widths[:-1])) < 2 and max(widths, default=0) > 1, (widths or [0])[0]

    best = max(SEPARATORS, key=columns)
    return " " if columns(best)[1] < 2 and columns(" ")[0] else best


def widths_of(text: str, separator: str) -> list[int]:
    """Number of fields of each of the first lines that are not empty; none if they are no lines."""
    lines = csv.reader(io.StringIO(text[:100_000], newline=""), delimiter=separator)
    try:
        return [len(row) for row, _ in zip(lines, range(LOOKED_AT), strict=False) if row]
    except csv.Error:  # a NUL, or a field of 100,000 letters
        return []
