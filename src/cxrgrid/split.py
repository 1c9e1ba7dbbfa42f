"""Divide the images into train, validation and test, by patient unless asked for otherwise.

Labels are spread by iterative stratification (Sechidis, Tsoumakas & Vlahavas, ECML PKDD 2011), here
over patients instead of images. The same seed gives the same split, in whatever order the rows are.

Example:
  python -m cxrgrid.split '{"name": "patient", "fractions": [0.8, 0.1, 0.1]}' \\
      --index index.parquet --files pixels.parquet --out table.parquet
"""

import hashlib
import logging
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa

from cxrgrid.config.cell import Cell
from cxrgrid.config.checks import DRAWN, TESTED, check_enough
from cxrgrid.config.errors import UserError, known
from cxrgrid.config.steps import read_step
from cxrgrid.config.study_json import read_grid
from cxrgrid.data.label_policy import harden
from cxrgrid.data.publisher_files import count
from cxrgrid.data.split_lists import read_lists
from cxrgrid.data.stratification import stratify
from cxrgrid.data.training_part import check_cells
from cxrgrid.io import cli
from cxrgrid.io.parquet import read_parquet, write_parquet

SPLITS = ["train", "val", "test"]


def by_patient(
    frame: pd.DataFrame, labels: list[str], shares: dict[str, float], seed: int
) -> pd.Series:
    """A split for each image of `frame`; `shares` says which, and how large."""
    positive = (frame[labels] == 1).astype(int)
    # groupby sorts by patient, so that the order of the rows makes no difference.
    counts = positive.assign(**{"": 1}).groupby(frame["patient"].to_numpy()).sum()
    fractions = np.array(list(shares.values())) / sum(shares.values())
    counts_first = counts[["", *labels]].to_numpy()
    parts = stratify(counts_first, list(fractions), np.random.default_rng(seed))
    names = np.array(list(shares))[parts]
    return frame["patient"].map(dict(zip(counts.index, names, strict=True)))


def drawn(frame: pd.DataFrame, labels: list[str], settings: dict) -> pd.Series:
    """A split at random: by patient, or by image as if each were a patient of its own.

    With `folds`, all are divided as `folded` says.
    """
    shares = dict(zip(SPLITS, settings["fractions"], strict=True))
    if settings["name"] == TESTED:
        return pd.Series("test", frame.index)
    if settings["name"] == "image":
        frame = frame.assign(patient=frame["image"])
    if not settings.get("folds"):
        return by_patient(frame, labels, shares, settings["seed"])
    return folded(frame, labels, settings)


def folded(frame: pd.DataFrame, labels: list[str], settings: dict) -> pd.Series:
    """Split of each image when the fold `fold` of `folds` is tested.

    The folds are the same for every `fold`: each patient is in one. Validation images are carved
    from the other folds, by patient, in the ratio of the fractions.
    """
    check_enough(settings["folds"], frame["patient"].nunique(), f"split {settings['name']!r}")
    folds = dict.fromkeys(map(str, range(settings["folds"])), 1.0)
    test = by_patient(frame, labels, folds, settings["seed"]) == str(settings.get("fold", 0))
    shares = dict(zip(SPLITS[:2], settings["fractions"][:2], strict=True))
    rest = by_patient(frame[~test], labels, shares, settings["seed"])
    return rest.reindex(frame.index, fill_value="test")


def listed(frame: pd.DataFrame, labels: list[str], settings: dict) -> pd.Series:
    """A list's split; a validation part is carved from train where it has none.

    With `folds`, the folds are those of the training list, and images of the test list have none.
    """
    shares = dict(zip(SPLITS, settings["fractions"], strict=True))
    column = f"split:{settings['name']}"
    lists = [name.removeprefix("split:") for name in frame if name.startswith("split:")]
    known(settings["name"], [*DRAWN, *lists], "split.name", "split list")
    given = frame[column].astype(object).where(frame[column].notna(), None)
    if settings.get("folds"):
        return in_training_list(frame, given, labels, settings)
    divide = given == "trainval"
    if not divide.any() and not (given == "val").any():
        divide = given == "train"
    carved = by_patient(frame[divide], labels, {n: shares[n] for n in SPLITS[:2]}, settings["seed"])
    return given.mask(divide, carved)


def in_training_list(
    frame: pd.DataFrame, given: pd.Series, labels: list[str], settings: dict
) -> pd.Series:
    """Folds of a training list. given: the list's part of each image.

    `UserError` for a list with a validation part, or with patients of its test part in training.
    """
    where = f"split {settings['name']!r}"
    if (given == "val").any():
        raise UserError(
            f"{where}: has a fixed validation list, which cannot stay apart when every "
            "training-list patient is tested; leave split.folds out, or choose `patient`"
        )
    training, apart = given.isin(["train", "trainval"]), given == "test"
    both = set(frame.loc[training, "patient"]) & set(frame.loc[apart, "patient"])
    if both:
        raise UserError(
            f"{where}: {len(both):,} patients are in its training list and its test list, such as "
            f"{min(both)!r}; the test list would not be kept apart: choose `patient`"
        )
    return folded(frame[training], labels, settings).reindex(frame.index)


def divide(frame: pd.DataFrame, facts: dict, settings: dict) -> tuple[pd.DataFrame, dict]:
    """The readable images with their split, and the facts of table.parquet."""
    frame, labels = frame.sort_values("image", ignore_index=True), facts["labels"]
    accounting, warnings, notes = [*facts["accounting"]], [], [*facts.get("notes", [])]
    if settings.get("files"):
        split_of, warnings = read_lists(frame["image"], settings["files"])
        frame[f"split:{settings['name']}"] = frame["image"].map(split_of).astype(object)
    frame = frame[frame["row"] >= 0]
    accounting.append(count("readable", frame))
    if settings["name"] in DRAWN:
        frame = frame.assign(split=drawn(frame, labels, settings))
    else:
        frame = frame.assign(split=listed(frame, labels, settings))
        frame = frame[frame["split"].notna()]
        which = "training list of" if settings.get("folds") else "split list"
        accounting.append(count(f"in the {which} {settings['name']!r}", frame))
    check(frame, labels, facts["task"], settings)
    frame = harden(frame, labels)
    frame = frame[[name for name in frame if not name.startswith("split:")]]
    facts = {**facts, "split": title(settings), "split_hash": split_hash(frame)}
    if leaked := leakage(frame, settings["name"]):
        facts["leakage"] = leaked
        asked = [by_image(leaked)] if leaked["asked"] else []
        notes, warnings = [*notes, *asked], [*warnings, *asked]
    facts |= {"notes": notes} if notes else {}
    warnings += untaught(frame, labels)
    return frame, {**facts, "accounting": accounting, "warnings": warnings}


def title(settings: dict) -> str:
    """The name that goes with every number."""
    if not settings.get("folds"):
        return settings["name"]
    return f"{settings['name']}, fold {settings.get('fold', 0)} of {settings['folds']}"


def leakage(frame: pd.DataFrame, name: str) -> dict:
    """Counts of patients in two splits, and of their test images; {} if there are none.

    asked: `image` is a split that is known to leak, and is asked for by that name.
    """
    splits = frame.groupby("patient")["split"].nunique()
    if not (splits > 1).any():
        return {}
    test = frame.loc[frame["split"] == "test", "patient"]
    seen = test.isin(frame.loc[frame["split"] == "train", "patient"])
    counts = {"patients": int((splits > 1).sum()), "test_images": len(test)}
    return counts | {"test_images_seen": int(seen.sum()), "asked": name == "image"}


def by_image(leaked: dict) -> str:
    """The sentence on a split by image."""
    seen, images = leaked["test_images_seen"], leaked["test_images"]
    return (
        f"Split by image, as asked for by name: {seen:,} of {images:,} test images "
        f"({seen / images:.1%}) are of patients who are in training as well, so that no number "
        "says how well a model reads a new patient's image."
    )


def check(frame: pd.DataFrame, labels: list[str], task: str, settings: dict) -> None:
    """`UserError` for a split without images, or with nothing to tell apart in training."""
    sizes = frame["split"].value_counts()
    alone = settings["name"] == TESTED  # without any training
    for name in ["test"] if alone else SPLITS:
        if not sizes.get(name):
            raise UserError(
                f"split {settings['name']!r}: no image is left for {name} ({len(frame)} images of "
                f"{frame['patient'].nunique()} patients); change split.fractions or split.name"
            )
    train = frame.loc[frame["split"] == "train", labels]
    present, absent = (train == 1).any(), (train == 0).any()
    learnable = present.sum() > 1 if task == "multiclass" else (present & absent).any()
    if not learnable and not alone:
        raise UserError(
            f"split {settings['name']!r}: every training image has the same label, among "
            f"{', '.join(labels)}; nothing can be learnt: choose other labels or another split"
        )


def untaught(frame: pd.DataFrame, labels: list[str]) -> list[str]:
    """Warnings for labels that no training image shows."""
    train = frame.loc[frame["split"] == "train", labels]
    positives = (train == 1).sum() if len(train) else dict.fromkeys(labels, -1)
    return [
        f"No training image shows {label}: no cell can learn it."
        for label in labels
        if positives[label] == 0
    ]


def split_hash(frame: pd.DataFrame) -> str:
    """A name for which image is in which split."""
    pairs = zip(frame["image"], frame["split"], strict=True)
    lines = sorted(f"{image}\t{split}" for image, split in pairs)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]


def cells_of(args, dataset: str) -> list[Cell]:
    """The study's cells that train on this split of the dataset."""
    cells = [c for c in read_grid(args.study).cells if c.dataset == dataset]
    fold = read_step("split", args.settings).fold
    folds = {cell.fold for cell in cells}  # of a dataset that is not cross-validated: 0 alone
    return [cell for cell in cells if len(folds) == 1 or cell.fold == fold]


def main(argv: list[str] | None) -> None:
    """Divide one dataset."""
    parser = cli.parser("split", __doc__)
    parser.add_argument(
        "settings", help="settings that differ from the defaults of a split, as JSON"
    )
    parser.add_argument("--index", type=Path, required=True, help="index.parquet")
    parser.add_argument("--files", type=Path, required=True, help="pixels.parquet")
    parser.add_argument("--out", type=Path, required=True, help="table.parquet")
    parser.add_argument("--study", type=Path, help="its config: can its cells train on the split?")
    args = parser.parse_args(argv)
    index, facts = read_parquet(args.index)
    files, recipe = read_parquet(args.files)
    rows = files.select(["image", "row"]).to_pandas()
    frame = index.to_pandas().merge(rows, on="image", how="inner", validate="1:1")
    if not len(frame) == index.num_rows == files.num_rows:
        raise UserError(f"{args.files}: lists other images than {args.index}; run pixels again")
    table, facts = divide(frame, facts, msgspec.to_builtins(read_step("split", args.settings)))
    if args.study:
        check_cells(pa.Table.from_pandas(table), facts, cells_of(args, facts["dataset"]))
    write_parquet(table, args.out, {**facts, "image": recipe})
    logging.info(" ".join(f"{name} {(table['split'] == name).sum():,}" for name in SPLITS))
    for warning in facts["warnings"]:
        logging.warning(warning)


if __name__ == "__main__":
    cli.run(main)
