"""Tables of a folder, and their relation: parts of a split, or images and patients."""

import os
import re
from pathlib import Path

import pandas as pd

from cxrgrid.config.errors import UserError
from cxrgrid.data import folder_layout, split_words, tables
from cxrgrid.data.split_lists import SPLITS
from cxrgrid.datasets import csv
from cxrgrid.drafting import class_columns, guesses, image_columns, legends, table_joins
from cxrgrid.drafting.image_columns import Images
from cxrgrid.drafting.questions import Question

TABLES = 20  # tables that are looked at
MENTIONED = 3  # tables in a message
Imaged = dict[Path, tuple[pd.DataFrame, Images]]


def entry(path: Path, classes: str = "", image: str = "") -> dict:
    """The `datasets:` entry of the tables here or one folder down that name images and labels."""
    imaged, others, fault = sorted_out(path, image)
    if not imaged:
        raise fault or UserError(f"{path}: no table in it; {csv.SOURCE}")
    if path in imaged:  # the sheet that is meant; others may say more of its rows
        imaged = {path: imaged[path]}
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
    try:
        made = table_joins.joined(rows, where, columns, table, others, classes)
    except UserError as error:
        made = table_joins.the_other_way(imaged, others, classes) if not parts else None
        if isinstance(error, Question) or (made is None and not others):
            raise
        if made is None:  # it may name folders, as studies have
            beside = " or ".join(str(file) for file in list(others)[:MENTIONED])
            raise UserError(f"{error}; if the labels are in {beside}, give that file") from None
    return legends.apply(made, path)


def above(path: Path, classes: str = "", image: str = "") -> dict | None:
    """The entry of a table in the folder above the images, or in one beside them; None if no such
    table names images of this folder. `Question` if several do."""
    here, top = path.absolute(), path.absolute().parent
    files = [item for item in sorted(path.parent.glob("*.*")) if tables.is_table(item)]
    files += [file for file in tables.below(path.parent) if file.absolute().parent.parent == top]
    found: dict[Path, dict] = {}
    for table in dict.fromkeys(file for file in files if not file.absolute().is_relative_to(here)):
        if len(found) < TABLES:
            try:
                made = guesses.table(path, table, classes, image)
            except UserError:
                continue
            if lies_in(made, here):
                found[table] = made
    if len(found) > 1:
        raise several(list(found))
    return next(iter(found.values()), None)


def lies_in(entry: dict, folder: Path) -> bool:
    """True if the images that an entry's table names lie in a folder."""
    base, columns = Path(entry["root"]).absolute(), entry["columns"]
    if base.is_relative_to(folder):
        return True
    rows = tables.read_rows(base / columns["file"])
    named = image_columns.some(list(rows[columns["image"]])) if columns["image"] in rows else []
    there = [(base / name).is_file() and (base / name).is_relative_to(folder) for name in named]
    return sum(there) * 2 > len(there)


def several(files: list[Path]) -> Question:
    """That several tables name images and labels."""
    names = " and ".join(str(file) for file in files[:MENTIONED])
    names += f" and {len(files) - MENTIONED} more" if len(files) > MENTIONED else ""
    return Question(
        f"{names}: each names images and labels; give the one that is meant",
        {str(file): {"path": file} for file in files},
    )


def without_labels(files: list[Path], error: UserError) -> UserError:
    """The error on the first table; of several that name images all are named."""
    if len(files) < 2:
        return error
    names = " and ".join(str(file) for file in files[:MENTIONED])
    return UserError(
        f"{names}: each names images, and none labels; if the files are the classes, make one "
        "table of them, with a column that names the class"
    )


def unused(path: Path) -> bool:
    """True if a table names images or patients."""
    imaged, others, _ = sorted_out(path)
    return bool(imaged) or any(guesses.patient_column(rows) for rows in others.values())


def has_text(path: Path) -> bool:
    """True if a list in a text file names images, as a table does."""
    return any(file.name.lower().endswith(tables.LISTS) for file in sorted_out(path)[0])


def sorted_out(
    path: Path, image: str = ""
) -> tuple[Imaged, dict[Path, pd.DataFrame], UserError | None]:
    """The tables that name images, the others, and why the first of these names none."""
    imaged, others, first = {}, {}, None
    given = tables.file_of(path).is_file()  # one table, with its other sheets
    files = [path] if given else sorted(tables.below(path, (*tables.SUFFIXES, *tables.LISTS)))
    path = path.parent if given else path
    files = sorted(files, key=lambda file: len(file.parts))[:TABLES]
    for file in [each for one in files for each in (one, *tables.other_sheets(one))]:
        try:
            rows = guesses.read(file)
            imaged[file] = rows, image_columns.find(rows, path, file, image)
        except UserError as error:
            text = file.name.lower().endswith(tables.LISTS)  # most are no tables
            first = first or (None if text else error)
            if not isinstance(error, guesses.NotTable) and (not text or is_legend(rows)):
                others[file] = rows
    for file in keys_of_others(imaged):
        others[file] = imaged.pop(file)[0]
    # A table of patients may fit the beginnings of names, but another one names the images.
    sure = [file for file, (_, where) in imaged.items() if where.match in ("path", "tail")]
    for file in [file for file in imaged if sure and file not in sure]:
        others[file] = imaged.pop(file)[0]
    return imaged, others, first


def is_legend(rows: pd.DataFrame) -> bool:
    """True for a list of codes and names."""
    return len(rows.columns) == 2 and len(rows) <= class_columns.MOST


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
    """Tables called train and val, train and test, or all three, by part; none unless all tables
    are called so and have the same columns, in any order. Of tables with one name, the folders are
    called so."""
    alike = len({file.name for file in imaged}) == 1
    parts = {
        folder_layout.part_of(file.parent.name) if alike else part_of(file): file for file in imaged
    }
    same = len({(*sorted(rows.columns), where.column) for rows, where in imaged.values()}) == 1
    whole = (
        len(parts) == len(imaged) > 1 and "train" in parts and set(parts) <= set(SPLITS) and same
    )
    return {part: parts[part] for part in SPLITS if part in parts} if whole else {}


def part_of(file: Path) -> str:
    """The part that a file's name says: `my_train.csv` is train; empty if it says none."""
    words = re.split(r"[^a-z]+", file.name.split(".")[0].lower())
    return next((split_words.PARTS[word] for word in words if split_words.PARTS.get(word)), "")


def the_one(imaged: Imaged, others: dict, classes: str) -> dict:
    """The only table that names labels as well; `Question` if several do."""
    found, first = {}, None
    real = {file: of for file, of in imaged.items() if "submission" not in file.name.lower()}
    for file in [file for file in imaged if real and file not in real]:
        print(f"not used: {file}: called like answers to be handed in")
    for file, (rows, where) in (imaged := real or imaged).items():
        columns = {"file": os.path.relpath(file, where.base)}
        try:
            found[file] = table_joins.joined(rows, where, columns, file, others, classes)
        except UserError as error:
            if isinstance(error, Question):
                raise
            first = first or error
    if len(found) > 1:
        raise several(list(found))
    if not found:
        if made := table_joins.the_other_way(imaged, others, classes):
            return made
        raise without_labels(list(real), first)
    for file in imaged:
        if file not in found:
            print(f"not used: {file}: names images, but no labels")
    return next(iter(found.values()))
