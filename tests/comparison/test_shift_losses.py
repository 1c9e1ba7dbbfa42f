from dataclasses import replace

import numpy as np
import pytest

from cxrgrid.comparison import difference
from cxrgrid.comparison.shift_losses import losses, values
from cxrgrid.evaluation import bootstrap
from cxrgrid.evaluation.predictions import Predictions


def answers(seed: int = 0, patients: int = 150, noise: float = 1.0) -> Predictions:
    """Two images a patient, two labels; the labels of a seed are those of every noise."""
    rng = np.random.default_rng(seed)
    labels = (rng.random((2 * patients, 2)) < 0.3).astype(float)
    scores = labels + rng.normal(size=labels.shape) * 0.8
    scores = scores + noise * rng.normal(size=labels.shape)
    image = [f"{at:04}" for at in range(len(labels))]
    facts = {"task": "multilabel", "labels": ["A", "B"]}
    return Predictions(image, [f"p{at // 2}" for at in range(len(labels))], labels, scores, facts)


def found(clean: list, changed: list) -> dict:
    """Losses by (metric, label); of each seed one fold."""
    both = [[[values(one)] for one in side] for side in (clean, changed)]
    return {(n, at): loss.row(None) for n, at, loss in losses(*both, difference.sizes([clean[0]]))}


def test_a_loss_is_the_paired_difference_with_the_error_of_resampled_patients():
    clean, changed = answers(noise=0), answers(noise=1.5)
    rows = found([clean], [changed])
    drawn = [difference.resampled(one, 1000) for one in (changed, clean)]
    apart = drawn[0] - drawn[1]
    for (number, at), row in rows.items():
        assert row["difference"] == pytest.approx(apart[0, number, at], abs=1e-12)
        error = bootstrap.standard_error(apart[1:, number, at])
        assert row["sampling_se"] == pytest.approx(error, rel=0.12)
        assert row["low"] < row["difference"] < row["high"]


def test_the_mean_loss_of_seeds_has_their_spread():
    clean = [answers(noise=0)] * 3
    changed = [replace(answers(noise=0), scores=answers(noise=n).scores) for n in (0.5, 1, 2)]
    row = found(clean, changed)[0, 2]
    each = [found([c], [k])[0, 2]["difference"] for c, k in zip(clean, changed, strict=True)]
    assert row["difference"] == pytest.approx(np.mean(each))
    assert row["seed_sd"] == pytest.approx(np.std(each, ddof=1))


def test_no_change_has_an_interval_with_a_width():
    made = answers()
    row = found([made], [made])[0, 2]
    assert row["difference"] == 0
    assert row["high"] - row["low"] > 0.001


def test_folds_are_averaged_and_their_patients_differ():
    one, other = answers(0), answers(1)
    worse = [
        replace(made, scores=answers(seed, noise=3).scores) for seed, made in ((0, one), (1, other))
    ]
    both = [[[values(one), values(other)]], [[values(made) for made in worse]]]
    rows = {
        (n, at): loss.row(None) for n, at, loss in losses(*both, difference.sizes([one, other]))
    }
    alone = [found([a], [b])[0, 0] for a, b in ((one, worse[0]), (other, worse[1]))]
    assert rows[0, 0]["difference"] == pytest.approx(np.mean([a["difference"] for a in alone]))
    error = np.hypot(*(a["sampling_se"] for a in alone)) / 2
    assert rows[0, 0]["sampling_se"] == pytest.approx(error)
