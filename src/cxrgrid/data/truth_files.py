"""Files that list test images or studies, with or without labels; no pandas: `score` uses it."""

import csv
import gzip
import logging
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa

from cxrgrid.config.errors import UserError

IMAGES = ("image", "path", "image index", "image_path", "file", "filename")
STUDIES = ("study",)
VALUES = {"1": 1.0, "0": 0.0, "-1": np.nan, "": np.nan, "nan": np.nan}
SOME = 3  # names in a message


def read(
    path: Path, table: pa.Table, labels: list[str]
) -> tuple[set[str], dict[str, dict[str, float]] | None]:
    """Images that a file lists, and by label and image the truth that it gives; None: no label.

    path: lines of image names, or CSV with a column `image` (or Path, …) or `Study` and, for a
    truth, columns named like labels: 1, 0, empty or -1 (unknown). `UserError` for a file that is
    neither.
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
    known = {label: header.index(label) for label in labels if label in header}
    truth = {
        label: {
            image: value(path, row[at], label)
            for row, images in zip(rows, named, strict=True)
            for image in images
        }
        for label, at in known.items()
    }
    return {image for images in named for image in images}, truth or None


def lines(path: Path) -> list[list[str]]:
    """The fields of each line, gzipped or not, without blank ones."""
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file) if ".csv" in path.suffixes else ([line] for line in file)
            found = [row for row in rows if any(field.strip() for field in row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
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
    text = text.strip().lower().removesuffix(".0")
    if text not in VALUES:
        raise UserError(f"{path}: {label} is {text!r}; it has to be 1, 0, -1 or empty")
    return VALUES[text]
