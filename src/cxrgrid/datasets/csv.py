"""Any table with one row an image: a CSV file that names images, labels and, if known, patients.

Labels are 1, 0, -1 (uncertain) or blank.
"""

import posixpath
from pathlib import Path

import numpy as np
import pandas as pd

from cxrgrid.config.errors import UserError, suggest
from cxrgrid.data import publisher_files

TASK = "multilabel"
LABELS = []
SPLITS = ["column"]
SOURCE = (
    "Write a CSV file with a row an image (its path, its labels as 1, 0 or blank, and its patient) "
    "and set datasets.<name>.root to the folder that the paths start from"
)
BLANK = "ignore"
TERMS = "As stated by the owner of the images."
CREDENTIALED = False
PHANTOM = {}

VALUES = {"1": 1.0, "1.0": 1.0, "0": 0.0, "0.0": 0.0, "": np.nan, "-1": -1.0, "-1.0": -1.0}
PARTS = {name: name for name in ("train", "trainval", "val", "test")}
PARTS |= {"valid": "val", "validate": "val", "validation": "val", "": None}
SEXES = {"m": "M", "male": "M", "f": "F", "female": "F"}
MISSING = ("", "na", "n/a", "nan", "<na>", "none", "null")  # as programs write that nobody is named
FILES = ("*.csv", "*/*.csv")  # where `recognise` looks for one
OPTIONAL = ("study", "view", "sex", "age")


def read(root: Path, settings: dict) -> pd.DataFrame:
    """The rows whose image is there, each image once."""
    root, columns, labels = Path(root), settings["columns"], list(settings["labels"])
    path = root / columns["file"]
    raw = read_rows(path)
    rows = select(raw, columns, labels, path)
    frame = rows.assign(
        image=below(rows["image"], path), **optional(rows), **values(rows, labels, path)
    )
    blank = frame["patient"].str.lower().isin(MISSING)
    frame["patient"] = frame["patient"].where(~blank, frame["image"])
    frame["study"] = frame["study"].where(frame["study"] != "", frame["image"])
    if columns["split"]:
        frame["split:column"] = parts(frame["split:column"], columns["split"], path)
    once = distinct(frame, path)
    kept = once[on_disk(root, once["image"])]
    if kept.empty:
        raise UserError(
            f"{path}: none of its images is there, first {root / once['image'].iloc[0]}"
            f"; paths in the column {columns['image']!r} start from {root}"
        )
    kept = kept.sort_values("image", ignore_index=True)
    steps = {f"rows in {columns['file']}": frame, "listed once": once, "image file found": kept}
    kept.attrs["labels"] = labels
    kept.attrs["accounting"] = publisher_files.accounting(steps)
    kept.attrs["notes"] = notes(steps, int(blank.sum()), settings)
    return kept


def recognise(root: Path) -> bool:
    """Whether there is a CSV file; what is in it, `cxrgrid.drafting.guesses` looks at."""
    return any(True for pattern in FILES for _ in root.glob(pattern))


def read_rows(path: Path) -> pd.DataFrame:
    """The file as stripped text; the index is the line of each row."""
    if not path.is_file():
        there = sorted(found.name for found in path.parent.glob("*.csv*"))
        raise UserError(f"{path}: no such file; {suggest(path.name, there)} ({SOURCE})")
    try:
        # The header is read as a row: pandas would rename a column that is there twice.
        rows = pd.read_csv(
            path,
            header=None,
            dtype=str,
            keep_default_na=False,
            na_filter=False,
            skip_blank_lines=False,
            low_memory=False,
        )
    except (ValueError, UnicodeDecodeError, OSError) as error:
        first = str(error).strip().splitlines()[-1]
        raise UserError(f"{path}: not a table of comma-separated UTF-8 text ({first})") from None
    rows = rows.fillna("").apply(lambda column: column.str.strip())
    # Spreadsheets break long headers into lines.
    header, rows = (
        rows.iloc[0].str.replace(r"\s*[\r\n]\s*", " ", regex=True).tolist(),
        rows.iloc[1:],
    )
    rows = rows.set_axis(header, axis=1).set_axis(range(2, len(rows) + 2))
    return rows[(rows != "").any(axis=1)]


def select(rows: pd.DataFrame, columns: dict, labels: list[str], path: Path) -> pd.DataFrame:
    """The columns that are used, by the names that they have here."""
    header = rows.columns.tolist()
    taken = {"image": columns["image"], "patient": columns["patient"]}
    taken |= {"split:column": columns["split"]}
    taken |= {name: same(name, header) for name in OPTIONAL} | {label: label for label in labels}
    for name in filter(None, taken.values()):
        if header.count(name) != 1:
            what = "no column" if name not in header else "two columns"
            raise UserError(f"{path}: {what} {name!r}; {describe(name, header)}")
    blank = pd.Series("", rows.index)
    found = {name: rows[source] if source else blank for name, source in taken.items()}
    if not columns["split"]:
        found.pop("split:column")
    if len(rows) == 0:
        raise UserError(f"{path}: a header, but no row below it")
    return pd.DataFrame(found)


def same(name: str, header: list[str]) -> str:
    """The column of that name in upper or lower case; empty if there is none."""
    return next((column for column in header if column.lower() == name), "")


def describe(name: str, header: list[str]) -> str:
    """What a reader needs to find the right column, or the right delimiter."""
    if len(header) == 1 and (sign := next((s for s in ";\t|" if s in header[0]), "")):
        return f"its columns seem to be parted by {sign!r}; save it with commas"
    return f"{suggest(name, header)} Its columns: {', '.join(header[:20])}"


def values(rows: pd.DataFrame, labels: list[str], path: Path) -> dict[str, pd.Series]:
    """Each label as 1, 0, -1 or NaN."""
    for label in labels:
        wrong = ~rows[label].isin(list(VALUES))
        if wrong.any():
            line, value = rows.index[wrong][0], rows.loc[wrong, label].iloc[0]
            raise UserError(
                f"{path}: line {line}, column {label!r}: {value!r} is no label; write 1, 0, "
                "nothing (unknown) or -1 (uncertain)"
            )
    return {label: rows[label].map(VALUES).astype(float) for label in labels}


def parts(given: pd.Series, column: str, path: Path) -> pd.Series:
    """The shipped split of each row, None where the field is empty."""
    lower = given.str.lower()
    wrong = ~lower.isin(list(PARTS))
    if wrong.any():
        raise UserError(
            f"{path}: line {given.index[wrong][0]}, column {column!r}: "
            f"{given[wrong].iloc[0]!r} is no split; write train, val, test, trainval or nothing"
        )
    return pd.Series([PARTS[name] for name in lower], given.index, object)


def below(images: pd.Series, path: Path) -> pd.Series:
    """Paths below root in one spelling; `UserError` for one that is empty or leads out of it."""
    spelled = images.str.replace("\\", "/").map(posixpath.normpath)
    wrong = (images == "") | spelled.str.match(r"/|[A-Za-z]:|\.\.(/|$)|.*[\x00-\x1f]")
    if wrong.any():
        line, image = images.index[wrong][0], images[wrong].iloc[0]
        raise UserError(f"{path}: line {line}: the image {image!r} is no path below root")
    return spelled


def distinct(frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Each image once; `UserError` if two of its rows differ."""
    once = frame.drop_duplicates()
    twice = once["image"].duplicated(keep=False)
    if twice.any():
        image = once.loc[twice, "image"].iloc[0]
        lines = once.index[once["image"] == image]
        raise UserError(
            f"{path}: lines {lines[0]} and {lines[1]} say different things of the image {image!r}; "
            "keep one"
        )
    return once


def on_disk(root: Path, images: pd.Series) -> list[bool]:
    """Whether each file is there; each folder is listed once, which network disks thank for."""
    listed: dict[str, set[str]] = {}
    for folder in {posixpath.dirname(image) for image in images}:
        try:
            listed[folder] = {item.name for item in (root / folder).iterdir()}
        except OSError:  # not there, a file, or a name that is too long for the disk
            listed[folder] = set()
    return [posixpath.basename(image) in listed[posixpath.dirname(image)] for image in images]


def optional(rows: pd.DataFrame) -> dict[str, pd.Series]:
    """Study, view, sex and age where the file has such columns."""
    age = pd.to_numeric(rows["age"], errors="coerce").astype(float)
    view = rows["view"].str.upper()
    return {
        "study": rows["study"],
        "view": view.astype(object).where(view != "", None),
        "sex": pd.Series([SEXES.get(sex.lower()) for sex in rows["sex"]], rows.index, object),
        "age": age.where(age.between(0, 120)),
    }


def notes(steps: dict, blank: int, settings: dict) -> list[str]:
    """What was dropped or read as something else, in sentences."""
    rows, once, kept = (len(part) for part in steps.values())
    anonymous = (
        f"Rows without a patient (datasets.{settings['dataset']}.columns.patient), each counted as "
        "its own, so that one patient's images may stand in several splits"
    )
    found = {
        "Rows that repeat another one, dropped": rows - once,
        "Listed images that are not on disk, left out": once - kept,
        anonymous: blank,
    }
    return [f"{text}: {count:,}." for text, count in found.items() if count]
