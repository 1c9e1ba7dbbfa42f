"""Named test sets of a dataset: part of its test images, with a truth and a unit of their own.

A set chooses test images by view, sex, age and source, or by a file that lists images or studies.
Columns of that file that are named like labels replace the truth; labels without a column are then
unknown. With `score_by` the images of a study or patient are scored as one: their probability is
the mean or maximum, and a label is present if it is in any of them, absent if it is in none, and
unknown if it is in none of the known ones while others are unknown.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from cxrgrid.config import dataset as config
from cxrgrid.config.errors import UserError
from cxrgrid.config.study import Report
from cxrgrid.data import subsets, truth_files
from cxrgrid.evaluation import thresholds
from cxrgrid.evaluation.all_metrics import Evaluation
from cxrgrid.evaluation.predictions import Predictions, only
from cxrgrid.evaluation.rare_labels import rare_labels
from cxrgrid.evaluation.recalibration import recalibrated
from cxrgrid.io.parquet import read_parquet

Units = dict[str, str]  # image: its study or patient


@dataclass(frozen=True)
class TestSet:
    """images: those that are in it; truth: by label and image, None if it is the dataset's own.

    units: of the target's images, empty where each image is scored by itself; val_units: of the
    validation images, which are another dataset's for cells of that one; pool: `mean` or `max`.
    """

    __test__ = False  # pytest takes the name for a test's

    images: set[str]
    truth: dict[str, dict[str, float]] | None = None
    units: Units = field(default_factory=dict)
    val_units: Units = field(default_factory=dict)
    pool: str = "mean"

    def select(self, test: Predictions) -> Predictions:
        """Predictions on the set, with its truth, one row per unit."""
        made = only(test, self.images)
        if self.truth is not None:
            made = replace(made, labels=retold(made, self.truth))
        return pooled(made, self.units, self.pool) if self.units else made

    def evaluation(
        self,
        val: Predictions | None,
        test: Predictions,
        how: Report,
        fit: thresholds.Fit,
        rare: frozenset[str] | None = None,
    ) -> Evaluation:
        """The set's evaluation; fit: thresholds of single images, which units do not share.

        rare: labels that are in no mean; None: counted here.
        """
        if self.units:
            val = pooled(val, self.val_units, self.pool) if val else None
            fit = thresholds.fit(val, test.facts, how.operating_points, how.calibrate)
        made = recalibrated(self.select(test), fit.by)
        rare = rare_labels([made], how.minimum) if rare is None else rare
        return Evaluation(made, fit.thresholds, rare)


def retold(made: Predictions, truth: dict[str, dict[str, float]]) -> np.ndarray:
    """Labels [N, L] as another truth has them; NaN for labels that it does not know."""
    unknown: dict[str, float] = {}
    columns = [truth.get(label, unknown) for label in made.facts["labels"]]
    found = [[column.get(image, np.nan) for column in columns] for image in made.image]
    return np.array(found, float).reshape(len(made.image), len(columns))


def pooled(made: Predictions, units: Units, how: str) -> Predictions:
    """One row per unit, in the order of their first images; an image without one stands alone."""
    names = [units.get(image) or image for image in made.image]
    order = list(dict.fromkeys(names))
    at = {name: row for row, name in enumerate(order)}
    groups: list[list[int]] = [[] for _ in order]
    for row, name in enumerate(names):
        groups[at[name]].append(row)
    labels, scores, odds = [], [], []
    for rows in groups:
        labels.append(of_any(made.labels[rows]))
        of = np.max if how == "max" else np.mean
        scores.append(of(made.scores[rows], axis=0))
        odds.append(pooled_odds(made.ranking[rows], how))
    patient = [made.patient[rows[0]] for rows in groups]
    shape = (len(order), made.labels.shape[1])
    arrays = [np.array(each, float).reshape(shape) for each in (labels, scores, odds)]
    kept = arrays[2] if made.log_odds is not None else None
    return Predictions(order, patient, *arrays[:2], made.facts, made.path, kept)


def of_any(labels: np.ndarray) -> np.ndarray:
    """A unit's labels [L] from those of its images [n, L]."""
    present = (labels == 1).any(axis=0)
    absent = (labels == 0).all(axis=0)
    return np.where(present, 1.0, np.where(absent, 0.0, np.nan))


def pooled_odds(odds: np.ndarray, how: str) -> np.ndarray:
    """Log odds [L] of the maximum or mean of probabilities whose log odds are [n, L].

    In logarithms, so that probabilities that round to 0 or 1 are still ranked.
    """
    if how == "max":
        return odds.max(axis=0)
    present = np.logaddexp.reduce(-np.logaddexp(0, -odds), axis=0)
    return present - np.logaddexp.reduce(-np.logaddexp(0, odds), axis=0)


# ------------------------------------------------------------------ from a dataset


def read(
    table: Path,
    asked: dict[str, config.TestSet],
    source: Path | None,
    folds: Sequence[Path] = (),
) -> dict[str, TestSet]:
    """The test sets of a dataset by name. table: its table.parquet; folds: those of other folds.

    source: that of the dataset to which the validation images belong; None: the same one.
    """
    found = {}
    for name, one in asked.items():
        images, truth = chosen([table, *folds], one, name)
        units = units_of(table, one.score_by, f"tests.{name}")
        own = units if source is None else units_of(source, one.score_by, f"tests.{name}")
        found[name] = TestSet(images, truth, units, own, one.pool)
    return found


def chosen(
    folds: Sequence[Path], one: config.TestSet, name: str
) -> tuple[set[str], dict[str, dict[str, float]] | None]:
    """The test images of a set, of all folds, and its truth if it has one of its own."""
    table, facts = read_parquet(folds[0])
    image = np.array(table["image"].to_pylist(), object)
    there = subsets.of_table(table, one)
    tested = np.isin(image, [name for path in folds for name in test_images(path)])
    truth = None
    if one.files:
        listed, truth = truth_files.read(Path(one.files), table, facts["labels"])
        there &= np.array([one in listed for one in image], bool)
        if not there.any():
            raise UserError(f"tests.{name}: {one.files} names no image of the dataset")
        if (there & ~tested).any():
            apart = f"{(there & ~tested).sum():,} of {there.sum():,} images"
            logging.warning(f"tests.{name}: {apart} are in no test part and are left out")
    if not (there & tested).any():
        logging.warning(f"tests.{name}: no test image is in it")
    return set(image[there & tested]), truth


def test_images(path: Path) -> list[str]:
    """The test images of a table.parquet."""
    columns = read_parquet(path, "image", "split")[0].select(["image", "split"]).to_pydict()
    pairs = zip(columns["image"], columns["split"], strict=True)
    return [image for image, split in pairs if split == "test"]


def units_of(path: Path, by: str, where: str) -> Units:
    """The study or patient of each image of a dataset; empty for images by themselves."""
    if by == "image":
        return {}
    table, facts = read_parquet(path)
    named = table[by].to_pylist() if by in table.column_names else []
    if not any(named):
        raise UserError(f"{where}.score_by: {facts.get('dataset', path)} names no {by} of an image")
    columns = (table["image"].to_pylist(), table["patient"].to_pylist(), named)
    # Studies may be numbered within a patient.
    return {
        image: name if by == "patient" else f"{patient}/{name}"
        for image, patient, name in zip(*columns, strict=True)
        if name
    }
