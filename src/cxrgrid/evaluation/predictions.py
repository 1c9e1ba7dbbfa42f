"""Predictions files: a cell's, or any other of the same form.

Parquet or CSV; columns `image`, `patient`, and for each label `y:<label>` (1 present, 0 absent,
empty unknown) and `p:<label>` (probability; to compare two files, any score will do). Beside them
may stand `z:<label>`, the log odds of the probability, which are ranked instead: probabilities of
single precision tie at 0 and 1. This is the only reader of such files, and names the columns and
facts of those that cells write; `same_images` says whether two of them answer the same questions.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.csv

from cxrgrid.config.cell import Cell
from cxrgrid.config.checks import OVERALL
from cxrgrid.config.errors import UserError, suggest
from cxrgrid.io.json_file import AGAIN, Facts
from cxrgrid.io.parquet import read_any_kind

AGREE = 1e-4  # of a probability and that of the log odds beside it
FORM = "needs the columns image, y:<label> and p:<label>, and patient where images share one"


class Told(msgspec.Struct):
    """Kinds of the facts that a predictions file may have; any others stand beside them."""

    dataset: str = ""
    backbone: str = ""
    init: str = ""
    recipe: str = ""
    fold: int = 0
    seed: int = 0
    target: str = ""
    part: str = ""
    task: Literal["multilabel", "multiclass"] = "multilabel"
    split: str | None = None
    split_hash: str | None = None


@dataclass(frozen=True)
class Predictions:
    """One predictions file. labels: float64 [N, L], NaN unknown; scores: float64 [N, L], finite.

    facts: those of the file, and the label names under `labels`; path: of the file; log_odds: of
    the scores, float64 [N, L]; None where the file has none.
    """

    image: list[str]
    patient: list[str]
    labels: np.ndarray
    scores: np.ndarray
    facts: dict
    path: str = ""
    log_odds: np.ndarray | None = None

    @property
    def ranking(self) -> np.ndarray:
        """Values by which images are ranked [N, L]: the log odds, else the scores."""
        return self.scores if self.log_odds is None else self.log_odds

    def take(self, rows: Sequence[int], columns: list[int] | None = None) -> "Predictions":
        """Some of the images, in this order; columns: some of the labels."""
        image, patient = ([column[row] for row in rows] for column in (self.image, self.patient))
        labels, scores, log_odds = (
            None if each is None else each[rows] if columns is None else each[rows][:, columns]
            for each in (self.labels, self.scores, self.log_odds)
        )
        return Predictions(image, patient, labels, scores, self.facts, self.path, log_odds)


def columns(
    names: dict[str, list[str]],
    labels: list[str],
    truth: np.ndarray,
    scores: np.ndarray,
    log_odds: np.ndarray,
) -> dict:
    """Columns of a predictions file.

    names: `image` and `patient` [N]; truth, scores, log_odds: [N, L], in the order of `labels`.
    """
    found: dict = {name: names[name] for name in ("image", "patient")}
    for at, label in enumerate(labels):
        found[f"y:{label}"] = truth[:, at]
        found[f"p:{label}"] = scores[:, at]
        found[f"z:{label}"] = log_odds[:, at]
    return found


def facts(cell: Cell, target: str, part: str, dataset: dict) -> dict:
    """Facts of a cell's predictions file. dataset: task, labels, split and split_hash of images."""
    kept = {name: dataset[name] for name in ("task", "labels", "split", "split_hash")}
    return cell.axes() | {"target": target, "part": part} | kept


def only(test: Predictions, images: set[str]) -> Predictions:
    """The predictions of some of the images."""
    return test.take([row for row, image in enumerate(test.image) if image in images])


def read_predictions(path: Path, cell: Cell) -> Predictions:
    """A cell's predictions; `UserError` if they are another cell's or a score is not finite."""
    made = read(path)
    for axis, value in cell.axes().items():
        # Files of before there were folds do not name one.
        if (found := made.facts.get(axis, 0 if axis == "fold" else None)) != value:
            raise UserError(f"{path}: {axis} is {found!r}; not of cell {cell.path()}")
    return made


def read_any(path: Path, task: str = "") -> Predictions:
    """Any predictions file with probabilities, with the facts that scoring needs.

    task: `multilabel` or `multiclass`; empty: that of the file's facts, else `multilabel`.
    """
    made = read(path)
    start = {"target": path.stem, "task": "multilabel", "split": None, "split_hash": None}
    made = replace(made, facts={**start, **made.facts} | ({"task": task} if task else {}))
    check_probabilities(made)
    return made


def read(path: Path) -> Predictions:
    """Any predictions file; a one-line `UserError` for the first thing that cannot be scored.

    facts: those of the file, and `labels`; scores: any numbers, higher for a likelier label.
    """
    table, facts = read_table(path)
    labels = [name[2:] for name in table.column_names if name.startswith("y:")]
    check_columns(path, table.column_names, labels)
    try:
        msgspec.convert(dict(facts), Told)
    except msgspec.ValidationError as error:
        raise UserError(f"{path}: a fact of another kind ({error}); {AGAIN}") from None
    image = [str(name) for name in table["image"].to_pylist()]
    patient = patients(path, table, image)
    there = any(name.startswith("z:") for name in table.column_names)
    truth, scores, *log_odds = (
        np.stack([numbers(path, table, f"{kind}:{label}") for label in labels], axis=1)
        for kind in ("ypz" if there else "yp")
    )
    facts = Facts({**facts, "labels": labels}, path)
    made = Predictions(image, patient, truth, scores, facts, str(path), *log_odds)
    check_values(made)
    return made


# ------------------------------------------------------------------ a file


def read_table(path: Path) -> tuple[pa.Table, dict]:
    """A table and its facts; a CSV file has none."""
    if path.suffix.lower() == ".parquet":
        return read_any_kind(path)
    if path.suffix.lower() != ".csv":
        raise UserError(f"{path}: predictions are a .parquet or a .csv file")
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    names = dict.fromkeys(("image", "patient"), pa.string())
    options = pa.csv.ConvertOptions(column_types=names)
    try:
        table = pa.csv.read_csv(path, convert_options=options)
        return table.rename_columns(table.column_names), {}  # names that are not UTF-8 end here
    except (pa.ArrowException, UnicodeDecodeError) as error:
        why = " ".join(str(error).split())
        raise UserError(f"{path}: not a readable CSV file in UTF-8 ({why})") from None


def check_columns(path: Path, names: list[str], labels: list[str]) -> None:
    """`UserError` for missing or repeated columns, with the nearest name that exists."""
    for name in [name for name in dict.fromkeys(names) if names.count(name) > 1][:1]:
        raise UserError(f"{path}: column {name!r} occurs {names.count(name)} times; keep one")
    for label in [label for label in labels if label in OVERALL][:1]:
        raise UserError(
            f"{path}: {label!r} is the name of an average in the scores; rename the label"
        )
    kinds = "pz" if any(name.startswith("z:") for name in names) else "p"
    wanted = ["image", *(f"{kind}:{label}" for kind in kinds for label in labels)]
    for name in [name for name in wanted if name not in names]:
        alike = [other for other in names if other[:2] == name[:2]] or names
        raise UserError(f"{path}: no column {name!r}; {suggest(name, alike)} ({FORM})")
    if not labels:
        raise UserError(f"{path}: no column y:<label>; {FORM}")
    for name in [name for name in names if name.startswith("p:") and name[2:] not in labels]:
        raise UserError(f"{path}: {name!r} has no truth beside it; add 'y:{name[2:]}' or drop it")


def patients(path: Path, table: pa.Table, image: list[str]) -> list[str]:
    """Patient id of each image; logs a warning if the file has none."""
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
    """A column as float64 [N]; empty fields are NaN."""
    column = table[name]
    if column.null_count == len(column):  # of any kind
        return np.full(len(column), np.nan)
    try:
        return column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    except pa.ArrowException:
        fields = (value for value in column.to_pylist() if not is_number(value))
        odd = next(fields, str(column.type))
        raise UserError(f"{path}: column {name!r} holds {odd!r}, which is no number") from None


def is_number(value: object) -> bool:
    """True if a field is a number or empty."""
    try:
        float(value or 0)
    except (TypeError, ValueError):
        return False
    return True


def check_values(made: Predictions) -> None:
    """`UserError` for the first value that cannot be scored, with its image and label."""
    if not made.image:
        raise UserError(f"{made.path}: holds no row")
    names, counts = np.unique(made.image, return_counts=True)
    for name in names[counts > 1][:1]:
        raise UserError(f"{made.path}: image {str(name)!r} stands there twice; keep one row each")
    for image, label, value in odd(made, made.labels, ~np.isin(made.labels, (0, 1))):
        what = f"the label {label!r} of image {image!r} is {value:g}"
        raise UserError(f"{made.path}: {what}; it has to be 1, 0 or empty")
    for image, label, value in odd(made, made.scores, ~np.isfinite(made.scores), unknown=True):
        what = f"image {image!r} has the score {value} for {label!r}"
        hint = "each image needs a number; of a training that diverged, a lower lr may help"
        raise UserError(f"{made.path}: {what}; {hint}")
    if made.log_odds is not None:
        check_log_odds(made)


def check_log_odds(made: Predictions) -> None:
    """`UserError` for the first `z:<label>` that is not the log odds of its `p:<label>`."""
    implied = 0.5 * (1 + np.tanh(made.log_odds / 2))
    apart = ~(np.abs(implied - made.scores) < AGREE)
    for image, label, value in odd(made, made.log_odds, apart, unknown=True):
        raise UserError(
            f"{made.path}: z:{label} of image {image!r} is {value:g}, not the log odds of its "
            f"p:{label}; write log(p / (1 - p)), or drop the columns z:"
        )


def check_probabilities(made: Predictions) -> None:
    """`UserError` for the first score outside of 0 to 1, or image without exactly one class."""
    for image, label, value in odd(made, made.scores, (made.scores < 0) | (made.scores > 1)):
        raise UserError(
            f"{made.path}: image {image!r} has the score {value:g} for {label!r}, not a "
            "probability from 0 to 1; if they are logits, write 1 / (1 + exp(-logit)), or softmax "
            "where classes compete"
        )
    if made.facts["task"] == "multiclass":
        one = (np.nansum(made.labels, axis=1) == 1) & ~np.isnan(made.labels).any(axis=1)
        for row in np.flatnonzero(~one)[:1]:
            raise UserError(f"{made.path}: image {made.image[row]!r} is not of exactly one class")


def odd(made: Predictions, values: np.ndarray, where: np.ndarray, unknown: bool = False) -> list:
    """The first of the values [N, L] at `where`: a list of one (image, label, value), or empty."""
    where = where & (unknown | ~np.isnan(values))
    first = np.argwhere(where)[:1]
    labels = made.facts["labels"]
    return [(made.image[row], labels[at], float(values[row, at])) for row, at in first]
