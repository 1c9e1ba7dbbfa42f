"""Means over folds: their intervals are those of the cross-validated AUROC's influence curve."""

import numpy as np
import pytest

from cxrgrid.comparison import difference
from cxrgrid.comparison.measured import measure
from cxrgrid.config.study import Report
from cxrgrid.evaluation import bootstrap, fold_means, own_intervals
from cxrgrid.evaluation.predictions import Predictions

NAN = float("nan")


def fold(number, images=150, each=1, shift=1.0):
    """Predictions of one fold: `images` of so many a patient, whose scores follow the truth."""
    rng = np.random.default_rng(number)
    truth = np.repeat(rng.random(images // each) < 0.4, each).astype(float)
    scores = rng.normal(shift * truth) + np.repeat(rng.normal(size=images // each), each) / 2
    scores = 1 / (1 + np.exp(-scores))
    names = [f"{number}-{at // each}" for at in range(images)]
    image = [f"{number}-{at}" for at in range(images)]
    facts = {"labels": ["x"], "task": "multilabel"}
    return Predictions(image, names, truth[:, None], scores[:, None], facts)


def cv_auc(folds):
    """Mean AUROC over folds and its standard error, image by image, as in cvAUC's `ci.cvAUC`.

    LeDell, Petersen & van der Laan (2015), section 4: the influence curve of a fold at (x, y) is
    1(y = 1) / P(1) * (share of negatives below x - AUC) + 1(y = 0) / P(0) * (share of positives
    above x - AUC); the variance is the mean over folds of its mean square, over n images.
    """
    aucs, squares, n = [], [], 0
    for one in folds:
        y, x = one.labels[:, 0], one.scores[:, 0]
        sick, well = x[y == 1], x[y == 0]
        auc = np.mean([(well < s).mean() + (well == s).mean() / 2 for s in sick])
        curve = [
            ((well < s).mean() + (well == s).mean() / 2 - auc) / (y == 1).mean()
            if is_sick
            else ((sick > s).mean() + (sick == s).mean() / 2 - auc) / (y == 0).mean()
            for s, is_sick in zip(x, y == 1, strict=True)
        ]
        aucs.append(auc)
        squares.append(np.mean(np.square(curve)))
        n += len(y)
    return np.mean(aucs), np.sqrt(np.mean(squares) / n)


def test_value_and_error_are_those_of_the_influence_curve():
    folds = [fold(number) for number in range(5)]
    value, error = cv_auc(folds)
    drawn = np.stack([difference.resampled(each, 2000)[:, 0, 0] for each in folds])
    mean = fold_means.resampled_mean(drawn)
    assert mean[0] == pytest.approx(value, abs=1e-12)
    assert bootstrap.standard_error(mean[1:]) == pytest.approx(error, rel=0.06)
    values = np.array([each[0] for each in drawn])
    own = [own_intervals.own_intervals(each) for each in folds]
    low, high = (np.array([ends[side][0, 0] for ends in own]) for side in (0, 1))
    ends = fold_means.ends(values, low, high)
    assert (ends[1] - ends[0]) / 2 / 1.96 == pytest.approx(error, rel=0.03)


def test_what_is_too_high_on_average_in_each_fold_is_so_in_their_mean():
    value, reach = np.array([[0.6], [0.8]]), np.array([[0.3], [0.1]])
    low, high = fold_means.ends(value, value - reach, value + reach, np.array([[0.1], [0.02]]))
    assert low[0] == pytest.approx(0.7 - 0.06 - np.hypot(0.2, 0.08) / 2)
    assert high[0] == pytest.approx(0.7 + np.hypot(0.3, 0.1) / 2)


def test_images_of_a_patient_go_together():
    """Two copies of each image say no more than one."""
    once = [fold(number, 100) for number in range(4)]
    twice = [
        Predictions(
            [f"{name}-{copy}" for copy in "ab" for name in one.image],
            [*one.patient, *one.patient],
            np.tile(one.labels, (2, 1)),
            np.tile(one.scores, (2, 1)),
            one.facts,
        )
        for one in once
    ]
    errors = [
        bootstrap.standard_error(
            fold_means.resampled_mean(np.stack([difference.resampled(f, 500) for f in folds]))[1:]
        )[0, 0]
        for folds in (once, twice)
    ]
    assert errors[1] == pytest.approx(errors[0], rel=1e-9)


@pytest.mark.long
def test_folds_cover_the_mean_of_their_networks():
    """Of 200 cross-validations about 95 % hold the mean of the folds' true AUROCs, all alike."""
    truth = 0.5 + 0.5 * 0.5204998778  # erf(0.5): normal scores one standard deviation apart
    held = []
    for trial in range(200):
        folds = []
        for number in range(3):
            rng = np.random.default_rng([trial, number])
            y = (rng.random(80) < 0.4).astype(float)
            x = rng.normal(y)
            names = [f"{trial}-{number}-{at}" for at in range(80)]
            facts = {"labels": ["x"], "task": "multilabel"}
            folds.append(Predictions(names, names, y[:, None], x[:, None], facts))
        made = measure(iter([(("d", "b", "i", "r"), 0, folds)]), Report(interval="wilson"))
        low, high = made.ends[("d", "b", "i", "r"), 0]
        held.append(low[0, 0] <= truth <= high[0, 0])
    assert 0.91 <= np.mean(held) <= 0.99


def test_a_fold_without_a_value_is_left_out_and_a_lost_one_averaged_over_the_others():
    values = np.array([[[0.8], [0.6], [NAN]], [[0.6], [NAN], [NAN]], [[NAN], [0.9], [0.9]]])
    mean = fold_means.resampled_mean(values)
    assert mean[0, 0] == pytest.approx(0.7)  # the third fold has no value
    assert mean[1, 0] == pytest.approx(0.6)  # lost in one of two
    assert np.isnan(mean[2, 0])


def test_sizes_of_a_pooled_model_count_each_patient_once():
    folds = [fold(number, 60, each=2) for number in range(3)]
    made = measure(iter([(("d", "b", "i", "r"), 0, folds)]), Report(resamples=100))
    size = made.size(("d", "b", "i", "r"), 0)
    assert (size["n"], size["patients"]) == (180, 90)
    assert size["positives"] == sum(one.labels.sum() for one in folds)
    aucs = [difference.resampled(one, 100)[0, 0, 0] for one in folds]
    assert made.values[("d", "b", "i", "r"), 0][0, 0, 0] == pytest.approx(np.mean(aucs))
