"""Look at a folder of images, or a CSV file, and write a study that runs on it as it is.

Recognises the layouts of src/cxrgrid/datasets; else sub-folders are classes, or a CSV file names
images and labels. Prints what it found, asks at a terminal where two readings are possible, writes
studies/<name>.yaml and never over a file.

Examples:
  python -m cxrgrid.new data/mine                 # for a GPU
  python -m cxrgrid.new data/mine --quick         # small, for a laptop
  python -m cxrgrid.new data/mine/labels.csv --name ward
"""

import argparse
import os
import re
import shlex
from pathlib import Path

import pandas as pd
import yaml

from cxrgrid.config.checks import ADAPTERS, modules
from cxrgrid.config.errors import UserError, known
from cxrgrid.config.grid import Grid
from cxrgrid.data import patients, tables
from cxrgrid.drafting import (
    alternatives,
    assertions,
    class_folders,
    completion,
    description,
    layouts,
    same_files,
    study_file,
)
from cxrgrid.drafting.questions import Question, answered
from cxrgrid.io import cli
from cxrgrid.io.atomic import write_text

PATIENTS = (
    "The patient is what",
    "No patient is known: each image counts as its own, so",
)  # folder's


def report(entry: dict, frame: pd.DataFrame) -> list[str]:
    """Print the description of the dataset, and its oddities."""
    files = description.open_some(Path(entry["root"]), frame["image"].tolist())
    if len(files["broken"]) == files["opened"]:
        raise UserError(f"{entry['root']}: none of {files['opened']} opened files is an image")
    labels, lines, last = frame.attrs["labels"], [f"{entry['root']}: {entry['adapter']}"], ""
    described = description.describe(frame, labels, files)
    for what, text in [*described, *description.samples(frame, labels)]:
        lines.append(f"  {what if what != last else '':9} {text}")
        last = what
    if pattern := entry.get("patient"):
        lines.append(
            f"  patient   '{pattern}' finds it in each {place(pattern)}: check that this is right"
        )
    if pattern := entry.get("classes"):
        lines.append(
            f"  classes   '{pattern}' finds it in each {place(pattern)}: check that this is right"
        )
    if columns := entry.get("columns"):
        lines.append(f"  columns   {study_file.flow(columns)[1:-1]}")
    odd = description.odd(frame, labels, files, frame.attrs["accounting"])
    odd += same_files.remarks(Path(entry["root"]), frame, labels)
    odd += [*alternatives.unused(entry), *alternatives.not_named(entry, frame)]
    said = class_folders.passed_through(frame, labels) if entry["adapter"] == "folder" else []
    # Who the patients are is above.
    notes = said + [text for text in frame.attrs["notes"] if not text.startswith(PATIENTS)]
    return [*lines, *(f"  - {text}" for text in notes), *(f"  ! {text}" for text in odd)]


def place(pattern: str) -> str:
    """Place in which the setting `patient` looks."""
    inside = pattern == patients.HEADER
    return "DICOM header" if inside else "path" if "/" in pattern else "file name"


def called(path: Path, given: str, quick: bool) -> str:
    """The study's name: as given, or the folder's in letters that a name may have."""
    if given:
        return given
    whole = (path.parent if tables.file_of(path).is_file() else path).resolve().name
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "-", whole).strip("-._") or "mine"
    # The quick study has smaller images: another dataset, which needs a name of its own.
    return f"{plain}-quick" if quick else f"{plain}-images" if plain == "val" else plain


def schema_from(out: Path) -> str:
    """The schema from which editors complete, as seen from the study file; empty if not there."""
    schema = Path("workflow/schemas/config.schema.json")
    return os.path.relpath(schema, out.parent) if schema.is_file() else ""


def draft(args: argparse.Namespace, name: str, out: Path) -> str:
    """Look, tell, and the text of the study file; `Question` where two readings are possible."""
    entry = layouts.find(args.path, args.adapter, args.classes, args.image)
    entry = assertions.apply(entry) if args.negations else entry
    entry, frame = layouts.with_patients(entry, layouts.read(entry, name), name)
    print("\n".join(report(entry, frame)))
    entry, notes = completion.complete(entry, frame, bool(args.adapter))
    more = [*(["--name", args.name] if args.name else []), *["--quick"] * args.quick]
    notes |= {"source": args.path.as_posix(), "out": out.as_posix()}
    notes |= {"again": shlex.join([args.path.as_posix(), *more, "--force"])}
    return study_file.write(name, entry, notes, args.quick, schema_from(out))


def main(argv: list[str] | None) -> None:
    """Look, tell, ask where that is needed, write."""
    args = arguments(argv)
    name = called(args.path, args.name, args.quick)
    out = args.out or Path(f"studies/{name}.yaml")
    if args.adapter:
        known(args.adapter, modules(ADAPTERS), "--adapter", "adapter")
    if out.exists() and not (args.force or args.dry_run):
        raise UserError(f"{out}: is there already; choose another --name or --out, or add --force")
    text = ""
    while not text:
        try:
            text = draft(args, name, out)
        except UserError as error:
            found = error if args.adapter else layouts.one_level_off(args.path, error)
            if not isinstance(found, Question):
                raise
            args = answered(found, args)
    Grid(yaml.safe_load(text)).check_files()
    if args.dry_run:
        print(f"\n{out} would be:\n\n{text}", end="")
        return
    write_text(out, text)
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
    classes = "of a table: the column that names classes; each: all columns of 1 and 0 are labels; "
    classes += "with --adapter folder: the expression that finds the class in a file's name"
    parser.add_argument("--classes", default="", help=classes)
    negations = "of a table: `no X` and `possible X` in the column of classes are X absent and X "
    negations += "uncertain (-1), no classes of their own"
    parser.add_argument("--negations", action="store_true", help=negations)
    parser.add_argument("--image", default="", help="of a table: the column that names the images")
    parser.add_argument("--quick", action="store_true", help="a small grid, for a laptop")
    parser.add_argument("--dry-run", action="store_true", help="print the study, write nothing")
    parser.add_argument("--force", action="store_true", help="write over the study file")
    return parser.parse_args(argv)


if __name__ == "__main__":
    cli.run(main)
