"""Patients of images by the setting `patient`, and what DICOM headers say of people."""

import re
from pathlib import Path

import numpy as np
import pandas as pd

from cxrgrid.config.errors import UserError
from cxrgrid.data import dicom, walk

HEADER = "PatientID"  # as `patient`: the DICOM attribute instead of an expression


def expression(settings: dict, name: str) -> re.Pattern | None:
    """A regular expression of the settings; None where there is none."""
    text = settings.get(name)
    try:
        return re.compile(text) if text else None
    except re.error as error:
        raise UserError(
            f"datasets.{settings['dataset']}.{name}: {text!r} is not a regular expression ({error})"
        ) from None


def radiographs(root: Path, frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The rows whose DICOM files are radiographs, or may be; a note on the others."""
    films = frame["image"][~frame["image"].str.lower().str.endswith(walk.PICTURES)]
    told = pd.Series(dicom.no_films(root, films.tolist()), films.index, object)
    other = told[told != ""]
    if other.empty:
        return frame, []
    counts = ", ".join(f"{kind} {number:,}" for kind, number in other.value_counts().items())
    note = f"DICOM files that are no radiographs by their modality, left out: {counts}."
    return frame.drop(other.index), [note]


def of(root: Path, images: pd.Series, settings: dict) -> pd.Series:
    """The expression's match in each file's name, in its path if it names a `/`; else the image.

    `attrs["notes"]`: on ids of DICOM headers that were taken for one.
    """
    if not settings["patient"]:
        return images
    if settings["patient"] == HEADER:
        told = pd.Series(dicom.attributes(root, images.tolist(), HEADER), images.index, object)
        told, merged = one_spelling(told)
        found = told.where(told != "", images)
        found.attrs["notes"] = merged
        return found
    where, pattern = f"datasets.{settings['dataset']}.patient", expression(settings, "patient")
    whole = "/" in settings["patient"]
    group = min(pattern.groups, 1)
    matches = [pattern.search(image if whole else image.rsplit("/", 1)[-1]) for image in images]
    found = pd.Series([match[group] if match else None for match in matches], images.index, object)
    missing = images[found.isna() | (found == "")]
    if len(missing):
        raise UserError(
            f"{where}: {settings['patient']!r} finds no patient in {len(missing)} of "
            f"{len(images)} file names, first {missing.iloc[0]!r}; widen the expression"
        )
    return found


def one_spelling(ids: pd.Series) -> tuple[pd.Series, list[str]]:
    """Ids that differ in case, spaces, zeros in front or `.0` alone as one of them; a note on them.

    Else one person could stand in two parts of a split.
    """
    keys = {one: key_of(one) for one in sorted(set(ids), reverse=True)}
    first = {key: one for one, key in keys.items()}
    merged = {key for one, key in keys.items() if first[key] != one}
    if not merged:
        return ids, []
    some = " and ".join(repr(one) for one in sorted(keys) if keys[one] == min(merged))
    text = (
        f"Patients whose ids differ in case, spaces or zeros alone, as {some}, each taken for one"
    )
    return ids.map(lambda one: first[keys[one]]), [f"{text}: {len(merged):,}."]


def key_of(one: str) -> str:
    """An id without what programs and people change in it."""
    plain = " ".join(one.casefold().split())
    whole = re.sub(r"^(\d+)\.0+$", r"\1", plain)
    return str(int(whole)) if whole.isdigit() and whole.isascii() else plain


def about(root: Path, images: pd.Series) -> dict:
    """View, sex and age by the headers of DICOM files; unknown of pictures."""
    films = images[~images.str.lower().str.endswith(walk.PICTURES)]
    if films.empty:
        return {"view": None, "sex": None, "age": np.nan}
    told = pd.DataFrame(dicom.people(root, films.tolist()), films.index).reindex(images.index)
    text = told[["view", "sex"]].astype(object)
    return {**text.where(text.notna(), None), "age": told["age"].astype(float)}


def note(settings: dict) -> str:
    """Sentence for the reader on how patients are told apart by the setting."""
    if settings["patient"]:
        where = "DICOM header" if settings["patient"] == HEADER else "file name"
        return f"The patient is what {settings['patient']!r} finds in the {where}."
    return (
        "No patient is known: each image counts as its own, so that one patient's images may "
        f"stand in several splits; set datasets.{settings['dataset']}.patient if names tell."
    )
