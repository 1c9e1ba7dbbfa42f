"""Images of each step of an epoch: a function of seed and epoch."""

import numpy as np

from cxrgrid.config.cell import Cell
from cxrgrid.config.errors import UserError


def batches(
    labels: np.ndarray,
    cell: Cell,
    epoch: int,
    least: int = 1,
    dataset: np.ndarray | None = None,
) -> list[np.ndarray]:
    """Rows of each step of an epoch (from 1), int64; labels: those of the training split [N, L].

    With `steps_per_epoch` no image is repeated before all have been used, across epochs.
    Balanced: all groups are drawn from equally often, within one draw. A group is a class, or for
    multi-label the positives (1) of a label, and the images without any; an image with two
    findings is in two groups. Groups without images are left out. dataset: of each row, where
    several are pooled; with `dataset_sampling: balanced` these are drawn from equally often, and
    within each of them as `sampling` says.

    least: images that a step needs. Where the last batch has fewer, the epoch has one step less;
    `UserError` where all have fewer.
    """
    steps = cell.steps_per_epoch or -(-len(labels) // cell.batch_size)
    count = cell.steps_per_epoch * cell.batch_size or len(labels)
    first, last = (epoch - 1) * count, epoch * count
    if dataset is not None and cell.dataset_sampling == "balanced":
        rows = of_datasets(labels, dataset, cell, first, last)
    elif cell.sampling == "natural":
        rows = drawn(np.arange(len(labels)), first, last, [cell.seed])
    else:
        rows = balanced(groups(labels), first, last, [cell.seed])
    if "balanced" in (cell.sampling, cell.dataset_sampling):
        rows = np.random.default_rng([cell.seed, epoch]).permutation(rows)
    if len(rows) // steps < least <= cell.batch_size and steps > 1:
        steps -= 1
    if len(rows) // steps < least:
        remedy = "set batch_size to 2 or more" if cell.batch_size == 1 else "it needs more of them"
        raise UserError(
            f"cell {cell.path()}: batch norms of {cell.backbone} cannot learn from one image at a "
            f"time ({len(labels)} training images, batch_size {cell.batch_size}); {remedy}"
        )
    return np.array_split(rows, steps)


def drawn(rows: np.ndarray, first: int, last: int, seed: list[int]) -> np.ndarray:
    """The draws from `first` to before `last` out of one permutation of `rows` after the other.

    Each permutation follows from its number, so that an epoch continues where the last ended.
    """
    numbers = range(first // len(rows) + 1, -(-last // len(rows)) + 1)
    orders = [np.random.default_rng([seed[0], n, *seed[1:]]).permutation(rows) for n in numbers]
    start = first % len(rows)
    return np.concatenate([rows[:0], *orders])[start : start + last - first]


def of_datasets(
    labels: np.ndarray, dataset: np.ndarray, cell: Cell, first: int, last: int
) -> np.ndarray:
    """Draws from datasets in turn, and within each as `sampling` says; sorted by dataset."""
    numbers = np.unique(dataset)
    found = []
    for n, turn in zip(numbers, turns(len(numbers), first, last), strict=True):
        rows, seed = np.flatnonzero(dataset == n), [cell.seed, int(n) + 1]
        if cell.sampling == "natural":
            found.append(drawn(rows, *turn, seed))
        else:
            found.append(balanced([rows[own] for own in groups(labels[rows])], *turn, seed))
    return np.concatenate(found)


def balanced(found: list[np.ndarray], first: int, last: int, seed: list[int]) -> np.ndarray:
    """Draws from groups in turn; sorted by group."""
    every = zip(found, turns(len(found), first, last), strict=True)
    return np.concatenate(
        [drawn(rows, *turn, [*seed, n]) for n, (rows, turn) in enumerate(every, start=1)]
    )


def turns(groups: int, first: int, last: int) -> list[tuple[int, int]]:
    """Of each group the first of its own draws, and the one after its last, if all take turns."""
    return [(-((n - first) // groups), -((n - last) // groups)) for n in range(groups)]


def groups(labels: np.ndarray) -> list[np.ndarray]:
    """Rows of each label's positives, then of the images without any; empty groups left out."""
    positive = labels == 1
    found = [np.flatnonzero(column) for column in (*positive.T, ~positive.any(axis=1))]
    return [rows for rows in found if len(rows)]
