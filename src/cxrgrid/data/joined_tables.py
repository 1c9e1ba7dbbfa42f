"""A table with the columns of a second one, which has a row for each value of a shared column."""

from pathlib import Path

import pandas as pd

from cxrgrid.config.errors import UserError, suggest
from cxrgrid.data import tables


def joined(rows: pd.DataFrame, path: Path, on: str, theirs: str = "") -> pd.DataFrame:
    """The rows with the columns of a second table that they lack; theirs: its name of `on`."""
    more = tables.read_rows(path)
    if theirs:
        more = more.drop(columns=[on] * (on in more)).rename(columns={theirs: on})
    for table in (rows, more):
        if list(table.columns).count(on) != 1:
            raise UserError(f"columns.join.by: {describe(on, list(table.columns))}")
    if not rows[on].isin(more[on]).any():  # 12 and 12.0, as pandas writes where some are missing
        more = more.assign(**{on: tables.whole(more[on])})
        keys = tables.whole(rows[on])
    else:
        keys = rows[on]
    more = more.drop_duplicates()
    if more[on].duplicated().any():
        twice = more.loc[more[on].duplicated(), on].iloc[0]
        raise UserError(f"{path}: several rows say different things of {on} {twice!r}; keep one")
    fresh = [name for name in more.columns if name == on or name not in set(rows.columns)]
    lost = int((~keys.isin(more[on])).sum())
    both = rows.join(more[fresh].set_index(on).reindex(keys).set_axis(rows.index)).fillna("")
    text = f"{path.name}: no row for {lost:,} of {len(rows):,}, by {on!r}: what it says is unknown."
    both.attrs["notes"] = [text] if lost else []
    return both


def describe(name: str, header: list[str]) -> str:
    """Hint with the table's columns, for an error."""
    return f"{suggest(name, header)} Its columns: {', '.join(header[:20])}"
