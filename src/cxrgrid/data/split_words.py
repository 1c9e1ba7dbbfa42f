"""Parts of a split as tables write them: Training, test set, val, tst."""

from pathlib import Path

import pandas as pd

from cxrgrid.config.errors import UserError
from cxrgrid.data import tables

STEMS = {name: name for name in ("train", "trainval", "val", "test")}
STEMS |= {"training": "train", "trn": "train", "testing": "test", "tst": "test", "dev": "val"}
STEMS |= dict.fromkeys(("valid", "validate", "validation"), "val")
STEMS |= dict.fromkeys(("holdout", "hold-out", "hold_out"), "test")
ENDS = ("", *(f"{sign}{word}" for word in ("set", "data", "split") for sign in ("", " ", "_", "-")))
PARTS = {f"{stem}{end}": part for stem, part in STEMS.items() for end in ENDS} | {"": None}


def parts(given: pd.Series, column: str, path: Path, test: str = "") -> pd.Series:
    """The shipped split of each row, None where the field is empty.

    test: the value of the test images, where all others are train and val.
    """
    if test:
        return of_flags(given, column, path, test)
    lower = given.str.lower()
    wrong = ~lower.isin(list(PARTS))
    if wrong.any():
        raise UserError(
            f"{path}: line {given.index[wrong][0]}, column {column!r}: "
            f"{given[wrong].iloc[0]!r} is no split; write train, val, test, trainval or nothing"
        )
    return pd.Series([PARTS[name] for name in lower], given.index, object)


def of_flags(given: pd.Series, column: str, path: Path, test: str) -> pd.Series:
    """`test` where a flag or a fold's number is that of the test images, `trainval` elsewhere."""
    held_out = tables.whole(given).str.lower() == test.lower()
    if not held_out.any():
        raise UserError(f"{path}: column {column!r}: no row has {test!r}, as columns.test says")
    part = held_out.map({True: "test", False: "trainval"}).astype(object)
    return part.where(given != "", None)
