"""What a model says of test images, from any predictions file: cxrgrid's own or another's.

Parquet or CSV with the columns `image`, `patient`, and for each label `y:<label>` (1, 0, or empty:
unknown) and `p:<label>` (the higher, the likelier). Rows may come in any order.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv

from cxrgrid.config import UserError
from cxrgrid.data import read_parquet

SAME = ("target", "part", "task", "split", "split_hash", "policy")  # facts, where both sides say


@dataclass(frozen=True)
class Answers:
    """A file's rows, sorted by image. truth, scores: float64 [N, L], truth NaN where unknown."""

    path: str
    image: np.ndarray
    patient: np.ndarray
    labels: list[str]
    truth: np.ndarray
    scores: np.ndarray
    facts: dict


def read_answers(path: Path) -> Answers:
    """A predictions file; `UserError` for columns that lack, images twice, scores not finite."""
    table, facts = read_table(path)
    labels = [name[2:] for name in table.column_names if name.startswith("y:")]
    needed = ["image", "patient", *(f"p:{label}" for label in labels)]
    lacking = [name for name in needed if name not in table.column_names]
    if lacking or not labels:
        names = ", ".join(lacking) or "y:<label>"
        raise UserError(f"{path}: no column {names}; needs image, patient, y:<label>, p:<label>")
    image, patient = (np.array(table[name].to_pylist(), object).astype(str) for name in needed[:2])
    order = np.argsort(image, kind="stable")
    truth, scores = (
        np.stack([numbers(table, f"{kind}:{label}", path) for label in labels], axis=1)[order]
        for kind in "yp"
    )
    answers = Answers(str(path), image[order], patient[order], labels, truth, scores, facts)
    check_values(answers)
    return answers


def read_table(path: Path) -> tuple[pa.Table, dict]:
    """The table and its facts; a CSV file carries none."""
    if path.suffix.lower() != ".csv":
        return read_parquet(path)
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    names = pa.csv.ConvertOptions(column_types={"image": pa.string(), "patient": pa.string()})
    try:
        return pa.csv.read_csv(path, convert_options=names), {}
    except pa.ArrowInvalid as error:
        raise UserError(f"{path}: not a readable CSV file ({error})") from None


def numbers(table: pa.Table, name: str, path: Path) -> np.ndarray:
    """A column as float64, nothing as NaN."""
    try:
        return table[name].cast(pa.float64()).to_numpy()
    except pa.ArrowInvalid:
        raise UserError(f"{path}: column {name} holds something that is no number") from None


def check_values(answers: Answers) -> None:
    """`UserError` where a row cannot be scored."""
    twice = answers.image[1:][answers.image[1:] == answers.image[:-1]]
    if len(twice):
        raise UserError(f"{answers.path}: image '{twice[0]}' stands there twice")
    for row, at in np.argwhere(~np.isfinite(answers.scores))[:1]:
        what = f"image '{answers.image[row]}' has the score {answers.scores[row, at]}"
        raise UserError(f"{answers.path}: {what} for {answers.labels[at]}; leave the image out")
    odd = ~np.isnan(answers.truth) & (answers.truth != 0) & (answers.truth != 1)
    for row, at in np.argwhere(odd)[:1]:
        what = f"y:{answers.labels[at]} of image '{answers.image[row]}' is {answers.truth[row, at]}"
        raise UserError(f"{answers.path}: {what}; it has to be 1, 0 or empty")


def check_same(a: Answers, b: Answers) -> None:
    """`UserError`, with the reason, unless both answer the same questions on the same images."""
    reason = differing(a, b)
    if reason:
        raise UserError(f"{a.path} and {b.path} cannot be compared: {reason}")


def differing(a: Answers, b: Answers) -> str:
    """The first thing in which two files differ that a comparison takes for equal; or nothing."""
    for name in SAME:
        if name in a.facts and name in b.facts and a.facts[name] != b.facts[name]:
            return f"{name} is '{a.facts[name]}' in the one and '{b.facts[name]}' in the other"
    if a.labels != b.labels:
        return f"labels are {', '.join(a.labels)} in the one and {', '.join(b.labels)} in the other"
    if len(a.image) != len(b.image) or (a.image != b.image).any():
        only = sorted(set(a.image) ^ set(b.image))
        return f"{len(only):,} images are in one only, such as '{only[0]}'"
    for row in np.flatnonzero(a.patient != b.patient)[:1]:
        return f"image '{a.image[row]}' is of patient '{a.patient[row]}' and of '{b.patient[row]}'"
    unlike = (a.truth != b.truth) & ~(np.isnan(a.truth) & np.isnan(b.truth))
    for row, at in np.argwhere(unlike)[:1]:
        return (
            f"y:{a.labels[at]} of image '{a.image[row]}' is {a.truth[row, at]:g} in the one and "
            f"{b.truth[row, at]:g} in the other; another label policy?"
        )
    return ""
