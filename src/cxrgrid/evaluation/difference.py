"""Differences between two models on the same images: values, intervals, tests and sentences."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from cxrgrid.evaluation import bootstrap, metrics
from cxrgrid.evaluation.predictions import Predictions
from cxrgrid.evaluation.seed_variance import Combined, Spread, combine, over_seeds, seed_parts
from cxrgrid.evaluation.wilson import PRIOR
from cxrgrid.evaluation.wording import p_value, signed

METRICS = {"auroc": "AUROC", "ap": "average precision", "accuracy": "accuracy"}
RANKING = ("auroc", "ap")  # need no threshold
ALPHA = 0.05
THIS = "these trainings"  # verdict of a difference that may not be one of methods
SMALL = 0.02  # difference for which a sample size is told, without a margin
TINY = 1e-12  # a standard error that is rounding


def statistic(made: Predictions, thresholds: np.ndarray | None = None) -> Callable:
    """Function from weights [B, N] to metrics [B, metrics, L + 1]: each label, then their mean.

    The metrics are RANKING and, with thresholds [L], accuracy. A label without both classes is NaN
    and not in the mean; so is, in a resample, a label that loses a class there.
    """
    columns = list(zip(made.labels.T, made.ranking.T, strict=True))
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
    """Mean over the last axis of defined values; NaN if there are none."""
    defined = ~np.isnan(values)
    return metrics.ratio(np.where(defined, values, 0).sum(axis=-1), defined.sum(axis=-1))


def resampled(
    made: Predictions,
    resamples: int,
    thresholds: np.ndarray | None = None,
    stratify: bool = False,
) -> np.ndarray:
    """`statistic` of the images themselves, then of resampled patients: [1 + R, M, L + 1].

    The same patients give the same resamples, so that rows of two models may be subtracted.
    stratify: draw patients within `bootstrap.strata`.
    """
    strata = bootstrap.strata(made.labels, made.patient) if stratify else None
    return bootstrap.resample(
        statistic(made, thresholds), made.patient, resamples, strata=strata
    ).values


def sizes(made: Predictions) -> list[dict[str, int]]:
    """Numbers of images, positives, patients and `rarer` of each label, then of their mean.

    rarer: patients of the rarer class, which limit how well an error is known; for the mean, their
    sum over labels, but no more than there are patients.
    """
    found = [count(made, [at]) for at in range(len(made.facts["labels"]))]
    whole = count(made, slice(None))
    rarer = sum(size["rarer"] for size in found)
    return [*found, whole | {"rarer": min(rarer, whole["patients"])}]


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


def within(found: Combined, least: float, most: float) -> Combined:
    """The value with its interval cut to the metric's range."""
    return replace(found, low=max(found.low, least), high=min(found.high, most))


# ------------------------------------------------------------------ in words


def verdict(found: Combined, p_holm: float) -> str:
    """Verdict of a test: `better`, `worse` or `not shown`; `not defined` for NaN.

    `these trainings` where they differ, but one training each says nothing of the two methods.
    """
    if np.isnan(p_holm):
        return "not defined"
    if p_holm >= ALPHA:
        return "not shown"
    if found.trained_once:
        return THIS
    return "better" if found.value > 0 else "worse"


def sentence(
    names: tuple[str, str], metric: str, found: Combined, p_holm: float, family: int, basis: str
) -> str:
    """Conclusion of a comparison as a sentence. basis: text with seeds, images and patients."""
    a, b = names
    unit, which, each = METRICS.get(metric, metric), ("This training", "that"), "training each"
    if " folds, " in basis:
        which, each = ("These trainings", "those"), "training in each fold"
    if np.isnan(p_holm):
        return f"{a} against {b}: {unit} is not defined, as one class is absent ({basis})."
    low, high = (signed(end) for end in (found.low, found.high))
    chance = f"p {p_value(found.p)}"
    if family > 1:
        chance += f", after Holm over {family} comparisons p {p_value(p_holm)}"
    if p_holm < ALPHA:
        better, worse = (a, b) if found.value > 0 else (b, a)
        ends = sorted((abs(found.low), abs(found.high)))
        if found.trained_once:
            return (
                f"{which[0]} of {better} scored higher than {which[1]} of {worse} by "
                f"{abs(found.value):.3f} {unit} ({ends[0]:.3f} to {ends[1]:.3f}), {basis}; "
                f"{chance}. With one {each}, chance in training is not ruled out: it is "
                f"not shown that {better} is the better method."
            )
        return (
            f"{better} is better than {worse} by {abs(found.value):.3f} {unit} "
            f"({ends[0]:.3f} to {ends[1]:.3f}), {basis}; {chance}."
        )
    size = max(abs(found.low), abs(found.high))
    if found.value == 0 and found.sampling_se < TINY and not found.seed_sd > TINY:
        left = "" if np.isnan(size) else f": differences up to {size:.3f} remain possible"
        return (
            f"{a} and {b} have the same {unit} on these images and on every resample of their "
            f"patients ({basis}). This does not prove equality on other images{left}."
        )
    text = f"{signed(found.value)} {unit} ({low} to {high}), {basis}; {chance}"
    if found.p < ALPHA:
        return (
            f"A difference between {a} and {b} remains uncertain: {text}. It would be significant "
            "as a single comparison, but not among so many."
        )
    excluded = f"differences larger than {max(size, 0.001):.3f}, but not smaller ones"
    return (
        f"No difference between {a} and {b} is shown: {text}. This does not prove equality: the "
        f"95 % interval excludes {excluded if size < 1 else 'no difference'}{power(found)}."
    )


def power(found: Combined) -> str:
    """The smallest difference that a study with these errors could have shown, as a clause."""
    size, among = found.detectable, " between trainings such as these" * found.trained_once
    if not size < 1:
        none = ", and no true difference would have been shown 8 times in 10"
        return "" if np.isnan(size) else none
    return f", and a true difference{among} had to be {size:.3f} to be shown 8 times in 10"


def times_needed(found: Combined, margin: float) -> float:
    """Multiple of the test patients and trainings that would show a difference as the margin.

    As large as the margin, or as `SMALL` without one, in 80 % of studies; both errors shrink with
    the root of their number. NaN where the study could show it, or says nothing of trainings.
    """
    wanted = margin or SMALL
    if found.trained_once or not found.detectable > wanted:
        return np.nan
    return (found.detectable / wanted) ** 2


def size_words(times: float, margin: float) -> str:
    """The sample size that a small difference would take, as a sentence; empty for NaN."""
    if np.isnan(times):
        return ""
    return (
        f" To show one of {margin or SMALL:g} as often would take about {times:.1f} times as many "
        "test patients and trainings."
    )


def by_margin(found: Combined, margin: float) -> str:
    """Verdict by a difference that does not matter, from the 95 % interval; empty without one.

    `equivalent`: the interval lies within the margin; `not worse` and `not better`: by more than
    it; else `undecided`, as where one training each says nothing of the two methods. Each side errs
    in 2.5 % of studies (as in CONSORT's extension to non-inferiority, JAMA 308 (2012) 2594).
    """
    if not margin or np.isnan(found.low):
        return ""
    if found.trained_once:
        return "undecided"
    above, below = found.low > -margin, found.high < margin
    if above and below:
        return "equivalent"
    return "not worse" if above else "not better" if below else "undecided"


def margin_words(verdict: str, margin: float) -> str:
    """The verdict by the margin as a sentence."""
    words = {
        "equivalent": "The two are equivalent",
        "not worse": "The first is not worse",
        "not better": "The first is not better",
        "undecided": "Neither equivalence nor non-inferiority is shown",
    }
    return f" {words[verdict]} within the margin of {margin:g}." if verdict else ""


def basis(seeds: str, size: dict[str, int]) -> str:
    """Basis of a comparison as text: `3 seeds, 420 images of 377 patients`."""
    return f"{seeds}, {size['n']:,} images of {size['patients']:,} patients"
