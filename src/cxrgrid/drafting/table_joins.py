"""Joins of two tables: images and their patients, findings and their images, codes and names."""

import os
import re
from pathlib import Path

import pandas as pd

from cxrgrid.config.errors import UserError
from cxrgrid.data import tables
from cxrgrid.datasets import csv
from cxrgrid.drafting import class_columns, guesses, legends
from cxrgrid.drafting.image_columns import Images

SOME = (
    0.1  # share of the fields that a column of the same name has to hold, below which it is another
)


def joined(
    rows: pd.DataFrame, where: Images, columns: dict, table: Path, others: dict, classes: str
) -> dict:
    """The entry, with a second table's columns where one has a row for each patient or image."""
    check_codes(rows, table, others)
    for file, more in others.items():
        for ours, theirs in keys(rows, more):
            fresh = [column for column in more.columns if column not in (*rows.columns, theirs)]
            if fresh:
                join = join_of(file, where.base, ours, theirs)
                rows = csv.joined(rows, file, ours, join.get("theirs", ""))
                tell_unused(rows, {path: t for path, t in others.items() if path != file})
                return guesses.entry(rows, where, columns | {"join": join}, table, classes)
    return guesses.entry(rows, where, columns, table, classes)


def join_of(file: Path, base: Path, ours: str, theirs: str) -> dict:
    """The setting `join` for a second table."""
    join = {"file": os.path.relpath(file, base), "by": ours}
    return join | ({"theirs": theirs} if theirs != ours else {})


def the_other_way(imaged: dict, others: dict, classes: str) -> dict | None:
    """The entry of a table with several rows per image, each a finding, whose images stand in
    another table; None without such."""
    for table, (rows, where) in imaged.items():
        for file, more in others.items():
            for theirs, ours in keys(more, rows):
                if where.column not in rows or where.column in more or theirs == where.column:
                    continue
                columns = {"file": os.path.relpath(file, where.base)}
                columns |= {"join": join_of(table, where.base, theirs, ours)}
                both = csv.joined(more, table, theirs, ours if ours != theirs else "")
                try:
                    return guesses.entry(
                        both[both[where.column] != ""], where, columns, file, classes
                    )
                except UserError:
                    continue
    return None


def tell_unused(rows: pd.DataFrame, others: dict) -> None:
    """Name the tables that say more of the same patients or images: one alone can be joined."""
    for file, more in others.items():
        for ours, _ in keys(rows, more)[:1]:
            fresh = [column for column in more.columns if column not in rows.columns]
            if fresh:
                print(f"not used: {file}: says {', '.join(fresh[:5])} of each {ours}")


def keys(rows: pd.DataFrame, more: pd.DataFrame) -> list[tuple[str, str]]:
    """Pairs of columns by which two tables can be joined; those of the same name first.

    A column of the second one with another name has to be called a patient as well, be the same id
    by its name, or hold the codes of classes.
    """
    same = [(name, name) for name in more.columns if name in rows.columns]
    people = [name for name in more.columns if guesses.PATIENT.search(name)]
    patient = guesses.patient_column(rows)
    named = [(patient, name) for name in people if patient and name != patient]
    unique = [name for name in more.columns if more[name].is_unique]
    found = [pair for pair in same if fits(rows, more, pair, SOME)]
    found += [pair for pair in named if fits(rows, more, pair, 0.5)]
    ids = [(a, b) for a in rows.columns for b in unique if a != b and same_id(a, b)]
    found += [pair for pair in ids if pair not in named and fits(rows, more, pair, 0.9)]
    if len(more) <= class_columns.MOST:
        found += [pair for pair in codes(rows, more) if pair not in found]
    return [pair for pair in found if pair[1] in unique]


def fits(rows: pd.DataFrame, more: pd.DataFrame, pair: tuple[str, str], least: float) -> bool:
    """True if more than that share of a column's fields are in a column of the other table."""
    ours, theirs = rows[pair[0]], more[pair[1]]
    return theirs.is_unique and max(matched(ours, theirs)) > least


def same_id(one: str, other: str) -> bool:
    """True for `id` and `image_id`: two names of one column of ids."""
    a, b = sorted((one.lower(), other.lower()), key=len)
    return bool(guesses.ID.search(a)) and re.fullmatch(rf".*[ _-]?{re.escape(a)}", b) is not None


def codes(rows: pd.DataFrame, more: pd.DataFrame) -> list[tuple[str, str]]:
    """Pairs of a column of classes in numbers and one that holds each of these, beside names."""
    numbers = [name for name in rows if class_columns.NAMED.fullmatch(name)]
    numbers = [name for name in numbers if rows[name].map(class_columns.is_number).all()]
    spelt = [name for name in more if not more[name].map(class_columns.is_number).any()]
    spelt = [name for name in spelt if more[name].is_unique and name not in rows]
    if len(more) > 2:  # 1 and 0 may be of one label: a longer list names other things
        numbers = [name for name in numbers if set(tables.whole(rows[name])) - {"", "0", "1"}]
    return [
        (ours, theirs)
        for ours in numbers
        for theirs in more
        if spelt and theirs not in spelt and fits(rows, more, (ours, theirs), 0.999)
    ]


def check_codes(rows: pd.DataFrame, table: Path, others: dict) -> None:
    """`UserError` if two tables, or a table and a text file, say different things of codes."""
    found: dict[Path, dict[str, str]] = {}
    column = ""
    for file, more in others.items():
        for ours, theirs in codes(rows, more)[:1] if len(more) <= class_columns.MOST else ():
            names = next(n for n in more if not more[n].map(class_columns.is_number).any())
            if ours == (column := column or ours):
                used = more[tables.whole(more[theirs]).isin(tables.whole(rows[ours]))]
                found[file] = dict(zip(tables.whole(used[theirs]), used[names], strict=True))
    if found:
        texts = [file for file in legends.beside(table) if file not in (table, *found)]
        found |= legends.fitting_of(texts, list(next(iter(found.values()))))
        legends.check_same(found, column)


def matched(ours: pd.Series, theirs: pd.Series) -> tuple[float, float]:
    """Share of the fields that another table's column holds, as they are and as whole numbers."""
    there = ours[ours != ""]
    return there.isin(theirs).mean(), tables.whole(there).isin(tables.whole(theirs)).mean()
