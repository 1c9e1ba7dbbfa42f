"""Guesses about an unknown table or folder: columns of images, labels and patients.

Guesses from names and values, for `new` to print and to write down where a person can change them.
"""

import os
import re
from pathlib import Path

import pandas as pd

from cxrgrid.config.errors import UserError
from cxrgrid.data import tables
from cxrgrid.data.label_text import NUMBERS, meanings
from cxrgrid.drafting import assertions, class_columns, image_columns, no_classes, split_columns
from cxrgrid.drafting.image_columns import PERSON, Images
from cxrgrid.drafting.questions import Question
from cxrgrid.drafting.unclear_columns import FEW, NO_LABEL, nearly_labels, two_readings

PATIENT = re.compile(
    r"patient|subj|person|proband|^p_?id$|^pt(_?id)?$|^pat([^a-z]|id|nr|$)|^mrn$|^case", re.I
)
OF_OTHERS = re.compile(
    r"study|reader|^rad(s|[^a-z]|id|$)|radiolog|annotat|rater|observer|doctor|physician|technolog"
    r"|operator|device|scanner|machine|equipment|station|model|manufact|hospital|institut|clinic"
    r"|cent(er|re)|site|department|label|class|finding|disease|diagnos|fold",
    re.I,
)  # ids of what is no patient
NUMBER = re.compile(r".*(id|code|nr|no|num|number|mrn)|patient|subject|person|proband|case", re.I)
MANY = 20  # images of a patient, about, above which a column is hardly one of patients
RARE = 10  # one of so many fields beside words such as positive and negative
SURELY = re.compile(r"patient|(patient|p)[ _]?id", re.I)  # also where it names one or two
EACH = "each"  # as --classes: every column of 1 and 0 is a label
ID = re.compile(r"(^|[ _-])id$|Id$|ID$")
LABELS = (
    "a label is a column of 1 (present), 0 (absent), blank or -1 (unknown), or of yes and no; one "
    "column may name the classes: --classes COLUMN"
)


class NotTable(UserError):
    """A file that is no table with rows."""


def table(root: Path, path: Path, classes: str = "", image: str = "") -> dict:
    """The `datasets:` entry for one table. `UserError` if no column names images or labels.

    classes, image: the columns of class names and of images, where they are not to be guessed.
    """
    rows = read(path)
    where = image_columns.find(rows, root, path, image)
    columns = {"file": os.path.relpath(path, where.base)}
    return entry(rows, where, columns, path, classes)


def read(path: Path) -> pd.DataFrame:
    """The table as text, without columns whose name is there twice."""
    try:
        rows = tables.read_rows(path)
    except UserError as error:
        raise NotTable(str(error)) from None
    if rows.empty:
        raise NotTable(f"{path}: no row below the header")
    return rows.loc[:, [name for name in rows.columns if list(rows.columns).count(name) == 1]]


def entry(rows: pd.DataFrame, where: Images, columns: dict, path: Path, classes: str = "") -> dict:
    """The `datasets:` entry for rows that name images; `columns` says which files they are of."""
    image = where.column
    said = split_columns.sure(rows.drop(columns=image, errors="ignore"))
    split = said.name if said and "parts" not in columns else ""
    patient = patient_column(rows.drop(columns=[n for n in (image, split) if n in rows]))
    if where.match in ("part", "name") and not patient and PATIENT.search(image):
        patient = image
    left = rows.drop(columns=[n for n in (*image.split("/"), image, patient, split) if n in rows])
    check_one_row(left, rows.get(image), path)
    found = taken_labels(left, path, classes)
    named = class_columns.find(left, path, classes, rows.get(image)) if not found else None
    if not found and named is None:
        raise no_labels(left, path)
    if named and named.column in left and not classes and (odd := odd_fields(left[named.column])):
        raise Question(
            f"{path}: the column {named.column!r} holds 1 and 0, or yes and no, and also "
            f"{', '.join(map(repr, odd[:FEW]))}: clear the fields that are unknown, or say "
            f"--classes {named.column!r} if each is a class",
            {f"each is a class: {', '.join(named.labels[:5])}": {"classes": named.column}},
        )
    if named and not classes and (doubt := odd_classes(named)):
        raise Question(
            f"{path}: {doubt}; if these are the classes all the same, say --classes "
            f"{named.column!r}",
            {f"these are the classes: {', '.join(named.labels[:5])}": {"classes": named.column}},
        )
    columns = columns | {"image": image}
    columns |= {"patient": patient} if patient else {}
    columns |= {"split": split} if split else {}
    columns |= {"test": said.test} if split and said.test else {}
    columns |= {"match": where.match} if where.match != "path" else {}
    labels = found
    if named:
        labels = named.labels
        columns |= {"classes": named.column}
        columns |= {"separator": named.separator} if named.separator else {}
    made = {"adapter": "csv", "root": where.base.as_posix(), "labels": labels, "columns": columns}
    made |= {"blank": "absent"} if found and only_marks(left[found]) else {}
    return made | ({"task": "multiclass"} if named and not named.separator else {})


def check_one_row(left: pd.DataFrame, images: pd.Series | None, path: Path) -> None:
    """`UserError` if each image has a row for each finding, with its value."""
    if values := class_columns.in_rows(left, images):
        raise UserError(
            f"{path}: a row for each image and each {values[0]!r}, with its value in "
            f"{values[1]!r}: make one row per image, with a column of 1 and 0 for each finding"
        )


def no_labels(left: pd.DataFrame, path: Path) -> UserError:
    """That no column holds labels; a `Question` where some do that are called like no finding."""
    if flags := flag_columns(left):
        shown = ", ".join(map(repr, flags[:FEW]))
        return Question(
            f"{path}: no column holds labels or classes; {shown} are 1 and 0, but called like no "
            f"finding: say --classes {EACH} if these are labels",
            {f"these are labels: {', '.join(flags[:5])}": {"classes": EACH}},
        )
    nearly = [f"{name!r} holds {held[0]!r}, too" for name, held in nearly_labels(left).items()]
    nearly += two_readings(left)
    numbers = [name for name in left if name and class_columns.of_numbers(left[name])]
    nearly += [
        f"{name!r} holds coordinates, times or ages, as {next(filter(None, left[name]))!r}"
        for name in numbers
    ]
    return UserError(
        f"{path}: no column holds labels or classes{': ' * bool(nearly)}"
        f"{', '.join(nearly[:FEW])}; {LABELS}"
    )


def taken_labels(left: pd.DataFrame, path: Path, classes: str) -> list[str]:
    """The columns that are labels of 1 and 0; none where another column names the classes.

    `Question` where both could be meant.
    """
    if (classes and classes != EACH) or (not classes and only_words(left)):
        return []
    found = label_columns(left)
    found = found if classes else [name for name in found if not class_columns.FLAG.fullmatch(name)]
    if not classes and all(left[name].nunique() < 2 for name in found):  # a column of crosses
        found = found if not class_columns.candidates(left.drop(columns=found)) else []
    if not classes and len(found) == 1 and class_columns.spelt_out(left, found[0]):
        return []
    if not classes and (readers := class_columns.of_readers(found)):
        shown = ", ".join(readers[:5])
        raise Question(
            f"{path}: {shown} are called like one finding by several readers: keep one column of "
            f"it, or say --classes {EACH} if each is a label",
            {f"each is a label: {', '.join(found[:5])}": {"classes": EACH}},
        )
    rivals = class_columns.rivals(left, found) if found and not classes else []
    if not rivals:
        return found
    first = rivals[0]
    if len(found) == 1 and class_columns.same_rows(left[found[0]], left[first.column]):
        return []  # the same in numbers
    raise Question(
        f"{path}: the classes could be in {first.column!r} ({', '.join(first.labels[:5])}), or "
        f"{', '.join(found[:5])} the labels; choose, as --classes {first.column!r} or --classes "
        f"{EACH}",
        {f"{one.column}: {', '.join(one.labels[:5])}": {"classes": one.column} for one in rivals}
        | {f"{', '.join(found[:5])}: each a label, 1 or 0": {"classes": EACH}},
    )


def odd_classes(named: class_columns.Classes) -> str:
    """Why a column's fields may be no classes, or two of them one; empty if nothing says so."""
    if doubt := assertions.doubt(named):
        return doubt
    if named.separator:
        return ""
    if what := no_classes.kind(named.labels):
        shown = ", ".join(named.labels[:FEW])
        return f"{shown} of the column {named.column!r} are called like {what}, not like classes"
    return no_classes.spelt_twice(named.labels)


def odd_fields(column: pd.Series) -> list[str]:
    """Texts in few fields of a column that says 1 and 0, or yes and no, otherwise."""
    known = column.str.lower().map(meanings(column))
    other = column[known.isna() & ~column.str.lower().isin(list(meanings(column)))]
    both = {0, 1} <= set(known) and len(other) * 2 < len(column)
    plainly = set(column[known.notna()].str.lower()) <= {*NUMBERS, "yes", "no", "y", "n"}
    numbers = any(map(class_columns.is_number, other))
    few = plainly or len(other) * RARE <= len(column)
    return sorted(set(other)) if both and few and not numbers else []


def only_marks(labels: pd.DataFrame) -> bool:
    """True if each label is marked where it is present, and blank everywhere else."""
    values = labels.apply(lambda column: column.str.lower().map(meanings(column)))
    return not (values == 0).any(axis=None) and bool(values.isna().any().all())


def label_columns(rows: pd.DataFrame) -> list[str]:
    """The columns that hold nothing but 1, 0, -1 and blanks, and at least one 1 or 0."""
    return [
        name
        for name in rows.columns
        if not NO_LABEL.fullmatch(name)
        and not class_columns.PART.fullmatch(name)
        and not PERSON.match(name)
        and set(rows[name].str.lower()) <= set(meanings(rows[name]))
        and any(meanings(rows[name])[value] in (0, 1) for value in set(rows[name].str.lower()))
    ]


def flag_columns(rows: pd.DataFrame) -> list[str]:
    """The columns of 1 and 0 that are called like no finding."""
    return [name for name in label_columns(rows) if class_columns.FLAG.fullmatch(name)]


def only_words(rows: pd.DataFrame) -> bool:
    """True if all possible labels are in words, while another column is called like classes."""
    words = [set(rows[name].str.lower()) - {""} for name in label_columns(rows)]
    called = [name for name in rows.columns if class_columns.NAMED.fullmatch(name)]
    others = [name for name in called if name not in label_columns(rows)]
    return bool(others) and not any(values & set(NUMBERS) for values in words)


def patient_column(rows: pd.DataFrame) -> str:
    """The likeliest column of patients; empty if there is none."""
    return next(iter(patient_columns(rows)), "")


def patient_columns(rows: pd.DataFrame) -> list[str]:
    """The columns named like a patient, else those that end in `id` and have values that repeat."""
    distinct = {name: rows[name].nunique() for name in rows.columns}
    named = [name for name in distinct if PATIENT.search(name) and not PERSON.match(name)]
    named = [name for name in named if distinct[name] > 2 or SURELY.fullmatch(name)]
    if not named:
        repeats = [name for name in distinct if 2 < distinct[name] < len(rows)]
        named = [name for name in repeats if ID.search(name) and not OF_OTHERS.search(name)]
    # Of several, the identifier has the most values; but one of each row is an image's.
    several = [n for n in named if len(rows) / MANY <= distinct[n] < len(rows) and NUMBER.match(n)]
    several = [name for name in several if distinct[name] > 2]
    return sorted(named, key=lambda name: (bool(several) and name not in several, -distinct[name]))


def shipped(frame: pd.DataFrame) -> dict[str, str]:
    """Each shipped list with the reason why it cannot be the split; empty where it can."""
    found = {}
    for column in [name for name in frame if name.startswith("split:")]:
        parts = set(frame[column].dropna())
        crossing = frame.groupby("patient")[column].nunique().gt(1).sum()
        reason = (
            ""
            if parts & {"train", "trainval"} and "test" in parts
            else "it has no train or no test"
        )
        tested = frame.loc[frame[column] == "test", frame.attrs.get("labels", [])]
        if not reason and tested.shape[1] and tested.isna().all(axis=None):
            reason = "no label of its test images is known"
        reason = f"{crossing:,} patients stand in two parts" if crossing else reason
        found[column.removeprefix("split:")] = reason
    return found
