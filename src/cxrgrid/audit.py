"""Count everything from raw file to test image; stop if patients stand in two splits.

Example:
  python -m cxrgrid.audit --index index.parquet --files pixels.parquet --pixels pixels.npy \\
      --table table.parquet --out audit.json
"""

import hashlib
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from cxrgrid import command
from cxrgrid.config import UserError
from cxrgrid.data import read_parquet
from cxrgrid.policy import harden

SPLITS = ["train", "val", "test"]
SOME = 5  # names in a sentence; the file lists all


def audit(table: pd.DataFrame, files: pd.DataFrame, facts: dict, twins: list[list[str]]) -> dict:
    """Everything there is to know before training; `twins`: groups of images with equal pixels."""
    aside = files.loc[files["row"] < 0, ["image", "reason"]]
    crossing = cross(table)
    unknown = int((table["patient"] == table["image"]).sum())
    warnings = [
        *facts.get("warnings", []),
        *([leakage(crossing)] if crossing else []),
        *([anonymous(unknown, len(table))] if unknown else []),
        *([set_aside(aside)] if len(aside) else []),
        *([alike(twins)] if twins else []),
        *unseen(table, facts["labels"]),
    ]
    return {
        "dataset": facts["dataset"],
        "accounting": facts["accounting"],
        "aside": aside.to_dict("records"),
        "splits": {name: describe(table, name, facts["labels"]) for name in SPLITS},
        "split": facts["split"],
        "split_hash": facts["split_hash"],
        "patients_in_two_splits": crossing,
        "equal_images_in_two_splits": twins,
        "images_without_known_patient": unknown,
        "warnings": warnings,
    }


def describe(table: pd.DataFrame, split: str, labels: list[str]) -> dict:
    """Images, patients, positives and unknown labels of a split."""
    part = table[table["split"] == split]
    return {
        "images": len(part),
        "patients": int(part["patient"].nunique()),
        "positives": {label: int((part[label] == 1).sum()) for label in labels},
        "unknown": {label: int(part[label].isna().sum()) for label in labels},
    }


def cross(table: pd.DataFrame) -> dict[str, list[str]]:
    """The splits of each patient that stands in more than one."""
    pairs = table[["patient", "split"]].drop_duplicates()
    pairs = pairs[pairs["patient"].duplicated(keep=False)]
    return {name: sorted(splits) for name, splits in pairs.groupby("patient")["split"]}


def some(names: list[str]) -> str:
    """The first of the names, for a sentence."""
    more = [f"and {len(names) - SOME} more"] if len(names) > SOME else []
    return ", ".join([*names[:SOME], *more])


def leakage(crossing: dict[str, list[str]]) -> str:
    """The sentence on patients in two splits."""
    named = [f"{patient} ({', '.join(splits)})" for patient, splits in crossing.items()]
    return f"Patients in more than one split: {len(crossing)}, namely {some(named)}."


def anonymous(unknown: int, images: int) -> str:
    """The sentence on images whose patient is not known."""
    return (
        f"Images whose patient is unknown: {unknown} of {images}; each counts as its own patient, "
        "so that one patient's images may stand in several splits."
    )


def set_aside(aside: pd.DataFrame) -> str:
    """The sentence on unreadable images."""
    named = [f"{row.image} ({row.reason})" for row in aside.itertuples()]
    return f"Unreadable images, set aside: {len(aside)}, namely {some(named)}."


def alike(twins: list[list[str]]) -> str:
    """The sentence on equal images in two splits."""
    named = [" = ".join(group) for group in twins]
    return f"Images with equal pixels in more than one split: {len(twins)}, namely {some(named)}."


def unseen(table: pd.DataFrame, labels: list[str]) -> list[str]:
    """Warnings for labels without a positive in validation or test; split warns of training."""
    purposes = {"val": "it cannot pick an epoch", "test": "it cannot be scored"}
    found = []
    for split, purpose in purposes.items():
        part = table.loc[table["split"] == split, labels]
        found += [
            f"No {split} image shows {label}: {purpose}."
            for label in labels
            if not (part[label] == 1).any()
        ]
    return found


def digests(path: Path, rows: list[int]) -> Iterator[str]:
    """A hash of each row of pixels.npy, read one by one: the array may be larger than memory."""
    with path.open("rb") as file:
        np.lib.format.read_magic(file)
        shape, _, _ = np.lib.format.read_array_header_1_0(file)
        start, size = file.tell(), int(np.prod(shape[1:]))
        for row in rows:
            file.seek(start + row * size)
            yield hashlib.blake2b(file.read(size), digest_size=16).hexdigest()


def equal(table: pd.DataFrame, path: Path) -> list[list[str]]:
    """Groups of images whose pixels are equal although their splits are not."""
    table = table.sort_values("row")
    table = table.assign(digest=list(digests(path, table["row"].tolist())))
    apart = table[table.groupby("digest")["split"].transform("nunique") > 1]
    return sorted(sorted(images) for _, images in apart.groupby("digest")["image"])


def check(index: pd.DataFrame, files: pd.DataFrame, table: pd.DataFrame, facts: dict) -> None:
    """`UserError` unless the three tables tell of the same images: nothing is lost on the way."""
    # Soft labels of the index are unknown outside of training.
    index = harden(index.merge(table[["image", "split"]], on="image", how="left"), facts["labels"])
    both = table.merge(index, on="image", suffixes=("", ":index"))
    rows = table[["image", "row"]].merge(files, on="image", suffixes=("", ":files"))
    faults = {
        "another index": list(index["image"]) != list(files["image"]),
        "other images": len(both) != len(table) or len(table) != facts["accounting"][-1]["images"],
        "other patients": (both["patient"] != both["patient:index"]).any(),
        "other labels": any(
            not both[label].equals(both[f"{label}:index"]) for label in facts["labels"]
        ),
        "other pixels": (rows["row"] != rows["row:files"]).any(),
    }
    for what in [what for what, found in faults.items() if found]:
        raise UserError(f"table.parquet rests on {what}; run snakemake to make the files anew")


def main(argv: list[str] | None) -> None:
    """Audit one dataset."""
    parser = command.parser("audit", __doc__)
    parser.add_argument("--index", type=Path, required=True, help="index.parquet")
    parser.add_argument("--files", type=Path, required=True, help="pixels.parquet")
    parser.add_argument("--table", type=Path, required=True, help="table.parquet")
    parser.add_argument("--pixels", type=Path, help="pixels.npy, to look for equal images")
    parser.add_argument("--out", type=Path, required=True, help="audit.json")
    parser.add_argument("--allow-leakage", action="store_true", help="warn of it only")
    args = parser.parse_args(argv)
    table, facts = read_parquet(args.table)
    index, files = (read_parquet(path)[0].to_pandas() for path in (args.index, args.files))
    table = table.to_pandas()
    check(index, files, table, facts)
    crossing = cross(table)
    if crossing and not args.allow_leakage:
        where = f"datasets.{facts['dataset']}"
        raise UserError(
            f"{args.table}: {leakage(crossing)} Set {where}.split.name: patient, or, to go on all "
            f"the same, {where}.allow_leakage: true"
        )
    found = audit(table, files, facts, equal(table, args.pixels) if args.pixels else [])
    text = json.dumps(found, indent=2, sort_keys=True, ensure_ascii=False)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(text + "\n")
    for warning in found["warnings"]:
        logging.warning(warning)


if __name__ == "__main__":
    command.run(main)
