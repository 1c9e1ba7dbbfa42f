"""Monitors agree with scikit-learn."""

import math

import numpy as np
import pytest
import torch
from sklearn import metrics as reference

from cxrgrid.training.monitor import validation_metrics

RNG = np.random.default_rng(0)
LABELS = (RNG.random((60, 3)) < 0.4).astype(np.float32)
LABELS[::7, 1] = np.nan
LABELS[:, 2] = 0  # one class only: it cannot be scored
ANSWERS = torch.from_numpy(RNG.normal(np.nan_to_num(LABELS) - 0.5, 1)).float()
CLASSES = np.eye(3, dtype=np.float32)[RNG.integers(0, 3, 60)]

SCORED = {
    "ap": (reference.average_precision_score, False),
    "f1": (reference.f1_score, True),
    "balanced_accuracy": (reference.balanced_accuracy_score, True),
    "sensitivity": (reference.recall_score, True),
}


@pytest.mark.parametrize("monitor", SCORED)
def test_labels_are_averaged_where_both_classes_are_known(monitor):
    metric, decided = SCORED[monitor]
    values = []
    for label in (0, 1):
        known = np.isfinite(LABELS[:, label])
        scores = ANSWERS[known, label].numpy()
        values.append(metric(LABELS[known, label], scores >= 0 if decided else scores))
    found = validation_metrics(LABELS, ANSWERS, "multilabel", monitor)
    assert found[f"val_{monitor}"] == pytest.approx(np.mean(values))
    assert set(found) == {"val_auroc", "val_accuracy", "val_f1", f"val_{monitor}"}


@pytest.mark.parametrize("monitor", SCORED)
def test_of_classes_the_largest_is_named(monitor):
    metric, decided = SCORED[monitor]
    scores = ANSWERS.double().softmax(1).numpy()
    named = scores == scores.max(axis=1, keepdims=True)
    values = [metric(CLASSES[:, n], (named if decided else scores)[:, n]) for n in range(3)]
    found = validation_metrics(CLASSES, ANSWERS, "multiclass", monitor)
    assert found[f"val_{monitor}"] == pytest.approx(np.mean(values))


def test_accuracy_is_the_share_of_images_named_right():
    expected = reference.accuracy_score(CLASSES.argmax(1), ANSWERS.argmax(1))
    labels = np.concatenate([CLASSES, np.full((5, 3), np.nan, np.float32)])
    logits = torch.cat([ANSWERS, torch.zeros(5, 3)])
    found = validation_metrics(labels, logits, "multiclass", "accuracy")
    assert found["val_accuracy"] == pytest.approx(expected)


def test_without_two_classes_there_is_nothing_to_say():
    found = validation_metrics(LABELS[:, 2:], ANSWERS[:, 2:], "multilabel", "f1")
    assert math.isnan(found["val_f1"]) and math.isnan(found["val_auroc"])


@pytest.mark.parametrize("monitor", ["auroc", "loss"])
def test_auroc_accuracy_and_f1_are_always_there(monitor):
    found = validation_metrics(LABELS, ANSWERS, "multilabel", monitor)
    assert set(found) == {"val_auroc", "val_accuracy", "val_f1"}


def test_accuracy_of_labels_that_stand_alone_is_over_the_known_ones():
    known = np.isfinite(LABELS)
    expected = reference.accuracy_score(LABELS[known], (ANSWERS >= 0).numpy()[known])
    found = validation_metrics(LABELS, ANSWERS, "multilabel", "loss")
    assert found["val_accuracy"] == pytest.approx(expected)


def test_auroc_of_competing_classes_is_that_of_their_probabilities():
    # What is added to all logits of an image changes no probability.
    raised = ANSWERS + torch.from_numpy(RNG.normal(0, 3, (60, 1)))
    wanted = reference.roc_auc_score(CLASSES, ANSWERS.double().softmax(1).numpy(), average="macro")
    for logits in (ANSWERS, raised):
        found = validation_metrics(CLASSES, logits, "multiclass", "auroc")
        assert found["val_auroc"] == pytest.approx(wanted)
