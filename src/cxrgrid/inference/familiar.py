"""Distance of images from a cell's training images, in the features of its network.

The Mahalanobis distance of the features at the classifier's input from those of the training images
(Lee et al., NeurIPS 2018, arXiv 1807.03888; one Gaussian for all, since labels overlap), with the
covariance shrunk by Ledoit and Wolf (J Multivar Anal 88 (2004) 365-411), since there may be as many
features as images.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.covariance import ledoit_wolf

MOST = 10_000  # training images, evenly chosen, that say where the others lie
FEWEST = 10  # training images


@dataclass(frozen=True)
class Familiar:
    """Position of the training images. mean: [D]; precision: [D, D] of the features that vary;
    kept: which do [D]; images: how many it was learnt from; shrinkage: 0 to 1."""

    mean: np.ndarray
    precision: np.ndarray
    kept: np.ndarray
    images: int
    shrinkage: float

    def distance(self, features: np.ndarray) -> np.ndarray:
        """Mahalanobis distance of each image, features float [N, D]: float64 [N]."""
        apart = features[:, self.kept].astype(np.float64) - self.mean
        squares = np.einsum("ij,ij->i", apart @ self.precision, apart)
        return np.sqrt(np.maximum(squares, 0))


def learn(features: np.ndarray | None) -> Familiar | None:
    """Position of images with features [N, D]; None of too few, or where no feature varies."""
    if features is None or len(features) < FEWEST:
        return None
    features = features.astype(np.float64)
    kept = np.ptp(features, axis=0) > 0
    if not kept.any() or not np.isfinite(features).all():
        return None
    own = features[:, kept]
    covariance, shrinkage = ledoit_wolf(own)
    precision = np.linalg.pinv(covariance, hermitian=True)
    return Familiar(own.mean(axis=0), precision, kept, len(own), float(shrinkage))


def chosen(count: int, most: int) -> np.ndarray:
    """At most `most` of `count` places, evenly chosen: int64."""
    return np.linspace(0, count - 1, min(most, count)).astype(int)
