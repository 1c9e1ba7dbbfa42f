"""Numbers of images, positives and patients that a row of the scores rests on."""

import numpy as np

from cxrgrid.evaluation.predictions import Predictions


def sizes(test: Predictions, columns: list[int] | slice) -> dict[str, int]:
    """Numbers of images with a known label, positives and patients."""
    labels = test.labels[:, columns]
    seen = (~np.isnan(labels)).any(axis=1)
    patients = len(np.unique(np.array(test.patient)[seen]))
    return {"n": int(seen.sum()), "positives": int((labels == 1).sum()), "patients": patients}


def each_size(test: Predictions) -> dict[str, dict[str, int]]:
    """`sizes` of each label, with the patients' names compared once."""
    patient = np.unique(test.patient, return_inverse=True)[1]
    found = {}
    for label, truth in zip(test.facts["labels"], test.labels.T, strict=True):
        seen = ~np.isnan(truth)
        numbers = {"n": int(seen.sum()), "positives": int((truth == 1).sum())}
        found[label] = numbers | {"patients": int((np.bincount(patient[seen]) > 0).sum())}
    return found
