"""Rows of a table that are of one image: the same ones, and those that differ in blank fields."""

from pathlib import Path

import pandas as pd

from cxrgrid.config.errors import UserError

MISSING = ("", "na", "n/a", "nan", "<na>", "none", "null")  # as programs write that nobody is named


def united(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The rows, with blank fields as another row of the image says them, and a note on such images.

    Rows of an image that differ in any other field stay as they are.
    """
    rows = frame[frame["image"].duplicated(keep=False)]
    if rows.empty:
        return frame, []
    blank = rows.apply(lambda column: column.isna() | column.map(is_missing))
    groups = rows.astype(object).mask(blank, None).groupby(rows["image"])
    told = groups.transform("first")
    agree = groups.transform("nunique").le(1).all(axis=1)
    fill = (blank & told.notna()).mul(agree, axis=0)
    filled = fill.any(axis=1)
    if not filled.any():
        return frame, []
    made = frame.copy()
    for name in fill.columns[fill.any()]:
        where = fill.index[fill[name]]
        made.loc[where, name] = told.loc[where, name].astype(frame[name].dtype)
    number = rows.loc[filled, "image"].nunique()
    text = "Images with rows that differ in blank fields alone, which are taken together"
    return made, [f"{text}: {number:,}."]


def is_missing(value: object) -> bool:
    """True for a text that says that nothing is known."""
    return isinstance(value, str) and value.lower() in MISSING


def distinct(frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Each image once; `UserError` if two of its rows differ."""
    once = frame.drop_duplicates()
    twice = once["image"].duplicated(keep=False)
    if twice.any():
        image = once.loc[twice, "image"].iloc[0]
        lines = once.index[once["image"] == image]
        raise UserError(
            f"{path}: lines {lines[0]} and {lines[1]} say different things of the image {image!r}; "
            "keep one"
        )
    return once
