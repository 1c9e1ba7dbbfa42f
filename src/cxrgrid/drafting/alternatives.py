"""Other readings of a dataset, as comments of the study file: columns and expressions not taken."""

import re
from collections import Counter
from pathlib import Path

import msgspec
import pandas as pd

from cxrgrid.config.preparation import Columns
from cxrgrid.data import dicom, folder_layout, image_lookup, label_text, patients
from cxrgrid.datasets import csv
from cxrgrid.drafting import (
    class_columns,
    guesses,
    image_columns,
    layouts,
    split_columns,
    unclear_columns,
)

MOST = 3  # alternatives of a kind that are written
KEYS = ("image", "patient", "split", "classes")
SAID = (0, 1)  # values of a label that is known
NAMES = 4  # classes that are named


def of_settings(entry: dict, frame: pd.DataFrame) -> list[tuple[dict, str]]:
    """Settings under which patients, images or the split are others, and a word on each."""
    return [*of_patients(entry, frame), *of_image_columns(entry), *of_splits(entry)]


def of_patients(entry: dict, frame: pd.DataFrame) -> list[tuple[dict, str]]:
    """Settings under which images have other patients, and a word on each."""
    told = []
    for how in frame.attrs.get("other_patients", []):
        if text := by_setting(entry, frame, how):
            told.append(({"patient": how}, text))
    if columns := entry.get("columns"):
        rows = table(columns, entry["root"])
        taken = [name for name in (columns["image"], columns.get("split")) if name in rows]
        own = columns.get("patient")
        others = [n for n in guesses.patient_columns(rows.drop(columns=taken)) if n != own]
        others = [n for n in others if own and not class_columns.same_rows(rows[n], rows[own])]
        told += [
            ({"columns": columns | {"patient": name}}, f"{rows[name].nunique():,} patients")
            for name in others
        ]
    return told[:MOST]


def of_image_columns(entry: dict) -> list[tuple[dict, str]]:
    """Settings under which rows are of other images, by another column, and one that it names."""
    columns = entry.get("columns", {})
    if columns.get("match") != "tail":
        return []
    rows = table(columns, entry["root"])
    below = image_columns.images_below(Path(entry["root"]).absolute())
    look = image_lookup.lookup(Path(entry["root"]), below, "tail")
    own = [look(value) for value in image_columns.some(list(rows.get(columns["image"], [])))]
    told = []
    for name in rows.drop(columns=columns["image"], errors="ignore"):
        values = image_columns.some(list(rows[name]))
        found = [look(value) for value in values]
        if all(len(images) == 1 for images in found) and found != own and rows[name].is_unique:
            text = f"by {name}, {values[0]} is {found[0][0]}"
            told.append(({"columns": columns | {"image": name}}, text))
    return told[:MOST]


def of_splits(entry: dict) -> list[tuple[dict, str]]:
    """Settings under which a flag or a fold says the test images, none of whose patients is in the
    others, and a word on each."""
    columns = entry.get("columns", {})
    if not columns or columns.get("split") or columns.get("parts"):
        return []
    rows = table(columns, entry["root"])
    taken = [columns["image"], columns.get("patient", ""), *entry["labels"]]
    told = []
    for name, test in split_columns.other(rows.drop(columns=taken, errors="ignore")):
        given = {"columns": columns | {"split": name, "test": test}, "split": {"name": "column"}}
        frame = layouts.read(entry | given, "mine")  # patients may be found in names or headers
        if not guesses.shipped(frame)["column"]:
            images = (frame["split:column"] == "test").sum()
            told.append((given, f"{name} {test} is the test set, {images:,} images"))
    return told[:MOST]


def by_setting(entry: dict, frame: pd.DataFrame, how: str) -> str:
    """Number of patients by another value of `patient`; empty if they are the same."""
    if how == patients.HEADER:
        return "by the DICOM header"
    found = patients.of(Path(entry["root"]), frame["image"], {"patient": how, "dataset": ""})
    return (
        "" if class_columns.same_rows(found, frame["patient"]) else f"{found.nunique():,} patients"
    )


def of_classes(entry: dict) -> dict[str, str]:
    """Columns that might hold the classes instead, each with some of them."""
    columns = entry.get("columns")
    if not columns:
        return {}
    rows = table(columns, entry["root"])
    taken = {*guesses.patient_columns(rows), *(columns.get(key) for key in KEYS), *entry["labels"]}
    left = rows.drop(columns=[name for name in rows if name in taken])
    each = guesses.label_columns(left) if "classes" in columns else []
    found = {one.column: one.labels for one in class_columns.candidates(left)}
    found |= {guesses.EACH: each} if each else {}
    return {
        name: ", ".join(labels[:NAMES]) + ", …" * (len(labels) > NAMES)
        for name, labels in list(found.items())[-MOST:]
    }


def unused(entry: dict) -> list[str]:
    """Sentences on columns that are not read, though they look like something."""
    if not (columns := entry.get("columns")):
        return []
    rows = table(columns, entry["root"])
    codes = columns["join"]["by"] if columns.get("join") else ""
    taken = {*entry["labels"], *(columns.get(key) for key in KEYS), codes}
    taken |= {*columns.get("split", "").split("/")}
    left = rows.drop(columns=[name for name in rows if name in taken])
    nearly = [
        f"The column {name!r} is no label, as it holds {', '.join(map(repr, values))}, too."
        for name, values in unclear_columns.nearly_labels(left).items()
    ]
    nearly += [] if "classes" in columns else [
        f"Not read: {clause}." for clause in unclear_columns.two_readings(left)
    ]  # fmt: skip
    flags = [] if "classes" in columns else guesses.flag_columns(left)
    said = [
        f"No label, by what they are called: {', '.join(flags)}; add to `labels` what is one."
    ] if flags else []  # fmt: skip
    several, question = split_columns.unclear(left) if not columns.get("split") else ([], "")
    splits = [question] * bool(question) + [
        f"The column {name!r} may say a split, which is not used."
        for name in left
        if class_columns.PART.fullmatch(name) and left[name].nunique() > 1 and name not in several
    ]
    unknown = unknown_fields(rows, entry["labels"], columns.get("classes", ""))
    images = [*of_modalities(rows), *of_images(rows, columns, Path(entry["root"]))]
    return [*said, *unknown, *nearly[:MOST], *splits, *images]


def unknown_fields(rows: pd.DataFrame, labels: list[str], classes: str) -> list[str]:
    """A sentence on texts that are read as unknown; none where these are only left blank."""
    found: Counter = Counter()
    for name in {classes} & {*rows} if classes else labels:
        meant = label_text.meanings(rows[name])
        own = label_text.UNKNOWN if classes else {text for text in meant if meant[text] not in SAID}
        found.update(field for field in rows[name] if field and field.lower() in own)
    for text in label_text.NUMBERS:
        del found[text]
    words = ", ".join(f"{field!r} {number:,}" for field, number in found.most_common(MOST))
    return [f"Read as unknown or uncertain: {words}."] if found else []


def not_named(entry: dict, frame: pd.DataFrame) -> list[str]:
    """A sentence on images below the root that the table does not name."""
    if entry["adapter"] != "csv":
        return []
    below = folder_layout.without_masks(image_columns.images_below(Path(entry["root"]).absolute()))
    known = {*frame["image"], *frame.attrs.get("no_films", [])}
    others = [image for image in below if image not in known]
    text = f"{len(others):,} images lie there that the table does not name"
    return [f"{text}, as {others[0]!r}."] if others else []


def of_modalities(rows: pd.DataFrame) -> list[str]:
    """Sentences on rows of CT and the like, which are no radiographs, by a column of the table."""
    found = [name for name in rows if re.fullmatch(r"(image[ _]?)?modality", name, re.I)]
    kinds = {name: rows[name].str.upper().where(rows[name].str.upper().isin(dicom.NO_FILMS))
             for name in found}  # fmt: skip
    return [
        f"By the column {name!r}, {told.notna().sum():,} rows are of {told.dropna().iloc[0]}: take "
        "them out of the table if they are no radiographs."
        for name, told in kinds.items()
        if told.notna().any()
    ]


def of_images(rows: pd.DataFrame, columns: dict, base: Path) -> list[str]:
    """Sentences on columns that name other images."""
    if columns["image"] not in rows:  # two columns, which name an image together
        return []
    found = image_columns.candidates(rows.drop(columns=columns["image"]))
    return [
        f"The column {name!r} names images, too, which are not read."
        for name, values in found.items()
        if sum(image_columns.is_file(base, value) for value in values) * 2 > len(values)
        and not rows[name].equals(rows[columns["image"]])
    ]


def table(columns: dict, root: str) -> pd.DataFrame:
    """The rows that an entry names, as text; without columns whose name is there twice."""
    rows, _ = csv.stacked(Path(root), msgspec.convert(columns, Columns))
    rows = rows.loc[:, ~rows.columns.duplicated(keep=False)]
    return rows.drop(columns=[csv.PART] * (csv.PART in rows))
