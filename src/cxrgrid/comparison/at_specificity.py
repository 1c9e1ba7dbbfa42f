"""Sensitivity at a fixed specificity of two models on the same images, and their difference.

Each model is read at the point of its own ROC curve on these images where the specificity is at
least the one asked for: two models are compared at the same rate of false alarms, whatever their
thresholds. In each resample of patients the point is found anew, so that its own error counts.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from cxrgrid.comparison import conclusions, difference, two_models
from cxrgrid.config.study import Report
from cxrgrid.evaluation import bootstrap, metrics
from cxrgrid.evaluation.predictions import Predictions
from cxrgrid.evaluation.rare_labels import in_means, rare_labels


def rows(
    a: list[Predictions],
    b: list[Predictions],
    names: tuple[str, str],
    specificity: float,
    how: Report,
) -> pd.DataFrame:
    """Rows as those of `two_models`, for the metric `sensitivity at specificity 0.9`.

    Intervals of each model by itself are percentiles over resampled patients; NaN without width.
    """
    rare = rare_labels(a[:1], how.minimum)
    sides = [np.stack([resampled(x, specificity, how, rare) for x in side]) for side in (a, b)]
    labels, size = [*a[0].facts["labels"], "macro"], difference.sizes(a[:1], rare)
    paired = len(a) == len(b) and all(
        two_models.same_seed(*pair) for pair in zip(a, b, strict=True)
    )
    ends = [own_ends(side) for side in sides]
    found = [
        difference.with_enough(
            against(sides, ends, paired, at, one["rarer"]), difference.RANKING[0], one
        )
        for at, one in enumerate(size)
    ]
    found, adjusted, family = two_models.of_labels(found, labels, rare)
    metric, made = f"sensitivity at specificity {specificity:g}", []
    for at, label in enumerate(labels):
        row = {"metric": metric, "label": label}
        for name, side, (low, high) in zip("ab", sides, ends, strict=True):
            row |= {f"value_{name}": side[:, 0, at].mean()}
            row |= {f"low_{name}": low[at], f"high_{name}": high[at]}
        row |= two_models.numbers(found[at], adjusted[at], a, b, size[at])
        words = conclusions.basis(two_models.trainings(a, b), size[at])
        tested = (found[at], adjusted[at], family[at], words, label in rare)
        text = conclusions.sentence(names, metric, *tested)
        made.append(row | {"sentence": f"{label}: {text}"})
    return pd.DataFrame(made)


def own_ends(side: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Percentile bounds of a model's mean over seeds [L + 1]; NaN where no resample differs."""
    low, high = bootstrap.interval(side[:, 1:].mean(axis=0))
    none = ~(high > low)
    return np.where(none, np.nan, low), np.where(none, np.nan, high)


def against(
    sides: list[np.ndarray], ends: list[tuple], paired: bool, at: int, patients: int
) -> difference.Combined:
    """The difference in one label; NaN bounds where the two models never differ."""
    a, b = (side[:, :, at] for side in sides)
    own = [
        (values[:, 0].mean() - low[at], high[at] - values[:, 0].mean())
        for values, (low, high) in zip((a, b), ends, strict=True)
    ]
    return difference.with_width(difference.contrast(a, b, paired, patients), own, patients)


def resampled(
    made: Predictions, specificity: float, how: Report, rare: frozenset[str]
) -> np.ndarray:
    """Sensitivity of each label and their mean, on the images and on resamples [1 + R, L + 1]."""
    strata = bootstrap.strata(made.labels, made.patient) if how.stratify else None
    return bootstrap.resample(
        statistic(made, specificity, rare), made.patient, how.resamples, strata=strata
    ).values


def statistic(
    made: Predictions, specificity: float, rare: frozenset[str] = frozenset()
) -> Callable:
    """Function from weights [B, N] to sensitivities [B, L + 1]: each label, then their mean."""
    columns = list(zip(made.labels.T, made.ranking.T, strict=True))
    orders = [metrics.order(truth, scores) for truth, scores in columns]
    both = np.array([metrics.has_both(truth) for truth, _ in columns])
    averaged = in_means(made.facts["labels"], both, rare)

    def measure(weights: np.ndarray) -> np.ndarray:
        found = [sensitivity(order.weigh(weights), specificity) for order in orders]
        values = np.where(both, np.stack(found, axis=1), np.nan)
        average = difference.mean(np.where(averaged, values, np.nan))
        return np.concatenate([values, average[:, None]], axis=1)

    return measure


def sensitivity(ranking: metrics.Ranking, specificity: float) -> np.ndarray:
    """Largest sensitivity of any threshold whose specificity is at least the one given [R]."""
    allowed = (1 - specificity) * ranking.negatives + 1e-9
    found = np.where(ranking.through <= allowed[:, None], ranking.positives, 0).sum(axis=1)
    share = metrics.ratio(found, ranking.positives.sum(axis=1))
    return np.where(ranking.negatives > 0, share, np.nan)
