"""The column of a table that says which images are the test images: words, flags or folds."""

import re
from typing import NamedTuple

import pandas as pd

from cxrgrid.data import split_words, tables
from cxrgrid.data.label_text import meanings

END = r"([ _-]?(set|split|data|flag|ing))*"
HELD_OUT = rf"(test|hold[ _-]?out){END}"
IS_TEST = re.compile(rf"(is|in)[ _-]?{HELD_OUT}|(test|hold[ _-]?out)[ _-]?(set|split)", re.I)
MAY_BE_TEST = re.compile(HELD_OUT, re.I)  # or of a laboratory
IS_TRAIN = re.compile(rf"((is|in)[ _-]?)?train{END}", re.I)
IS_VAL = re.compile(rf"((is|in)[ _-]?)?val(id(ation)?)?{END}", re.I)
FOLD = re.compile(r"(.*[ _-])?(k|cv)?[ _-]?folds?([ _-]?(id|nr|no|num|number|idx|index))?", re.I)
FOLDS = range(3, 21)  # numbers of folds


class Column(NamedTuple):
    """A column and, of flags and folds, its value of the test images."""

    name: str
    test: str = ""


def sure(rows: pd.DataFrame) -> Column | None:
    """The column of train, val and test in one of their spellings, else a flag of test images.

    A flag is taken only where no other one says more than that the rest are training images.
    """
    for name in rows.columns:
        parts = {value.lower() for value in rows[name]}
        if parts <= set(split_words.PARTS) and len(parts - {""}) > 1:
            return Column(name)
    tests = flags(rows, IS_TEST)
    if len(tests) != 1 or flags(rows, IS_VAL):
        return None
    [(name, held_out)] = tests.items()
    agree = all((is_in == 1 - held_out).all() for is_in in flags(rows, IS_TRAIN).values())
    return Column(name, value_of(rows[name], held_out == 1)) if agree else None


def other(rows: pd.DataFrame) -> list[Column]:
    """Columns that may say the test images: flags of training images, `test`, and folds."""
    trained = {} if flags(rows, IS_VAL) else flags(rows, IS_TRAIN)
    found = [Column(name, value_of(rows[name], is_in == 0)) for name, is_in in trained.items()]
    found += [
        Column(name, value_of(rows[name], is_in == 1))
        for name, is_in in flags(rows, MAY_BE_TEST).items()
    ]
    return found + [Column(name, first) for name in rows if (first := first_fold(name, rows[name]))]


def flags(rows: pd.DataFrame, called: re.Pattern) -> dict[str, pd.Series]:
    """Columns of that name in which each row is 1 or 0, or yes or no."""
    found = {name: rows[name] for name in rows if called.fullmatch(name)}
    values = {name: column.str.lower().map(meanings(column)) for name, column in found.items()}
    return {name: column for name, column in values.items() if set(column) == {0, 1}}


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
