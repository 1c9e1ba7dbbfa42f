"""Steps see every image in its turn, or each class equally often."""

import numpy as np
import pytest

from cxrgrid.training.sampling import batches
from test_train import make_cell

LABELS = np.array([[1, 0]] * 30 + [[0, 1]] * 4 + [[1, 1]] * 2 + [[0, np.nan]] * 14, np.float32)
CLASSES = np.eye(3, dtype=np.float32)[[0] * 40 + [1] * 7 + [2] * 3]


def rows(labels=LABELS, epoch: int = 1, **settings) -> np.ndarray:
    return np.concatenate(batches(labels, make_cell(**settings), epoch))


@pytest.mark.parametrize("epoch", [1, 2, 7])
def test_natural_order_is_a_permutation_by_seed_and_epoch(epoch):
    found = batches(LABELS, make_cell(seed=3), epoch)
    expected = np.array_split(np.random.default_rng([3, epoch]).permutation(50), 7)
    assert [x.tolist() for x in found] == [x.tolist() for x in expected]


@pytest.mark.parametrize("steps", [2, 9])
def test_no_image_comes_again_before_all_have_come(steps):
    drawn = [rows(epoch=epoch, steps_per_epoch=steps) for epoch in range(1, 40)]
    assert {len(each) for each in drawn} == {steps * 8}
    stream = np.concatenate(drawn)
    for start in range(0, len(stream) - 50, 50):
        assert sorted(stream[start : start + 50]) == list(range(50))


@pytest.mark.parametrize("steps", [0, 4])
def test_balanced_draws_each_class_equally(steps):
    for epoch in (1, 2, 3):
        found = rows(CLASSES, epoch, sampling="balanced", steps_per_epoch=steps)
        counts = CLASSES[found].sum(axis=0)
        assert len(found) == (steps * 8 or 50)
        assert counts.max() - counts.min() <= 1


def test_balanced_uses_every_image_of_a_small_class_equally():
    found = np.concatenate([rows(CLASSES, epoch, sampling="balanced") for epoch in range(1, 31)])
    times = np.bincount(found, minlength=50)[47:]
    assert times.max() - times.min() <= 1


def test_balanced_labels_draw_positives_and_images_without_any_equally():
    found = np.concatenate([rows(LABELS, epoch, sampling="balanced") for epoch in range(1, 201)])
    share = np.bincount(found, minlength=50) / len(found)
    # Three groups: 32 images with A, 6 with B (2 of them with both), 14 without any.
    assert share[36:].sum() == pytest.approx(1 / 3, abs=0.01)
    assert share[:30] == pytest.approx(1 / 3 / 32, rel=0.1)
    assert share[30:34] == pytest.approx(1 / 3 / 6, rel=0.1)
    assert share[34:36] == pytest.approx(1 / 3 / 6 + 1 / 3 / 32, rel=0.1)


def test_batches_mix_the_groups():
    found = batches(CLASSES, make_cell(sampling="balanced", steps_per_epoch=9), 1)
    assert sum(len(set(CLASSES[each].argmax(1))) > 1 for each in found) >= 8


def test_another_seed_another_order():
    for sampling in ("natural", "balanced"):
        one, two = (rows(seed=seed, sampling=sampling).tolist() for seed in (0, 1))
        assert one != two and one == rows(seed=0, sampling=sampling).tolist()


def test_balanced_datasets_are_drawn_from_equally_often_and_each_image_in_turn():
    labels, dataset = np.zeros((100, 1)), np.repeat([0, 1], [80, 20])
    cell = make_cell(dataset_sampling="balanced")
    epochs = [np.concatenate(batches(labels, cell, epoch, 1, dataset)) for epoch in range(1, 9)]
    for rows in epochs:
        assert np.bincount(dataset[rows]).tolist() == [50, 50]
    counts = np.bincount(np.concatenate(epochs), minlength=100)
    assert set(counts[:80]) == {5} and set(counts[80:]) == {20}  # 400 draws of each
    assert len(np.unique(dataset[epochs[0][:30]])) == 2  # mixed within the epoch


def test_balanced_datasets_with_balanced_classes_balance_both():
    labels = np.zeros((120, 2))
    labels[:10, 0], labels[10:60, 1], labels[60:110, 0], labels[110:, 1] = 1, 1, 1, 1
    dataset = np.repeat([0, 1], 60)
    cell = make_cell(dataset_sampling="balanced", sampling="balanced")
    rows = np.concatenate(batches(labels, cell, 1, 1, dataset))
    for name in (0, 1):
        part = labels[rows[dataset[rows] == name]]
        assert part.sum(axis=0).tolist() == [30, 30]


def test_natural_pooling_is_one_dataset_to_the_bit():
    labels = np.zeros((50, 1))
    for epoch in (1, 2):
        one = batches(labels, make_cell(), epoch)
        two = batches(labels, make_cell(), epoch, 1, np.repeat([0, 1], 25))
        np.testing.assert_array_equal(np.concatenate(one), np.concatenate(two))
