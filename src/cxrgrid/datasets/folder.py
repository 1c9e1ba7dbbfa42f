"""Any image folder with one sub-folder per class, whole or below train, val and test.

root/COVID/a.png                 one sub-folder per class, PNG, JPEG, …, or DICOM
root/train/COVID/a.png           the same three times: a shipped split list, `folders`
root/COVID-1.png                 with `classes`, a regular expression that finds the class
"""

import itertools
import os
import re
from pathlib import Path

import pandas as pd

from cxrgrid.config.errors import UserError, known
from cxrgrid.data import dicom, folder_layout, patients, walk

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

NEAR = 20  # folders of classes, as train, val and test, in which empty ones are looked for
UNDECODED = re.compile("[\udc80-\udcff]")  # how Python shows bytes of a name that are not UTF-8


def read(root: Path, settings: dict) -> pd.DataFrame:
    """Every image in a class folder; its class is the folder's name, or is found in the file's."""
    root = Path(root)
    found = walk.images(root)
    paths = [path for path in found.images if not UNDECODED.search(path)]
    if not paths:
        raise UserError(f"{root}: {no_image(Path(root), found)}. {SOURCE}")
    layout = folder_layout.read(paths, patients.expression(settings, "classes"))
    frame, others = pd.DataFrame(layout.rows), []
    if len(frame):
        frame, others = patients.radiographs(root, frame)
    labels = sorted(set(frame["class"])) if len(frame) else []
    if len(labels) < 2:
        raise UserError(f"{root}: {too_few(labels, settings)}. {SOURCE}")
    of = patients.of(root, frame["image"], settings)
    frame = frame.assign(patient=of)
    frame = finish(root, frame, labels)
    kept = {"images": len(frame), "patients": int(frame["patient"].nunique())}
    frame.attrs["labels"] = labels
    frame.attrs["in_no_class"] = layout.left_out[folder_layout.NO_CLASS]
    frame.attrs["accounting"] = [
        {"step": "image files", "images": len(found.images), "patients": kept["patients"]},
        {"step": "in a class folder" + " and a radiograph" * bool(others), **kept},
    ]
    left_out = {"Images whose path is not UTF-8": len(found.images) - len(paths), **layout.left_out}
    said = [f"{text}, left out: {count:,}." for text, count in left_out.items() if count]
    if nearly := folder_layout.spellings([row["image"] for row in layout.rows], labels):
        said.append(f"Folders read as the class that is spelt nearly so: {', '.join(nearly)}.")
    if empty := without_images(root, layout.rows):
        said.append(f"Folders beside the classes without an image: {', '.join(empty)}.")
    said += [*others, *of.attrs.get("notes", [])]
    frame.attrs["notes"] = [*said, patients.note(settings), *found.notes()]
    return frame


def check(root: Path, settings: dict) -> list[Path]:
    """The folders of the images, among whose classes are the labels of the settings."""
    found = walk.images(root)
    paths = [path for path in found.images if not UNDECODED.search(path)]
    if not paths:
        raise UserError(f"{root}: {no_image(Path(root), found)}. {SOURCE}")
    layout = folder_layout.read(paths, patients.expression(settings, "classes"))
    labels = sorted({row["class"] for row in layout.rows})
    if len(labels) < 2:
        raise UserError(f"{root}: {too_few(labels, settings)}. {SOURCE}")
    for label in settings["labels"]:
        known(label, labels, f"datasets.{settings['dataset']}.labels", "class")
    above = {folder for path in paths for folder in Path(path).parents}
    return [root / folder for folder in sorted(above)]


def without_images(root: Path, rows: list[dict[str, str]]) -> list[str]:
    """Folders beside those of classes in which no image is read, nor a mask."""
    beside: dict[str, set[str]] = {}
    holding: set[str] = set()
    for row in rows:
        folders = row["image"].split("/")[:-1]
        holding |= {"/".join(folders[:end]) for end in range(1, len(folders) + 1)}
        same = [at for at, name in enumerate(folders) if folder_layout.plain(name)
                == folder_layout.plain(row["class"])]  # fmt: skip
        if same:
            beside.setdefault("/".join(folders[: same[0]]), set())
    found = [f"{above}/{item.name}".lstrip("/") for above in sorted(beside)[:NEAR]
             for item in sorted(inside(root / above))]  # fmt: skip
    return [name for name in found if name not in holding and not holds_image(root / name)]


def no_image(root: Path, found: walk.Found) -> str:
    """That there is no image, what lies there instead, and what may hold some."""
    others = ", ".join(f"{number:,} {kind}" for kind, number in found.left_out.most_common(3))
    instead = f", but {others}" if others else ""
    return f"no image ({', '.join(walk.SUFFIXES)}) in it{instead}{walk.packed(root)}"


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


def finish(root: Path, frame: pd.DataFrame, labels: list[str]) -> pd.DataFrame:
    """The contract's columns: what neither a folder nor a DICOM header tells is unknown."""
    told = patients.about(root, frame["image"])
    unknown = {"study": frame["image"], **told}
    one_hot = {label: (frame["class"] == label).astype(float) for label in labels}
    clash = sorted(set(one_hot) & {*frame, *unknown} - {"class"})
    if clash:
        raise UserError(f"class folder {clash[0]!r}: cxrgrid has a column of this name; rename it")
    return pd.concat(
        [frame.drop(columns="class"), pd.DataFrame({**unknown, **one_hot}, frame.index)], axis=1
    ).sort_values("image", ignore_index=True)
