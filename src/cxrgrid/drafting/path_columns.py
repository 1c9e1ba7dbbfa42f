"""Guess of two columns that name an image together: its folder and its file."""

from pathlib import Path

import pandas as pd

from cxrgrid.data import image_lookup

TRIED = 40  # rows that are looked up


def find(rows: pd.DataFrame, images: list[str], path: Path) -> str:
    """`folder/file` by the columns' names; empty if no two mean one image in each row."""
    folders = {part for image in images for part in image_lookup.parts(image)[1:]}
    look = image_lookup.lookup(path.parent, images, "tail")
    some = rows.iloc[:: max(1, -(-len(rows) // TRIED))]
    above = [name for name in rows if "/" not in name and in_all(some[name], folders)]
    for folder in above:
        for file in [name for name in rows if name != folder and "/" not in name]:
            fields = some[folder] + "/" + some[file]
            unique = not rows.duplicated([folder, file]).any()
            if unique and all(map(means_one, map(look, fields), some[folder])):
                return f"{folder}/{file}"
    return ""


def in_all(column: pd.Series, folders: set[str]) -> bool:
    """True if every field is a folder's name, and not all the same."""
    return column.nunique() > 1 and set(column.str.casefold()) <= folders


def means_one(found: list[str], folder: str) -> bool:
    """True if one image is meant, and lies in that folder."""
    return len(found) == 1 and folder.casefold() in image_lookup.parts(found[0])[1:]
