"""Checks that predictions have the same images, labels, truth and split."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from cxrgrid.config.cell import Cell
from cxrgrid.config.errors import UserError, known
from cxrgrid.evaluation.predictions import Predictions

SAME = ("target", "part", "task", "split", "split_hash", "policy")  # facts, where both sides say


def by_image(made: Predictions) -> Predictions:
    """The predictions sorted by image."""
    return made.take(np.argsort(made.image, kind="stable"))


def check_same(a: Predictions, b: Predictions) -> None:
    """`UserError`, with the reason, unless both have the same images, labels, truth and split."""
    reason = unlike(a, b)
    if reason:
        raise UserError(f"{a.path} and {b.path} cannot be compared: {reason}")


def unlike(a: Predictions, b: Predictions) -> str:
    """First difference between two files that rules out a comparison; empty if there is none."""
    for name in SAME:
        if name in a.facts and name in b.facts and a.facts[name] != b.facts[name]:
            return f"{name} is '{a.facts[name]}' in the one and '{b.facts[name]}' in the other"
    ours, theirs = a.facts["labels"], b.facts["labels"]
    if ours != theirs:
        return f"labels are {', '.join(ours)} in the one and {', '.join(theirs)} in the other"
    if a.image != b.image:
        apart = sorted(set(a.image) ^ set(b.image))
        return f"{len(apart):,} images are in one only, such as {apart[0]!r}"
    for image, one, other in zip(a.image, a.patient, b.patient, strict=True):
        if one != other:
            return f"image {image!r} is of patient {one!r} and of {other!r}"
    differ = (a.labels != b.labels) & ~(np.isnan(a.labels) & np.isnan(b.labels))
    for row, at in np.argwhere(differ)[:1]:
        return (
            f"y:{ours[at]} of image {a.image[row]!r} is {a.labels[row, at]:g} in the one and "
            f"{b.labels[row, at]:g} in the other; another label policy?"
        )
    return ""


def check_cells(
    cell: Cell, val: Predictions, test: Predictions, first: tuple[Cell, Predictions]
) -> None:
    """`UserError` unless all cells have the same split and the same test images."""
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


def aligned(path: Path, made: Predictions, basis: Predictions, what: str) -> Predictions:
    """An external model's predictions in the order of `basis`; `UserError` if they differ.

    Images, labels and truth have to be those of `basis`, which provides the patient ids.
    """
    unlike = differing(path, made, basis.image)
    if unlike:
        raise UserError(f"{what}: {unlike}")
    made = in_order(path, made, basis.facts["labels"])
    row = {image: at for at, image in enumerate(made.image)}
    made = made.take([row[image] for image in basis.image])
    truth = made.labels
    same = (truth == basis.labels) | (np.isnan(truth) & np.isnan(basis.labels))
    for image, label in np.argwhere(~same)[:1]:
        name, pair = basis.facts["labels"][label], (truth[image, label], basis.labels[image, label])
        raise UserError(
            f"{what}: {path}: y:{name} of image {basis.image[image]!r} is {pair[0]:g}, in the "
            f"dataset {pair[1]:g}; another label policy?"
        )
    return replace(made, patient=basis.patient, labels=basis.labels, facts=basis.facts, path="")


def in_order(path: Path, made: Predictions, labels: list[str]) -> Predictions:
    """The predictions of the given labels, in this order."""
    there = list(made.facts["labels"])
    for label in labels:
        known(label, there, str(path), "label")
    at = [there.index(label) for label in labels]
    return replace(
        made.take(np.arange(len(made.image)), at), facts={**made.facts, "labels": labels}
    )


def check_apart(path: Path, val: Predictions, test: Predictions) -> None:
    """`UserError` if a threshold would be fitted on test images."""
    both = set(val.image) & set(test.image)
    if both:
        raise UserError(
            f"{path}: {len(both):,} validation images are test images, such as {min(both)!r}"
        )


def check_patients_apart(path: Path, val: Predictions, test: Predictions) -> None:
    """`UserError` if thresholds would be fitted on other images of the test patients."""
    both = set(val.patient) & set(test.patient)
    if both:
        raise UserError(
            f"{path}: {len(both):,} patients have validation and test images, such as {min(both)!r}"
        )


def check_seeds(side: list[Predictions]) -> None:
    """`UserError` if two files of one side hold the same scores: one seed would count twice."""
    for at, one in enumerate(side):
        for other in side[:at]:
            if np.array_equal(one.scores, other.scores):
                raise UserError(f"{one.path}: has the same scores as {other.path}; name it once")


def differing(path: Path, made: Predictions, image: Iterable[str]) -> str:
    """Difference of two sets of images as text; empty if they are equal."""
    ours, theirs = set(image), set(made.image)
    for names, what in ((ours - theirs, "lacks"), (theirs - ours, "has besides")):
        if names:
            return f"{path}: {what} {len(names):,} of the test images, such as {min(names)!r}"
    return ""
