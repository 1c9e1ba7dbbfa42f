"""Look at a folder of images, or a CSV file, and write a study that runs on it as it stands.

Recognises the layouts of src/cxrgrid/datasets; else sub-folders are classes, or a CSV file names
images and labels. Prints what it found, writes studies/<name>.yaml and never over a file.

Examples:
  python -m cxrgrid.new data/mine                 # for a GPU
  python -m cxrgrid.new data/mine --quick         # small, for a laptop
  python -m cxrgrid.new data/mine/labels.csv --name ward
"""

import argparse
import importlib
import os
import re
from pathlib import Path

import msgspec
import pandas as pd
import yaml

from cxrgrid.config.checks import ADAPTERS, checked, modules
from cxrgrid.config.dataset import Dataset
from cxrgrid.config.errors import UserError, known
from cxrgrid.config.grid import Grid
from cxrgrid.data import walk
from cxrgrid.datasets import csv, folder
from cxrgrid.drafting import description, guesses, image_columns, study_file, table_files
from cxrgrid.io import cli

FALLBACKS = ("csv", "folder")


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


def find(path: Path, adapter: str, classes: str = "") -> dict:
    """The `datasets:` entry for what lies there; an `adapter` that is given is not guessed."""
    if folder.UNDECODED.search(str(path)):
        raise UserError(f"{path}: the path is not UTF-8, as a study file is; rename the folder")
    if path.is_file():
        if path.suffix.lower() in walk.SUFFIXES:
            raise UserError(f"{path}: is one image; give the folder that holds all of them")
        return guesses.table(path.parent, path, classes)
    if not path.is_dir():
        raise UserError(f"{path}: no such folder or table; check the path")
    if not any(path.iterdir()):
        raise UserError(f"{path}: the folder is empty; give the one that holds the images")
    adapter = adapter or one_of(path, recognised(path))
    if adapter == "csv" or classes:
        return table_files.entry(path, classes)
    return {"adapter": adapter, "root": path.as_posix()} if adapter else fallback(path)


def one_of(path: Path, names: list[str]) -> str:
    """The layout, if it is one; `UserError` if it is several, or if those are one level down."""
    if len(names) > 1:
        raise UserError(
            f"{path}: looks like {' and like '.join(names)}; choose with --adapter {names[0]}"
        )
    for item in [] if names else image_columns.folders(path, deep=False):
        if inner := recognised(item):
            raise UserError(f"{path}: {item} is laid out as {inner[0]!r}; give that folder")
    return names[0] if names else ""


def fallback(path: Path) -> dict:
    """`csv` where a table names the images, else `folder` where sub-folders are classes.

    `UserError` where both could be meant: a table with patients or images that says no label.
    """
    classes = folder.recognise(path)
    if csv.recognise(path):
        try:
            return table_files.entry(path)
        except UserError as error:
            if not classes:
                raise
            if table_files.unused(path):
                raise UserError(
                    f"{error} If the folders are the classes, say --adapter folder"
                ) from None
            print(f"not used: {error}")
    elif not classes and csv.recognise(path.parent):
        return table_files.above(path)
    return {"adapter": "folder", "root": path.as_posix()}


def read(entry: dict, name: str) -> pd.DataFrame:
    """The dataset's images, as `index` will read them."""
    settings = msgspec.to_builtins(checked(entry, Dataset, f"datasets.{name}"))
    adapter = importlib.import_module(f"cxrgrid.datasets.{entry['adapter']}")
    frame = adapter.read(Path(entry["root"]), settings | {"dataset": name})
    frame.attrs.setdefault("labels", list(adapter.LABELS))
    return frame


def complete(entry: dict, frame: pd.DataFrame) -> tuple[dict, dict]:
    """The entry with patients, labels and split chosen, and what to say beside them."""
    labels = frame.attrs["labels"]
    same = description.constant(frame, labels)
    chosen = [label for label in labels if label not in same]
    if not chosen:
        raise UserError(f"{entry['root']}: nothing to tell apart in {', '.join(labels)}")
    if frame["patient"].nunique() < 3:
        raise UserError(f"{entry['root']}: 3 patients are needed for train, val and test")
    lists = guesses.shipped(frame)
    split = next((name for name, fault in lists.items() if not fault), "patient")
    faults = [f"not {name!r}, as {fault}" for name, fault in lists.items() if fault]
    notes = {
        "labels": {label: description.share(frame[label]) for label in chosen},
        "left_out": {label: f"always {value}" for label, value in same.items()},
        "split": "; ".join([about_split(split), *faults]),
        "patient": about_patients(frame),
        "task": exclusive(frame, chosen)
        if entry["adapter"] == "csv" and "task" not in entry
        else "",
    }
    return entry | {"labels": chosen, "split": {"name": split}}, notes


def about_split(name: str) -> str:
    """What the chosen split is, and what else there is."""
    if name == "patient":
        return "by patient, stratified: 70 % train, 10 % val, 20 % test"
    return "as shipped with the images; `patient` divides anew, by patient"


def about_patients(frame: pd.DataFrame) -> str:
    """Who the patients are, in the study file."""
    if not description.is_known(frame):
        return "no patient is known: each image counts as its own"
    patients = frame["patient"].nunique()
    return f"{patients:,} patients, {len(frame) / patients:.1f} images each"


def exclusive(frame: pd.DataFrame, labels: list[str]) -> str:
    """A suggestion, where each image has exactly one of several labels."""
    one = len(labels) > 1 and (frame[labels].sum(axis=1) == 1).all()
    return "each image has exactly one label: classes that compete" if one else ""


def with_patients(entry: dict, frame: pd.DataFrame, name: str) -> tuple[dict, pd.DataFrame]:
    """For `folder`: read anew with the patients that file names tell, if they do."""
    pattern = (
        guesses.patient_pattern(frame["image"].tolist()) if entry["adapter"] == "folder" else ""
    )
    if not pattern:
        return entry, frame
    entry = entry | {"patient": pattern}
    return entry, read(entry, name)


def report(entry: dict, frame: pd.DataFrame) -> list[str]:
    """What was found, a line each, and what is odd about it."""
    files = description.open_some(Path(entry["root"]), frame["image"].tolist())
    if len(files["broken"]) == files["opened"]:
        raise UserError(f"{entry['root']}: none of {files['opened']} opened files is an image")
    labels, lines, last = frame.attrs["labels"], [f"{entry['root']}: {entry['adapter']}"], ""
    for what, text in description.describe(frame, labels, files):
        lines.append(f"  {what if what != last else '':9} {text}")
        last = what
    if pattern := entry.get("patient"):
        lines.append(
            f"  patient   '{pattern}' finds it in each file name: check that this is right"
        )
    if columns := entry.get("columns"):
        lines.append(f"  columns   {study_file.flow(columns)[1:-1]}")
    odd = description.odd(frame, labels, files, frame.attrs["accounting"])
    # What `folder` notes is all above.
    notes = frame.attrs["notes"] if entry["adapter"] != "folder" else []
    return [*lines, *(f"  - {text}" for text in notes), *(f"  ! {text}" for text in odd)]


def called(path: Path, given: str, quick: bool) -> str:
    """The study's name: as given, or the folder's in letters that a name may have."""
    if given:
        return given
    whole = (path.parent if path.is_file() else path).resolve().name
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "-", whole).strip("-._") or "mine"
    # The quick study has smaller images: another dataset, which needs a name of its own.
    return f"{plain}-quick" if quick else f"{plain}-images" if plain == "val" else plain


def schema_from(out: Path) -> str:
    """The schema from which editors complete, as seen from the study file; empty if not there."""
    schema = Path("workflow/schemas/config.schema.json")
    return os.path.relpath(schema, out.parent) if schema.is_file() else ""


def main(argv: list[str] | None) -> None:
    """Look, tell, write."""
    args = arguments(argv)
    name = called(args.path, args.name, args.quick)
    out = args.out or Path(f"studies/{name}.yaml")
    if args.adapter:
        known(args.adapter, modules(ADAPTERS), "--adapter", "adapter")
    if out.exists() and not args.force:
        raise UserError(f"{out}: is there already; choose another --name or --out, or add --force")
    entry = find(args.path, args.adapter, args.classes)
    entry, frame = with_patients(entry, read(entry, name), name)
    print("\n".join(report(entry, frame)))
    entry, notes = complete(entry, frame)
    notes |= {"source": args.path.as_posix(), "out": out.as_posix()}
    text = study_file.write(name, entry, notes, args.quick, schema_from(out))
    Grid(yaml.safe_load(text)).check_files()
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text, encoding="utf-8")
    print(f"\nwrote {out}; next:")
    print(
        f"  snakemake -n --configfile {out}      # what would run\n  snakemake --configfile {out}"
    )


def arguments(argv: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = cli.parser("new", __doc__)
    parser.add_argument("path", type=Path, metavar="FOLDER", help="the images' folder, or a CSV")
    parser.add_argument("--name", default="", help="of study and dataset; the folder's if left out")
    parser.add_argument("--out", type=Path, help="study file; studies/<name>.yaml if left out")
    parser.add_argument("--adapter", default="", help="a layout that is not to be guessed")
    parser.add_argument("--classes", default="", help="of a table: the column that names classes")
    parser.add_argument("--quick", action="store_true", help="a small grid, for a laptop")
    parser.add_argument("--force", action="store_true", help="write over the study file")
    return parser.parse_args(argv)


if __name__ == "__main__":
    cli.run(main)
