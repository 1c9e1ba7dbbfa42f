"""Any table as text: CSV in any encoding and with any separator, gzipped, XLSX, Parquet, JSON."""

import csv
import gzip
import io
import json
import os
import re
import zlib
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from cxrgrid.config.errors import UserError, suggest
from cxrgrid.data import publisher_files

PLAIN = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
LISTS = (".txt", ".txt.gz", ".lst")  # that may be tables, too
JSON = (".json", ".jsonl")
COCO = ("images", "annotations", "categories")  # keys of a file of boxes
SUFFIXES = (*PLAIN, ".xlsx", ".parquet", *JSON)
SEPARATORS = ",;\t|"
LOOKED_AT = 20  # rows by which the separator is told
EXCEL = re.compile(r"sep=(.)\r?\n", re.I)  # the line in which Excel writes its separator
PICTURE = re.compile(r".*\.(png|jpe?g|tiff?|bmp|webp|dcm|dicom)", re.I)
MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


def read_rows(path: Path, source: str = "") -> pd.DataFrame:
    """The table as stripped text, "" where a field is empty; the index is the line of each row.

    `attrs["notes"]` says what was guessed. `UserError` with `source` if there is no such file.
    """
    if not path.is_file():
        there = sorted(found.name for found in path.parent.glob("*") if is_table(found))
        raise UserError(f"{path}: no such file; {suggest(path.name, there)} ({source})")
    notes: list[str] = []
    if path.suffix.lower() == ".xlsx":
        sheet = publisher_files.read_sheet(path)
        notes += sheet.attrs["notes"]
        rows = pd.DataFrame([list(sheet.columns), *sheet.to_numpy().tolist()])
    elif path.suffix.lower() == ".parquet":
        rows = from_parquet(path)
    elif path.suffix.lower() in JSON:
        rows = from_frame(from_json(path))
    else:
        rows = from_text(path, notes)
    rows = rows.fillna("").astype(str).apply(lambda column: column.str.strip())
    above = lines_above(rows)
    rows = rows.iloc[above:].reset_index(drop=True)
    notes += [f"{path.name}: lines above the header, passed over: {above}."] if above else []
    # Spreadsheets break long headers into lines.
    header = rows.iloc[0].str.replace(r"\s*[\r\n]\s*", " ", regex=True).tolist()
    if any(PICTURE.fullmatch(name) for name in header):  # an image: the first row is one of them
        notes.append(f"{path.name}: no header, so its columns are called column 1 and so on.")
        header = headless(len(header))
        rows = pd.concat([rows.iloc[:1], rows], ignore_index=True)
    rows = rows.iloc[1:].set_axis(header, axis=1)
    rows = rows.set_axis(range(above + 2, above + 2 + len(rows)))
    rows = without_repeated(rows)
    rows = rows[(rows != "").any(axis=1)]
    rows.attrs["notes"] = notes
    return rows


def without_repeated(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows without columns that are there twice, with the same fields."""
    names, kept = list(rows.columns), []
    for at, name in enumerate(names):
        earlier = [other for other in kept if names[other] == name]
        if not any(rows.iloc[:, other].equals(rows.iloc[:, at]) for other in earlier):
            kept.append(at)
    return rows if len(kept) == len(names) else rows.iloc[:, kept]


def lines_above(rows: pd.DataFrame) -> int:
    """Number of rows above the header: titles, which fill less than half of the columns."""
    filled = (rows.iloc[:LOOKED_AT] != "").sum(axis=1).to_numpy()
    most = int(filled.max(initial=0))
    return int((filled == most).argmax()) if most > 2 and filled[0] * 2 < most else 0


def whole(ids: pd.Series) -> pd.Series:
    """The ids, whole numbers without the `.0` that programs add."""
    return ids.str.replace(r"^(\d+)\.0+$", r"\1", regex=True)


def headless(columns: int) -> list[str]:
    """Names of the columns of a table without a header."""
    two = ["image", "label"]
    return two if columns == 2 else [f"column {at}" for at in range(1, columns + 1)]


def is_table(path: Path, endings: tuple[str, ...] = SUFFIXES) -> bool:
    """True if a file is a table by its ending, in any case; macOS's `._x.csv` is none."""
    return path.name.lower().endswith(endings) and not path.name.startswith(".")


def below(root: Path, endings: tuple[str, ...] = SUFFIXES) -> Iterator[Path]:
    """Tables in a folder and in those in it. A folder may hold 100,000 images: none is asked."""
    for item in entries(root):
        if item.is_dir():
            inner = (Path(one.path) for one in entries(Path(item.path)))
            yield from (path for path in inner if is_table(path, endings))
        elif is_table(Path(item.path), endings):
            yield Path(item.path)


def entries(folder: Path) -> list[os.DirEntry]:
    """Entries of a folder, in the order of their names; none where it cannot be opened."""
    try:
        with os.scandir(folder) as found:
            return sorted(found, key=lambda item: item.name)
    except OSError:
        return []


def from_text(path: Path, notes: list[str]) -> pd.DataFrame:
    """The fields of a CSV file, its header as the first row."""
    text = decoded(path, notes)
    excel = EXCEL.match(text)
    text = without_comments(text[excel.end() :] if excel else text)
    separator = excel[1] if excel else separator_of(text)
    if separator != ",":
        notes.append(f"{path.name}: columns are separated by {separator!r}.")
    widths = widths_of(text, separator)
    try:
        # The header is read as a row: pandas would rename a column that is there twice.
        return pd.read_csv(
            io.StringIO(text),
            sep=separator,
            header=None,
            dtype=str,
            keep_default_na=False,
            na_filter=False,
            skip_blank_lines=False,
            low_memory=False,
            names=range(max(widths)) if widths and widths[0] * 2 <= max(widths) else None,
        )
    except ValueError as error:
        first = str(error).strip().splitlines()[-1]
        raise UserError(f"{path}: not a table of separated text ({first})") from None


def decoded(path: Path, notes: list[str]) -> str:
    """The text of a file, unpacked; Windows' Western encoding where it is no Unicode."""
    try:
        data = path.read_bytes()
        data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path}: cannot be read ({error})") from None
    encoding = next((MARKS[mark] for mark in MARKS if data.startswith(mark)), unmarked(data))
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding != "utf-8":
            raise UserError(f"{path}: not a table of text ({error})") from None
    notes.append(f"{path.name}: not UTF-8, read as Western European text (Windows-1252).")
    return data.decode("cp1252", errors="replace")


def unmarked(data: bytes) -> str:
    """The encoding of text without a mark: UTF-16 where every second byte is zero, else UTF-8."""
    start = data[:1000]
    for first, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        half = start[first::2]
        if len(half) > 1 and half.count(0) * 2 > len(half):
            return encoding
    return "utf-8"


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


def from_parquet(path: Path) -> pd.DataFrame:
    """A Parquet table as text, its columns' names as the first row."""
    try:
        rows = pd.read_parquet(path)
    except (ValueError, OSError) as error:
        first = str(error).strip().splitlines()[0]
        raise UserError(f"{path}: not a Parquet table ({first})") from None
    return from_frame(rows if isinstance(rows.index, pd.RangeIndex) else rows.reset_index())


def from_json(path: Path) -> pd.DataFrame:
    """A list of objects, an object a line, {image: label or object}, {part: a list of objects}, or
    COCO's annotations."""
    try:
        text = path.read_text("utf-8-sig")
        many = path.suffix.lower() == ".jsonl"
        data = (
            [json.loads(line) for line in text.split("\n") if line.strip()]
            if many
            else json.loads(text)
        )
    except ValueError:
        data = None
    if isinstance(data, dict) and set(COCO) <= set(data):
        data = from_coco(data)
    if isinstance(data, dict) and all(map(is_rows, data.values())):
        data = [{**row, "split": part} for part, rows in data.items() for row in rows]
    if isinstance(data, dict):
        pairs = data.items()
        told = [each if isinstance(each, dict) else {"label": each} for _, each in pairs]
        data = [{"image": name, **each} for (name, _), each in zip(pairs, told, strict=True)]
    if not data or not is_rows(data):
        raise UserError(f"{path}: not a table: neither a list of objects nor one object a line")
    return pd.DataFrame(data)


def is_rows(data: object) -> bool:
    """True for a list of objects."""
    return isinstance(data, list) and all(isinstance(row, dict) for row in data)


def from_coco(data: dict) -> list[dict]:
    """One row per image: its own fields, and the names of the categories that it is annotated with.

    Images without an annotation have an empty list.
    """
    names = {kind.get("id"): str(kind.get("name")) for kind in data["categories"]}
    shown: dict = {}
    for box in data["annotations"]:
        shown.setdefault(box.get("image_id"), set()).add(names.get(box.get("category_id"), "?"))
    return [
        {**image, "findings": sorted(shown.get(image.get("id"), ()))}
        for image in data["images"]
        if isinstance(image, dict)
    ]


def from_frame(rows: pd.DataFrame) -> pd.DataFrame:
    """A table as text, its columns' names as the first row."""
    columns = [rows[name].map(field, na_action="ignore").astype(object) for name in rows]
    text = pd.DataFrame(dict(enumerate(columns))).fillna("")
    return pd.concat([pd.DataFrame([list(map(str, rows.columns))]), text], ignore_index=True)


def field(value: object) -> str:
    """A value as a CSV file would hold it: lists with commas, whole numbers without `.0`."""
    if isinstance(value, list | tuple) or hasattr(value, "tolist") and hasattr(value, "__len__"):
        return str([str(item) for item in value])
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
