"""Any table as text: CSV in any encoding and with any separator, gzipped, XLSX, Parquet, JSON."""

import functools
import os
from collections.abc import Iterator
from decimal import Decimal
from math import isfinite
from pathlib import Path

import pandas as pd

from cxrgrid.config.errors import UserError, suggest
from cxrgrid.data import json_tables, sheets, table_header, text_tables

PLAIN = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
LISTS = (".txt", ".txt.gz", ".lst")  # that may be tables, too
SUFFIXES = (*PLAIN, ".xlsx", ".parquet", *json_tables.ENDINGS)
DEEP = 3  # folders below root in which tables are looked for
FOLDERS = 300  # of the deeper ones, which may be of 100,000 patients
KEPT = 4  # tables in memory: a draft reads each some seven times


def read_rows(path: Path, source: str = "") -> pd.DataFrame:
    """The table as stripped text, "" where a field is empty; the index is the line of each row.

    path: `labels.xlsx#people` is that sheet of the file. `attrs["notes"]` says what was guessed.
    `UserError` with `source` if there is no such file.
    """
    file = file_of(path)
    if not file.is_file():
        there = sorted(found.name for found in path.parent.glob("*") if is_table(found))
        raise UserError(f"{path}: no such file; {suggest(path.name, there)} ({source})")
    stat = file.stat()
    return read_once(path, stat.st_ino, stat.st_size, stat.st_mtime_ns).copy()


@functools.lru_cache(maxsize=KEPT)
def read_once(path: Path, *version: int) -> pd.DataFrame:
    """The table of a file that is as it was, not to be changed. version: inode, size, time."""
    file, notes = file_of(path), []
    suffix = file.suffix.lower()
    if suffix == ".xlsx":
        rows = sheets.read(file, path.name[len(file.name) + 1 :], notes)
    else:
        if suffix == ".parquet":
            rows = from_parquet(path)
        elif suffix in json_tables.ENDINGS:
            rows = from_frame(json_tables.read(path))
        else:
            rows = text_tables.read(path, notes)
        rows = table_header.taken(stripped(rows), path.name, notes)
    rows.attrs["notes"] = notes
    return rows


def stripped(rows: pd.DataFrame) -> pd.DataFrame:
    """Every field as text without spaces at its ends."""
    return rows.fillna("").astype(str).apply(lambda column: column.str.strip())


def file_of(path: Path) -> Path:
    """The file in which a table lies: labels.xlsx of `labels.xlsx#people`."""
    name, sign, _ = path.name.partition("#")
    return path.with_name(name) if sign and name.lower().endswith(".xlsx") else path


def whole(ids: pd.Series) -> pd.Series:
    """The ids, whole numbers without the `.0` that programs add."""
    return ids.str.replace(r"^(\d+)\.0+$", r"\1", regex=True)


def other_sheets(path: Path) -> list[Path]:
    """The sheets of an Excel file that hold other tables, as `labels.xlsx#people`."""
    if path.suffix.lower() != ".xlsx":
        return []
    try:
        return [path.with_name(f"{path.name}#{name}") for name in sheets.others(path)]
    except UserError:
        return []


def is_table(path: Path, endings: tuple[str, ...] = SUFFIXES) -> bool:
    """True if a file is a table by its ending, in any case; macOS's `._x.csv` is none."""
    return path.name.lower().endswith(endings) and not path.name.startswith(".")


def below(root: Path, endings: tuple[str, ...] = SUFFIXES) -> Iterator[Path]:
    """Tables in a folder and up to three folders down, of which the first ones are looked into.

    A folder may hold 100,000 images: none is asked.
    """
    level = [root]
    for depth in range(DEEP + 1):
        inner: list[Path] = []
        for folder in level if depth < 2 else level[:FOLDERS]:
            for item in entries(folder):
                if item.is_dir():
                    inner.append(Path(item.path))
                elif is_table(Path(item.path), endings):
                    yield Path(item.path)
        level = [folder for folder in inner if not folder.name.startswith(".")]


def entries(folder: Path) -> list[os.DirEntry]:
    """Entries of a folder, in the order of their names; none where it cannot be opened."""
    try:
        with os.scandir(folder) as found:
            return sorted(found, key=lambda item: item.name)
    except OSError:
        return []


def from_parquet(path: Path) -> pd.DataFrame:
    """A Parquet table as text, its columns' names as the first row."""
    try:
        rows = pd.read_parquet(path)
    except (ValueError, OSError, TypeError, NotImplementedError, MemoryError) as error:
        first = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise UserError(f"{path}: not a Parquet table ({first})") from None
    return from_frame(rows if isinstance(rows.index, pd.RangeIndex) else rows.reset_index())


def from_frame(rows: pd.DataFrame) -> pd.DataFrame:
    """A table as text, its columns' names as the first row."""
    columns = [rows[name].map(field, na_action="ignore").astype(object) for name in rows]
    text = pd.DataFrame(dict(enumerate(columns))).fillna("")
    return pd.concat([pd.DataFrame([list(map(str, rows.columns))]), text], ignore_index=True)


def field(value: object) -> str:
    """A value as a CSV file would hold it: lists with commas, whole numbers without `.0`."""
    if isinstance(value, list | tuple) or hasattr(value, "tolist") and hasattr(value, "__len__"):
        return str([str(item) for item in value])
    if isinstance(value, float | Decimal) and isfinite(value) and value == int(value):
        return str(int(value))
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value)
