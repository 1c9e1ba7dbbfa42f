"""The `datasets:` entry of a folder or table: a publisher's layout, a table, or class folders."""

import importlib
import itertools
from pathlib import Path

import msgspec
import pandas as pd

from cxrgrid.config.checks import ADAPTERS, checked, modules
from cxrgrid.config.dataset import Dataset
from cxrgrid.config.errors import UserError
from cxrgrid.data import folder_layout, tables, walk
from cxrgrid.datasets import csv, folder
from cxrgrid.drafting import folder_names, image_columns, table_files
from cxrgrid.drafting.questions import Question

FALLBACKS = ("csv", "folder")
SHEETS = (".xls", ".xlsb", ".xlsm", ".ods", ".numbers", ".sav", ".dta", ".rds", ".pkl", ".feather")
BESIDE = 500  # folders beside one that are looked at


def recognised(root: Path) -> list[str]:
    """The adapters whose layout this is; one that cannot tell is not asked."""
    adapters = {
        name: importlib.import_module(f"cxrgrid.datasets.{name}")
        for name in modules(ADAPTERS)
        if name not in FALLBACKS
    }
    return [
        name
        for name, adapter in adapters.items()
        if hasattr(adapter, "recognise") and adapter.recognise(root)
    ]


def find(path: Path, adapter: str, classes: str = "", image: str = "") -> dict:
    """The `datasets:` entry for what lies there; an `adapter` that is given is not guessed.

    classes, image: the columns of a table, where they are not to be guessed; with `adapter: folder`
    classes is the expression that finds the class in a file's name.
    """
    if folder.UNDECODED.search(str(path)):
        raise UserError(f"{path}: the path is not UTF-8, as a study file is; rename the folder")
    if tables.file_of(path).is_file():
        if path.suffix.lower() in walk.SUFFIXES:
            raise UserError(f"{path}: is one image; give the folder that holds all of them")
        return table_files.entry(path, classes, image)
    if not path.is_dir():
        raise UserError(f"{path}: no such folder or table; check the path")
    if not any(path.iterdir()):
        raise UserError(f"{path}: the folder is empty; give the one that holds the images")
    adapter = adapter or one_of(path, recognised(path))
    if adapter == "folder":
        return folder_entry(path, classes)
    if adapter == "csv" or classes or image:
        beside = None if csv.recognise(path) else table_files.above(path, classes, image)
        return beside or table_files.entry(path, classes, image)
    if not adapter and isinstance(error := one_level_off(path, UserError()), Question):
        if not (whole := only_folder_of(path)):
            raise error
        print(f"{path}: all folders of {whole['root']}, which is laid out as {whole['adapter']!r}")
        return whole
    return {"adapter": adapter, "root": path.as_posix()} if adapter else fallback(path)


def one_of(path: Path, names: list[str]) -> str:
    """The layout, if it is one; `Question` if it is several, or if those are one level down."""
    if len(names) > 1:
        raise Question(
            f"{path}: looks like {' and like '.join(names)}; choose with --adapter {names[0]}",
            {name: {"adapter": name} for name in names},
        )
    for item in [] if names else image_columns.folders(path, deep=False):
        if inner := recognised(item):
            raise Question(
                f"{path}: {item} is laid out as {inner[0]!r}; give that folder",
                {str(item): {"path": item}},
            )
    return names[0] if names else ""


def one_level_off(path: Path, error: UserError) -> UserError:
    """The error; where a folder above is a publisher's layout, the `Question` that names it.

    A folder that is a publisher's itself has said what is wrong with it.
    """
    if isinstance(error, Question) or not path.exists() or (path.is_dir() and recognised(path)):
        return error
    below = path.absolute()
    for parent in list(path.absolute().parents)[:2]:
        own, below = below, parent
        if (inner := recognised(parent)) and not beside(own):
            here = parent.is_relative_to(Path.cwd())
            above = parent.relative_to(Path.cwd()) if here else parent
            text = f"{path}: lies in {above}, which is laid out as {inner[0]!r}; give that folder"
            own_way = {} if error.args else {f"{path} all the same": {"adapter": "folder"}}
            end = ", or say --adapter folder" if own_way else ""
            return Question(f"{text}{end}", {str(above): {"path": above}, **own_way})
    return error


def only_folder_of(path: Path) -> dict:
    """The entry of the folder above, if it is a publisher's and holds no other folder; else {}."""
    names = recognised(path.parent)
    others = [item for item in image_columns.folders(path.parent, deep=False) if item != path]
    return {"adapter": names[0], "root": path.parent.as_posix()} if names and not others else {}


def beside(own: Path) -> bool:
    """True if another folder beside this one is a publisher's layout: the one above is then not."""
    others = (item for item in own.parent.iterdir() if item != own and item.is_dir())
    return any(map(recognised, itertools.islice(others, BESIDE)))


def fallback(path: Path) -> dict:
    """`csv` where a table names the images, else `folder` where sub-folders are classes.

    `Question` where both could be meant: a table with patients or images that says no label.
    """
    classes = folder.recognise(path) and not only_parts(path)
    if csv.recognise(path) or (not classes and table_files.has_text(path)):
        try:
            return table_files.entry(path)
        except UserError as error:
            if not classes or isinstance(error, Question):
                raise
            if table_files.unused(path):
                raise Question(
                    f"{str(error).rstrip('.')}. If the folders are the classes, say --adapter "
                    "folder",
                    {"the folders are the classes": {"adapter": "folder"}},
                ) from None
            print(f"not used: {error}")
    elif not classes and (above := table_files.above(path)):
        return above
    elif sheet := next((item for item in path.glob("*.*") if is_sheet(item)), None):
        text = f"{sheet}: a table that is not read; save it as .csv or .xlsx"
        if not classes:
            raise UserError(text)
        print(f"not used: {text}")
    return folder_entry(path)


def is_sheet(path: Path) -> bool:
    """True for tables of other programs, by their ending."""
    return path.suffix.lower() in SHEETS


def only_parts(path: Path) -> bool:
    """True if the folders are parts of a split without any folder in them: no class is here."""
    inner = folder.inside(path)
    return all(folder_layout.part_of(item.name) and not folder.inside(item) for item in inner)


def folder_entry(path: Path, pattern: str = "") -> dict:
    """Class folders, or images whose names tell the class; pattern: how, if it is not guessed."""
    entry = {"adapter": "folder", "root": path.as_posix()}
    pattern = pattern or folder_names.class_pattern(path)
    return entry | ({"classes": pattern} if pattern else {})


def with_patients(entry: dict, frame: pd.DataFrame, name: str) -> tuple[dict, pd.DataFrame]:
    """Read anew with the patients that names or DICOM headers tell, if nothing else names them."""
    images = frame["image"].tolist()
    if entry["adapter"] not in FALLBACKS or entry.get("columns", {}).get("patient"):
        return entry, frame
    table, classes = entry["adapter"] == "csv", frame.attrs["labels"]
    found = folder_names.patient_settings(Path(entry["root"]), images, classes, table)
    if not found:
        return entry, frame
    again = read(entry | {"patient": found[0]}, name)
    if again["patient"].nunique() > frame["patient"].nunique():  # an id of the table's says more
        return entry, frame
    again.attrs["other_patients"] = found[1:]
    return entry | {"patient": found[0]}, again


def read(entry: dict, name: str) -> pd.DataFrame:
    """The dataset's images, as `index` will read them."""
    settings = msgspec.to_builtins(checked(entry, Dataset, f"datasets.{name}"))
    adapter = importlib.import_module(f"cxrgrid.datasets.{entry['adapter']}")
    frame = adapter.read(Path(entry["root"]), settings | {"dataset": name})
    frame.attrs.setdefault("labels", list(adapter.LABELS))
    if entry.get("blank", getattr(adapter, "BLANK", "")) == "absent":
        labels = frame.attrs["labels"]
        frame[labels] = frame[labels].fillna(0.0)
    frame.attrs["notes"] = [*frame.attrs["notes"], *walk.unopened(Path(entry["root"]))]
    return frame
