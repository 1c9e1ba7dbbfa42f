"""The bootstrap draws whole patients, repeats itself, and its intervals cover the truth."""

from functools import partial
from statistics import NormalDist

import numpy as np
import pytest
from scipy.stats import bootstrap as scipy_bootstrap
from sklearn.metrics import roc_auc_score

from cxrgrid.evaluation import bootstrap, metrics

PATIENTS = ["b", "a", "b", "c", "a", "b"]


def test_images_of_a_patient_are_drawn_together_and_as_many_patients_as_there_are():
    weights = bootstrap.patient_weights(PATIENTS, 500, np.random.default_rng(0))
    assert weights.shape == (500, 6)
    assert (weights[:, [0, 0, 1]] == weights[:, [2, 5, 4]]).all()
    assert (weights[:, [0, 1, 3]].sum(axis=1) == 3).all()
    assert weights.mean(axis=0) == pytest.approx(1, abs=0.15)


def test_the_same_patients_in_any_order_get_the_same_resamples():
    turned = PATIENTS[::-1]
    weights = bootstrap.patient_weights(PATIENTS, 9, bootstrap.generator(PATIENTS))
    again = bootstrap.patient_weights(turned, 9, bootstrap.generator(turned))
    np.testing.assert_array_equal(weights, again[:, ::-1])
    other = bootstrap.patient_weights(PATIENTS, 9, bootstrap.generator([*PATIENTS, "d"]))
    assert (weights != other).any()


def test_strata_keep_the_patients_of_the_rarest_finding():
    rng = np.random.default_rng(2)
    patients = [f"{n // 2:02}" for n in range(80)]
    labels = np.zeros((80, 3))
    labels[:, 1] = rng.integers(2, size=80)  # common
    labels[[3, 40], 0] = 1  # two patients; one of them is the common one's as well
    labels[41, 1] = 1
    labels[:, 2] = np.nan
    found = bootstrap.strata(labels, patients)
    assert set(np.flatnonzero(found == 0)) == {2, 3, 40, 41}, "all images of these patients"
    assert (found[::2] == found[1::2]).all() and set(found) <= {0, 1, 3}
    free = bootstrap.patient_weights(patients, 400, np.random.default_rng(1))
    kept = bootstrap.patient_weights(patients, 400, np.random.default_rng(1), found)
    positives = [weights.astype(int) @ labels[:, 0] for weights in (free, kept)]
    assert positives[0].min() == 0 and positives[1].min() == positives[1].max() == 2
    assert (kept[:, ::2] == kept[:, 1::2]).all() and (kept.sum(axis=1) == 80).all()


def test_blocks_change_nothing(monkeypatch):
    whole = bootstrap.patient_weights(PATIENTS, 10, np.random.default_rng(3))
    monkeypatch.setattr(bootstrap, "BLOCK", 18)
    blocks = list(bootstrap.resample_weights(PATIENTS, 10, np.random.default_rng(3)))
    assert [len(block) for block in blocks] == [3, 3, 3, 1]
    np.testing.assert_array_equal(np.concatenate(blocks), whole)


def test_every_resample_is_what_scikit_learn_says():
    rng = np.random.default_rng(5)
    patients = rng.integers(80, size=300).astype(str)
    labels, scores = rng.integers(2, size=300).astype(float), rng.integers(20, size=300) / 20
    values = bootstrap.resampled_values(
        lambda weights: metrics.auroc(labels, scores, weights),
        patients,
        50,
        bootstrap.generator("x"),
    )
    weights = bootstrap.patient_weights(patients, 50, bootstrap.generator("x"))
    expected = [roc_auc_score(labels, scores, sample_weight=row) for row in weights]
    np.testing.assert_allclose(values, [roc_auc_score(labels, scores), *expected], atol=1e-12)


def test_interval_leaves_out_undefined_resamples_unless_they_are_most():
    values = np.full((101, 3), np.nan)
    values[:, 0] = np.arange(101)
    values[:61, 1] = np.arange(61)
    values[:40, 2] = np.arange(40)
    low, high = bootstrap.interval(values)
    np.testing.assert_allclose(low, [2.5, 1.5, np.nan])
    np.testing.assert_allclose(high, [97.5, 58.5, np.nan])


def simulate(rng, patients=120, images=4, shift=1.0):
    """One study: labels by patient, scores that resemble each other within a patient."""
    patient = np.arange(patients).repeat(images)
    labels = (np.arange(patients) % 2).astype(float)[patient]
    scores = shift * labels + rng.normal(size=patients)[patient] + rng.normal(size=len(patient)) / 2
    return patient, labels, scores


def auroc(order, weights):
    return order.weigh(weights).auroc()


def test_intervals_cover_the_truth_only_if_patients_are_resampled():
    rng = np.random.default_rng(11)
    truth = NormalDist().cdf(1 / np.sqrt(2 * (1 + 1 / 4)))
    hits, widths = np.zeros(2), np.zeros(2)
    for _ in range(400):
        patient, labels, scores = simulate(rng)
        order = metrics.order(labels, scores)
        for way, cluster in enumerate((patient, np.arange(len(patient)))):
            values = bootstrap.resampled_values(partial(auroc, order), cluster, 400, rng)
            low, high = bootstrap.interval(values[1:])
            hits[way] += low <= truth <= high
            widths[way] += high - low
    assert 0.90 <= hits[0] / 400 <= 0.98
    assert hits[1] / 400 < 0.85
    assert widths[1] < 0.7 * widths[0]


def test_bca_is_the_percentile_interval_where_nothing_is_skewed():
    values = np.concatenate([[0.0], np.linspace(-1, 1, 2001)])[:, None]
    low, high = bootstrap.bca(values, np.array([[-1.0], [0.0], [1.0]]))
    np.testing.assert_allclose([low, high], [[-0.95], [0.95]], atol=1e-3)


def test_bca_agrees_with_scipy_where_every_patient_has_one_image():
    rng = np.random.default_rng(8)
    x = rng.exponential(size=60)

    def mean(weights):
        return (weights @ x / weights.sum(axis=1))[:, None]

    patients = [f"{n:02}" for n in range(60)]
    values = bootstrap.resampled_values(mean, patients, 20_000, rng)
    low, high = bootstrap.bca(values, bootstrap.jackknife(mean, patients))
    ours = scipy_bootstrap(
        (x,), np.mean, n_resamples=20_000, method="BCa", rng=rng
    ).confidence_interval
    percentile = bootstrap.interval(values[1:])
    np.testing.assert_allclose([low[0], high[0]], ours, atol=0.012)
    assert high[0] > percentile[1][0] + 0.01, "a skewed mean reaches further up"


def test_the_jackknife_leaves_out_all_images_of_a_patient(monkeypatch):
    monkeypatch.setattr(bootstrap, "BLOCK", 12)
    left_out = bootstrap.jackknife(lambda weights: weights, PATIENTS)
    np.testing.assert_array_equal(
        left_out, [[1, 0, 1, 1, 0, 1], [0, 1, 0, 1, 1, 0], [1, 1, 1, 0, 1, 1]]
    )


def test_a_value_that_is_not_defined_has_no_bca_interval():
    values = np.full((11, 2), np.nan)
    values[1:, 1] = 0.5
    assert np.isnan(bootstrap.bca(values, np.ones((3, 2)))).all()


@pytest.mark.long
@pytest.mark.parametrize("patients", [150, 300])
def test_95_per_cent_intervals_cover_95_per_cent_only_over_patients(patients):
    """Three images a patient; 700 studies: the standard error of a coverage is 0.8 points."""
    rng = np.random.default_rng(patients)
    truth, hits = NormalDist().cdf(1 / np.sqrt(2 * (1 + 1 / 4))), np.zeros(3)
    for _ in range(700):
        patient, labels, scores = simulate(rng, patients, 3)
        statistic = partial(auroc, metrics.order(labels, scores))
        values = bootstrap.resampled_values(statistic, patient, 400, rng)
        images = bootstrap.resampled_values(statistic, np.arange(len(patient)), 400, rng)
        ends = [
            bootstrap.interval(values[1:]),
            bootstrap.bca(values, bootstrap.jackknife(statistic, patient)),
        ]
        hits += [low <= truth <= high for low, high in (*ends, bootstrap.interval(images[1:]))]
    percentile, bca, unclustered = hits / 700
    assert 0.93 <= percentile <= 0.97 and 0.93 <= bca <= 0.97
    assert unclustered < 0.85
