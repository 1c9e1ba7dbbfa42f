"""Labels with too few positives or negatives to compare models by.

They are scored like the others, but enter no mean over labels by which models are ranked, and no
test: their values say more of the few images than of the models.
"""

from collections.abc import Sequence

import numpy as np

from cxrgrid.evaluation.predictions import Predictions


def rare_labels(parts: Sequence[Predictions], minimum: int) -> frozenset[str]:
    """Labels of a model with fewer positives or negatives than `minimum` in all parts together.

    parts: test images of each fold. None where no label has as many: then the means are over those
    that have both classes, since there is nothing else to say.
    """
    labels = parts[0].facts["labels"]
    classes = [[(part.labels == kind).sum(axis=0) for part in parts] for kind in (1, 0)]
    return too_rare(labels, *(np.sum(each, axis=0) for each in classes), minimum)


def too_rare(
    labels: Sequence[str], positives: np.ndarray, negatives: np.ndarray, minimum: int
) -> frozenset[str]:
    """`rare_labels` by the numbers of images [L]."""
    rare = np.minimum(positives, negatives) < minimum
    return frozenset() if rare.all() else frozenset(np.array(labels, object)[rare])


def in_means(labels: Sequence[str], both: np.ndarray, rare: frozenset[str]) -> np.ndarray:
    """The labels of a mean, bool [L]; both: those that have both classes."""
    return np.array([there and name not in rare for name, there in zip(labels, both, strict=True)])
