"""The bootstrap over patients, and its intervals.

Images of one patient are correlated, so patients are drawn, with replacement and as many as there
are, each with all of their images. Resamples are integer weights, in blocks: memory use does not
grow with their number.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

INTERVALS = {
    "wilson": "95 % moderated Wilson interval, from the variance between patients",
    "percentile": "95 % percentile interval, patients resampled",
    "bca": "95 % bias-corrected and accelerated interval, patients resampled",
}
BLOCK = 1_000_000  # weights in a block: 1 MB, so that what follows stays in the cache
SEED = 20_000
TINY = 1e-12  # a width that is rounding
NORMAL = NormalDist()


def generator(patients: Sequence[str]) -> np.random.Generator:
    """A generator that depends on which patients there are: same patients, same resamples."""
    names = "\n".join(np.unique(patients))
    digest = hashlib.sha256(names.encode()).digest()
    return np.random.default_rng([SEED, *np.frombuffer(digest, np.uint32)])


def strata(labels: np.ndarray, patients: Sequence[str]) -> np.ndarray:
    """Stratum of each image [N]: the label whose rarer class is the rarest that its patient has.

    labels: 1, 0 or NaN [N, L]. Each label has a rarer class; of those that any image of a patient
    shows, the one with the fewest patients counts, and L if there is none. If patients are drawn
    within strata, no resample lacks the rarest class of all, and the others vary less.
    """
    names, patient = np.unique(patients, return_inverse=True)
    shown = np.zeros((2, len(names), labels.shape[1]), bool)
    for kind in (0, 1):
        np.logical_or.at(shown[kind], patient, labels == kind)
    rarer = shown.sum(axis=1).argmin(axis=0)
    members = np.take_along_axis(shown, rarer[None, None, :], axis=0)[0]
    ranked = np.argsort(members.sum(axis=0), kind="stable")
    first = members[:, ranked].argmax(axis=1)
    found = np.where(members.any(axis=1), ranked[first], labels.shape[1])
    return found[patient]


def resample_weights(
    patients: Sequence[str],
    resamples: int,
    rng: np.random.Generator,
    strata: np.ndarray | None = None,
) -> Iterator[np.ndarray]:
    """Blocks uint8 [B, N] of `resamples` rows in all: how often each image is in each resample.

    strata: of each image, alike for all images of a patient; each keeps its number of patients.
    """
    names, first_image, patient = np.unique(patients, return_index=True, return_inverse=True)
    kinds = np.zeros(len(names), int) if strata is None else strata[first_image]
    parts = [np.flatnonzero(kinds == kind) for kind in np.unique(kinds)]
    rows = max(1, BLOCK // len(patient))
    for first in range(0, resamples, rows):
        block = min(rows, resamples - first)
        counts = np.empty((block, len(names)), np.uint8)  # one patient in 255 copies: never
        for count in counts:
            drawn = [part[rng.integers(len(part), size=len(part))] for part in parts]
            count[:] = np.bincount(np.concatenate(drawn), minlength=len(names))
        yield counts.take(patient, axis=1)


def patient_weights(
    patients: Sequence[str],
    resamples: int,
    rng: np.random.Generator,
    strata: np.ndarray | None = None,
) -> np.ndarray:
    """Weights of all resamples at once: uint8 [R, N], equal for the images of a patient."""
    return np.concatenate(list(resample_weights(patients, resamples, rng, strata)))


def resampled_values(
    statistic: Callable[[np.ndarray], np.ndarray],
    patients: Sequence[str],
    resamples: int,
    rng: np.random.Generator,
    strata: np.ndarray | None = None,
) -> np.ndarray:
    """`statistic(weights [B, N]) -> [B, ...]` over the images as they are, then over resamples.

    Returns [1 + R, ...]: row 0 is the value itself, the others spread as the value would over other
    patients. Statistics of several models on the same rows of weights may be compared pair by pair.
    """
    values = [statistic(np.ones((1, len(patients)), np.uint8))]
    values += [statistic(weights) for weights in resample_weights(patients, resamples, rng, strata)]
    return np.concatenate(values)


def interval(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """2.5th and 97.5th percentile over axis 0 of [R, ...], without resamples that are NaN.

    NaN if more than half of the resamples are NaN, since the rest would be another population, and
    where resamples do not vary, as for a sensitivity of 1: no value is known without error.
    """
    undefined = np.isnan(values).mean(axis=0) > 0.5
    low, high = np.nanpercentile(np.where(undefined, 0, values), (2.5, 97.5), axis=0)
    return without_width(np.where(undefined, np.nan, low), np.where(undefined, np.nan, high))


def without_width(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both ends of intervals; NaN where these have no width."""
    none = ~(high - low > TINY)
    return np.where(none, np.nan, low), np.where(none, np.nan, high)


def standard_error(values: np.ndarray) -> np.ndarray:
    """Standard deviation of resamples over axis 0; NaN if more than half are NaN."""
    undefined = np.isnan(values).mean(axis=0) > 0.5
    return np.where(undefined, np.nan, np.nanstd(np.where(undefined, 0, values), axis=0, ddof=1))


# ------------------------------------------------------------------ bias-corrected, accelerated


def jackknife(statistic: Callable[[np.ndarray], np.ndarray], patients: Sequence[str]) -> np.ndarray:
    """`statistic` without each patient in turn [P, ...]: costs as much as P resamples."""
    names, patient = np.unique(patients, return_inverse=True)
    rows = max(1, BLOCK // len(patient))
    values = []
    for first in range(0, len(names), rows):
        left_out = np.arange(first, min(first + rows, len(names)))
        values.append(statistic((patient != left_out[:, None]).astype(np.uint8)))
    return np.concatenate(values)


def bca(values: np.ndarray, left_out: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bias-corrected and accelerated 95 % interval (Efron, JASA 82 (1987) 171-185, eq. 3.8, 6.6).

    values: [1 + R, ...] of `resampled_values`; left_out: [P, ...] of `jackknife`. Equal to
    `interval` where the resamples lie evenly around the value and no patient pulls harder up than
    down. NaN as there, and where the value itself is.
    """
    estimate, drawn = values[0], values[1:].reshape(len(values) - 1, -1)
    lows, highs = np.full((2, drawn.shape[1]), np.nan)
    columns = zip(np.ravel(estimate), drawn.T, left_out.reshape(len(left_out), -1).T, strict=True)
    for at, (value, resampled, without) in enumerate(columns):
        resampled = resampled[~np.isnan(resampled)]
        if np.isnan(value) or len(resampled) < len(drawn) / 2:
            continue
        shares = bca_shares(value, resampled, without[~np.isnan(without)])
        lows[at], highs[at] = np.percentile(resampled, 100 * shares)
    return without_width(lows.reshape(estimate.shape), highs.reshape(estimate.shape))


@dataclass(frozen=True)
class Resampled:
    """A statistic of the images and of resamples of their patients.

    values: [1 + R, ...] of `resampled_values`; left_out: [P, ...] of `jackknife`, None for the
    percentile interval.
    """

    values: np.ndarray
    left_out: np.ndarray | None = None

    @property
    def value(self) -> np.ndarray:
        """The statistic of the images themselves."""
        return self.values[0]

    def ends(self) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper bound of the interval."""
        if self.left_out is None:
            return interval(self.values[1:])
        return bca(self.values, self.left_out)

    def map(self, change: Callable[[np.ndarray], np.ndarray]) -> "Resampled":
        """The statistic that `change` makes of this one, resample by resample."""
        return Resampled(
            change(self.values), None if self.left_out is None else change(self.left_out)
        )

    def __sub__(self, other: "Resampled") -> "Resampled":
        """The difference of two statistics on the same resamples."""
        both = None if self.left_out is None else self.left_out - other.left_out
        return Resampled(self.values - other.values, both)


def resample(
    statistic: Callable[[np.ndarray], np.ndarray],
    patients: Sequence[str],
    resamples: int,
    kind: str = "percentile",
    strata: np.ndarray | None = None,
) -> Resampled:
    """The statistic on the resamples that belong to these patients; kind: one of `INTERVALS`."""
    values = resampled_values(statistic, patients, resamples, generator(patients), strata)
    return Resampled(values, jackknife(statistic, patients) if kind == "bca" else None)


def bca_shares(value: float, resampled: np.ndarray, without: np.ndarray) -> np.ndarray:
    """The two quantiles of the resamples, as shares, that bound the interval."""
    below = (resampled < value).mean() + (resampled == value).mean() / 2
    least = 1 / (2 * len(resampled))
    bias = NORMAL.inv_cdf(float(np.clip(below, least, 1 - least)))
    pull = without.mean() - without if len(without) else np.zeros(1)
    squares = (pull**2).sum()
    speed = (pull**3).sum() / (6 * squares**1.5) if squares > 0 else 0.0
    moved = [bias + NORMAL.inv_cdf(share) for share in (0.025, 0.975)]
    return np.array([NORMAL.cdf(bias + z / max(1 - speed * z, 1e-6)) for z in moved])
