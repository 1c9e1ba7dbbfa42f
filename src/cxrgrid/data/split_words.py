"""Parts of a split as tables write them: Training, test set, val, tst."""

import re
from pathlib import Path

import pandas as pd

from cxrgrid.config.errors import UserError
from cxrgrid.data import tables
from cxrgrid.data.label_text import meanings

STEMS = {name: name for name in ("train", "trainval", "val", "test")}
STEMS |= {"training": "train", "trn": "train", "testing": "test", "tst": "test", "dev": "val"}
STEMS |= dict.fromkeys(("valid", "validate", "validation"), "val")
STEMS |= dict.fromkeys(("holdout", "hold-out", "hold_out"), "test")
ENDS = ("", *(f"{sign}{word}" for word in ("set", "data", "split") for sign in ("", " ", "_", "-")))
PARTS = {f"{stem}{end}": part for stem, part in STEMS.items() for end in ENDS} | {"": None}
PARTS |= dict.fromkeys(("exclude", "excluded", "unused", "not used", "none", "n/a", "na"))

END = r"([ _-]?(set|split|data|flag|ing))*"
HELD_OUT = rf"(test|hold[ _-]?out){END}"
FLAGS = {
    "train": re.compile(rf"((is|in)[ _-]?)?train{END}", re.I),
    "val": re.compile(rf"((is|in)[ _-]?)?val(id(ation)?)?{END}", re.I),
    "test": re.compile(rf"((is|in)[ _-]?)?{HELD_OUT}", re.I),
}  # names of columns of 1 and 0 that say a part


def with_flags(rows: pd.DataFrame, columns: str, path: Path) -> pd.DataFrame:
    """The rows with one more column where `is_train/is_val/is_test` means the flags of three: the
    part of each row. `UserError` for a row that is in two parts, or in none of three."""
    names = columns.split("/")
    if columns in rows or len(names) < 2 or not set(names) <= set(rows):
        return rows
    flags = {name: is_set(rows[name]) for name in names}
    for name, flag in flags.items():
        if not part_of(name) or flag.isna().any():
            fault = "is called like no part" if not part_of(name) else "holds more than 1 and 0"
            raise UserError(f"{path}: column {name!r} {fault}; columns.split takes flags of parts")
    rest = "" if "train" in map(part_of, names) else "train"
    part = pd.Series(rest, rows.index, object)
    for name, flag in flags.items():
        part = part.where(flag != 1, part_of(name))
    if fault := unclear(flags):
        raise UserError(f"{path}: line {fault[0]}: {fault[1]}, by the columns {', '.join(names)}")
    return rows.assign(**{columns: part})


def is_set(column: pd.Series) -> pd.Series:
    """1 and 0 of a column of flags; NaN for other texts."""
    known = column.str.lower().map(meanings(column))
    return known.where(known.isin([0, 1]))


def unclear(flags: dict[str, pd.Series]) -> tuple | None:
    """The line of a row that flags put into two parts, or into none, and a word on it; None if
    there is no such row. Without a flag of training images those of no part are for training."""
    set_ = pd.DataFrame(flags) == 1
    wrong = set_.sum(axis=1) > 1
    if "train" in map(part_of, flags):
        wrong |= ~set_.any(axis=1)
    if not wrong.any():
        return None
    line = set_.index[wrong][0]
    found = [part_of(name) for name in flags if set_.loc[line, name]]
    return line, f"is in {' and '.join(found)}" if found else "is in no part"


def part_of(name: str) -> str:
    """The part that a flag is called like; empty if it is called like none."""
    return next((part for part, called in FLAGS.items() if called.fullmatch(name)), "")


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
