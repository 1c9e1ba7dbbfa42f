"""Made-up patients with 1 to 5 images that are alike: what the simulations of this folder draw."""

import numpy as np

from cxrgrid.evaluation.predictions import Predictions


def images(rng: np.random.Generator, patients: int) -> np.ndarray:
    """Patient of each image, sorted [N]."""
    return np.repeat(np.arange(patients), rng.integers(1, 6, patients))


def noise(rng: np.random.Generator, who: np.ndarray, columns: int, icc: float) -> np.ndarray:
    """Standard normal numbers [N, columns], of which the images of a patient share a part.

    who: patient of each image, sorted; icc: the correlation of images of a patient.
    """
    shared = rng.normal(size=(who[-1] + 1, columns))[who]
    return np.sqrt(icc) * shared + np.sqrt(1 - icc) * rng.normal(size=shared.shape)


def predictions(
    who: np.ndarray, labels: np.ndarray, scores: np.ndarray, log_odds: np.ndarray | None = None
) -> Predictions:
    """Predictions of labels that are called 0, 1, 2, …; labels, scores, log_odds: [N, columns]."""
    names = [str(at) for at in range(labels.shape[1])]
    facts = {"task": "multilabel", "labels": names, "target": "made-up"}
    image = [str(at) for at in range(len(who))]
    patient = [f"{number:06}" for number in who.tolist()]
    return Predictions(image, patient, labels, scores, facts, log_odds=log_odds)
