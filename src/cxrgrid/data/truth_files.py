"""Files that list test images or studies, with or without labels; no pandas: `score` uses it."""

import csv
import gzip
import itertools
import logging
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa

from cxrgrid.config.errors import UserError
from cxrgrid.config.label_names import published
from cxrgrid.data import encodings

IMAGES = ("image", "path", "image index", "image_path", "file", "filename")
STUDIES = ("study",)
VALUES = {"1": 1.0, "0": 0.0, "-1": np.nan, "": np.nan, "nan": np.nan}
SOME = 3  # names in a message


def read(
    path: Path, table: pa.Table, labels: list[str]
) -> tuple[set[str], dict[str, dict[str, float]] | None]:
    """Images that a file lists, and by label and image the truth that it gives; None: no label.

    path: lines of image names, or CSV with a column `image` (or Path, …) or `Study` and, for a
    truth, columns named like labels, in any case or as another publisher calls them: 1, 0, empty
    or -1 (unknown). `UserError` for a file that is neither, or gives an image two values.
    """
    rows = lines(path)
    by, column = "image", 0
    header = [field.strip() for field in rows[0]]
    if ".csv" in path.suffixes:
        by, column = name_column(path, header)
        rows = rows[1:]
    found = tails(table, by)
    named = [match(path, row[column].strip(), found) for row in rows]
    if lost := [row[column] for row, images in zip(rows, named, strict=True) if not images]:
        some = ", ".join(map(repr, lost[:SOME])) + (", …" if len(lost) > SOME else "")
        logging.warning(f"{path}: {len(lost):,} of {len(rows):,} names are not there: {some}")
    columns = label_columns(path, header, labels) if ".csv" in path.suffixes else {}
    truth = {
        label: values(
            path, label, [(row[at], images) for row, images in zip(rows, named, strict=True)]
        )
        for label, at in columns.items()
    }
    return {image for images in named for image in images}, truth or None


def label_columns(path: Path, header: list[str], labels: list[str]) -> dict[str, int]:
    """The column of each label that has one, by its own name or as another publisher calls it."""
    common = {name.lower(): other.lower() for name, other in published().items()}
    called = {common.get(label.lower(), label.lower()): label for label in labels}
    called |= {label.lower(): label for label in labels}
    found: dict[str, int] = {}
    for at, name in enumerate(header):
        lower = name.lower()
        label = called.get(lower) or called.get(common.get(lower, lower))
        if label in found:
            both = f"columns {header[found[label]]!r} and {name!r}"
            raise UserError(f"{path}: {both} are both {label!r}; leave one")
        if label:
            found[label] = at
    if not found and len(header) > 1:
        logging.warning(
            f"{path}: no column is named like a label of the dataset ({', '.join(labels[:SOME])}"
            f"{', …' if len(labels) > SOME else ''}): the dataset's own labels stay the truth"
        )
    return found


def values(path: Path, label: str, rows: list[tuple[str, Iterable[str]]]) -> dict[str, float]:
    """A label of each image; `UserError` if two rows of one image contradict each other."""
    found: dict[str, float] = {}
    for text, images in rows:
        one = value(path, text, label)
        for image in images:
            before = found.setdefault(image, one)
            if before != one and not (np.isnan(before) and np.isnan(one)):
                raise UserError(
                    f"{path}: {label!r} of image {image!r} is {before:g} in one row and {one:g} in "
                    "another; keep one"
                )
    return found


def lines(path: Path) -> list[list[str]]:
    """The fields of each line, gzipped or not, without blank ones."""
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8-sig", newline="") as file:
            first = file.readline()
            sign = ";" if first.count(";") > first.count(",") else ","  # as some spreadsheets save
            every = itertools.chain([first], file)
            rows = (
                csv.reader(every, delimiter=sign)
                if ".csv" in path.suffixes
                else ([line] for line in every)
            )
            found = [row for row in rows if any(field.strip() for field in row)]
    except (*encodings.UNREADABLE, csv.Error) as error:
        raise UserError(f"{path}: not a list of images in UTF-8 text ({error})") from None
    if not found:
        raise UserError(f"{path}: the list is empty")
    for number, row in enumerate(found, 1):
        if len(row) < len(found[0]):
            raise UserError(f"{path}: row {number} has {len(row)} of {len(found[0])} fields")
    return found


def name_column(path: Path, header: list[str]) -> tuple[str, int]:
    """`image` or `study`, as a table names them, and the number of that column."""
    lower = [name.lower() for name in header]
    for by, names in (("image", IMAGES), ("study", STUDIES)):
        for name in names:
            if name in lower:
                return by, lower.index(name)
    raise UserError(f"{path}: has no column image (or Path) and none Study; it begins {header[:3]}")


def tails(table: pa.Table, by: str) -> dict[str, dict[tuple[str, ...], set[str]]]:
    """Images by the ends of their paths, or of their studies' names.

    any: each end; whole: the whole name, or all but the folder in front.
    """
    found: dict[str, dict] = {"any": defaultdict(set), "whole": defaultdict(set)}
    names = table[by].to_pylist() if by in table.column_names else [None] * len(table)
    for image, name in zip(table["image"].to_pylist(), names, strict=True):
        parts = tuple((name or "").split("/")) if name else ()
        for at in range(len(parts)):
            found["any"][parts[at:]].add(image if by == "image" else (name, image))
            if at == 0 or (at == 1 and len(parts) > 2):
                found["whole"][parts[at:]].add(image if by == "image" else (name, image))
    return found


def match(path: Path, name: str, found: dict) -> Iterable[str]:
    """The image that a name means, or the images of the study; none if it is not there.

    Folders in front may be missing on one side: an absolute path, or only a file's name.
    """
    parts = tuple(name.replace("\\", "/").strip("/").split("/"))
    fitting = found["any"].get(parts, set())
    for at in range(1, len(parts)):
        fitting = fitting or found["whole"].get(parts[at:], set())
    studies = {one[0] for one in fitting if isinstance(one, tuple)}
    if len(studies) > 1 or (not studies and len(fitting) > 1):
        raise UserError(f"{path}: {name!r} is the name of several; write their paths")
    return [one[1] if isinstance(one, tuple) else one for one in fitting]


def value(path: Path, text: str, label: str) -> float:
    """A label as 1, 0 or NaN."""
    text = text.strip().lower().removesuffix(".0").removesuffix(",0")
    if text not in VALUES:
        raise UserError(f"{path}: {label} is {text!r}; it has to be 1, 0, -1 or empty")
    return VALUES[text]
