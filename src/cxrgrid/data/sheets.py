"""One table of the sheets of an Excel file: the first one, and those that go on with it."""

import re
from pathlib import Path

import pandas as pd

from cxrgrid.config.errors import UserError, suggest
from cxrgrid.data import spreadsheets, table_header

SHEET = "sheet"  # the column that names the sheet of each row
UNNAMED = re.compile(r"(sheet|tabelle|feuil|hoja|foglio|planilha|blad|лист)[ _]?\d*", re.I)


def read(path: Path, sheet: str, notes: list[str]) -> pd.DataFrame:
    """The rows of a sheet; without its name those of the first one, and of all that go on with it.

    Sheets go on with another if they have the same columns and say nothing of the same rows.
    """
    parts = tables_in(path, notes)
    if sheet and sheet not in parts:
        raise UserError(f"{path}: no sheet {sheet!r}; {suggest(sheet, list(parts))}")
    first = sheet or next(iter(parts))
    if sheet:
        return parts[first]
    rest = going_on(parts)
    others = [name for name in parts if name not in (first, *rest)]
    if rest:
        notes.append(
            f"{path.name}: one table on the sheets {', '.join(map(repr, (first, *rest)))}."
        )
    elif others:
        listed = ", ".join(map(repr, others))
        notes.append(f"{path.name}: the table is the sheet {first!r}; there are also {listed}.")
    rows = (
        pd.concat([named(parts[name], name) for name in (first, *rest)]) if rest else parts[first]
    )
    return rows.fillna("")


def others(path: Path) -> list[str]:
    """The sheets that hold other tables than the first one."""
    parts = tables_in(path, [])
    rest = going_on(parts)
    return [name for name in list(parts)[1:] if name not in rest]


def tables_in(path: Path, notes: list[str]) -> dict[str, pd.DataFrame]:
    """The rows of each sheet that holds a table; notes: of the first one."""
    frames = spreadsheets.cells(path)
    filled = spreadsheets.tables_of(frames) or list(frames)[:1]
    found = {}
    for name in filled:
        if not frames[name].empty:
            cells = frames[name].apply(lambda column: column.str.strip())
            found[name] = table_header.taken(cells, path.name, [] if found else notes)
    if not found:
        raise UserError(f"{path}: its first sheet is empty")
    return found


def going_on(parts: dict[str, pd.DataFrame]) -> list[str]:
    """The sheets with the columns of the first one and with none of the rows before."""
    first = next(iter(parts.values()))
    keys = [name for name in first if first[name].is_unique and (first[name] != "").all()]
    seen, found = first, []
    for name, rows in list(parts.items())[1:]:
        if list(rows.columns) != list(first.columns) or rows.columns.duplicated().any():
            continue
        ids = [key for key in keys if not rows[key].str.fullmatch(r"\d{1,4}").all()] or keys
        if ids and not any(rows[key].isin(seen[key]).any() for key in ids):
            seen = pd.concat([seen, rows])
            found.append(name)
    return found


def named(rows: pd.DataFrame, sheet: str) -> pd.DataFrame:
    """The rows with the name of their sheet in a column, unless it says nothing."""
    plain = SHEET in rows or UNNAMED.fullmatch(sheet)
    rows = rows.set_axis(rows.index.map("{} of".format) + f" {sheet}")
    return rows if plain else rows.assign(**{SHEET: sheet})
