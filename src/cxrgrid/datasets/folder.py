"""Any image folder with one sub-folder per class, whole or below train, val and test.

root/COVID/a.png                 one sub-folder per class, PNG, JPEG, …, or DICOM
root/train/COVID/a.png           the same three times: a shipped split list, `folders`
root/COVID-1.png                 with `classes`, a regular expression that finds the class
"""

import itertools
import os
import re
from pathlib import Path

import numpy as np
import pandas as pd

from cxrgrid.config.errors import UserError, known
from cxrgrid.data import dicom, folder_layout, walk

TASK = "multiclass"
LABELS = []
SPLITS = ["folders"]
ORIGIN = ""
SOURCE = (
    "Put the images into one sub-folder a class (or into train, val and test with one sub-folder "
    "a class each) and set datasets.<name>.root to the folder above"
)
TERMS = "As stated by the owner of the images."
CREDENTIALED = False
PHANTOM = {}

UNDECODED = re.compile("[\udc80-\udcff]")  # how Python shows bytes of a name that are not UTF-8
HEADER = "PatientID"  # as `patient`: the DICOM attribute instead of an expression


def read(root: Path, settings: dict) -> pd.DataFrame:
    """Every image in a class folder; its class is the folder's name, or is found in the file's."""
    root = Path(root)
    found = walk.images(root)
    paths = [path for path in found.images if not UNDECODED.search(path)]
    if not paths:
        raise UserError(f"{root}: no image ({', '.join(walk.SUFFIXES)}) in it. {SOURCE}")
    layout = folder_layout.read(paths, expression(settings, "classes"))
    frame = pd.DataFrame(layout.rows)
    labels = sorted(set(frame["class"])) if len(frame) else []
    if len(labels) < 2:
        raise UserError(f"{root}: {too_few(labels, settings)}. {SOURCE}")
    frame["patient"] = patients(root, frame["image"], settings)
    frame = finish(root, frame, labels)
    kept = {"images": len(frame), "patients": int(frame["patient"].nunique())}
    frame.attrs["labels"] = labels
    frame.attrs["accounting"] = [
        {"step": "image files", "images": len(found.images), "patients": kept["patients"]},
        {"step": "in a class folder", **kept},
    ]
    left_out = {"Images whose path is not UTF-8": len(found.images) - len(paths), **layout.left_out}
    said = [f"{text}, left out: {count:,}." for text, count in left_out.items() if count]
    frame.attrs["notes"] = [*said, *notes(settings), *found.notes()]
    return frame


def check(root: Path, settings: dict) -> list[Path]:
    """The folders of the images, among whose classes are the labels of the settings."""
    paths = [path for path in walk.images(root).images if not UNDECODED.search(path)]
    if not paths:
        raise UserError(f"{root}: no image ({', '.join(walk.SUFFIXES)}) in it. {SOURCE}")
    layout = folder_layout.read(paths, expression(settings, "classes"))
    labels = sorted({row["class"] for row in layout.rows})
    if len(labels) < 2:
        raise UserError(f"{root}: {too_few(labels, settings)}. {SOURCE}")
    for label in settings["labels"]:
        known(label, labels, f"datasets.{settings['dataset']}.labels", "class")
    above = {folder for path in paths for folder in Path(path).parents}
    return [root / folder for folder in sorted(above)]


def too_few(labels: list[str], settings: dict) -> str:
    """That there are no two classes, and what there is."""
    found = f"only {labels[0]!r}" if labels else "none"
    if settings.get("classes"):
        return f"{settings['classes']!r} finds too few classes in the files' names: {found}"
    found = found.replace("only", "only the folder")
    return f"two or more class folders are needed, {found} is there: no labels to learn"


def recognise(root: Path) -> bool:
    """True if two folders hold images, directly below root, below its `train`, or a folder down."""
    folders = [item for item in inside(root) if holds_image(item)]
    if len(folders) > 1:
        return True
    return bool(folders) and sum(map(holds_image, inside(folders[0]))) > 1


def inside(folder: Path) -> list[Path]:
    """The first folders in a folder."""
    if not folder.is_dir():
        return []
    with os.scandir(folder) as items:
        names = (item.name for item in items if item.name[0] != "." and item.is_dir())
        return [folder / name for name in itertools.islice(names, 50)]


def holds_image(folder: Path) -> bool:
    """True if an image is among the first names in the folder and in those below it."""
    paths = itertools.islice(folder.rglob("[!.]*"), 1000)
    return any(path.name.lower().endswith(walk.SUFFIXES) or is_film(path) for path in paths)


def is_film(path: Path) -> bool:
    """True if a file begins as a DICOM file does."""
    try:
        with path.open("rb") as file:
            return dicom.starts(file.read(132))
    except OSError:  # a folder, or not to be read
        return False


def expression(settings: dict, name: str) -> re.Pattern | None:
    """A regular expression of the settings; None where there is none."""
    text = settings.get(name)
    try:
        return re.compile(text) if text else None
    except re.error as error:
        raise UserError(
            f"datasets.{settings['dataset']}.{name}: {text!r} is not a regular expression ({error})"
        ) from None


def patients(root: Path, images: pd.Series, settings: dict) -> pd.Series:
    """The expression's match in each file's name, in its path if it names a `/`; else the image."""
    if not settings["patient"]:
        return images
    if settings["patient"] == HEADER:
        told = pd.Series(dicom.attributes(root, images.tolist(), HEADER), images.index, object)
        return told.where(told != "", images)
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


def finish(root: Path, frame: pd.DataFrame, labels: list[str]) -> pd.DataFrame:
    """The contract's columns: what neither a folder nor a DICOM header tells is unknown."""
    told = about(root, frame["image"])
    unknown = {"study": frame["image"], **told}
    one_hot = {label: (frame["class"] == label).astype(float) for label in labels}
    clash = sorted(set(one_hot) & {*frame, *unknown} - {"class"})
    if clash:
        raise UserError(f"class folder {clash[0]!r}: cxrgrid has a column of this name; rename it")
    return pd.concat(
        [frame.drop(columns="class"), pd.DataFrame({**unknown, **one_hot}, frame.index)], axis=1
    ).sort_values("image", ignore_index=True)


def about(root: Path, images: pd.Series) -> dict:
    """View, sex and age by the headers of DICOM files; unknown of pictures."""
    films = images[~images.str.lower().str.endswith(walk.PICTURES)]
    if films.empty:
        return {"view": None, "sex": None, "age": np.nan}
    told = pd.DataFrame(dicom.people(root, films.tolist()), films.index).reindex(images.index)
    text = told[["view", "sex"]].astype(object)
    return {**text.where(text.notna(), None), "age": told["age"].astype(float)}


def notes(settings: dict) -> list[str]:
    """Sentences for the reader on how the folder was read."""
    if settings["patient"]:
        where = "DICOM header" if settings["patient"] == HEADER else "file name"
        return [f"The patient is what {settings['patient']!r} finds in the {where}."]
    return [
        "No patient is known: each image counts as its own, so that one patient's images may "
        f"stand in several splits; set datasets.{settings['dataset']}.patient if names tell."
    ]
