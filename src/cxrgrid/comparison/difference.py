"""Differences between two models on the same images: values, intervals and tests."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from cxrgrid.comparison.seed_variance import Combined, Spread, combine, over_seeds, seed_parts
from cxrgrid.evaluation import bootstrap, metrics
from cxrgrid.evaluation.predictions import Predictions
from cxrgrid.evaluation.rare_labels import in_means
from cxrgrid.evaluation.row_intervals import ENOUGH
from cxrgrid.evaluation.wilson import PRIOR

METRICS = {"auroc": "AUROC", "ap": "average precision", "accuracy": "accuracy"}
RANKING = ("auroc", "ap")  # need no threshold
TINY = 1e-12  # a standard error that is rounding


def statistic(
    made: Predictions,
    thresholds: np.ndarray | None = None,
    rare: frozenset[str] = frozenset(),
) -> Callable:
    """Function from weights [B, N] to metrics [B, metrics, L + 1]: each label, then their mean.

    The metrics are RANKING and, with thresholds [L], accuracy. A label without both classes is NaN
    and not in the mean; so is, in a resample, a label that loses a class there. rare: labels that
    are not in the mean.
    """
    columns = list(zip(made.labels.T, made.ranking.T, strict=True))
    orders = [metrics.order(truth, scores) for truth, scores in columns]
    both = np.array([metrics.has_both(truth) for truth, _ in columns])
    averaged = in_means(made.facts["labels"], both, rare)
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
        average = mean(np.where(averaged, values, np.nan))
        return np.concatenate([values, average[..., None]], axis=2)

    return measure


def mean(values: np.ndarray) -> np.ndarray:
    """Mean over the last axis of defined values; NaN if there are none."""
    defined = ~np.isnan(values)
    return metrics.ratio(np.where(defined, values, 0).sum(axis=-1), defined.sum(axis=-1))


def resampled(
    made: Predictions,
    resamples: int,
    thresholds: np.ndarray | None = None,
    stratify: bool = False,
    rare: frozenset[str] = frozenset(),
) -> np.ndarray:
    """`statistic` of the images themselves, then of resampled patients: [1 + R, M, L + 1].

    The same patients give the same resamples, so that rows of two models may be subtracted.
    stratify: draw patients within `bootstrap.strata`; rare: labels that are not in the mean.
    """
    strata = bootstrap.strata(made.labels, made.patient) if stratify else None
    return bootstrap.resample(
        statistic(made, thresholds, rare), made.patient, resamples, strata=strata
    ).values


def sizes(parts: Sequence[Predictions], rare: frozenset[str] = frozenset()) -> list[dict[str, int]]:
    """Numbers of images, positives, patients, `rarer` and `most` of each label, then of their mean.

    parts: test images of each fold, whose patients differ. rarer: patients of the rarer class,
    which limit how well an error is known; for the mean, their sum over the labels that are in it
    (not: rare), but no more than there are patients; most: of any one of these labels.
    """
    labels = parts[0].facts["labels"]
    found = [summed([count(part, [at]) for part in parts]) for at in range(len(labels))]
    whole = summed([count(part, slice(None)) for part in parts])
    each = [size["rarer"] for name, size in zip(labels, found, strict=True) if name not in rare]
    whole |= {"rarer": min(sum(each), whole["patients"]), "most": max(each)}
    return [*({**size, "most": size["rarer"]} for size in found), whole]


def summed(parts: list[dict[str, int]]) -> dict[str, int]:
    """Sums of each number over folds."""
    return {name: sum(part[name] for part in parts) for name in parts[0]}


def count(made: Predictions, columns) -> dict[str, int]:
    """Sizes of several labels together."""
    truth, patient = made.labels[:, columns], np.array(made.patient)
    seen = ~np.isnan(truth).all(axis=1)
    classes = [len(set(patient[(truth == kind).any(axis=1)])) for kind in (0, 1)]
    patients = len(set(patient[seen]))
    sums = {"n": int(seen.sum()), "positives": int((truth == 1).sum()), "patients": patients}
    return sums | {"rarer": min(classes)}


def patients(metric: str, size: dict[str, int]) -> int:
    """Number of patients that a metric's error rests on; for a ranking, of the rarer class."""
    return size["rarer"] if metric in RANKING else size["patients"]


def contrast(
    a: np.ndarray, b: np.ndarray, paired: bool, patients: int, spread: Spread | None = None
) -> Combined:
    """Difference a - b of one metric and label; a, b: each seed's `resampled` [S, 1 + R].

    patients: what `patients` says. paired: both sides have the same seeds in the same order;
    else, and if the spread of a single training is given, the seeds of the two sides are treated
    as independent.
    """
    error = bootstrap.standard_error(a[:, 1:].mean(axis=0) - b[:, 1:].mean(axis=0))
    groups = (a[:, 0] - b[:, 0],) if paired and not spread else (a[:, 0], b[:, 0])
    return within(combine(float(error), patients, *groups, spread=spread), -1, 1)


def of_configuration(values: np.ndarray, ends: np.ndarray, spread: Spread | None) -> Combined:
    """Mean over seeds of one metric and label; values: each seed's `resampled` [S, 1 + R].

    ends: of each seed's own interval over patients [2, S]. Their distances are made smaller by as
    much as the mean varies less over resamples than its seeds do.
    """
    error = float(bootstrap.standard_error(values[:, 1:].mean(axis=0)))
    each = float(np.sqrt(np.square(bootstrap.standard_error(values[:, 1:].T)).mean()))
    less = error / each if each > TINY else 1.0
    points = values[:, 0]
    low, high = over_seeds(points, *(points + less * (end - points) for end in ends), spread)
    sd, parts, _ = seed_parts((points,), spread)
    seed_se = float(np.sqrt(sum(parts))) if parts else np.nan
    found = Combined(float(points.mean()), error, sd, seed_se, low, high, np.nan)
    return within(found, 0, 1)


def with_width(found: Combined, ends: list[tuple[float, float]], patients: int) -> Combined:
    """A difference with an interval also where no resample and no seed differs.

    ends: of each side's own interval (`of_configuration`), as distances below and above its value;
    patients: as in `contrast`. Two models that never differ here may do so on other patients: MOVER
    with a correlation that is drawn towards 0 by two patients, as in `wilson.correlation`. NaN
    where a side has no interval.
    """
    if not found.high - found.low < TINY:
        return found
    (down_a, up_a), (down_b, up_b) = ends
    alike = patients / (patients + PRIOR)
    down, up = (
        np.sqrt(max(a**2 + b**2 - 2 * alike * a * b, 0))
        for a, b in ((down_a, up_b), (up_a, down_b))
    )
    ends = {"low": found.value - down, "high": found.value + up, "detectable": np.nan}
    return within(replace(found, **ends), -1, 1)


def with_enough(found: Combined, metric: str, size: dict[str, int]) -> Combined:
    """A difference; without interval and test where too few patients say what its error is.

    size: as `sizes`. Of a ranking, as of a model's own interval, `ENOUGH` patients with the finding
    and as many without it are needed; for a mean, of one of its labels.
    """
    if (size["most"] if metric in RANKING else size["patients"]) >= ENOUGH:
        return found
    nothing = dict.fromkeys(("low", "high", "p", "detectable"), np.nan)
    return replace(found, sampling_se=np.nan, **nothing)


def within(found: Combined, least: float, most: float) -> Combined:
    """The value with its interval cut to the metric's range."""
    return replace(found, low=max(found.low, least), high=min(found.high, most))
