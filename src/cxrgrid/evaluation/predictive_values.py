"""Likelihood ratios, and predictive values at a stated prevalence, with closed-form intervals.

A likelihood ratio is a ratio of two proportions: sensitivity over 1 - specificity, or
1 - sensitivity over specificity. Its interval combines theirs by MOVER on the logarithm (Zou and
Donner 2008), with their correlation over patients who have both kinds of images. The odds of a
finding after the test are those before it times the ratio (Bayes' theorem), so that predictive
values at any prevalence have the ratio's interval, mapped. Not resampled, whatever
`report.interval` says.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from cxrgrid.evaluation.all_metrics import Row
from cxrgrid.evaluation.estimates import Estimates
from cxrgrid.evaluation.intervals import proportion
from cxrgrid.evaluation.metrics import ratio
from cxrgrid.evaluation.row_intervals import RowIntervals, lacking
from cxrgrid.evaluation.wilson import Estimate, correlation

Ends = tuple[np.ndarray, np.ndarray, np.ndarray]  # values and both ends, [L] each
ONE_CLASS = "no positive or no negative image"
INFINITE = "no false positive: the ratio is infinite"


def rows(closed: RowIntervals, prevalences: tuple[float, ...]) -> Iterator[dict]:
    """Rows `label`, `metric`, `threshold_rule`, `value`, `low`, `high`, `reason` of each label.

    Metrics: lr_positive, lr_negative, and for each prevalence `ppv_at_0.1`, `npv_at_0.1`. Where
    images are too few for an interval, its ends are there beside the reason, for means over folds.
    """
    made = closed.made
    for rule in made.thresholds:
        positive, negative = likelihood_ratios(closed.estimates, rule)
        found = {"lr_positive": positive, "lr_negative": negative}
        for share in prevalences:
            found[f"ppv_at_{share:g}"] = after(positive, share)
            value, low, high = after(negative, share)
            found[f"npv_at_{share:g}"] = 1 - value, 1 - high, 1 - low
        for metric, ends in found.items():
            for label, both, *numbers in zip(made.labels, made.both, *ends, strict=True):
                name = Row(label, metric, rule)
                yield row(name, numbers, both, too_few([closed], name))


def row(name: Row, ends: Sequence[float], both: bool, few: str | None) -> dict:
    """The columns of one value; both: there are both classes; few: why it has no interval."""
    value, low, high = map(float, ends)
    if np.isnan(value):
        called = "positive" if name.metric.startswith(("lr_positive", "ppv")) else "negative"
        few = f"no image is called {called}" if both else ONE_CLASS
    if np.isinf(value):
        value, few = np.nan, INFINITE
    columns = {"label": name.label, "metric": name.metric, "threshold_rule": name.rule}
    numbers = {"value": value, "low": low, "high": high}
    return {**columns, **numbers, "labels_scored": None, "reason": few, "groups": None}


def too_few(folds: Sequence[RowIntervals], name: Row) -> str | None:
    """Why there is no interval: too few positives or negatives in all folds together."""
    return lacking(folds, Row(name.label, "balanced_accuracy", name.rule))


def likelihood_ratios(closed: Estimates, rule: str) -> tuple[Ends, Ends]:
    """Positive and negative likelihood ratios of each label at a rule's thresholds."""
    counts = closed.counts(rule)
    m, n = counts.classes.m, counts.classes.n
    sensitivity, fallout = proportion(counts.tp, m), proportion(counts.fp, n)
    missed, specificity = proportion(counts.fn, m), proportion(counts.tn, n)
    return quotient(sensitivity, fallout), quotient(missed, specificity)


def quotient(top: Estimate, bottom: Estimate) -> Ends:
    """Ratio of two proportions with its interval; infinite where the lower one is 0.

    Where one of them is 0 the logarithm says nothing: there MOVER's limit of the plain ratio
    (Donner and Zou, Stat Methods Med Res 21 (2012) 347-359).
    """
    alike = np.array(
        [
            correlation(np.stack(pair, axis=1))[0, 1]
            for pair in zip(top.influence.T, bottom.influence.T, strict=True)
        ]
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        value = top.value / bottom.value
        down, up = logs(top, bottom)
        low = value * np.exp(-np.sqrt(squares(down[0], up[1], alike)))
        high = value * np.exp(np.sqrt(squares(up[0], down[1], alike)))
        none_above, none_below = top.value == 0, bottom.value == 0
        low = np.where(none_above, 0, np.where(none_below, 1 / plain(bottom, top), low))
        high = np.where(none_above, plain(top, bottom), np.where(none_below, np.inf, high))
    both = none_above & none_below
    return tuple(np.where(both, np.nan, each) for each in (value, low, high))


def logs(*sides: Estimate) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Distances of each side's lower and upper end on the logarithm."""
    down = [np.log(side.value) - np.log(side.low) for side in sides]
    return down, [np.log(side.high) - np.log(side.value) for side in sides]


def squares(a: np.ndarray, b: np.ndarray, alike: np.ndarray) -> np.ndarray:
    """Square of the distance of a difference from the distances of its two parts."""
    return np.maximum(a**2 + b**2 - 2 * alike * a * b, 0)


def plain(none: Estimate, other: Estimate) -> np.ndarray:
    """Upper limit of a ratio whose numerator is 0."""
    return none.high / np.sqrt(other.low * (2 * other.value - other.low))


def after(likelihood: Ends, prevalence: float) -> Ends:
    """Probability of the finding after a test result with these likelihood ratios."""
    odds = ratio(prevalence, 1 - prevalence)
    with np.errstate(invalid="ignore"):
        return tuple(
            np.where(np.isinf(each), 1.0, odds * each / (1 + odds * each)) for each in likelihood
        )
