"""Tables as a reader sees them: text in sections, with notes and links, kept between commands."""

from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pandas as pd

from cxrgrid.io.atomic import write_bytes
from cxrgrid.io.json_file import read_json

MISSING = "missing"  # stands for a value that a cell has not given yet
Links = list[list[tuple[str, str]]]  # of each row: (text, address from the report's folder)


@dataclass(frozen=True)
class Section:
    """A heading, a table of text, and notes below it.

    numeric: which columns stand to the right; links: of each row the pages of the cells that it
    rests on; [] where no row of the table leads to one.
    """

    title: str
    header: list[str]
    numeric: list[bool]
    rows: list[list[str]]
    notes: list[str]
    links: Links = field(default_factory=list)


@dataclass(frozen=True)
class Table:
    """A table of the report, with a section for each dataset.

    caption: what a reader needs beside it; part: the part of the page that it belongs to; method:
    how its numbers come about, for the notes at the page's end.
    """

    title: str
    caption: str
    sections: list[Section]
    part: str = ""
    method: str = ""


def section(
    title: str, frame: pd.DataFrame, texts: list[str], notes: list[str], links: Links | None = None
) -> Section:
    """A frame of text as a section; all columns but `texts` hold numbers."""
    numeric = [name not in texts for name in frame.columns]
    rows = frame.astype(str).values.tolist()
    return Section(title, list(frame.columns), numeric, rows, notes, links or [])


def bold(text: str) -> str:
    """Text that stands out in a table, as Markdown writes it."""
    return f"**{text}**"


def coordinates(rows: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """The columns that say where a row belongs; recipe and fold only where there are several."""
    alike = [name for name in ("recipe", "fold") if name in rows and rows[name].nunique() < 2]
    return rows[[name for name in names if name not in alike]].copy()


def write(table: Table, path: Path) -> None:
    """The table as JSON, for `report`."""
    write_bytes(path, msgspec.json.encode(table) + b"\n")


def read(path: Path) -> Table:
    """The table from its JSON."""
    return read_json(path, Table)
