"""DeLong's variance is that of its definition, of a published example, and of simulated studies."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from cxrgrid.comparison import significance

# Three screening tests of 43 patients with ovarian cancer: DeLong et al. (1988), as printed in the
# SAS/STAT user's guide, PROC LOGISTIC, "Comparing Receiver Operating Characteristic Curves".
# Albumin, total protein, K-G score, and whether the patient was to benefit.
PATIENTS = """
3.0 5.8 10 0  3.2 6.3 5 1  3.9 6.8 3 1  2.8 4.8 6 0  3.2 5.8 3 1  0.9 4.0 5 0  2.5 5.7 8 0
1.6 5.6 5 1  3.8 5.7 5 1  3.7 6.7 6 1  3.2 5.4 4 1  3.8 6.6 6 1  4.1 6.6 5 1  3.6 5.7 5 1
4.3 7.0 4 1  3.6 6.7 4 0  2.3 4.4 6 1  4.2 7.6 4 0  4.0 6.6 6 0  3.5 5.8 6 1  3.8 6.8 7 1
3.0 4.7 8 0  4.5 7.4 5 1  3.7 7.4 5 1  3.1 6.6 6 1  4.1 8.2 6 1  4.3 7.0 5 1  4.3 6.5 4 1
3.2 5.1 5 1  2.6 4.7 6 1  3.3 6.8 6 0  1.7 4.0 7 0  3.7 6.1 5 1  3.3 6.3 7 1  4.2 7.7 6 1
3.5 6.2 5 1  2.9 5.7 9 0  2.1 4.8 7 1  2.8 6.2 8 0  4.0 7.0 7 1  3.3 5.7 6 1  3.7 6.9 5 1
3.6 6.6 5 1
"""


def published():
    table = np.array(PATIENTS.split(), float).reshape(-1, 4)
    return table[:, 3], table[:, :3] * (1, 1, -1)  # a high K-G score is a bad sign


def slow(labels, scores):
    """The components as the paper defines them: every positive against every negative."""
    sick, well = scores[labels == 1], scores[labels == 0]
    pairs = (sick[:, None] > well[None]) + 0.5 * (sick[:, None] == well[None])
    by_sick, by_well = pairs.mean(axis=1), pairs.mean(axis=0)
    covariance = np.cov(by_sick.T) / len(sick) + np.cov(by_well.T) / len(well)
    return pairs.mean(axis=(0, 1)), covariance


def test_the_published_example():
    labels, scores = published()
    auroc, covariance = significance.delong(labels, scores)
    np.testing.assert_allclose(auroc, [0.7366, 0.6478, 0.7258], atol=5e-5)
    np.testing.assert_allclose(np.sqrt(np.diag(covariance)), [0.0927, 0.1000, 0.1028], atol=5e-5)
    albumin = significance.difference(labels, scores[:, 0], scores[:, 2])
    np.testing.assert_allclose(albumin, [0.0108, 0.0953, 0.9102], atol=5e-5)
    protein = significance.difference(labels, scores[:, 1], scores[:, 2])
    np.testing.assert_allclose(protein, [-0.0780, 0.1046, 0.4561], atol=5e-5)


@given(st.integers(0, 10_000), st.integers(2, 30), st.integers(2, 30), st.integers(2, 40))
def test_ranks_give_what_all_pairs_give(seed, positives, negatives, levels):
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat([1.0, 0.0], [positives, negatives]))
    scores = rng.integers(levels, size=(len(labels), 3)) / levels  # many ties
    auroc, covariance = significance.delong(labels, scores)
    expected, expected_covariance = slow(labels, scores)
    np.testing.assert_allclose(auroc, expected, atol=1e-12)
    np.testing.assert_allclose(covariance, expected_covariance, atol=1e-12)
    assert auroc[0] == pytest.approx(roc_auc_score(labels, scores[:, 0]), abs=1e-12)


def test_unknown_labels_are_left_out_and_what_is_undefined_is_nan():
    labels, scores = published()
    more = np.append(labels, np.nan), np.vstack([scores, [np.nan] * 3])
    np.testing.assert_array_equal(
        significance.delong(*more)[1], significance.delong(labels, scores)[1]
    )
    assert np.isnan(significance.delong(np.ones(43), scores)[0]).all()
    auroc, covariance = significance.delong(np.array([1.0, 0, 0]), scores[:3])
    assert not np.isnan(auroc).any() and np.isnan(covariance).all()


def test_a_model_does_not_differ_from_a_monotone_transform_of_itself():
    labels, scores = published()
    assert significance.difference(labels, scores[:, 0], np.exp(scores[:, 0])) == (0, 0, 1)


def test_swapping_two_models_turns_the_sign():
    labels, scores = published()
    a, b = scores[:, 0], scores[:, 1]
    there, back = significance.difference(labels, a, b), significance.difference(labels, b, a)
    np.testing.assert_allclose(there, np.array(back) * (-1, 1, 1), atol=1e-12)


def test_patients_are_independent_where_each_has_one_known_image():
    assert significance.one_image_each(["a", "b", "b"], np.array([1, 0, np.nan]))
    assert not significance.one_image_each(["a", "b", "b"], np.array([1, 0, 0.0]))


@pytest.mark.slow
def test_it_errs_in_five_per_cent_of_studies_without_a_difference():
    rng, errors = np.random.default_rng(2), 0
    for _ in range(2000):
        labels = (rng.random(150) < 0.4).astype(float)
        shared = labels + rng.normal(size=150)
        a, b = (shared + rng.normal(size=150) for _ in "ab")
        errors += significance.difference(labels, a, b)[2] < 0.05
    assert 0.038 <= errors / 2000 <= 0.062
