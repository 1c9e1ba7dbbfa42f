import numpy as np
import pytest

from cxrgrid.config.study import Report
from cxrgrid.evaluation import abstention
from cxrgrid.evaluation.predictions import Predictions

HOW = Report(operating_points=(0.5,))


def drawn(images: int = 400, seed: int = 0, tied: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Errors and confidences of images, the surer the fewer errors."""
    rng = np.random.default_rng(seed)
    confidence = rng.random(images)
    confidence = np.round(confidence, 1) if tied else confidence
    return (rng.random(images) < 0.5 * (1 - confidence)).astype(float), confidence


def answers(seed: int = 0, patients: int = 80, task: str = "multilabel") -> Predictions:
    """Two images a patient, three labels."""
    rng = np.random.default_rng(seed)
    labels = (rng.random((2 * patients, 3)) < 0.4).astype(float)
    if task == "multiclass":
        labels = np.eye(3)[rng.integers(3, size=2 * patients)]
    odds = rng.normal(size=labels.shape) + 2 * (labels - 0.5)
    scores = 1 / (1 + np.exp(-odds))
    if task == "multiclass":
        scores = np.exp(odds) / np.exp(odds).sum(axis=1, keepdims=True)
    names = [f"{at:03}" for at in range(len(labels))]
    facts = {"task": task, "labels": ["A", "B", "C"]}
    return Predictions(names, [f"p{at // 2}" for at in range(len(labels))], labels, scores, facts)


def test_area_is_the_mean_risk_over_all_coverages():
    wrong, confidence = drawn()
    down = np.argsort(-confidence)
    risks = [wrong[down][:kept].mean() for kept in range(1, len(wrong) + 1)]
    assert abstention.area(wrong, confidence)[0] == pytest.approx(np.mean(risks), abs=1e-12)


def test_a_confidence_that_says_nothing_has_the_area_of_the_error_rate():
    wrong, _ = drawn()
    value, moves = abstention.area(wrong, np.ones(len(wrong)))
    assert value == pytest.approx(wrong.mean(), abs=1e-12)
    assert np.allclose(moves, (wrong - wrong.mean()) / len(wrong))


@pytest.mark.parametrize("tied", [False, True])
def test_influence_is_the_derivative_by_an_images_weight(tied):
    # An image that stands there once more, for each image in turn, in a large sample.
    wrong, confidence = drawn(2000, tied=tied)
    value, moves = abstention.area(wrong, confidence)
    assert abs(moves.sum()) < 1e-12
    for at in range(0, 2000, 400):
        more = np.append(wrong, wrong[at]), np.append(confidence, confidence[at])
        step = abstention.area(*more)[0] - value
        assert step == pytest.approx(moves[at], rel=0.15, abs=2e-5)


def test_unknown_labels_count_for_nothing():
    wrong, confidence = drawn()
    found = abstention.area(np.append(wrong, np.nan), np.append(confidence, 2))
    assert found[0] == abstention.area(wrong, confidence)[0]
    assert found[1][-1] == 0


def test_interval_of_the_area_is_as_wide_as_resampled_patients_say():
    found = abstention.judged(None, answers(patients=300), HOW)
    each = abstention.areas(found)
    rng, patient = np.random.default_rng(1), np.repeat(np.arange(300), 2)
    rows = [np.flatnonzero(patient == one) for one in range(300)]
    values = []
    for _ in range(200):
        at = np.concatenate([rows[one] for one in rng.integers(300, size=300)])
        values.append(abstention.area(found.wrong[at, 0], found.confidence[at, 0])[0])
    width = each.high[0] - each.low[0]
    assert width == pytest.approx(2 * 1.96 * np.std(values), rel=0.2)


def test_curve_ends_at_the_error_rate_and_falls_with_a_good_confidence():
    found = abstention.judged(None, answers(patients=400), HOW)
    line = abstention.curve(found, np.arange(3))
    assert line[-1] == pytest.approx(found.wrong.mean())
    assert line[4] < line[-1] / 2


def test_competing_classes_are_one_decision():
    made = answers(task="multiclass")
    found = abstention.judged(None, made, HOW)
    right = made.scores.argmax(axis=1) == made.labels.argmax(axis=1)
    assert found.wrong.shape == (160, 1)
    assert found.wrong[:, 0].mean() == pytest.approx(1 - right.mean())


def test_kept_are_the_surest_images_of_each_label():
    labels = np.array([[1.0], [0], [1], [0], [1], [np.nan]])
    kept = abstention.kept(np.array([[0.9], [0.1], [0.5], [0.3], [0.2], [1.0]]), labels)
    assert np.isnan(kept[:, 0]).tolist() == [False, True, False, False, False, True]


def test_perfect_decisions_have_an_interval_with_a_width():
    made = answers()
    perfect = Predictions(made.image, made.patient, made.labels, made.labels, made.facts)
    each = abstention.areas(abstention.judged(None, perfect, HOW))
    assert (each.value == 0).all()
    assert (each.high > 0.001).all()


def test_told_apart_is_the_auroc_of_the_distance():
    rng = np.random.default_rng(0)
    own, other = rng.normal(size=60), rng.normal(size=40) + 1
    names = [f"a{at}" for at in range(60)], [f"b{at}" for at in range(40)]
    value, low, high = abstention.told_apart(own, other, names)
    assert value == pytest.approx((other[:, None] > own).mean())
    assert low < value < high
    same, low, high = abstention.told_apart(own, own, (names[0], names[0]))
    assert same == 0.5
    assert low < 0.5 < high
    assert np.isnan(abstention.told_apart(own * np.nan, other, names)[0])
