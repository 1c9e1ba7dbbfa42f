import numpy as np
import pytest

from cxrgrid.inference.familiar import chosen, learn


def test_distance_is_that_of_mahalanobis_with_many_images():
    rng = np.random.default_rng(0)
    spread = np.array([1.0, 5.0, 0.2])
    familiar = learn(rng.normal(size=(20_000, 3)) * spread + 7)
    ours = familiar.distance(np.array([[7, 7, 7], [8, 7, 7], [7, 12, 7], [7, 7, 7.4]]))
    # Shrinkage draws the variances together, less and less with more images.
    assert ours == pytest.approx([0, 1, 1, 2], abs=0.15)


def test_more_features_than_images_and_idle_ones_have_finite_distances():
    rng = np.random.default_rng(0)
    features = np.append(rng.normal(size=(30, 100)), np.zeros((30, 5)), axis=1)
    familiar = learn(features)
    assert familiar.kept.sum() == 100
    near, far = familiar.distance(features), familiar.distance(features + 5)
    assert np.isfinite(near).all()
    assert near.max() < far.min()


def test_too_few_images_or_no_feature_that_varies_say_nothing():
    assert learn(None) is None
    assert learn(np.ones((50, 4))) is None
    assert learn(np.random.default_rng(0).normal(size=(5, 4))) is None


def test_chosen_are_evenly_spread():
    assert chosen(5, 10).tolist() == [0, 1, 2, 3, 4]
    assert chosen(1001, 3).tolist() == [0, 500, 1000]
