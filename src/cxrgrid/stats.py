"""How sure a number is: the bootstrap over patients.

Images of one patient resemble each other, so patients are drawn, with replacement and as many as
there are, and bring all of their images. Resamples come as whole-number weights, in blocks: memory
stays flat however many there are.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence

import numpy as np

INTERVAL = "95 % percentile interval, patients resampled"
BLOCK = 1_000_000  # weights in a block: 1 MB, so that what follows stays in the cache
SEED = 20_000


def generator(patients: Sequence[str]) -> np.random.Generator:
    """A generator that depends on which patients there are: same patients, same resamples."""
    names = "\n".join(np.unique(patients))
    digest = hashlib.sha256(names.encode()).digest()
    return np.random.default_rng([SEED, *np.frombuffer(digest, np.uint32)])


def draws(
    patients: Sequence[str], resamples: int, rng: np.random.Generator
) -> Iterator[np.ndarray]:
    """Blocks uint8 [B, N] of `resamples` rows in all: how often each image is in each resample."""
    names, patient = np.unique(patients, return_inverse=True)
    rows = max(1, BLOCK // len(patient))
    for first in range(0, resamples, rows):
        block = min(rows, resamples - first)
        counts = np.empty((block, len(names)), np.uint8)  # one patient in 255 copies: never
        for count in counts:
            count[:] = np.bincount(rng.integers(len(names), size=len(names)), minlength=len(names))
        yield counts.take(patient, axis=1)


def patient_weights(
    patients: Sequence[str], resamples: int, rng: np.random.Generator
) -> np.ndarray:
    """All resamples at once: uint8 [R, N], images of one patient alike."""
    return np.concatenate(list(draws(patients, resamples, rng)))


def bootstrap(
    statistic: Callable[[np.ndarray], np.ndarray],
    patients: Sequence[str],
    resamples: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """`statistic(weights [B, N]) -> [B, ...]` over the images as they are, then over resamples.

    Returns [1 + R, ...]: row 0 is the value itself, the others spread as the value would over other
    patients. Statistics of several models on the same rows of weights may be compared pair by pair.
    """
    values = [statistic(np.ones((1, len(patients)), np.uint8))]
    values += [statistic(weights) for weights in draws(patients, resamples, rng)]
    return np.concatenate(values)


def interval(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The 2.5th and 97.5th percentile over axis 0 of [R, ...], resamples that are NaN left out.

    NaN if more than half of the resamples are: what remains would be another population.
    """
    undefined = np.isnan(values).mean(axis=0) > 0.5
    low, high = np.nanpercentile(np.where(undefined, 0, values), (2.5, 97.5), axis=0)
    return np.where(undefined, np.nan, low), np.where(undefined, np.nan, high)
