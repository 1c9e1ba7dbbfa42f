"""Other readings of a dataset, as comments of the study file: columns and expressions not taken."""

from pathlib import Path

import msgspec
import pandas as pd

from cxrgrid.config.preparation import Columns
from cxrgrid.data import patients
from cxrgrid.datasets import csv
from cxrgrid.drafting import class_columns, guesses

MOST = 3  # alternatives of a kind that are written
NAMES = 4  # classes that are named


def of_patients(entry: dict, frame: pd.DataFrame) -> list[tuple[dict, str]]:
    """Settings under which images have other patients, and a word on each."""
    told = []
    for how in frame.attrs.get("other_patients", []):
        if text := by_setting(entry, frame, how):
            told.append(({"patient": how}, text))
    if columns := entry.get("columns"):
        rows = table(columns, entry["root"])
        taken = [name for name in (columns["image"], columns.get("split")) if name]
        own = columns.get("patient")
        others = [n for n in guesses.patient_columns(rows.drop(columns=taken)) if n != own]
        others = [n for n in others if own and not class_columns.same_rows(rows[n], rows[own])]
        told += [
            ({"columns": columns | {"patient": name}}, f"{rows[name].nunique():,} patients")
            for name in others
        ]
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
    keys = [key for key in ("image", "patient", "split", "classes") if columns.get(key)]
    taken = {*guesses.patient_columns(rows), *(columns[key] for key in keys), *entry["labels"]}
    left = rows.drop(columns=[name for name in rows if name in taken])
    each = guesses.label_columns(left) if "classes" in columns else []
    found = {one.column: one.labels for one in class_columns.candidates(left)}
    found |= {guesses.EACH: each} if each else {}
    return {
        name: ", ".join(labels[:NAMES]) + ", …" * (len(labels) > NAMES)
        for name, labels in list(found.items())[-MOST:]
    }


def table(columns: dict, root: str) -> pd.DataFrame:
    """The rows that an entry names, as text; without columns whose name is there twice."""
    rows, _ = csv.stacked(Path(root), msgspec.convert(columns, Columns))
    rows = rows.loc[:, ~rows.columns.duplicated(keep=False)]
    return rows.drop(columns=[csv.PART] * (csv.PART in rows))
