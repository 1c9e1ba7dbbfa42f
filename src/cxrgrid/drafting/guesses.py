"""What a stranger's table or folder means: which column is the image, which are labels, who is who.

Guesses from names and values, for `new` to print and to write down where a person can change them.
"""

import itertools
import os
import re
from collections import Counter
from pathlib import Path

import pandas as pd

from cxrgrid.config.errors import UserError
from cxrgrid.datasets import csv, folder

TRIED = 40  # values of a column that are looked up on disk
FOLDERS = 60  # folders that a column's paths may start from
FILE = re.compile(r"[^/\\].{0,250}\.\w{2,5}")
ABSOLUTE = re.compile(r"[/\\]|[A-Za-z]:")
PATIENT = re.compile(r"patient|subject|person|^p_?id$|^pt(_?id)?$|^mrn$|^case", re.I)
ID = re.compile(r"(^|[ _-])id$|Id$|ID$")
PERSON = re.compile(
    r"(patient|subject|person)[ _]?(age|sex|gender|weight|height|pos|birth|or)", re.I
)
# What is 0 or 1 at times and still no finding: numbers, lists, people.
NO_LABEL = re.compile(
    r"(|image|patient|study|row|all|macro|index|unnamed.*|fold|split|set|sex|gender|age|view"
    r"|follow.?up.*|.*[ _]?id)",
    re.I,
)
PREFIXES = {"patient", "person", "subject", "subj", "case", "sub", "pat", "pt", "p"}
# After a prefix of these: digits, a word with digits, or all but the last part.
PATTERNS = [r"^(\d+)[-_]", r"^([A-Za-z]+[-_]?\d+)[-_]", r"^(.+)[-_][^-_]*$"]


# ------------------------------------------------------------------ a table


def table(root: Path, path: Path) -> dict:
    """The `datasets:` entry for a CSV file. `UserError` if no column names images or labels."""
    rows = csv.read_rows(path)
    if rows.empty:
        raise UserError(f"{path}: no row below the header")
    rows = rows.loc[:, [name for name in rows.columns if list(rows.columns).count(name) == 1]]
    base, image = image_column(rows, root, path)
    split = split_column(rows.drop(columns=image))
    patient = patient_column(rows.drop(columns=[image, split] if split else image))
    names = label_columns(rows.drop(columns=[n for n in (image, patient, split) if n]))
    if not names:
        raise UserError(f"{path}: no column holds 1, 0 and blanks only; {classes(rows, image)}")
    columns = {"file": os.path.relpath(path, base), "image": image}
    columns |= {"patient": patient} if patient else {}
    columns |= {"split": split} if split else {}
    return {"adapter": "csv", "root": base.as_posix(), "labels": names, "columns": columns}


def image_column(rows: pd.DataFrame, root: Path, path: Path) -> tuple[Path, str]:
    """The column whose values are files, and the folder that they start from."""
    bases = list(dict.fromkeys([path.parent, root, *folders(root), path.parent.parent]))
    hits = {
        (base, name): sum(is_file(base, value) for value in values)
        for name, values in candidates(rows).items()
        for base in bases
    }
    best = max(hits, key=lambda place: hits[place], default=None)
    if best is None or hits[best] == 0:
        raise UserError(f"{path}: {no_image(rows, bases)}")
    return best


def candidates(rows: pd.DataFrame) -> dict[str, list[str]]:
    """Columns that look like file names, with some of their values."""
    found = {name: some([value for value in rows[name] if value]) for name in rows.columns}
    return {
        name: values
        for name, values in found.items()
        if sum(bool(FILE.fullmatch(value)) for value in values) * 2 > len(values)
    }


def some(values: list) -> list:
    """Up to `TRIED` of them, from all over the list."""
    return values[:: max(1, len(values) // TRIED)][:TRIED]


def folders(root: Path, deep: bool = True) -> list[Path]:
    """The folders one level below root, then those two levels below: the first ones of many."""
    found = inside(root)
    return (found + [item for above in found for item in inside(above)] if deep else found)[
        :FOLDERS
    ]


def inside(root: Path) -> list[Path]:
    """The first folders in a folder, which may hold 100,000 files: none of these is asked."""
    with os.scandir(root) as items:
        names = (item.name for item in items if item.is_dir() and not item.name.startswith("."))
        return sorted(root / name for name in itertools.islice(names, FOLDERS))


def is_file(base: Path, value: str) -> bool:
    """Whether the value is a file's path below `base`, as the adapter takes it."""
    return bool(FILE.fullmatch(value)) and (base / value.replace("\\", "/")).is_file()


def no_image(rows: pd.DataFrame, bases: list[Path]) -> str:
    """Why no column names images, as far as that can be told."""
    remedy = "paths start from the folder that holds the images, with / and with their ending"
    if len(rows.columns) == 1 and not candidates(rows):
        return f"no column of images; {csv.describe('image', list(rows.columns))}"
    for name in rows.columns:
        values = some([value for value in rows[name] if value])
        if values and all(ABSOLUTE.match(value) for value in values):
            return f"the column {name!r} holds absolute paths, as {values[0]!r}; {remedy}"
        for base, suffix in itertools.product(bases, folder.SUFFIXES):
            if any(is_file(base, value + suffix) for value in values[:5]):
                return f"the column {name!r} holds file names without {suffix!r}; {remedy}"
    named = ", ".join(f"{name!r}" for name in candidates(rows))
    tried = f"the files in {named} are not there" if named else "no column holds file names"
    return f"{tried}, looked for in {bases[0]} and the folders below; {remedy}"


def classes(rows: pd.DataFrame, image: str) -> str:
    """A remedy that names the column of class names, if there is one."""
    for name in rows.columns:
        values = sorted(set(rows[name]) - {""})
        if name != image and 2 <= len(values) <= 20 and not all(v.isdigit() for v in values):
            some_of = ", ".join(map(repr, values[:4]))
            return (
                f"{name!r} seems to hold classes ({some_of}): make a column of 1 and 0 for each, "
                "or a folder for each"
            )
    return "a label is a column of 1 (present), 0 (absent), blank or -1 (unknown)"


def label_columns(rows: pd.DataFrame) -> list[str]:
    """The columns that hold nothing but 1, 0, -1 and blanks, and at least one 1 or 0."""
    return [
        name
        for name in rows.columns
        if not NO_LABEL.fullmatch(name)
        and not PERSON.match(name)
        and set(rows[name]) <= set(csv.VALUES)
        and any(csv.VALUES[value] in (0, 1) for value in set(rows[name]))
    ]


def patient_column(rows: pd.DataFrame) -> str:
    """The column named like a patient, else one that ends in `id` and has values that repeat."""
    distinct = {name: rows[name].nunique() for name in rows.columns}
    named = [name for name in distinct if PATIENT.search(name) and not PERSON.match(name)]
    named = [name for name in named if distinct[name] > 2]
    if not named:
        repeats = [name for name in distinct if 2 < distinct[name] < len(rows)]
        named = [name for name in repeats if ID.search(name) and "study" not in name.lower()]
    # Of several, the identifier has the most values.
    return max(named, key=lambda name: distinct[name], default="")


def split_column(rows: pd.DataFrame) -> str:
    """The column that says train, val and test in one of their spellings."""
    for name in rows.columns:
        parts = {value.lower() for value in rows[name]}
        if parts <= set(csv.PARTS) and len(parts - {""}) > 1:
            return name
    return ""


# ------------------------------------------------------------------ names and lists


def patient_pattern(images: list[str]) -> str:
    """The expression that finds a patient in every file name, with several images for some."""
    names = [image.rsplit("/", 1)[-1] for image in images]
    first = re.match(r"([A-Za-z]+)([-_]?)\d", names[0])
    person = first and first[1].lower() in PREFIXES
    for pattern in [rf"^({first[1]}{first[2]}\d+)", *PATTERNS] if person else PATTERNS:
        matches = [re.match(pattern, name) for name in names]
        if all(matches) and are_people(Counter(match[1] for match in matches)):
            return pattern
    return ""


def are_people(images: Counter) -> bool:
    """Whether so many images each can be patients: `COVID-7.png` is one image, not COVID's 7th."""
    patients, total = len(images), sum(images.values())
    return 3 <= patients < total and total / patients <= 20 and max(images.values()) <= total / 4


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
        reason = f"{crossing:,} patients stand in two parts" if crossing else reason
        found[column.removeprefix("split:")] = reason
    return found
