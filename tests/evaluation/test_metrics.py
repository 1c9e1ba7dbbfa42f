"""Metrics equal scikit-learn's and hand-computed values, and are NaN where nothing is defined."""

import subprocess
import sys
import warnings

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.metrics import (
    average_precision_score,
    balanced_accuracy_score,
    confusion_matrix,
    f1_score,
    roc_auc_score,
)

from cxrgrid.evaluation import metrics

NAN = float("nan")
steady = settings(deadline=None, derandomize=True)


@st.composite
def samples(draw, both=True):
    """Labels and scores with many ties."""
    size = draw(st.integers(2, 40))
    labels = np.array(draw(st.lists(st.sampled_from([0.0, 1.0]), min_size=size, max_size=size)))
    scores = np.array(draw(st.lists(st.integers(0, 8), min_size=size, max_size=size))) / 8
    assume(not both or metrics.has_both(labels))
    return labels, scores


@pytest.fixture(autouse=True)
def silent():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def test_auroc_by_hand():
    labels, scores = np.array([1, 0, 1, 0.0]), np.array([0.9, 0.8, 0.3, 0.3])
    assert metrics.auroc(labels, scores) == (1 + 1 + 0 + 0.5) / 4
    assert metrics.auroc(labels, scores, np.array([[1, 0, 1, 2]])) == [(2 + 2 * 0.5) / 4]


def test_average_precision_by_hand():
    labels, scores = np.array([1, 0, 1, 0.0]), np.array([0.9, 0.8, 0.3, 0.3])
    assert metrics.average_precision(labels, scores) == (1 / 1 + 2 / 4) / 2


@pytest.mark.parametrize("levels", [3, 50, 10**9])
@pytest.mark.parametrize("kind", ["counts", "real"])
def test_ranked_metrics_equal_scikit_learn(levels, kind):
    rng = np.random.default_rng(levels)
    labels = (rng.random(400) < 0.3).astype(np.float32)
    scores = (rng.integers(levels, size=400) + labels) / levels
    weights = (
        rng.random((20, 400)) if kind == "real" else rng.integers(4, size=(20, 400), dtype="u1")
    )
    for ours, theirs in (
        (metrics.auroc, roc_auc_score),
        (metrics.average_precision, average_precision_score),
    ):
        expected = [theirs(labels, scores, sample_weight=row) for row in weights]
        np.testing.assert_allclose(ours(labels, scores, weights), expected, rtol=0, atol=1e-12)
        assert ours(labels, scores) == pytest.approx(theirs(labels, scores), abs=1e-12)


@steady
@given(samples(), st.randoms())
def test_the_order_of_images_does_not_matter(sample, random):
    labels, scores = sample
    shuffled = random.sample(range(len(labels)), len(labels))
    for metric in (metrics.auroc, metrics.average_precision, metrics.youden):
        assert metric(labels[shuffled], scores[shuffled]) == metric(labels, scores)


@steady
@given(samples())
def test_only_the_order_of_scores_matters(sample):
    labels, scores = sample
    for metric in (metrics.auroc, metrics.average_precision):
        assert metric(labels, np.exp(3 * scores) - 7) == metric(labels, scores)


@steady
@given(samples())
def test_auroc_turns_over_with_the_labels(sample):
    labels, scores = sample
    assert metrics.auroc(1 - labels, scores) == pytest.approx(1 - metrics.auroc(labels, scores))


@steady
@given(samples(), st.integers(2, 5))
def test_copies_of_all_images_change_nothing(sample, copies):
    labels, scores = sample
    for metric in (metrics.auroc, metrics.average_precision):
        once = metric(labels, scores)
        assert metric(np.tile(labels, copies), np.tile(scores, copies)) == pytest.approx(once)
        assert metric(labels, scores, np.full((1, len(labels)), copies)) == pytest.approx(once)


@steady
@given(samples(both=False), st.data())
def test_a_weight_is_a_number_of_copies(sample, data):
    labels, scores = sample
    size = len(labels)
    weights = np.array(data.draw(st.lists(st.integers(0, 3), min_size=size, max_size=size)))
    copied = metrics.auroc(labels.repeat(weights), scores.repeat(weights))
    np.testing.assert_equal(metrics.auroc(labels, scores, weights[None]), [copied])


@pytest.mark.parametrize("labels", [[0, 0, 0], [1, 1, 1], [NAN, NAN, NAN], [1, NAN, NAN], []])
def test_one_class_is_not_scored(labels):
    labels = np.array(labels, float)
    scores = np.arange(len(labels), dtype=float)
    for metric in (metrics.auroc, metrics.average_precision, metrics.youden):
        assert np.isnan(metric(labels, scores))
    assert (
        np.isnan(metrics.auroc(labels, scores, np.ones((3, len(labels)), int))).tolist()
        == [True] * 3
    )


def test_a_resample_that_loses_a_class_is_nan_alone():
    labels, scores = np.array([1, 0.0]), np.array([0.7, 0.2])
    weights = np.array([[1, 1], [2, 0], [0, 2], [0, 0]])
    for metric in (metrics.auroc, metrics.average_precision):
        np.testing.assert_equal(metric(labels, scores, weights), [1, NAN, NAN, NAN])


def test_masked_labels_are_never_scored():
    labels, scores = np.array([1, NAN, 0, NAN, 1]), np.array([0.9, 0.95, 0.5, NAN, 0.4])
    known = ~np.isnan(labels)
    for metric in (metrics.auroc, metrics.average_precision, metrics.youden):
        assert metric(labels, scores) == metric(labels[known], scores[known])
    assert sum(metrics.confusion(labels, scores > 0.5)) == 3


def test_a_score_that_is_no_number_gives_none():
    labels, scores = np.array([1, 0, 1.0]), np.array([NAN, 0.2, 0.4])
    for metric in (metrics.auroc, metrics.average_precision, metrics.youden):
        assert np.isnan(metric(labels, scores))


def test_infinite_scores_have_their_place():
    labels, scores = np.array([1, 0, 1, 0.0]), np.array([np.inf, np.inf, 0, -np.inf])
    assert metrics.auroc(labels, scores) == (0.5 + 1 + 0 + 1) / 4
    assert metrics.average_precision(labels, scores) == (1 / 2 + 2 / 3) / 2
    assert metrics.youden(labels, scores) == 0


def test_mean_auroc_leaves_out_labels_with_one_class():
    labels = np.array([[1, 0, NAN], [0, 0, NAN], [1, 0, NAN], [0, 0, 1]])
    scores = np.array([[0.9, 0, 0], [0.1, 0, 0], [0.2, 0, 0], [0.5, 0, 0]])
    assert metrics.mean_auroc(labels, scores) == 0.75
    assert np.isnan(metrics.mean_auroc(labels[:, 1:], scores[:, 1:]))


def test_mean_auroc_of_a_model_that_diverged_is_nan():
    labels = np.array([[1, 1], [0, 0.0]])
    assert np.isnan(metrics.mean_auroc(labels, np.array([[0.1, NAN], [0.2, NAN]])))


@steady
@given(samples())
def test_youden_is_the_best_of_all_thresholds(sample):
    labels, scores = sample

    def gain(threshold):
        counts = metrics.confusion(labels, scores >= threshold)
        return metrics.sensitivity(*counts) + metrics.specificity(*counts) - 1

    chosen = metrics.youden(labels, scores)
    best = max(gain(threshold) for threshold in scores)
    assert gain(chosen) == pytest.approx(best)
    assert not any(gain(t) > best - 1e-9 for t in scores if t > chosen), "the highest of equals"


def test_metrics_from_counts_equal_scikit_learn():
    rng = np.random.default_rng(0)
    labels, decisions = rng.integers(2, size=(2, 300)) == 1
    weights = rng.integers(4, size=(10, 300), dtype=np.uint8)
    counts = metrics.confusion(labels.astype(float), decisions, weights)
    for row, weight in enumerate(weights):
        tp, fp, tn, fn = (count[row] for count in counts)
        theirs = confusion_matrix(labels, decisions, sample_weight=weight)
        assert theirs.tolist() == [[tn, fp], [fn, tp]]
        pairs = ((metrics.f1, f1_score), (metrics.balanced_accuracy, balanced_accuracy_score))
        for ours, theirs in pairs:
            expected = theirs(labels, decisions, sample_weight=weight)
            assert ours(tp, fp, tn, fn) == pytest.approx(expected, abs=1e-12)


def test_confusion_of_many_labels_is_that_of_each():
    rng = np.random.default_rng(1)
    labels = rng.choice([0, 1, NAN], (50, 3))
    decisions, weights = rng.random((50, 3)) < 0.5, rng.integers(3, size=(7, 50))
    together = np.stack(metrics.confusion(labels, decisions, weights))
    for label in range(3):
        alone = metrics.confusion(labels[:, label], decisions[:, label], weights)
        np.testing.assert_array_equal(together[:, :, label], np.stack(alone))


def test_metrics_from_counts_by_hand():
    counts = np.array([6.0]), np.array([2.0]), np.array([10.0]), np.array([2.0])
    assert metrics.sensitivity(*counts) == 6 / 8
    assert metrics.specificity(*counts) == 10 / 12
    assert metrics.accuracy(*counts) == 16 / 20
    assert metrics.prevalence(*counts) == 8 / 20
    assert metrics.majority_accuracy(*counts) == 12 / 20
    assert metrics.f1(*counts) == 12 / 16


def test_counts_without_positives_leave_undefined_what_needs_them():
    counts = np.array([0.0]), np.array([1.0]), np.array([3.0]), np.array([0.0])
    for metric in (metrics.sensitivity, metrics.balanced_accuracy, metrics.f1):
        assert np.isnan(metric(*counts))
    assert metrics.accuracy(*counts) == 0.75
    assert metrics.majority_accuracy(*counts) == 1


def test_metrics_import_numpy_only():
    code = "import sys, cxrgrid.evaluation.metrics; "
    code += "print({'pandas', 'scipy', 'sklearn'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


@pytest.mark.parametrize("digits", [0, 1, 2, 17])
def test_sorting_ties_alone_sorts_as_by_both_keys(digits):
    rng = np.random.default_rng(digits)
    scores = np.append(np.round(rng.normal(size=300), digits), [np.inf, np.inf, -np.inf, 0.0, -0.0])
    labels = (rng.random(305) < 0.5).astype(float)
    expected = np.lexsort((labels, -scores))
    assert metrics.highest_first(labels, scores).tolist() == expected.tolist()
    assert metrics.highest_first(labels[:0], scores[:0]).tolist() == []
    assert metrics.highest_first(labels[:1], scores[:1]).tolist() == [0]
