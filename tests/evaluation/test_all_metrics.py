"""Every average is scikit-learn's, under any weights; what is not defined says why."""

import warnings

import numpy as np
import pytest
from sklearn import metrics as theirs

from cxrgrid.evaluation.all_metrics import Evaluation, Row
from cxrgrid.evaluation.predictions import Predictions

NAN = float("nan")
LABELS = ["a", "b", "c"]


def made(task="multilabel", images=300, unknown=0.0, rare=False):
    """Predictions on images of a hundred patients."""
    rng = np.random.default_rng(images)
    labels = (rng.random((images, 3)) < (0.5, 0.3, 0.2)).astype(float)
    if task == "multiclass":
        labels = np.eye(3)[rng.integers(3, size=images)]
    scores = 1 / (1 + np.exp(-rng.normal(2 * labels - 1, 1)))
    if task == "multiclass":
        scores /= scores.sum(axis=1, keepdims=True)
    labels[rng.random(labels.shape) < unknown] = NAN
    if rare:
        labels[:, 1] = 0
    facts = {"task": task, "labels": LABELS}
    names = [str(at) for at in range(images)]
    return Predictions(names, [str(at // 3) for at in range(images)], labels, scores, facts)


def values(test, thresholds, weights=None):
    """The metrics by row; of the first row of weights."""
    whole = Evaluation(test, thresholds)
    weights = np.ones((1, len(test.image))) if weights is None else weights
    return dict(zip(whole.rows, whole.metrics(weights)[0], strict=True))


CUT = {"0.5": np.full(3, 0.5)}


def test_averages_over_labels_equal_scikit_learn():
    test = made()
    row = np.random.default_rng(3).integers(4, size=(1, 300))
    found = values(test, CUT, row)
    y, p, w = test.labels, test.scores, row[0]
    for average in ("macro", "weighted", "micro"):
        for name, ours in ((theirs.roc_auc_score, "auroc"), (theirs.average_precision_score, "ap")):
            expected = name(y, p, average=average, sample_weight=w)
            assert found[average, ours, ""] == pytest.approx(expected, abs=1e-12)
        decided = (theirs.f1_score, "f1"), (theirs.precision_score, "precision")
        for name, ours in (*decided, (theirs.recall_score, "sensitivity")):
            expected = name(y, p >= 0.5, average=average, sample_weight=w)
            assert found[average, ours, "0.5"] == pytest.approx(expected, abs=1e-12)
    expected = theirs.f1_score(y, p >= 0.5, average="samples", sample_weight=w, zero_division=1)
    assert found["samples", "f1", "0.5"] == pytest.approx(expected, abs=1e-12)
    assert found["micro", "mcc", "0.5"] == pytest.approx(
        theirs.matthews_corrcoef(y.ravel(), (p >= 0.5).ravel(), sample_weight=np.repeat(w, 3)),
        abs=1e-12,
    )


def test_metrics_of_a_label_equal_scikit_learn_on_its_known_images():
    test = made(unknown=0.2)
    row = np.random.default_rng(4).integers(4, size=(1, 300))
    found = values(test, CUT, row)
    for at, label in enumerate(LABELS):
        known = ~np.isnan(test.labels[:, at])
        y, p, w = test.labels[known, at], test.scores[known, at], row[0, known]
        expected = {
            "mcc": theirs.matthews_corrcoef(y, p >= 0.5, sample_weight=w),
            "precision": theirs.precision_score(y, p >= 0.5, sample_weight=w),
            "accuracy": theirs.accuracy_score(y, p >= 0.5, sample_weight=w),
        }
        undecided = {
            "brier": theirs.brier_score_loss(y, p, sample_weight=w),
            "log_loss": theirs.log_loss(y, p, sample_weight=w),
            "negative_accuracy": 1 - np.average(y, weights=w),
        }
        for metric, value in expected.items():
            assert found[label, metric, "0.5"] == pytest.approx(value, abs=1e-12)
        for metric, value in undecided.items():
            assert found[label, metric, ""] == pytest.approx(value, abs=1e-12)


def test_competing_classes_equal_scikit_learn():
    test = made("multiclass")
    row = np.random.default_rng(5).integers(4, size=(1, 300))
    found = values(test, {"argmax": np.full(3, NAN)}, row)
    y, said, w = test.labels.argmax(axis=1), test.scores.argmax(axis=1), row[0]
    expected = {
        ("accuracy", "argmax"): theirs.accuracy_score(y, said, sample_weight=w),
        ("mcc", "argmax"): theirs.matthews_corrcoef(y, said, sample_weight=w),
        ("log_loss", ""): theirs.log_loss(y, test.scores, sample_weight=w),
        ("balanced_accuracy", "argmax"): theirs.balanced_accuracy_score(y, said, sample_weight=w),
    }
    for kind, value in expected.items():
        assert found["all", *kind] == pytest.approx(value, abs=1e-12)


def test_copies_and_order_of_patients_leave_every_value():
    test = made(unknown=0.1)
    order = np.random.default_rng(0).permutation(300).repeat(2)
    facts = test.facts
    copied = Predictions(["x"] * 600, ["p"] * 600, test.labels[order], test.scores[order], facts)
    once, twice = values(test, CUT), values(copied, CUT)
    for row, value in once.items():
        factor = 2 if row.metric in ("tp", "fp", "tn", "fn") else 1
        np.testing.assert_allclose(twice[row], factor * value, rtol=1e-9, err_msg=str(row))


def test_an_absent_class_is_out_of_averages_and_says_why():
    test = made(rare=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        whole = Evaluation(test, CUT)
        point = dict(zip(whole.rows, whole.metrics(np.ones((1, 300)))[0], strict=True))
    assert np.isnan(point["b", "auroc", ""])
    assert whole.reason(Row("b", "auroc", "")) == "no positive image"
    two = [point[label, "auroc", ""] for label in "ac"]
    assert point["macro", "auroc", ""] == pytest.approx(np.mean(two))
    assert whole.labels_scored(Row("macro", "auroc", ""), point) == 2
    assert whole.labels_scored(Row("micro", "auroc", ""), point) == 3
    assert point["b", "brier", ""] == pytest.approx((test.scores[:, 1] ** 2).mean())


def test_a_mean_without_labels_that_have_enough_does_not_say_that_a_class_is_absent():
    whole = Evaluation(made(), CUT, frozenset(LABELS))
    found = dict(zip(whole.rows, whole.metrics(np.ones((1, 300)))[0], strict=True))
    row = Row("macro", "auroc", "")
    assert np.isnan(found[row])
    assert whole.reason(row) == "each label has too few positives or negatives"


def test_nothing_known_is_nan_throughout():
    test = made(unknown=1.1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        whole = Evaluation(test, CUT)
        found = whole.metrics(np.ones((1, 300)))[0]
    rows = [row for row in whole.rows if row.metric not in ("tp", "fp", "tn", "fn", "threshold")]
    assert all(np.isnan(value) for row, value in zip(whole.rows, found, strict=True) if row in rows)
    assert {whole.reason(row) for row in rows} == {
        "no image with a known label",
        "no image has a known label",
    }


def test_no_call_leaves_precision_undefined_but_not_f1():
    found = values(made(), {"2": np.full(3, 2.0)})
    assert np.isnan(found["a", "precision", "2"]) and np.isnan(found["a", "mcc", "2"])
    assert found["a", "f1", "2"] == 0
