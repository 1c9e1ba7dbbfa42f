"""One model against another on the same images: differences, how sure they are, and in words."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from cxrgrid.evaluation import bootstrap, metrics
from cxrgrid.evaluation.predictions import Predictions
from cxrgrid.evaluation.seed_variance import Combined, Spread, combine
from cxrgrid.evaluation.wording import p_value, signed

METRICS = {"auroc": "AUROC", "ap": "average precision", "accuracy": "accuracy"}
RANKING = ("auroc", "ap")  # need no threshold
ALPHA = 0.05


def statistic(made: Predictions, thresholds: np.ndarray | None = None) -> Callable:
    """A function of weights [B, N] that gives [B, metrics, L + 1]: each label, then their mean.

    The metrics are RANKING and, with thresholds [L], accuracy. A label without both classes is NaN
    and outside of the mean; so is, in a resample, one that loses a class there.
    """
    columns = list(zip(made.labels.T, made.scores.T, strict=True))
    orders = [metrics.order(truth, scores) for truth, scores in columns]
    both = np.array([metrics.has_both(truth) for truth, _ in columns])
    decisions = None if thresholds is None else made.scores >= thresholds

    def measure(weights: np.ndarray) -> np.ndarray:
        rankings = [order.weigh(weights) for order in orders]
        found = [
            np.stack([ranking.auroc() for ranking in rankings], axis=1),
            np.stack([ranking.average_precision() for ranking in rankings], axis=1),
        ]
        if decisions is not None:
            found.append(metrics.accuracy(*metrics.confusion(made.labels, decisions, weights)))
        values = np.stack(found, axis=1)
        return np.concatenate([values, mean(np.where(both, values, np.nan))[..., None]], axis=2)

    return measure


def mean(values: np.ndarray) -> np.ndarray:
    """Mean over the last axis of what is defined; NaN where nothing is."""
    defined = ~np.isnan(values)
    return metrics.ratio(np.where(defined, values, 0).sum(axis=-1), defined.sum(axis=-1))


def resampled(
    made: Predictions,
    resamples: int,
    thresholds: np.ndarray | None = None,
    stratify: bool = False,
) -> np.ndarray:
    """What `statistic` says of the images as they are, and of resampled patients [1 + R, M, L + 1].

    The same patients give the same resamples, so that rows of two models may be subtracted.
    stratify: draw patients within `stats.strata`.
    """
    strata = bootstrap.strata(made.labels, made.patient) if stratify else None
    return bootstrap.resample(
        statistic(made, thresholds), made.patient, resamples, strata=strata
    ).values


def sizes(made: Predictions) -> list[dict[str, int]]:
    """For each label, then their mean: images, positives and patients; and `rarer`.

    rarer: patients of the rarer class, which bound how well an error is known; of the mean, added
    up over the labels, but never more than there are patients.
    """
    found = [count(made, [at]) for at in range(len(made.facts["labels"]))]
    whole = count(made, slice(None))
    rarer = sum(size["rarer"] for size in found)
    return [*found, whole | {"rarer": min(rarer, whole["patients"])}]


def count(made: Predictions, columns) -> dict[str, int]:
    """The sizes of some labels taken together."""
    truth, patient = made.labels[:, columns], np.array(made.patient)
    seen = ~np.isnan(truth).all(axis=1)
    classes = [len(set(patient[(truth == kind).any(axis=1)])) for kind in (0, 1)]
    patients = len(set(patient[seen]))
    sums = {"n": int(seen.sum()), "positives": int((truth == 1).sum()), "patients": patients}
    return sums | {"rarer": min(classes)}


def contrast(
    a: np.ndarray, b: np.ndarray, paired: bool, rarer: int, spread: Spread | None = None
) -> Combined:
    """How much a is above b, of one metric and label; a, b: each seed's `resampled` [S, 1 + R].

    paired: the two sides have the same seeds in the same order; else, and where the spread of a
    single training is given, seeds are taken for drawn independently on either side.
    """
    error = bootstrap.standard_error(a[:, 1:].mean(axis=0) - b[:, 1:].mean(axis=0))
    groups = (a[:, 0] - b[:, 0],) if paired and not spread else (a[:, 0], b[:, 0])
    return within(combine(float(error), rarer, *groups, spread=spread), -1, 1)


def of_configuration(values: np.ndarray, rarer: int, spread: Spread | None = None) -> Combined:
    """The mean over seeds of one metric and label; values: each seed's `resampled` [S, 1 + R]."""
    error = bootstrap.standard_error(values[:, 1:].mean(axis=0))
    return within(combine(float(error), rarer, values[:, 0], spread=spread), 0, 1)


def within(found: Combined, least: float, most: float) -> Combined:
    """With an interval that ends where the metric does."""
    return replace(found, low=max(found.low, least), high=min(found.high, most))


# ------------------------------------------------------------------ in words


def verdict(found: Combined, p_holm: float) -> str:
    """`better`, `worse`, `not shown`; `not defined` where there is no number."""
    if np.isnan(p_holm):
        return "not defined"
    if p_holm >= ALPHA:
        return "not shown"
    return "better" if found.value > 0 else "worse"


def sentence(
    names: tuple[str, str], metric: str, found: Combined, p_holm: float, family: int, basis: str
) -> str:
    """What may be concluded, and what may not. basis: seeds, images and patients, in words."""
    a, b = names
    unit = METRICS[metric]
    if np.isnan(p_holm):
        return f"{a} against {b}: not defined in {unit}, as one class is absent ({basis})."
    low, high = (signed(end) for end in (found.low, found.high))
    chance = f"p {p_value(found.p)}"
    if family > 1:
        chance += f", after Holm over {family} comparisons p {p_value(p_holm)}"
    if p_holm < ALPHA:
        better, worse = (a, b) if found.value > 0 else (b, a)
        ends = sorted((abs(found.low), abs(found.high)))
        return (
            f"{better} is better than {worse} by {abs(found.value):.3f} {unit} "
            f"({ends[0]:.3f} to {ends[1]:.3f}), {basis}; {chance}."
        )
    size = max(abs(found.low), abs(found.high))
    text = f"{signed(found.value)} {unit} ({low} to {high}), {basis}; {chance}"
    if found.p < ALPHA:
        return (
            f"Whether {a} and {b} differ stays open: {text}. By itself this would count as a "
            "difference; among so many comparisons it may be chance."
        )
    return (
        f"No difference between {a} and {b} is shown: {text}. That is not equality: a difference "
        f"larger than {size:.3f} is excluded, a smaller one is not."
    )


def basis(seeds: str, size: dict[str, int]) -> str:
    """`3 seeds, 420 images of 377 patients`."""
    return f"{seeds}, {size['n']:,} images of {size['patients']:,} patients"
