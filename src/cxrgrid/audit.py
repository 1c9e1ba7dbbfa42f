"""Audit images, patients and labels from raw file to split; stop if patients are in two splits.

Also: equal and near-identical images in two splits, counts beside the published ones, overlaps of
split lists, and how well age, sex and view alone predict the labels.

Example:
  python -m cxrgrid.audit --index index.parquet --files pixels.parquet --pixels pixels.npy \\
      --table table.parquet --out audit.json --hashes hashes.npy
"""

import json
import logging
from pathlib import Path

import numpy as np
import pandas as pd

from cxrgrid.config.checks import DRAWN
from cxrgrid.config.errors import UserError
from cxrgrid.data import files_table, near_duplicates, published_counts, split_lists
from cxrgrid.data.label_policy import harden
from cxrgrid.evaluation import metadata_baseline
from cxrgrid.evaluation.wording import many
from cxrgrid.io import cli
from cxrgrid.io.atomic import replacing, write_text
from cxrgrid.io.parquet import read_parquet

SPLITS = ["train", "val", "test"]
SOME = 5  # names in a sentence; the file lists all
MOST = 1000  # pairs of near-identical images in the file


def audit(
    table: pd.DataFrame, index: pd.DataFrame, files: pd.DataFrame, facts: dict, pixels: dict
) -> dict:
    """Everything there is to know before training. pixels: what `look` found, {} without pixels."""
    aside = files.loc[files["row"] < 0, ["image", "reason"]]
    odd = files_table.kept_odd(files)
    crossing = cross(table)
    unknown = int((table["patient"] == table["image"]).sum())
    counts = published_counts.compare(index, facts)
    shared = overlaps(table, index, facts["split"])
    told = metadata_baseline.baseline(table, facts["labels"])
    equal, near = pixels.get("equal", []), pixels.get("near", [])
    warnings = [
        *facts.get("warnings", []),
        *of_patients(crossing, unknown, len(table)),
        *of_images(aside, odd, equal, near),
        *published_counts.sentences(counts),
        *[mixed(pair) for pair in shared if pair["lists"] and pair["images"]],
        *metadata_baseline.metadata_warnings(told),
        *no_positive_warnings(table, facts["labels"]),
    ]
    return {
        "dataset": facts["dataset"],
        "accounting": account(table, facts),
        "aside": aside.to_dict("records"),
        "odd": odd.to_dict("records"),
        "splits": {name: describe(table, name, facts["labels"]) for name in SPLITS},
        "split": facts["split"],
        "split_hash": facts["split_hash"],
        "patients_in_two_splits": crossing,
        "equal_images_in_two_splits": equal,
        "near_images_in_two_splits": of_near(near if pixels else None),
        "images_without_known_patient": unknown,
        "published": counts,
        "lists": shared,
        "metadata_only": told,
        "warnings": warnings,
    }


def of_near(pairs: list | None) -> dict:
    """Number of near-identical pairs, the bits that they may differ in, the first ones."""
    count = None if pairs is None else len(pairs)
    return {"pairs": count, "bits": near_duplicates.NEAR, "first": (pairs or [])[:MOST]}


def of_patients(crossing: list, unknown: int, images: int) -> list[str]:
    """Warnings about patients in two splits, and about images without one."""
    return [
        *([leakage(crossing)] if crossing else []),
        *([anonymous(unknown, images)] if unknown else []),
    ]


def of_images(aside: pd.DataFrame, odd: pd.DataFrame, equal: list, near: list) -> list[str]:
    """Warnings about images: set aside, odd but kept, equal or alike in two splits."""
    return [
        *named(aside, "Unreadable images, set aside", "reason"),
        *named(odd, "Images that look odd, kept (`suspicious: keep`)", "note"),
        *([alike(equal)] if equal else []),
        *([resembling(near)] if near else []),
    ]


def account(table: pd.DataFrame, facts: dict) -> list[dict]:
    """The accounting to its end: the images and patients of each split."""
    parts = {name: table.loc[table["split"] == name, "patient"] for name in SPLITS}
    return facts["accounting"] + [
        {"step": f"of these in {name}", "images": len(part), "patients": int(part.nunique())}
        for name, part in parts.items()
    ]


def overlaps(table: pd.DataFrame, index: pd.DataFrame, name: str) -> list[dict]:
    """Overlaps of the split and the dataset's lists; `lists`: neither of the two is drawn."""
    index = index.set_index("image")
    found = {at.removeprefix("split:"): index[at] for at in index if at.startswith("split:")}
    found[name] = table.set_index("image")["split"]
    drawn = name.split(",")[0] in DRAWN
    return [
        pair | {"lists": not (drawn and name in (pair["train_of"], pair["test_of"]))}
        for pair in split_lists.compare(found)
    ]


def mixed(pair: dict) -> str:
    """The sentence on a list whose training images are another list's test images."""
    return (
        f"Training images of the split list {pair['train_of']!r} that are test images of "
        f"{pair['test_of']!r}: {pair['images']:,} of {pair['test_images']:,}. Numbers on the two "
        "lists do not compare, and no model of the one may be tested on the other."
    )


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


def named(files: pd.DataFrame, what: str, why: str) -> list[str]:
    """The sentence on files that are set aside or look odd, if there are any; why: a column."""
    texts = [f"{image} ({text})" for image, text in zip(files["image"], files[why], strict=True)]
    return [f"{what}: {len(files)}, namely {some(texts)}."] if texts else []


def alike(twins: list[list[str]]) -> str:
    """The sentence on equal images in two splits."""
    named = [" = ".join(group) for group in twins]
    return f"Images with equal pixels in more than one split: {len(twins)}, namely {some(named)}."


def resembling(pairs: list[dict]) -> str:
    """The sentence on near-identical images in two splits."""
    named = [f"{' ≈ '.join(pair['images'])} ({pair['bits']} bits)" for pair in pairs]
    return (
        f"Pairs of near-identical images in two splits (at most {near_duplicates.NEAR} of 255 bits "
        f"of a perceptual hash differ): {len(pairs):,}, namely {some(named)}."
    )


def look(table: pd.DataFrame, files: pd.DataFrame, pixels: Path, out: Path | None) -> dict:
    """Equal and near-identical images in two splits; writes all hashes to `out`.

    `UserError` if the array is not what was decoded, by the checksum of each image.
    """
    digests, hashes, sums = near_duplicates.fingerprints(pixels)
    if table["row"].max() >= len(sums):
        raise UserError(f"{pixels}: is of other images than table.parquet; run snakemake again")
    if changed := files_table.damaged(files, sums):
        raise UserError(
            f"{pixels}: {many(len(changed), 'image')} changed since decoding: {some(changed)}. The "
            f"file or its disk is damaged: remove it and prepare it again (snakemake {pixels})"
        )
    if out:
        with replacing(out) as partial, partial.open("wb") as file:
            np.save(file, hashes)
    return {
        "equal": near_duplicates.equal(table, digests),
        "near": near_duplicates.alike(table, digests, hashes),
    }


def no_positive_warnings(table: pd.DataFrame, labels: list[str]) -> list[str]:
    """Warnings about labels without a positive in validation or test; split warns of training."""
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
    parser = cli.parser("audit", __doc__)
    parser.add_argument("--index", type=Path, required=True, help="index.parquet")
    parser.add_argument("--files", type=Path, required=True, help="pixels.parquet")
    parser.add_argument("--table", type=Path, required=True, help="table.parquet")
    parser.add_argument(
        "--pixels", type=Path, help="pixels.npy, to look for equal and near-identical images"
    )
    parser.add_argument("--out", type=Path, required=True, help="audit.json")
    parser.add_argument("--hashes", type=Path, help="hashes.npy, one row per row of pixels.npy")
    parser.add_argument(
        "--allow-leakage", action="store_true", help="only warn of patients in two splits"
    )
    args = parser.parse_args(argv)
    table, facts = read_parquet(args.table)
    index, files = (read_parquet(path)[0].to_pandas() for path in (args.index, args.files))
    table = table.to_pandas()
    check(index, files, table, facts)
    crossing = cross(table)
    asked = facts.get("leakage", {}).get("asked", False)  # a split by image, and by that name
    if crossing and not (asked or args.allow_leakage):
        where = f"datasets.{facts['dataset']}"
        raise UserError(
            f"{args.table}: {leakage(crossing)} Set {where}.split.name: patient, or, to go on all "
            f"the same, {where}.allow_leakage: true"
        )
    pixels = look(table, files, args.pixels, args.hashes) if args.pixels else {}
    found = audit(table, index, files, facts, pixels)
    text = json.dumps(found, indent=2, sort_keys=True, ensure_ascii=False)
    write_text(args.out, text + "\n")
    for warning in found["warnings"]:
        logging.warning(warning)
    logging.info(many(len(found["warnings"]), "warning"))


if __name__ == "__main__":
    cli.run(main)
