"""A patient's influence is the derivative of the metric by the patient's weight, and no other."""

import numpy as np
import pytest

from cxrgrid.comparison.significance import delong
from cxrgrid.evaluation import influence
from cxrgrid.evaluation.all_metrics import DECIDED, RANKED, WITHOUT, Evaluation, Row
from cxrgrid.evaluation.estimates import Estimates
from cxrgrid.evaluation.metrics import auroc, order
from cxrgrid.evaluation.predictions import Predictions

STEP = 1e-5


def made(task="multilabel", images=60):
    """Predictions of three labels, with ties and unknown labels, on images of twenty patients."""
    rng = np.random.default_rng(images)
    labels = (rng.random((images, 3)) < (0.5, 0.3, 0.4)).astype(float)
    if task == "multiclass":
        labels = np.eye(3)[rng.integers(3, size=images)]
    scores = 1 / (1 + np.exp(-rng.normal(1.5 * labels - 1, 1).round(1)))
    if task == "multiclass":
        scores /= scores.sum(axis=1, keepdims=True)
        cut = {"argmax": np.full(3, np.nan)}
    else:
        labels[rng.random(labels.shape) < 0.1] = np.nan
        cut = {"0.5": np.full(3, 0.5)}
    patient = [str(name) for name in rng.integers(20, size=images)]
    facts = {"task": task, "labels": ["a", "b", "c"]}
    test = Predictions([str(at) for at in range(images)], patient, labels, scores, facts)
    return Evaluation(test, cut)


def derivatives(whole):
    """Of every row by the weight of every patient [P, rows], from two weights near 1."""
    patient = np.array(whole.test.patient)
    names = np.unique(patient)
    up, down = (whole.metrics(1 + step * (patient == names[:, None])) for step in (STEP, -STEP))
    return (up - down) / (2 * STEP)


def columns(whole, rows):
    """Positions of some rows."""
    return [whole.rows.index(row) for row in rows]


@pytest.mark.parametrize("task", ["multilabel", "multiclass"])
def test_influences_on_labels_are_the_derivatives_of_their_metrics(task):
    whole = made(task)
    estimates = Estimates(whole, whole.metrics(np.ones((1, 60)))[0])
    expected = derivatives(whole)
    fitted = ("calibration_slope", "calibration_intercept")
    for kind in whole.kinds((*RANKED, "brier", "log_loss", "prevalence", *fitted, *DECIDED)):
        found = estimates.of_labels(*kind)
        rows = columns(whole, [Row(label, *kind) for label in "abc"])
        message = str(kind)
        np.testing.assert_allclose(found.influence, expected[:, rows], atol=1e-8, err_msg=message)
        values = [estimates.values[whole.rows[at]] for at in rows]
        np.testing.assert_allclose(found.value, values, atol=1e-12, err_msg=message)


@pytest.mark.parametrize("task", ["multilabel", "multiclass"])
def test_influences_on_all_labels_together_are_the_derivatives_too(task):
    whole = made(task)
    estimates = Estimates(whole, whole.metrics(np.ones((1, 60)))[0])
    expected = derivatives(whole)
    for row in [row for row in whole.rows if row.label in ("micro", "samples", "all")]:
        if row.metric in (*WITHOUT, "balanced_accuracy", "majority_accuracy"):
            continue
        if row.label == "all":
            found = estimates.decision(row.metric)
        else:
            micro = row.label == "micro"
            found = estimates.micro(*row[1:]) if micro else estimates.samples(row.rule)
        at = columns(whole, [row])
        np.testing.assert_allclose(found.influence, expected[:, at], atol=1e-8, err_msg=str(row))
        assert found.value[0] == pytest.approx(estimates.values[row], abs=1e-12)


def test_the_variance_of_an_auroc_is_delongs_where_each_patient_has_one_image():
    rng = np.random.default_rng(1)
    labels = (rng.random(200) < 0.3).astype(float)
    scores = (labels + rng.normal(size=200)).round(1)
    moves = influence.ranked(order(labels, scores), labels, scores)[0][:, None]
    m, n = labels[:, None], 1 - labels[:, None]
    found = influence.obuchowski(moves * m, moves * n, m, n)
    value, covariance = delong(labels, scores[:, None])
    assert found[0] == pytest.approx(covariance[0, 0], rel=1e-12)
    assert value[0] == pytest.approx(auroc(labels, scores), abs=1e-12)


def test_the_variance_of_an_auroc_is_obuchowskis_where_patients_have_several():
    rng = np.random.default_rng(2)
    patient = np.sort(rng.integers(30, size=150))
    labels = (rng.normal(size=30)[patient] + rng.normal(size=150) > 0.5).astype(float)
    scores = labels + rng.normal(size=30)[patient] + rng.normal(size=150)
    moves = influence.ranked(order(labels, scores), labels, scores)[0][:, None]
    found = influence.patients(patient)
    parts = [found.sums(moves * each[:, None]) for each in (labels, 1 - labels)]
    counts = [found.sums(each[:, None]) for each in (labels, 1 - labels)]
    # Obuchowski 1997, equations 2 to 4, written out.
    x, y = scores[labels == 1], scores[labels == 0]
    wins = (x[:, None] > y) + (x[:, None] == y) / 2
    theta, i10, i01 = wins.mean(), 0, 0
    ten, one, both = 0.0, 0.0, 0.0
    names = np.unique(patient)
    for name in names:
        sick, well = patient[labels == 1] == name, patient[labels == 0] == name
        a = (wins.mean(axis=1)[sick] - theta).sum()
        b = (wins.mean(axis=0)[well] - theta).sum()
        i10, i01 = i10 + sick.any(), i01 + well.any()
        ten, one, both = ten + a * a, one + b * b, both + a * b
    m, n, i = len(x), len(y), len(names)
    s10, s01 = i10 / ((i10 - 1) * m) * ten, i01 / ((i01 - 1) * n) * one
    s11 = i / (i - 1) * both
    expected = s10 / m + s01 / n + 2 * s11 / (m * n)
    assert influence.obuchowski(*parts, *counts)[0] == pytest.approx(expected, rel=1e-12)


def test_kish_counts_patients_and_gives_less_to_unequal_ones():
    images = np.array([[1.0, 4.0, 0.0], [1.0, 1.0, 0.0], [1.0, 1.0, 0.0]])
    np.testing.assert_allclose(influence.kish(images), [3, 36 / 18, np.nan])
    np.testing.assert_allclose(influence.crowding(images), [1, 3, np.nan])


def test_sums_over_patients_do_not_depend_on_the_order_of_images():
    rng = np.random.default_rng(3)
    names, terms = rng.integers(9, size=40).astype(str), rng.normal(size=(40, 2))
    turned = rng.permutation(40)
    found = influence.patients(names).sums(terms)
    np.testing.assert_allclose(influence.patients(names[turned]).sums(terms[turned]), found)
    np.testing.assert_allclose(found[0], terms[names == "0"].sum(axis=0))


@pytest.mark.parametrize(
    ("labels", "images", "wanted"),
    [
        ([1, 1, 0, 0], 1, 0),  # nothing above a positive is negative
        ([0, 0, 1, 0], 1, 1 / 3),  # 1/3, and without itself 0 of 2
        ([0, 1, 1, 0], 1, (1 / 2 + 2 / 3 - 1 / 2) / 2),
        ([0, 1, 1, 0], 2, (1 / 2 + 2 / 3) / 2),  # both of one patient
    ],
)
def test_a_positive_that_counts_itself_adds_to_average_precision(labels, images, wanted):
    scores = np.arange(len(labels), 0, -1.0)
    ranking = order(np.array(labels, float), scores).weigh(np.ones((1, len(labels)), np.uint8))
    assert influence.self_counted(ranking, images) == pytest.approx(wanted)
