"""The column of a table that says which images are the test images: words, flags or folds."""

import re
from typing import NamedTuple

import pandas as pd

from cxrgrid.data import split_words, tables
from cxrgrid.data.split_words import HELD_OUT

IS_TEST = re.compile(rf"(is|in)[ _-]?{HELD_OUT}|(test|hold[ _-]?out)[ _-]?(set|split)", re.I)
MAY_BE_TEST = split_words.FLAGS["test"]  # or of a laboratory
IS_TRAIN, IS_VAL = split_words.FLAGS["train"], split_words.FLAGS["val"]
FOLD = re.compile(r"(.*[ _-])?(k|cv)?[ _-]?folds?([ _-]?(id|nr|no|num|number|idx|index))?", re.I)
FOLDS = range(3, 21)  # numbers of folds


class Column(NamedTuple):
    """A column and, of flags and folds, its value of the test images."""

    name: str
    test: str = ""


def sure(rows: pd.DataFrame) -> Column | None:
    """The column of train, val and test in one of their spellings, else flags of the parts, or one
    of test images.

    A flag is taken only where no other one says more than that the rest are training images.
    """
    for name in rows.columns:
        parts = {value.lower() for value in rows[name]}
        known = {split_words.PARTS.get(part) for part in parts} - {None}
        if parts <= set(split_words.PARTS) and len(known) > 1:
            return Column(name)
    if several := of_parts(rows):
        return None if split_words.unclear(several) else Column("/".join(several))
    tests = flags(rows, IS_TEST)
    if len(tests) != 1 or flags(rows, IS_VAL):
        return None
    [(name, held_out)] = tests.items()
    agree = all((is_in == 1 - held_out).all() for is_in in flags(rows, IS_TRAIN, 1).values())
    return Column(name, value_of(rows[name], held_out == 1)) if agree else None


def of_parts(rows: pd.DataFrame) -> dict[str, pd.Series]:
    """Flags of validation and test images, and of training images where there is one; empty where
    several are called alike, or one may be of something else: `test` alone."""
    val, test = flags(rows, IS_VAL), flags(rows, MAY_BE_TEST)
    train = flags(rows, IS_TRAIN, 1)
    if len(val) != 1 or len(test) != 1 or len(train) > 1:
        return {}
    return train | val | test if train or any(map(IS_TEST.fullmatch, test)) else {}


def unclear(rows: pd.DataFrame) -> tuple[list[str], str]:
    """Flags of parts that contradict each other, and the question; empty if none do."""
    two = flags(rows, IS_TRAIN, 1) | flags(rows, IS_TEST)
    several = of_parts(rows) or (two if len(two) == 2 else {})
    fault = split_words.unclear(several) if several else None
    if not fault:
        return [], ""
    return list(several), (
        f"The columns {', '.join(several)} are not used: line {fault[0]} {fault[1]}. Which images "
        "are the test images? Correct the table, or take one of them as in the study's comments."
    )


def other(rows: pd.DataFrame) -> list[Column]:
    """Columns that may say the test images: flags of test or training images, and folds."""
    tests = flags(rows, MAY_BE_TEST)
    trained = {} if flags(rows, IS_VAL) or tests else flags(rows, IS_TRAIN)
    found = [Column(name, value_of(rows[name], is_in == 0)) for name, is_in in trained.items()]
    found += [Column(name, value_of(rows[name], is_in == 1)) for name, is_in in tests.items()]
    return found + [Column(name, first) for name in rows if (first := first_fold(name, rows[name]))]


def flags(rows: pd.DataFrame, called: re.Pattern, values: int = 2) -> dict[str, pd.Series]:
    """Columns of that name in which each row is 1 or 0, or yes or no, with so many of the two."""
    found = {name: split_words.is_set(rows[name]) for name in rows if called.fullmatch(name)}
    whole = {name: column for name, column in found.items() if not column.isna().any()}
    return {name: column for name, column in whole.items() if column.nunique() >= values}


def value_of(column: pd.Series, where: pd.Series) -> str:
    """The text of a column in some of its rows, all of which say the same."""
    return tables.whole(column[where]).iloc[0]


def first_fold(name: str, column: pd.Series) -> str:
    """The first of a column's numbers, if these are folds from 0 or 1 on; else empty."""
    numbers = set(tables.whole(column))
    if not FOLD.fullmatch(name) or len(numbers) not in FOLDS:
        return ""
    runs = ({str(at + first) for at in range(len(numbers))} for first in (0, 1))
    return min(numbers) if numbers in runs else ""
