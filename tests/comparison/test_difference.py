"""A difference between two models keeps its promises: order, sign, scale, and how often it errs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from cxrgrid.comparison import conclusions, difference
from cxrgrid.evaluation.own_intervals import own_intervals
from cxrgrid.evaluation.predictions import Predictions

SEED = st.integers(0, 10_000)


def answers(patient, truth, scores):
    """Answers on one label for images that are named by their place."""
    image = np.array([f"{n:04}" for n in range(len(truth))])
    both = truth[:, None].astype(float), scores[:, None]
    return Predictions(list(image), [str(name) for name in patient], *both, {"labels": ["x"]})


def cohort(rng, patients=60, images=90):
    """Patients of one to several images, their truth by patient, and what a patient adds."""
    patient = np.concatenate([np.arange(patients), rng.integers(patients, size=images - patients)])
    sick = rng.random(patients) < 0.4
    return patient, sick[patient], rng.normal(size=patients)[patient]


def scored(rng, truth, shared, skill=1.0):
    return skill * truth + shared + rng.normal(size=len(truth))


def against(a, b, resamples=200):
    values = [difference.resampled(one, resamples)[None, :, 0, 0] for one in (a, b)]
    return difference.contrast(*values, True, difference.sizes([a])[0]["rarer"])


@settings(max_examples=25, deadline=None)
@given(SEED)
def test_the_order_of_the_rows_changes_nothing(seed):
    rng = np.random.default_rng(seed)
    patient, truth, shared = cohort(rng)
    a, b = (scored(rng, truth, shared) for _ in "ab")
    turn = rng.permutation(len(truth))
    found = against(answers(patient, truth, a), answers(patient, truth, b))
    turned = against(
        answers(patient[turn], truth[turn], a[turn]), answers(patient[turn], truth[turn], b[turn])
    )
    assert (found.low, found.high, found.p) == pytest.approx((turned.low, turned.high, turned.p))


@settings(max_examples=25, deadline=None)
@given(SEED, st.sampled_from([np.exp, np.cbrt, lambda x: 3 * x - 7]))
def test_a_monotone_transform_of_a_model_changes_nothing(seed, transform):
    rng = np.random.default_rng(seed)
    patient, truth, shared = cohort(rng)
    a, b = (scored(rng, truth, shared) for _ in "ab")
    found = against(answers(patient, truth, a), answers(patient, truth, b))
    moved = against(answers(patient, truth, transform(a)), answers(patient, truth, b))
    assert (found.low, found.high, found.p) == (moved.low, moved.high, moved.p)
    nothing = against(answers(patient, truth, a), answers(patient, truth, transform(a)))
    assert (nothing.value, nothing.low, nothing.high, nothing.p) == (0, 0, 0, 1)


@settings(max_examples=25, deadline=None)
@given(SEED)
def test_swapping_the_models_or_the_classes_turns_the_sign(seed):
    rng = np.random.default_rng(seed)
    patient, truth, shared = cohort(rng)
    a, b = (scored(rng, truth, shared) for _ in "ab")
    found = against(answers(patient, truth, a), answers(patient, truth, b))
    models = against(answers(patient, truth, b), answers(patient, truth, a))
    classes = against(answers(patient, ~truth, a), answers(patient, ~truth, b))
    for turned in (models, classes):
        assert (turned.value, turned.low, turned.high) == pytest.approx(
            (-found.value, -found.high, -found.low)
        )
        assert turned.p == pytest.approx(found.p)


@settings(max_examples=25, deadline=None)
@given(SEED, st.integers(2, 4))
def test_copies_of_every_image_make_nothing_surer(seed, copies):
    rng = np.random.default_rng(seed)
    patient, truth, shared = cohort(rng)
    a, b = (scored(rng, truth, shared) for _ in "ab")
    found = against(answers(patient, truth, a), answers(patient, truth, b))
    many = (np.tile(x, copies) for x in (patient, truth, a, b))
    patient, truth, a, b = many
    copied = against(answers(patient, truth, a), answers(patient, truth, b))
    assert (found.low, found.high) == pytest.approx((copied.low, copied.high))


def test_unknown_labels_and_absent_classes_stay_outside():
    rng = np.random.default_rng(3)
    patient, truth, shared = cohort(rng)
    two = np.stack([truth, np.zeros(90)], axis=1).astype(float)
    two[:5, 0] = np.nan
    scores = np.stack([scored(rng, truth, shared)] * 2, axis=1)
    names = ([str(name) for name in column] for column in (np.arange(90), patient))
    one = Predictions(*names, two, scores, {"labels": ["x", "none"]})
    values = difference.resampled(one, 100)
    assert values.shape == (101, 2, 3) and np.isnan(values[:, :, 1]).all()
    np.testing.assert_array_equal(values[..., 2], values[..., 0])
    x, none, macro = difference.sizes([one])
    assert (x["n"], none["n"], macro["n"]) == (85, 90, 90) and none["rarer"] == 0
    assert macro["rarer"] == x["rarer"] == len(set(patient[two[:, 0] == 1]))


BASIS = "3 seeds, 420 images of 377 patients"


def say(value, low, high, p, p_holm, family=4, error=0.01):
    found = difference.Combined(value, error, error, error, low, high, p)
    return conclusions.sentence(("new", "old"), "auroc", found, p_holm, family, BASIS)


def test_sentences_say_what_may_and_what_may_not_be_concluded():
    assert say(0.031, 0.012, 0.049, 0.0004, 0.0016) == (
        f"new is better than old by 0.031 AUROC (0.012 to 0.049), {BASIS}; "
        "p < 0.001, after Holm over 4 comparisons p = 0.002."
    )
    assert say(-0.031, -0.049, -0.012, 0.01, 0.04).startswith(
        "old is better than new by 0.031 AUROC (0.012"
    )
    assert "remains uncertain: +0.031 AUROC" in say(0.031, 0.001, 0.061, 0.03, 0.12)
    none = say(0.01, -0.02, 0.04, 0.4, 1.0)
    assert "No difference between new and old is shown" in none
    assert "excludes differences larger than 0.040" in none
    alike = say(0.0, -0.02, 0.02, 1.0, 1.0, error=0.0)
    assert alike.startswith("new and old have the same AUROC on these images")
    assert "does not prove equality on other images: differences up to 0.020 remain" in alike
    # Nothing varies, so that there is no interval: not for want of patients.
    assert say(0.0, np.nan, np.nan, np.nan, np.nan, error=0.0).startswith(alike[:30])
    assert "not defined" in say(np.nan, np.nan, np.nan, np.nan, np.nan)


def test_the_error_of_an_accuracy_rests_on_all_patients_and_of_a_ranking_on_the_rarer_class():
    size = {"n": 100, "positives": 3, "patients": 60, "rarer": 3}
    assert difference.patients("accuracy", size) == 60
    assert difference.patients("auroc", size) == difference.patients("ap", size) == 3


def test_two_models_that_never_differ_here_have_a_difference_with_a_width():
    """As if both were on the other side of their own intervals; the more patients, the narrower."""
    same = difference.Combined(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)
    for patients, ends in ((10, (0.0, 0.1)), (10, (0.05, 0.05)), (1000, (0.05, 0.05))):
        found = difference.with_width(same, [ends, ends], patients)
        down, up = ends
        alike = patients / (patients + 2)
        wide = np.sqrt(down**2 + up**2 - 2 * alike * down * up)
        assert (found.low, found.high) == (pytest.approx(-wide), pytest.approx(wide))
        assert (found.p, found.value) == (1, 0) and wide > 1e-3
    other = difference.Combined(0.1, 0.02, 0.0, 0.0, 0.05, 0.15, 0.01)
    assert difference.with_width(other, [(0.1, 0.1)] * 2, 10) is other


@pytest.mark.long
def test_a_configuration_of_three_seeds_covers_what_training_again_on_new_patients_would_give():
    """Seeds that differ in skill, 150 patients of one to five images; patients alone fall short."""
    rng, hits, tries = np.random.default_rng(9), np.zeros(2), 400
    skills = np.random.default_rng(0).normal(1.2, 0.3, size=200_000)
    truth_value = norm.cdf(skills / np.sqrt(2 * (1 + 0.5**2))).mean()
    for _ in range(tries):
        patient = np.repeat(np.arange(150), rng.integers(1, 6, size=150))
        truth, shared = (rng.random(150) < 0.4)[patient], rng.normal(size=150)[patient]
        made = [
            answers(patient, truth, skill * truth + shared + 0.5 * rng.normal(size=len(patient)))
            for skill in rng.normal(1.2, 0.3, size=3)
        ]
        values = [difference.resampled(one, 200)[:, 0, 0] for one in made]
        own = np.array([own_intervals(one) for one in made])[:, :, 0, 0].T
        found = difference.of_configuration(np.stack(values), own, None)
        hits[0] += found.low <= truth_value <= found.high
        hits[1] += abs(found.value - truth_value) <= 1.96 * found.sampling_se
    assert 0.93 <= hits[0] / tries <= 0.995
    assert hits[1] / tries < 0.92


@pytest.mark.long
def test_it_errs_in_five_per_cent_of_studies_without_a_difference():
    """150 patients of one to several images; taking images for independent errs far more often."""
    rng, errors, tries = np.random.default_rng(7), np.zeros(2), 800
    for _ in range(tries):
        patient = np.repeat(np.arange(150), rng.integers(1, 6, size=150))
        truth = (rng.random(150) < 0.4)[patient]
        own = rng.normal(size=(2, 150))[:, patient]  # how each model takes to each patient
        a, b = (truth + one + 0.5 * rng.normal(size=len(patient)) for one in own)
        for at, cluster in enumerate((patient, np.arange(len(patient)))):
            found = against(answers(cluster, truth, a), answers(cluster, truth, b), 300)
            errors[at] += found.p < 0.05
    assert 0.03 <= errors[0] / tries <= 0.07
    assert errors[1] / tries > 0.12


def test_an_interval_over_the_whole_range_excludes_no_difference():
    found = difference.Combined(0.1, 0.5, np.nan, np.nan, -1.0, 1.0, 0.5, 0.9)
    text = conclusions.sentence(("x", "y"), "auroc", found, 0.5, 1, "one training each")
    assert "excludes no difference, and a true difference" in text
