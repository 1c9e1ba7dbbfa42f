"""Comparison of two models on the same images, each given as one predictions file per seed."""

from dataclasses import replace

import numpy as np
import pandas as pd

from cxrgrid.comparison import conclusions, difference, significance
from cxrgrid.comparison.significance import holm, mcnemar
from cxrgrid.config.study import Report
from cxrgrid.evaluation import bootstrap
from cxrgrid.evaluation.own_intervals import own_intervals
from cxrgrid.evaluation.predictions import Predictions
from cxrgrid.evaluation.rare_labels import rare_labels

CLUSTERED = "some patients have several images, and it takes images for independent"


def rows(
    a: list[Predictions],
    b: list[Predictions],
    names: tuple[str, str],
    thresholds: list[float] | None,
    how: Report,
) -> pd.DataFrame:
    """One row per metric and label, the macro mean last; Holm's family is the labels of a metric.

    thresholds: none, one, or A's and B's; how: `resamples`, `stratify`, and the `interval` of each
    model's own values. An AUROC has the columns of DeLong's test, an accuracy those of McNemar's,
    or else `no_test`.
    """
    cuts = [None, None] if thresholds is None else [thresholds[0], thresholds[-1]]
    both = list(zip((a, b), cuts, strict=True))
    rare = rare_labels(a[:1], how.minimum)
    sides = [
        np.stack([difference.resampled(x, how.resamples, cut, how.stratify, rare) for x in side])
        for side, cut in both
    ]
    labels, size = [*a[0].facts["labels"], "macro"], difference.sizes(a[:1], rare)
    paired = len(a) == len(b) and all(same_seed(*pair) for pair in zip(a, b, strict=True))
    ends = [bounds(s, *more, how.interval, rare) for s, more in zip(sides, both, strict=True)]
    made = []
    for number, metric in enumerate(list(difference.METRICS)[: sides[0].shape[2]]):
        found = []
        for at, one in enumerate(size):
            counted = difference.patients(metric, one)
            of_one = against(sides, ends, paired, (number, at), counted)
            found.append(difference.with_enough(of_one, metric, one))
        found, adjusted, family = of_labels(found, labels, rare)
        for at, label in enumerate(labels):
            row = {"metric": metric, "label": label} | each(sides, ends, (number, at))
            row |= numbers(found[at], adjusted[at], a, b, size[at])
            words = conclusions.basis(trainings(a, b), size[at])
            tested = (found[at], adjusted[at], family[at], words, label in rare)
            text = conclusions.sentence(names, metric, *tested)
            made.append(row | beside(metric, at, a, b, cuts) | {"sentence": f"{label}: {text}"})
    return pd.DataFrame(made)


def of_labels(
    found: list[difference.Combined], labels: list[str], rare: frozenset[str]
) -> tuple[list[difference.Combined], np.ndarray, list[int]]:
    """Differences, p after Holm's correction, and sizes of the families: labels, then their mean.

    Rare labels are not tested.
    """
    found = [
        replace(one, p=np.nan) if label in rare else one
        for one, label in zip(found, labels, strict=True)
    ]
    p = np.array([one.p for one in found])
    tested = np.array([label not in rare for label in labels[:-1]])
    adjusted = p.copy()
    adjusted[:-1][tested] = holm(p[:-1][tested])
    return found, adjusted, [int(tested.sum())] * len(tested) + [1]


def against(
    sides: list[np.ndarray], ends: list[tuple], paired: bool, at: tuple[int, int], patients: int
) -> difference.Combined:
    """The difference in one metric and label; at: their indices."""
    a, b = (side[:, :, *at] for side in sides)
    own = [
        (values[:, 0].mean() - low[at], high[at] - values[:, 0].mean())
        for values, (low, high) in zip((a, b), ends, strict=True)
    ]
    return difference.with_width(difference.contrast(a, b, paired, patients), own, patients)


def same_seed(a: Predictions, b: Predictions) -> bool:
    """True if two files state the same seed."""
    return "seed" in a.facts and a.facts["seed"] == b.facts.get("seed")


def bounds(
    values: np.ndarray, side: list[Predictions], cut, kind: str, rare: frozenset[str]
) -> tuple:
    """Lower and upper bounds of a model's own interval, [metrics, L + 1] each."""
    pairs = zip(values, side, strict=True)
    ends = np.array([alone(x, made, cut, kind, rare) for x, made in pairs])
    if len(side) == 1:
        return tuple(ends[0])
    _, _, metrics, labels = ends.shape
    found = [
        [
            difference.of_configuration(values[:, :, number, at], ends[:, :, number, at].T, None)
            for at in range(labels)
        ]
        for number in range(metrics)
    ]
    low = np.array([[one.low for one in line] for line in found])
    high = np.array([[one.high for one in line] for line in found])
    return low, high


def alone(
    values: np.ndarray, made: Predictions, cut, kind: str, rare: frozenset[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Bounds of one training's interval over patients; values: its `difference.resampled`."""
    if kind == "wilson":
        return own_intervals(made, cut, rare=rare)
    if kind == "percentile":
        return bootstrap.interval(values[1:])
    left_out = bootstrap.jackknife(difference.statistic(made, cut, rare), made.patient)
    return bootstrap.bca(values, left_out)


def each(sides: list[np.ndarray], ends: list[tuple], at_label: tuple[int, int]) -> dict:
    """Columns of each model's own values; at_label: indices of metric and label."""
    columns = {}
    for side, values, (low, high) in zip("ab", sides, ends, strict=True):
        columns |= {f"value_{side}": values[:, 0, *at_label].mean()}
        columns |= {f"low_{side}": low[at_label], f"high_{side}": high[at_label]}
    return columns


def numbers(found: difference.Combined, p_holm: float, a, b, size: dict[str, int]) -> dict:
    """Columns of a difference."""
    columns = {"difference": found.value, "low": found.low, "high": found.high}
    columns |= {"p": found.p, "p_holm": p_holm, "sampling_se": found.sampling_se}
    columns |= {"seed_sd": found.seed_sd, "seed_se": found.seed_se}
    columns |= {"seeds_a": len(a), "seeds_b": len(b)}
    return columns | {name: size[name] for name in ("n", "positives", "patients")}


def trainings(a: list[Predictions], b: list[Predictions]) -> str:
    """Numbers of seeds of both sides as text."""
    if len(a) == len(b) == 1:
        return "one training each"
    return f"{len(a)} seeds each" if len(a) == len(b) else f"{len(a)} against {len(b)} seeds"


def beside(metric: str, at: int, a: list[Predictions], b: list[Predictions], cuts: list) -> dict:
    """Columns of DeLong's test for an AUROC, of McNemar's for an accuracy; or why there is none."""
    asked = {"auroc": "DeLong test", "accuracy": "McNemar test"}.get(metric)
    if asked is None or at == len(a[0].facts["labels"]):
        return {}
    truth = a[0].labels[:, at]
    if len(a) > 1 or len(b) > 1:
        return {"no_test": f"No {asked}: it is made for one file a side."}
    if not significance.one_image_each(a[0].patient, truth):
        return {"no_test": f"No {asked}: {CLUSTERED}."}
    if metric == "auroc":
        ranked = (side[0].ranking[:, at] for side in (a, b))
        _, error, p = significance.difference(truth, *ranked)
        return {"delong_se": error, "delong_p": p}
    scores = [side[0].scores[:, at] for side in (a, b)]
    right = [(one >= cut) == (truth == 1) for one, cut in zip(scores, cuts, strict=True)]
    known = ~np.isnan(truth)
    only_a, only_b = (int((known & x & ~y).sum()) for x, y in (right, right[::-1]))
    exact, mid = mcnemar(only_a, only_b)
    return {"only_a": only_a, "only_b": only_b, "mcnemar_p": exact, "mcnemar_mid_p": mid}
