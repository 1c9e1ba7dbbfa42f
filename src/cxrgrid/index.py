"""List a dataset's images on disk with their patients and labels.

The adapter reads the folder; this command checks its table, applies the policies for uncertain and
blank labels, and selects the images and labels.

Example:
  python -m cxrgrid.index '{"dataset": "mine", "adapter": "folder", "root": "data/mine"}' \\
      --out index.parquet
"""

import importlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa

from cxrgrid.config.dataset import Selection
from cxrgrid.config.errors import UserError, known
from cxrgrid.config.steps import read_step
from cxrgrid.data import filters, label_policy, tables, walk
from cxrgrid.data.label_targets import RAW
from cxrgrid.data.publisher_files import count, recognised_near
from cxrgrid.io import cli, seen
from cxrgrid.io.parquet import write_parquet

TEXT = ("image", "patient", "study", "view", "sex")
MOST_TABLES = 40  # of a publisher, whose change is noticed
OWN = ("csv", "folder")  # adapters that recognise anything
LATER = ("split", "row")  # columns that table.parquet adds


def build(settings: dict) -> tuple[pa.Table, dict]:
    """The index of the dataset that the settings describe, and its facts."""
    adapter = importlib.import_module(f"cxrgrid.datasets.{settings['adapter']}")
    frame, attrs = read(adapter, settings)
    there = list(attrs.get("labels", adapter.LABELS))
    check(frame, there, f"adapter {settings['adapter']}")
    task = adapter.TASK if settings["task"] == "auto" else settings["task"]
    extra = getattr(adapter, "EXTRA", [])
    labels = choose(settings["labels"], there, extra, settings["dataset"])
    wanted = selection(settings)
    steps = list(attrs["accounting"])
    frame = apply_filters(filters.people(frame, wanted), frame, steps, settings)
    policy, raw = label_policies(wanted, labels, there, adapter, settings), frame
    frame = label_policy.apply(raw, policy)
    if task == "multiclass":
        frame = one_class(frame, labels, wanted.several)
        if len(frame) < steps[-1]["images"]:
            steps.append(count("of the chosen classes", frame))
    elif wanted.unlabelled == "drop":
        frame = frame[frame[labels].notna().any(axis=1)].reset_index(drop=True)
        steps.append(count("a label is known", frame))
    if frame.empty:
        raise UserError(f"datasets.{settings['dataset']}.labels: no image has one of {labels}")
    frame = apply_filters(filters.drawn(frame, labels, wanted), frame, steps, settings)
    given = raw.set_index("image").loc[frame["image"]].reset_index()
    policy_fact = label_policy.fact(given, policy)
    frame = frame.assign(**raw_columns(given, labels))
    facts = {name: settings[name] for name in ("dataset", "adapter", "root")}
    facts |= {"task": task, "labels": labels, "source": adapter.SOURCE, "terms": adapter.TERMS}
    facts |= {
        "credentialed": adapter.CREDENTIALED,
        "notes": [*attrs["notes"], *policy_fact["notes"]],
    }
    return to_table(frame, labels), {**facts, "policy": policy_fact, "accounting": steps}


def read(adapter: ModuleType, settings: dict) -> tuple[pd.DataFrame, dict]:
    """The dataset as its adapter reads it: a row per image, and the adapter's notes and counts."""
    root = Path(settings["root"])
    if not root.is_dir():
        where = f"datasets.{settings['dataset']}.root"
        raise UserError(f"{where}: no folder {settings['root']!r}. {adapter.SOURCE}")
    try:
        frame = adapter.read(root, settings)
    except UserError as error:
        raise UserError(f"{error}{near(error, settings, adapter)}") from None
    except UnicodeEncodeError as error:  # no table can hold such a name
        raise UserError(
            f"{settings['root']}: the file name {os.fsencode(error.object)!r} is not UTF-8; rename "
            "it (convmv renames many)"
        ) from None
    attrs, frame.attrs = frame.attrs, {}
    return frame, attrs | {"notes": [*attrs["notes"], *walk.unopened(root)]}


def near(error: UserError, settings: dict, adapter: ModuleType) -> str:
    """Hint at the folder near by that a publisher's adapter recognises, if an error has none."""
    if settings["adapter"] in OWN or "give that folder" in str(error):
        return ""
    return recognised_near(Path(settings["root"]), adapter.recognise)


def selection(settings: dict) -> Selection:
    """The settings that say what is taken; what they leave out is at its default."""
    names = [name for name in Selection.__struct_fields__ if name in settings]
    return msgspec.convert({name: settings[name] for name in names}, Selection, strict=False)


def apply_filters(
    parts: Iterator[tuple[str, str, pd.DataFrame]], frame: pd.DataFrame, steps: list, settings: dict
) -> pd.DataFrame:
    """The images left after some filters; each filter adds a line to the accounting."""
    where = f"datasets.{settings['dataset']}"
    try:
        for name, step, part in parts:
            if part.empty:
                raise UserError(f"{name}: no image is left of {len(frame):,} after {step!r}")
            frame = part.reset_index(drop=True)
            steps.append(count(step, frame))
    except UserError as error:
        raise UserError(f"{where}.{error}") from None
    return frame


def label_policies(
    wanted: Selection, labels: list[str], there: list[str], adapter: ModuleType, settings: dict
) -> dict[str, dict[str, str]]:
    """Policies for uncertain (-1) and blank labels: {setting: {label: policy}}."""
    defaults = {"uncertain": "ignore", "blank": getattr(adapter, "BLANK", "ignore")}
    for name in defaults:
        setting = getattr(wanted, name)
        for label in setting if isinstance(setting, dict) else ():
            known(label, there, f"datasets.{settings['dataset']}.{name}", "label")
    return {
        name: label_policy.resolve(getattr(wanted, name), labels, default)
        for name, default in defaults.items()
    }


def check(frame: pd.DataFrame, labels: list[str], where: str) -> None:
    """`UserError` unless an adapter's table is what docs/design.md says: adapters are many."""
    missing = [name for name in (*TEXT, "age", *labels) if name not in frame]
    reserved = sorted(set(labels) & {*TEXT, *LATER, "age"})
    faults = {
        "has no image": frame.empty,
        f"has no column {missing[:1]}": bool(missing),
        f"has a label with the reserved name {reserved[:1]}": bool(reserved),
    }
    if not any(faults.values()):
        faults = {
            "lists an image twice": frame["image"].duplicated().any(),
            "has an image without a patient": frame["patient"].isna().any(),
            "has a label that is neither 1, 0, uncertain (-1) nor blank": not (
                frame[labels].isin([0, 1, -1]) | frame[labels].isna()
            ).all(axis=None),
        }
    for fault, found in faults.items():
        if found:
            raise UserError(f"{where}: the table that it read {fault}")


def choose(asked: list[str], there: list[str], extra: list[str], dataset: str) -> list[str]:
    """The labels to learn, in the order asked for; all if none is, but for the extra ones."""
    for label in asked:
        known(label, [*there, *extra], f"datasets.{dataset}.labels", "label")
    return list(asked) or there


def one_class(frame: pd.DataFrame, labels: list[str], several: str = "refuse") -> pd.DataFrame:
    """The images of the chosen classes; each has exactly one, or what `several` says is done."""
    shown = frame[labels] == 1
    if several == "first":
        frame = frame.assign(
            **{
                label: (shown[label] & ~shown[labels[:at]].any(axis=1)).astype(float)
                for at, label in enumerate(labels)
            }
        )
    classes = (frame[labels] == 1).sum(axis=1)
    if several == "refuse" and (classes > 1).any():
        row = frame[classes > 1].iloc[0]
        both = [label for label in labels if row[label] == 1]
        raise UserError(
            f"task multiclass: the image {row['image']!r} is {' and '.join(both)}; choose labels "
            "that exclude each other, say what is done with `several`, or set task: multilabel"
        )
    frame = frame[classes == 1].reset_index(drop=True)
    # Who is of one class is not of another, also where the source left that field empty.
    return frame.assign(**{label: frame[label].fillna(0) for label in labels})


def raw_columns(given: pd.DataFrame, labels: list[str]) -> dict[str, np.ndarray]:
    """`raw:<label>` of labels with uncertain or blank values, for a recipe's own policy."""
    doubtful = [label for label in labels if (given[label].isna() | (given[label] == -1)).any()]
    return {f"{RAW}{label}": given[label].to_numpy(float) for label in doubtful}


def to_table(frame: pd.DataFrame, labels: list[str]) -> pa.Table:
    """The table sorted by image, with the contract's types: an empty column has one as well."""
    lists = [name for name in frame if name.startswith("split:")]
    source = [name for name in ("source",) if name in frame]
    types = dict.fromkeys([*TEXT, *source, *lists], pa.string())
    raw = [name for name in frame if name.startswith(RAW)]
    types |= dict.fromkeys(["age", *labels, *raw], pa.float64())
    frame = frame[list(types)].sort_values("image")
    schema = pa.schema(list(types.items()))
    return pa.Table.from_pandas(frame, schema, preserve_index=False).replace_schema_metadata()


def tables_read(root: Path, settings: dict) -> list[Path]:
    """Tables on which the index rests: those that `columns` names, or a publisher's."""
    if settings["adapter"] == "csv":
        columns = settings["columns"]
        named = [*(columns["parts"].values() or [columns["file"]])]
        named += [columns["join"]["file"]] if columns["join"] else []
        return [tables.file_of(root / name) for name in named]
    there = (path for pattern in ("*", "*/*") for path in root.glob(f"{pattern}.*"))
    found = [path for path in there if path.name.lower().endswith((*tables.SUFFIXES, ".txt"))]
    return sorted(found)[:MOST_TABLES] if settings["adapter"] != "folder" else []


def main(argv: list[str] | None) -> None:
    """Read one dataset's folder."""
    parser = cli.parser("index", __doc__)
    parser.add_argument("settings", help="settings of the dataset, as JSON")
    parser.add_argument("--out", type=Path, required=True, help="index.parquet")
    args = parser.parse_args(argv)
    settings = msgspec.to_builtins(read_step("index", args.settings))
    table, facts = build(settings)
    root = Path(settings["root"])
    read = tables_read(root, settings)
    # A checksum of what was read makes the index another one where only pixels differ.
    facts["files"] = seen.record(args.out.parent, root, read, table["image"].to_pylist())
    write_parquet(table, args.out, facts)
    for step in facts["accounting"]:
        logging.info(f"{step['step']}: {step['images']:,} images of {step['patients']:,} patients")


if __name__ == "__main__":
    cli.run(main)
