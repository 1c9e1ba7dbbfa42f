"""Iterative stratification of patients (Sechidis, Tsoumakas & Vlahavas, ECML PKDD 2011)."""

import numpy as np


def stratify(counts: np.ndarray, fractions: list[float], rng: np.random.Generator) -> np.ndarray:
    """A part for each patient, so that images and labels are shared out as `fractions` say.

    counts: int [patients, 1 + labels], images and positive images. Returns int [patients].
    The rarest label left is dealt first, each patient to the part that lacks most of it.
    """
    need = np.outer(fractions, counts.sum(axis=0)).astype(float)
    left = counts.sum(axis=0)
    parts = np.full(len(counts), -1)
    patients, waiting = np.zeros(len(fractions), int), len(counts)
    order = rng.permutation(len(counts))
    while waiting:
        rare = [at for at in range(1, counts.shape[1]) if left[at] > 0]
        column = min(rare, key=lambda at: left[at]) if rare else 0
        for patient in order[(parts[order] < 0) & (counts[order, column] > 0)]:
            able = takers(need[:, 0], patients, waiting)
            part = max(able, key=lambda at: (need[at, column], need[at, 0]))
            parts[patient] = part
            need[part] -= counts[patient]
            patients[part] += 1
            waiting -= 1
        left = counts[parts < 0].sum(axis=0)
    return parts


def takers(images: np.ndarray, patients: np.ndarray, waiting: int) -> list[int]:
    """The parts that may take a patient: those that lack images; at the end, those without any.

    Without this, a cohort in which every patient has a rare label would all go to train.
    """
    empty = np.flatnonzero(patients == 0).tolist()
    if waiting <= len(empty):
        return empty
    return np.flatnonzero(images > 1e-9).tolist() or list(range(len(images)))
