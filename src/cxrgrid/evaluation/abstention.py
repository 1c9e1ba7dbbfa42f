"""Abstention: risk and discrimination on the images of which a model is surest.

A model that may pass on the images of which it is least sure errs less on those that it keeps. The
risk-coverage curve (El-Yaniv & Wiener, JMLR 11 (2010) 1605; Geifman & El-Yaniv, NeurIPS 2017, arXiv
1705.08500) shows the share of errors among the kept against the share that is kept; its area, AURC
(Geifman, Uziel & El-Yaniv, ICLR 2019, arXiv 1805.08206), is the mean risk over all coverages. A
model whose confidence says nothing has an area of its error rate. An interval follows from the
influence of each patient on the area.
"""

from dataclasses import dataclass, replace

import numpy as np

from cxrgrid.config.study import Report
from cxrgrid.evaluation import influence, intervals, recalibration, thresholds
from cxrgrid.evaluation.intervals import Classes
from cxrgrid.evaluation.metrics import order, ratio, tie_groups
from cxrgrid.evaluation.own_intervals import ranked
from cxrgrid.evaluation.predictions import Predictions
from cxrgrid.evaluation.recalibration import logit, odds
from cxrgrid.evaluation.wilson import Estimate, bounded

COVERAGES = np.linspace(0.05, 1, 20)  # of the curve
KEPT = 0.8  # share of the images on which the selective AUROC is stated


@dataclass(frozen=True)
class Judged:
    """Decisions of a model. wrong: 1, 0, or NaN where the truth is unknown [N, K]; confidence:
    [N, K]; K labels, or 1 where classes compete; made: the predictions, recalibrated."""

    made: Predictions
    wrong: np.ndarray
    confidence: np.ndarray


def judged(val: Predictions, test: Predictions, how: Report) -> Judged:
    """Decisions at the first operating point, fitted on validation images.

    Confidence: the distance of the log odds from those of the threshold; where classes compete, the
    largest probability.
    """
    fit = thresholds.fit(val, test.facts, how.operating_points[:1], how.calibrate)
    made = recalibration.recalibrated(test, fit.by)
    [cut] = fit.thresholds.values()
    called = thresholds.decide(made.scores, cut)
    if made.facts["task"] == "multiclass":
        wrong = (called & (made.labels != 1)).any(axis=1, keepdims=True).astype(float)
        return Judged(made, wrong, made.ranking.max(axis=1, keepdims=True))
    wrong = np.where(np.isnan(made.labels), np.nan, called != (made.labels == 1))
    return Judged(made, wrong, np.abs(odds(made) - logit(cut)))


def area(wrong: np.ndarray, confidence: np.ndarray) -> tuple[float, np.ndarray]:
    """AURC of one label, and the influence of each image on it [N], 0 where the truth is unknown.

    wrong, confidence: [N]. Images of equal confidence are kept or passed on together.
    """
    known = np.flatnonzero(~np.isnan(wrong))
    moves = np.zeros(len(wrong))
    if not len(known):
        return np.nan, moves
    down = known[np.argsort(-confidence[known], kind="stable")]
    rung, error = tie_groups(confidence[down]), wrong[down]
    at = np.bincount(rung)
    kept = np.cumsum(at)
    risk = np.cumsum(np.bincount(rung, weights=error)) / kept
    value = at @ risk / len(down)
    # An image moves the risk at its own rung and at every one below.
    slope, level = (np.cumsum((at * each / kept)[::-1])[::-1] for each in (np.ones(len(at)), risk))
    moves[down] = (risk[rung] - value + error * slope[rung] - level[rung]) / len(down)
    return float(value), moves


def areas(found: Judged) -> Estimate:
    """AURC of each label [K], with intervals over patients."""
    patients = influence.patients(found.made.patient)
    columns = [area(*pair) for pair in zip(found.wrong.T, found.confidence.T, strict=True)]
    value, moves = np.array([v for v, _ in columns]), np.stack([m for _, m in columns], axis=1)
    moved = patients.sums(moves)
    images = patients.sums((~np.isnan(found.wrong)).astype(float))
    number = influence.kish(images)
    spread = influence.variance(moved, images)
    ends = bounded(value, spread, ratio(1.0, number), np.maximum(number - 1, 1))
    return Estimate(value, *ends, moved)


def curve(found: Judged, at: np.ndarray) -> np.ndarray:
    """Risk at each coverage, mean over the labels `at`: [len(COVERAGES)]."""
    lines = []
    for wrong, confidence in zip(found.wrong[:, at].T, found.confidence[:, at].T, strict=True):
        known = ~np.isnan(wrong)
        error = wrong[known][np.argsort(-confidence[known], kind="stable")]
        kept = np.maximum(np.ceil(COVERAGES * len(error) - 1e-9).astype(int), 1)
        lines.append(np.cumsum(error)[kept - 1] / kept)
    return np.mean(lines, axis=0)


def kept(confidence: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The labels [N, L] of the share `KEPT` of images of most confidence [N, L]; NaN elsewhere."""
    found = labels.copy()
    for label, sure in zip(found.T, confidence.T, strict=True):
        known = np.flatnonzero(~np.isnan(label))
        ranked = known[np.argsort(-sure[known], kind="stable")]
        label[ranked[int(np.ceil(KEPT * len(ranked) - 1e-9)) :]] = np.nan
    return found


def selective(found: Judged, distance: np.ndarray | None = None) -> tuple[Estimate, Classes]:
    """AUROC of each label on the images that are kept, which are taken as given [L].

    distance: from the training images [N]: passed on are then the farthest images.
    """
    made = found.made
    shape = made.labels.shape
    sure = np.broadcast_to(found.confidence if distance is None else -distance[:, None], shape)
    made = replace(made, labels=kept(sure, made.labels))
    patients = influence.patients(made.patient)
    classes = Classes(*(patients.sums((made.labels == kind).astype(float)) for kind in (1, 0)))
    return ranked(made, patients, classes)[0], classes


# ------------------------------------------------------------------ images unlike the training's


def told_apart(
    own: np.ndarray, other: np.ndarray, patients: tuple[list[str], list[str]]
) -> tuple[float, float, float]:
    """AUROC of the distance [N], [M] in telling other images from own ones, with its interval.

    patients: of each image; one of both sides counts as one.
    """
    labels = np.concatenate([np.zeros(len(own)), np.ones(len(other))])[:, None]
    scores = np.concatenate([own, other])[:, None]
    if np.isnan(scores).any():
        return np.nan, np.nan, np.nan
    grouped = influence.patients([*patients[0], *patients[1]])
    classes = Classes(*(grouped.sums((labels == kind).astype(float)) for kind in (1, 0)))
    ordered = order(labels[:, 0], scores[:, 0])
    a, b, _ = influence.moved([ordered], labels, scores, grouped)
    value = ordered.weigh(np.ones((1, len(labels)), np.uint8)).auroc()
    found = intervals.auroc(value, a, b, classes)
    return float(found.value[0]), float(found.low[0]), float(found.high[0])
