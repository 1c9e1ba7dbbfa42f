"""Which images each step of an epoch trains on."""

import math

import numpy as np

from cxrgrid.settings import Cell


def batches(labels: np.ndarray, cell: Cell, epoch: int) -> list[np.ndarray]:
    """The rows of `labels` (float [N, L], NaN unknown) in each step of an epoch (from 1).

    The order follows from the seed and the epoch alone. All batches are of one size, or one less.
    """
    rng = np.random.default_rng([cell.seed, epoch])
    return np.array_split(rng.permutation(len(labels)), math.ceil(len(labels) / cell.batch_size))
