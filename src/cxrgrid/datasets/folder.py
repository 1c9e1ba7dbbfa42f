"""Any image folder with one sub-folder a class, whole or below train, val and test.

root/COVID/a.png                 one sub-folder a class
root/train/COVID/a.png           the same three times: a shipped split list, `folders`
"""

import itertools
import os
import re
from pathlib import Path

import numpy as np
import pandas as pd

from cxrgrid.config.errors import UserError

TASK = "multiclass"
LABELS = []
SPLITS = ["folders"]
SOURCE = (
    "Put the images into one sub-folder a class (or into train, val and test with one sub-folder "
    "a class each) and set datasets.<name>.root to the folder above"
)
TERMS = "As stated by the owner of the images."
CREDENTIALED = False
PHANTOM = {}

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
PARTS = ("train", "val", "test")
UNDECODED = re.compile("[\udc80-\udcff]")  # how Python shows bytes of a name that are not UTF-8


def read(root: Path, settings: dict) -> pd.DataFrame:
    """Every image in a class folder; its class is the folder's name."""
    root = Path(root)
    files = list_images(root)
    paths = [path for path in files if not UNDECODED.search(path)]
    if not paths:
        raise UserError(f"{root}: no image ({', '.join(SUFFIXES)}) in it. {SOURCE}")
    shipped = has_parts(paths)
    frame = pd.DataFrame([row for path in paths if (row := parse(path, shipped))])
    labels = sorted(set(frame["class"])) if len(frame) else []
    if len(labels) < 2:
        found = f"only the folder {labels[0]!r}" if labels else "none"
        raise UserError(f"{root}: two or more class folders are needed, {found} is there. {SOURCE}")
    frame["patient"] = patients(frame["image"], settings)
    frame = finish(frame, labels)
    kept = {"images": len(frame), "patients": int(frame["patient"].nunique())}
    frame.attrs["labels"] = labels
    frame.attrs["accounting"] = [
        {"step": "image files", "images": len(files), "patients": kept["patients"]},
        {"step": "in a class folder", **kept},
    ]
    left_out = {
        "Images whose path is not UTF-8, left out": len(files) - len(paths),
        "Images in no class folder, left out": len(paths) - len(frame),
    }
    frame.attrs["notes"] = notes(left_out, settings)
    return frame


def recognise(root: Path) -> bool:
    """Whether two folders hold images, directly below root or below its `train`."""
    for base in (root, root / "train"):
        items = os.scandir(base) if base.is_dir() else []
        folders = [base / item.name for item in items if item.is_dir() and item.name[0] != "."]
        if sum(map(holds_image, folders[:50])) > 1:
            return True
    return False


def holds_image(folder: Path) -> bool:
    """Whether an image is among the first names in the folder and in those below it."""
    names = (path.name.lower() for path in itertools.islice(folder.rglob("[!.]*"), 1000))
    return any(name.endswith(SUFFIXES) for name in names)


def list_images(root: Path) -> list[str]:
    """Paths below root, sorted; hidden files (macOS adds `._x.png` to archives) are no images."""
    found = []
    for folder, below, names in os.walk(root, followlinks=True):
        here = Path(folder)
        below[:] = [name for name in below if not name.startswith(".") and ends(here / name)]
        for name in names:
            if name.lower().endswith(SUFFIXES) and not name.startswith("."):
                found.append((here / name).relative_to(root).as_posix())
    return sorted(found)


def ends(folder: Path) -> bool:
    """Whether a walk into the folder ends: a link to a folder above it would go round for ever."""
    return not folder.is_symlink() or not folder.parent.resolve().is_relative_to(folder.resolve())


def has_parts(paths: list[str]) -> bool:
    """Whether classes lie below train and one of val and test, not directly below root."""
    tops = {path.split("/")[0] for path in paths if path.count("/") >= 2}
    return "train" in tops and len(tops.intersection(PARTS)) >= 2


def parse(path: str, shipped: bool) -> dict | None:
    """Image, class and shipped split of one path; None if it lies in no class folder."""
    part, rest = path.split("/", 1) if shipped and "/" in path else (None, path)
    if "/" not in rest or (shipped and part not in PARTS):
        return None
    row = {"image": path, "class": rest.split("/")[0]}
    return row | ({"split:folders": part} if shipped else {})


def patients(images: pd.Series, settings: dict) -> pd.Series:
    """The expression's match in each file name; the image itself if there is no expression."""
    if not settings["patient"]:
        return images
    where = f"datasets.{settings['dataset']}.patient"
    try:
        pattern = re.compile(settings["patient"])
    except re.error as error:
        raise UserError(
            f"{where}: {settings['patient']!r} is not a regular expression ({error})"
        ) from None
    group = min(pattern.groups, 1)
    matches = [pattern.search(image.rsplit("/", 1)[-1]) for image in images]
    found = pd.Series([match[group] if match else None for match in matches], images.index, object)
    missing = images[found.isna() | (found == "")]
    if len(missing):
        raise UserError(
            f"{where}: {settings['patient']!r} finds no patient in {len(missing)} of "
            f"{len(images)} file names, first {missing.iloc[0]!r}; widen the expression"
        )
    return found


def finish(frame: pd.DataFrame, labels: list[str]) -> pd.DataFrame:
    """The contract's columns: what a folder cannot tell is unknown."""
    unknown = {"study": frame["image"], "view": None, "sex": None, "age": np.nan}
    one_hot = {label: (frame["class"] == label).astype(float) for label in labels}
    clash = sorted(set(one_hot) & {*frame, *unknown} - {"class"})
    if clash:
        raise UserError(f"class folder {clash[0]!r}: cxrgrid has a column of this name; rename it")
    return pd.concat(
        [frame.drop(columns="class"), pd.DataFrame({**unknown, **one_hot}, frame.index)], axis=1
    ).sort_values("image", ignore_index=True)


def notes(left_out: dict[str, int], settings: dict) -> list[str]:
    """What a reader should know of how this folder was read."""
    found = [f"{text}: {count:,}." for text, count in left_out.items() if count]
    if settings["patient"]:
        return [*found, f"The patient is what {settings['patient']!r} finds in the file name."]
    return [
        *found,
        "No patient is known: each image counts as its own, so that one patient's images may "
        f"stand in several splits; set datasets.{settings['dataset']}.patient if names tell.",
    ]
