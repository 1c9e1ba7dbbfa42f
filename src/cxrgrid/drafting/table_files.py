"""Tables of a folder, and their relation: parts of a split, or images and patients."""

import itertools
import os
import re
from pathlib import Path

import pandas as pd

from cxrgrid.config.errors import UserError
from cxrgrid.data import tables
from cxrgrid.datasets import csv
from cxrgrid.drafting import guesses, image_columns
from cxrgrid.drafting.image_columns import Images
from cxrgrid.drafting.questions import Question

TABLES = 20  # tables that are looked at
MENTIONED = 3  # tables in a message
Imaged = dict[Path, tuple[pd.DataFrame, Images]]


def entry(path: Path, classes: str = "") -> dict:
    """The `datasets:` entry of the tables here or one folder down that name images and labels."""
    imaged, others, fault = sorted_out(path)
    if not imaged:
        raise fault or UserError(f"{path}: no table in it; {csv.SOURCE}")
    parts = by_part(imaged)
    if len(imaged) > 1 and not parts:
        return the_one(imaged, others, classes)
    table = next(iter(imaged))
    rows, where = imaged[table]
    columns = {"file": os.path.relpath(table, where.base)}
    if parts:
        rows = pd.concat([imaged[file][0] for file in parts.values()], ignore_index=True).fillna("")
        if len({found for _, found in imaged.values()}) > 1:  # each names the images of its folder
            where = Images(path, where.column, "tail")
        base = where.base
        columns = {"parts": {part: os.path.relpath(file, base) for part, file in parts.items()}}
    return joined(rows, where, columns, table, others, classes)


def above(path: Path) -> dict | None:
    """The entry of a table in the folder above the images; None if there is none."""
    found = sorted(file for file in path.parent.glob("*.*") if tables.is_table(file))
    for table in found[:TABLES]:
        try:
            return guesses.table(path, table)
        except UserError:
            continue
    return None


def unused(path: Path) -> bool:
    """True if a table names images or patients."""
    imaged, others, _ = sorted_out(path)
    return bool(imaged) or any(guesses.patient_column(rows) for rows in others.values())


def has_text(path: Path) -> bool:
    """True if a list in a text file names images, as a table does."""
    return any(file.name.lower().endswith(tables.LISTS) for file in sorted_out(path)[0])


def sorted_out(path: Path) -> tuple[Imaged, dict[Path, pd.DataFrame], UserError | None]:
    """The tables that name images, the others, and why the first of these names none."""
    imaged, others, first = {}, {}, None
    files = sorted(tables.below(path, (*tables.SUFFIXES, *tables.LISTS)))
    for file in itertools.islice(sorted(files, key=lambda file: len(file.parts)), TABLES):
        try:
            rows = guesses.read(file)
            imaged[file] = rows, image_columns.find(rows, path, file)
        except UserError as error:
            text = file.name.lower().endswith(tables.LISTS)  # most are no tables
            first = first or (None if text else error)
            if not isinstance(error, guesses.NotTable) and not text:
                others[file] = rows
    for file in keys_of_others(imaged):
        others[file] = imaged.pop(file)[0]
    # A table of patients may fit the beginnings of names, but another one names the images.
    sure = [file for file, (_, where) in imaged.items() if where.match in ("path", "tail")]
    for file in [file for file in imaged if sure and file not in sure]:
        others[file] = imaged.pop(file)[0]
    return imaged, others, first


def keys_of_others(imaged: Imaged) -> list[Path]:
    """Tables whose column of images is another column of a longer table: names of its codes."""
    return [
        file
        for file, (rows, where) in imaged.items()
        if any(
            where.column in more and theirs.column != where.column and len(more) > len(rows)
            for more, theirs in imaged.values()
        )
    ]


def by_part(imaged: Imaged) -> dict[str, Path]:
    """Tables called train, val and test, by part; none unless all are and have the same columns."""
    parts = {part_of(file): file for file in imaged}
    same = len({(tuple(rows.columns), where.column) for rows, where in imaged.values()}) == 1
    whole = len(parts) == len(imaged) and {"train", "test"} <= set(parts) and same
    return (
        {part: parts[part] for part in ("train", "val", "test") if part in parts} if whole else {}
    )


def part_of(file: Path) -> str:
    """The part that a file's name says: `my_train.csv` is train; empty if it says none."""
    words = re.split(r"[^a-z]+", file.name.split(".")[0].lower())
    return next((csv.PARTS[word] for word in words if csv.PARTS.get(word)), "")


def the_one(imaged: Imaged, others: dict, classes: str) -> dict:
    """The only table that names labels as well; `Question` if several do."""
    found, first = {}, None
    real = {file: of for file, of in imaged.items() if "submission" not in file.name.lower()}
    for file in [file for file in imaged if real and file not in real]:
        print(f"not used: {file}: called like answers to be handed in")
    for file, (rows, where) in (imaged := real or imaged).items():
        columns = {"file": os.path.relpath(file, where.base)}
        try:
            found[file] = joined(rows, where, columns, file, others, classes)
        except UserError as error:
            if isinstance(error, Question):
                raise
            first = first or error
    if len(found) > 1:
        names = " and ".join(str(file) for file in list(found)[:MENTIONED])
        names += f" and {len(found) - MENTIONED} more" if len(found) > MENTIONED else ""
        raise Question(
            f"{names}: each names images and labels; give the one that is meant",
            {str(file): {"path": file} for file in found},
        )
    if not found:
        raise first
    for file in imaged:
        if file not in found:
            print(f"not used: {file}: names images, but no labels")
    return next(iter(found.values()))


def joined(
    rows: pd.DataFrame, where: Images, columns: dict, table: Path, others: dict, classes: str
) -> dict:
    """The entry, with a second table's columns where one has a row for each patient or image."""
    for file, more in others.items():
        for ours, theirs in keys(rows, more):
            fresh = [column for column in more.columns if column not in (*rows.columns, theirs)]
            if fresh:
                join = {"file": os.path.relpath(file, where.base), "by": ours}
                join |= {"theirs": theirs} if theirs != ours else {}
                rows = csv.joined(rows, file, ours, join.get("theirs", ""))
                tell_unused(rows, {path: t for path, t in others.items() if path != file})
                return guesses.entry(rows, where, columns | {"join": join}, table, classes)
    return guesses.entry(rows, where, columns, table, classes)


def tell_unused(rows: pd.DataFrame, others: dict) -> None:
    """Name the tables that say more of the same patients or images: one alone can be joined."""
    for file, more in others.items():
        for ours, _ in keys(rows, more)[:1]:
            fresh = [column for column in more.columns if column not in rows.columns]
            if fresh:
                print(f"not used: {file}: says {', '.join(fresh[:5])} of each {ours}")


def keys(rows: pd.DataFrame, more: pd.DataFrame) -> list[tuple[str, str]]:
    """Pairs of columns by which two tables can be joined; those of the same name first.

    A column of the second one with another name has to be called a patient as well.
    """
    same = [(name, name) for name in more.columns if name in rows.columns]
    people = [name for name in more.columns if guesses.PATIENT.search(name)]
    patient = guesses.patient_column(rows)
    same += [(patient, name) for name in people if patient and name != patient]
    return [
        (ours, theirs)
        for ours, theirs in same
        if more[theirs].is_unique and max(matched(rows[ours], more[theirs])) > 0.5
    ]


def matched(ours: pd.Series, theirs: pd.Series) -> tuple[float, float]:
    """Share of the fields that another table's column holds, as they are and as whole numbers."""
    there = ours[ours != ""]
    return there.isin(theirs).mean(), tables.whole(there).isin(tables.whole(theirs)).mean()
