"""Logistic regression and nearest neighbours are scikit-learn's."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from cxrgrid.config.check_cells import check_head
from cxrgrid.config.errors import UserError
from cxrgrid.config.recipe import Recipe
from cxrgrid.models.neighbours import TEMPERATURE, Neighbours
from cxrgrid.training.fitted_head import logistic
from test_train import make_cell

RNG = np.random.default_rng(0)
X = RNG.normal(size=(90, 5)).astype(np.float32) * (1, 10, 0.1, 3, 1)
Y = RNG.integers(0, 3, 90)
ONE_HOT = np.eye(3, dtype=np.float32)[Y]


def z(x):
    return (x - X.mean(0)) / X.std(0)


def test_classes_have_the_probabilities_of_scikit_learn():
    weight, bias = logistic(X, ONE_HOT, make_cell(head_c=0.3), "multiclass")
    found = torch.from_numpy(X @ weight.T.astype(float) + bias).softmax(1).numpy()
    known = LogisticRegression(C=0.3, max_iter=5000).fit(z(X), Y).predict_proba(z(X))
    assert found == pytest.approx(known, abs=1e-4)


def test_two_classes_and_one_that_no_image_shows():
    some = Y < 2
    weight, bias = logistic(X[some], ONE_HOT[some], make_cell(), "multiclass")
    found = torch.from_numpy(X[some] @ weight.T.astype(float) + bias).softmax(1).numpy()
    scaled = (X[some] - X[some].mean(0)) / X[some].std(0)
    known = LogisticRegression(max_iter=5000).fit(scaled, Y[some]).predict_proba(scaled)
    assert found[:, 1] / found[:, :2].sum(1) == pytest.approx(known[:, 1], abs=1e-4)
    assert found[:, 2].mean() < 0.02


def test_labels_are_fitted_where_they_are_known_and_uncertain_targets_count_in_part():
    targets = ONE_HOT.copy()
    targets[::4, 0] = np.nan
    targets[:10, 1] = 0.75
    targets[:, 2] = 0
    weight, bias = logistic(X, targets, make_cell(), "multilabel")
    known = np.isfinite(targets[:, 0])
    kind = LogisticRegression(max_iter=5000).fit(z(X)[known], targets[known, 0])
    assert weight[0] * X.std(0) == pytest.approx(kind.coef_[0], abs=1e-3)
    twice = np.concatenate([z(X), z(X)[:10]])
    y = np.concatenate([np.where(np.arange(90) < 10, 1, targets[:, 1]), np.zeros(10)])
    counts = np.concatenate([np.where(np.arange(90) < 10, 0.75, 1), np.full(10, 0.25)])
    kind = LogisticRegression(max_iter=5000).fit(twice, y, counts)
    assert weight[1] * X.std(0) == pytest.approx(kind.coef_[0], abs=1e-3)
    assert not weight[2].any() and 1 / (1 + np.exp(-bias[2])) == pytest.approx(0.5 / 91)


def test_neighbours_vote_as_in_scikit_learn():
    def weights(distance):
        return np.exp((1 - distance) / TEMPERATURE)

    known = KNeighborsClassifier(7, metric="cosine", weights=weights).fit(X, Y)
    kind = Neighbours(7, torch.from_numpy(X.astype(np.float32)), torch.from_numpy(ONE_HOT), True)
    new = RNG.normal(size=(20, 5)).astype(np.float32)
    found = kind(torch.from_numpy(new)).softmax(1).numpy()
    usual = (ONE_HOT.sum(0) + 0.5) / 91
    votes = found * 8 - usual  # without the vote of the frequencies
    # These are not quite a distribution: half an image of each class is added to them.
    assert votes / votes.sum(1, keepdims=True) == pytest.approx(known.predict_proba(new), abs=0.02)


def test_unknown_targets_have_no_vote_and_no_image_votes_for_itself():
    features = torch.eye(4)
    targets = torch.tensor([[1.0], [torch.nan], [torch.nan], [0.0]])
    kind = Neighbours(1, features, targets, False)
    p = kind(features).sigmoid()[:, 0].tolist()
    assert p == pytest.approx([(1 + 0.5) / 2, 0.5, 0.5, 0.5 / 2])
    assert kind(features, skip=1).isfinite().all()
    assert kind(features[:1], skip=1).sigmoid().item() != pytest.approx(p[0])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"head": "knn"}, "here: head: knn is for a frozen network; set train: head"),
        ({"head": "knn", "train": "head", "rotate": 5}, "has no use for rotate; leave out"),
        ({"head": "logistic", "train": "head", "sampling": "balanced"}, "no use for sampling"),
    ],
)
def test_a_fitted_head_with_settings_of_steps_is_one_line(settings, message):
    with pytest.raises(UserError, match=message):
        check_head(Recipe(**settings), "here")
