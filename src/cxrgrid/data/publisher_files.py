"""Helpers of adapters: files by their names, and the columns of a publisher's table."""

import contextlib
import csv
import gzip
import io
import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from cxrgrid.config.errors import UserError
from cxrgrid.data import encodings, walk

NEAR = 40  # folders that are asked whether they are a publisher's
DECIMAL = re.compile(r"(-?\d+),(\d+)")
CUT = r"\d[.,]\d+E\+\d+"  # what a spreadsheet makes of a long number


def by_name(root: Path, suffixes: tuple[str, ...]) -> dict[str, str]:
    """Path below root of every file, by its name: each mirror nests the folders in another way.

    Of two files with one name the first by path; hidden ones (macOS adds `._x`) are not read.
    """
    found: dict[str, str] = {}
    for folder, below, names in walk.tree(root):
        below[:] = [name for name in below if not name.startswith(".")]
        inner = Path(folder).relative_to(root)
        for name in names:
            if name.lower().endswith(suffixes) and not name.startswith("."):
                found.setdefault(name, (inner / name).as_posix())
    return found


def find_table(root: Path, names: tuple[str, ...], source: str) -> Path:
    """The first of `names` that is in root, below it or one folder up; `UserError` with `source`
    if none is."""
    there = by_name(root, tuple(name.lower() for name in names))
    for name in names:
        if name in there:
            return root / there[name]
    above = (root.absolute().parent / name for name in names)
    if found := next((path for path in above if path.is_file()), None):
        return found
    raise UserError(f"{root}: no {' or '.join(names)}. {source}")


def one_level_off(root: Path, names: tuple[str, ...]) -> str:
    """Folder of a table that lies one folder up or down, for an error's text."""
    below = [item for item in sorted(root.iterdir()) if item.is_dir()] if root.is_dir() else []
    for folder in (*below, root.parent):
        if any((folder / name).is_file() for name in names):
            return f" (it lies in {folder}: give that folder)"
    return ""


def recognised_near(root: Path, recognise: Callable[[Path], bool]) -> str:
    """Hint for an error's text: the folder, one down or up to two up, that an adapter recognises.

    Empty if root itself is recognised, or none near it is.
    """
    if not root.is_dir() or recognise(root):
        return ""
    below = sorted(item for item in root.iterdir() if item.is_dir())[:NEAR]
    for folder in (*below, *list(root.absolute().parents)[:2]):
        with contextlib.suppress(OSError):
            if recognise(folder):
                return f" It lies in {folder}: give that folder."
    return ""


def read_table(path: Path, columns: list[str]) -> pd.DataFrame:
    """Some columns of a CSV file as text, without the spaces around names and values."""
    try:
        rows = pd.read_csv(
            as_published(path),
            dtype=str,
            keep_default_na=False,
            encoding="utf-8-sig",
            usecols=lambda name: name.strip() in columns,
            low_memory=False,
        )
    except encodings.UNREADABLE as error:
        first = str(error).strip().splitlines()[-1]
        raise UserError(f"{path}: not a table of comma-separated UTF-8 text ({first})") from None
    rows = rows.rename(columns=str.strip).fillna("").apply(lambda column: column.str.strip())
    missing = [name for name in columns if name not in rows]
    if missing:
        raise UserError(f"{path}: no column {missing[0]!r}; it needs {', '.join(columns)}")
    for name in (name for name in columns if name.lower().endswith("id")):
        check_whole(path, name, rows[name])
    return rows[columns]


def header(path: Path) -> list[str]:
    """Names of a table's columns, whatever separates them; none that can be read: empty."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as lines:
            first = lines.readline(16_384)
            first = lines.readline(16_384) if first.lower().startswith("sep=") else first
    except OSError:
        return []
    sign = max(",;\t", key=first.count)
    return [name.strip().strip('"') for name in first.split(sign)]


def check_whole(path: Path, column: str, ids: pd.Series) -> None:
    """`UserError` for ids of which a spreadsheet has kept the first digits: several become one."""
    cut = ids.str.fullmatch(CUT)
    if cut.any():
        raise UserError(
            f"{path}: column {column!r}: {ids[cut].iloc[0]!r} was a longer number before a "
            "spreadsheet program saved the table; take the file as it was published"
        )


def as_published(path: Path) -> Path | io.StringIO:
    """The file, or its text as the publisher wrote it where a spreadsheet program has saved it.

    Many countries' programs separate columns by ; and write 1,0 for 1.0, or no UTF-8.
    """
    try:
        opened = gzip.open if path.suffix == ".gz" else open
        with opened(path, "rb") as file:
            lines = file.read(16_384).replace(b"\0", b"").splitlines()[:2]
    except encodings.UNREADABLE:
        return path
    fewer = {sign: sum(x.count(sign.encode()) > x.count(b",") for x in lines) for sign in ";\t"}
    sign = next((sign for sign, number in fewer.items() if number == len(lines) > 0), "")
    if not sign:
        own = path.suffix == ".gz" or is_utf8(path)
        return path if own else io.StringIO(encodings.decoded(path, []))
    text = re.sub(r"^sep=.\r?\n", "", encodings.decoded(path, []))
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=sign)
    made = io.StringIO()
    csv.writer(made, lineterminator="\n").writerows(
        [number[1] + "." + number[2] if (number := DECIMAL.fullmatch(field)) else field
         for field in row]
        for row in rows
    )  # fmt: skip
    made.seek(0)
    return made


def is_utf8(path: Path) -> bool:
    """True if the file is text in UTF-8; programs on Windows also save what they call ANSI."""
    try:
        path.read_text("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def count(step: str, frame: pd.DataFrame) -> dict:
    """One line of the accounting; where no patient is known, of images only."""
    return {"step": step, "images": len(frame), "patients": int(frame["patient"].nunique())}


def accounting(steps: dict[str, pd.DataFrame]) -> list[dict]:
    """`attrs["accounting"]` from the tables of each step."""
    return [count(step, part) for step, part in steps.items()]
