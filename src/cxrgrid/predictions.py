"""What a model says of images: a cell's predictions file, or any other of the same form.

Parquet or CSV; columns `image`, `patient`, and for each label `y:<label>` (1 present, 0 absent,
empty unknown) and `p:<label>` (probability).
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv

from cxrgrid.check import UserError, known, suggest
from cxrgrid.config import Grid
from cxrgrid.data import read_parquet
from cxrgrid.settings import Cell

FORM = "needs the columns image, y:<label> and p:<label>, and patient where images share one"


@dataclass(frozen=True)
class Predictions:
    """One predictions file. labels: float64 [N, L], NaN unknown; scores: float64 [N, L], finite."""

    image: list[str]
    patient: list[str]
    labels: np.ndarray
    scores: np.ndarray
    facts: dict


def only(test: Predictions, images: set[str]) -> Predictions:
    """The predictions on some of the images."""
    rows = [row for row, image in enumerate(test.image) if image in images]
    names = ([column[row] for row in rows] for column in (test.image, test.patient))
    return Predictions(*names, test.labels[rows], test.scores[rows], test.facts)


def read_predictions(path: Path, cell: Cell) -> Predictions:
    """A cell's predictions; `UserError` if they are another cell's or a score is not finite."""
    table, facts = read_parquet(path)
    for axis in Grid.AXES:
        if facts.get(axis) != getattr(cell, axis):
            raise UserError(f"{path}: {axis} is {facts.get(axis)!r}; not of cell {cell.path()}")
    labels, scores = (
        np.stack([table[f"{kind}:{label}"].to_numpy() for label in facts["labels"]], axis=1)
        for kind in "yp"
    )
    image, patient = table["image"].to_pylist(), table["patient"].to_pylist()
    for row, label in np.argwhere(~np.isfinite(scores))[:1]:
        what = f"image {image[row]!r} has the score {scores[row, label]}"
        raise UserError(f"{path}: {what}; if the training diverged, a lower lr may help")
    return Predictions(image, patient, labels.astype(float), scores.astype(float), facts)


def check_same(
    cell: Cell, val: Predictions, test: Predictions, first: tuple[Cell, Predictions]
) -> None:
    """`UserError` unless a cell was trained on the split, and predicted on the images, of all."""
    other, basis = first
    same = {
        "split_hash": test.facts["split_hash"] == basis.facts["split_hash"],
        "labels": test.facts["labels"] == basis.facts["labels"],
        "images": test.image == basis.image and test.patient == basis.patient,
        "truth": np.array_equal(test.labels, basis.labels, equal_nan=True),
        "split_hash of val": val.facts["split_hash"] == test.facts["split_hash"],
        "labels of val": val.facts["labels"] == test.facts["labels"],
    }
    for what in [what for what, agrees in same.items() if not agrees]:
        where = f"cell {cell.path()}: {what} not as in {other.path()}"
        raise UserError(f"{where}; delete the folder of the older one and run snakemake")


# ------------------------------------------------------------------ from anywhere


def read_any(path: Path, task: str = "") -> Predictions:
    """Any predictions file; `UserError`, one line, for whatever in it cannot be scored.

    task: `multilabel` or `multiclass`; empty: what the file's facts say, else `multilabel`.
    """
    table, facts = read_table(path)
    labels = [name[2:] for name in table.column_names if name.startswith("y:")]
    check_columns(path, table.column_names, labels)
    image = [str(name) for name in table["image"].to_pylist()]
    patient = patients(path, table, image)
    truth, scores = (
        np.stack([numbers(path, table, f"{kind}:{label}") for label in labels], axis=1)
        for kind in "yp"
    )
    start = {"target": path.stem, "task": "multilabel", "split": None, "split_hash": None}
    facts = {**start, **facts, "labels": labels} | ({"task": task} if task else {})
    made = Predictions(image, patient, truth, scores, facts)
    check_values(path, made)
    return made


def read_table(path: Path) -> tuple[pa.Table, dict]:
    """The table and its facts; a CSV file has none."""
    if path.suffix.lower() == ".parquet":
        return read_parquet(path)
    if path.suffix.lower() != ".csv":
        raise UserError(f"{path}: predictions are a .parquet or a .csv file")
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    names = dict.fromkeys(("image", "patient"), pa.string())
    options = pa.csv.ConvertOptions(column_types=names)
    try:
        return pa.csv.read_csv(path, convert_options=options), {}
    except pa.ArrowInvalid as error:
        raise UserError(f"{path}: not a readable CSV file ({error})") from None


def check_columns(path: Path, names: list[str], labels: list[str]) -> None:
    """`UserError` for columns that lack, with the nearest that is there."""
    wanted = ["image", *(f"p:{label}" for label in labels)]
    for name in [name for name in wanted if name not in names]:
        alike = [other for other in names if other[:2] == name[:2]] or names
        raise UserError(f"{path}: no column {name!r}; {suggest(name, alike)} ({FORM})")
    if not labels:
        raise UserError(f"{path}: no column y:<label>; {FORM}")
    for name in [name for name in names if name.startswith("p:") and name[2:] not in labels]:
        raise UserError(f"{path}: {name!r} has no truth beside it; add 'y:{name[2:]}' or drop it")


def patients(path: Path, table: pa.Table, image: list[str]) -> list[str]:
    """Whom each image is of; a warning where the file does not say."""
    if "patient" not in table.column_names:
        logging.warning(f"{path}: no column 'patient': every image counts as independent")
        return image
    patient = table["patient"].to_pylist()
    for row in [row for row, name in enumerate(patient) if name in (None, "")][:1]:
        raise UserError(
            f"{path}: image {image[row]!r} has no patient; name one, or drop the column"
        )
    return [str(name) for name in patient]


def numbers(path: Path, table: pa.Table, name: str) -> np.ndarray:
    """A column as float64 [N]; nothing is NaN."""
    try:
        return table[name].cast(pa.float64()).to_numpy(zero_copy_only=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        odd = next(value for value in table[name].to_pylist() if not is_number(value))
        raise UserError(f"{path}: column {name!r} holds {odd!r}, which is no number") from None


def is_number(value: object) -> bool:
    """Whether a field is a number or empty."""
    try:
        float(value or 0)
    except (TypeError, ValueError):
        return False
    return True


def check_values(path: Path, made: Predictions) -> None:
    """`UserError` for the first value that cannot be scored, with its image and label."""
    if not made.image:
        raise UserError(f"{path}: holds no row")
    names, counts = np.unique(made.image, return_counts=True)
    for name in names[counts > 1][:1]:
        raise UserError(f"{path}: image {str(name)!r} stands there twice; keep one row an image")
    labels, scores = made.labels, made.scores
    where = first(made, ~np.isnan(labels) & ~np.isin(labels, (0, 1)))
    if where:
        raise UserError(f"{path}: the label {where[0]} is {where[1]:g}; 1, 0 or nothing, please")
    where = first(made, ~np.isfinite(scores), made.scores)
    if where:
        raise UserError(f"{path}: the score {where[0]} is {where[1]}; each image needs a number")
    where = first(made, (scores < 0) | (scores > 1), made.scores)
    if where:
        raise UserError(
            f"{path}: the score {where[0]} is {where[1]:g}, not a probability from 0 to 1; if they "
            "are logits, write 1 / (1 + exp(-logit)), or softmax where classes compete"
        )
    if made.facts["task"] == "multiclass":
        odd = np.flatnonzero((np.nansum(labels, axis=1) != 1) | np.isnan(labels).any(axis=1))
        for row in odd[:1]:
            raise UserError(f"{path}: image {made.image[row]!r} is not of exactly one class")


def first(made: Predictions, odd: np.ndarray, values: np.ndarray | None = None) -> tuple | None:
    """Which label of which image is odd, in words, and its value; None if none is."""
    for row, at in np.argwhere(odd)[:1]:
        value = (made.labels if values is None else values)[row, at]
        return f"of {made.facts['labels'][at]!r} for image {made.image[row]!r}", float(value)
    return None


def aligned(path: Path, made: Predictions, basis: Predictions, what: str) -> Predictions:
    """Predictions from elsewhere in the order of others; `UserError` where they differ.

    Images, labels and truth have to be those of `basis`, which says whose the images are.
    """
    unlike = differing(path, made, basis.image)
    if unlike:
        raise UserError(f"{what}: {unlike}")
    made = in_order(path, made, basis.facts["labels"])
    row = {image: at for at, image in enumerate(made.image)}
    at = [row[image] for image in basis.image]
    truth = made.labels[at]
    same = (truth == basis.labels) | (np.isnan(truth) & np.isnan(basis.labels))
    for image, label in np.argwhere(~same)[:1]:
        name, pair = basis.facts["labels"][label], (truth[image, label], basis.labels[image, label])
        raise UserError(
            f"{what}: {path}: y:{name} of image {basis.image[image]!r} is {pair[0]:g}, in the "
            f"dataset {pair[1]:g}; another label policy?"
        )
    return Predictions(basis.image, basis.patient, basis.labels, made.scores[at], basis.facts)


def in_order(path: Path, made: Predictions, labels: list[str]) -> Predictions:
    """The predictions of some labels, in their order."""
    there = list(made.facts["labels"])
    for label in labels:
        known(label, there, str(path), "label")
    at = [there.index(label) for label in labels]
    facts = {**made.facts, "labels": labels}
    return replace(made, labels=made.labels[:, at], scores=made.scores[:, at], facts=facts)


def check_apart(path: Path, val: Predictions, test: Predictions) -> None:
    """`UserError` if a threshold would be fitted on images on which it is judged."""
    both = set(val.image) & set(test.image)
    if both:
        raise UserError(
            f"{path}: {len(both):,} validation images are test images, such as {min(both)!r}"
        )


def differing(path: Path, made: Predictions, image: Iterable[str]) -> str:
    """In which images two sets differ, in words; empty if they are the same images."""
    ours, theirs = set(image), set(made.image)
    for names, what in ((ours - theirs, "lacks"), (theirs - ours, "has besides")):
        if names:
            return f"{path}: {what} {len(names):,} of the test images, such as {min(names)!r}"
    return ""
