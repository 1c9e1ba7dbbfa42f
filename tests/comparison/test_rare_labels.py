"""Rare labels are in no mean and no test; too few patients give no interval, and say so."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score
from test_main_effects import measured

from cxrgrid.comparison import (
    choice,
    difference,
    recommended,
    shift_losses,
    study_pairs,
    two_models,
)
from cxrgrid.comparison.effect_parts import Part
from cxrgrid.config.grid import Grid
from cxrgrid.config.study import Report
from cxrgrid.evaluation.all_metrics import Evaluation, Row
from cxrgrid.evaluation.own_intervals import own_intervals
from cxrgrid.evaluation.predictions import Predictions
from cxrgrid.evaluation.rare_labels import rare_labels
from cxrgrid.evaluation.row_intervals import RowIntervals
from cxrgrid.evaluation.subgroup_gaps import FEW, Group, column, gaps
from demo_config import DEMO

LABELS = ["common", "middle", "rare"]
HOW = Report(resamples=100)


def answers(rng, positives=(40, 20, 4), images=100, patients=None):
    """Answers on images of which each label has so many positives, from the first image on."""
    labels = np.zeros((images, len(positives)))
    for at, many in enumerate(positives):
        labels[:many, at] = 1
    scores = 1 / (1 + np.exp(-(labels + rng.normal(size=labels.shape))))
    names = [f"{row:03}" for row in range(images)]
    facts = {"labels": LABELS[: len(positives)], "task": "multilabel", "target": "ward"}
    return Predictions(names, patients or names, labels, scores, facts)


def test_images_of_all_folds_count_and_where_all_labels_are_rare_none_is():
    rng = np.random.default_rng(1)
    one, other = answers(rng), answers(rng, (40, 20, 6))
    assert rare_labels([one], 10) == {"rare"} and rare_labels([one], 4) == frozenset()
    assert rare_labels([one, other], 10) == frozenset()
    assert rare_labels([one], 41) == frozenset()


def test_each_mean_over_labels_is_over_those_that_are_not_rare():
    made = answers(np.random.default_rng(2))
    by_label = {
        name: [score(*pair) for pair in zip(made.labels.T, made.scores.T, strict=True)]
        for name, score in (("auroc", roc_auc_score), ("ap", average_precision_score))
    }
    kept, rare = [np.mean(each[:2]) for each in by_label.values()], frozenset({"rare"})
    assert choice.value(made, HOW)["value"] == pytest.approx(kept[0])
    drawn = difference.resampled(made, 100, rare=rare)
    assert drawn[0, :, -1] == pytest.approx(kept)
    assert shift_losses.values(made, rare).value[:, -1] == pytest.approx(kept)
    closed = RowIntervals(Evaluation(made, {}, rare))
    found = dict(zip(closed.made.rows, zip(closed.value, *closed.ends(), strict=True), strict=True))
    value, low, high = found[Row("macro", "auroc", "")]
    assert value == pytest.approx(kept[0]) != pytest.approx(np.mean(by_label["auroc"]))
    own = own_intervals(made, rare=rare)
    assert (low, high) == pytest.approx((own[0][0, -1], own[1][0, -1]))
    of_two = own_intervals(Predictions(**two_labels(made)))
    assert own[0][:, -1] == pytest.approx(of_two[0][:, -1])
    size = difference.sizes([made], rare)
    assert (size[-1]["rarer"], size[-1]["most"]) == (60, 40)


def two_labels(made):
    """Fields of the answers on the first two labels."""
    fields = vars(made.take(range(100), [0, 1]))
    return fields | {"facts": made.facts | {"labels": LABELS[:2]}}


def test_a_rare_label_is_compared_without_a_test_and_leaves_the_family():
    rng = np.random.default_rng(3)
    a, b = answers(rng), answers(rng)
    rows = two_models.rows([a], [b], ("a", "b"), None, HOW)
    rows = rows[rows["metric"] == "auroc"].set_index("label")
    assert np.isnan(rows.loc["rare", ["p", "p_holm"]].astype(float)).all()
    assert rows.loc["rare", "low"] < rows.loc["rare", "difference"] < rows.loc["rare", "high"]
    assert "not tested: too few images" in rows.loc["rare", "sentence"]
    assert "Holm over 2 comparisons" in rows.loc["common", "sentence"]
    p = rows.loc[["common", "middle"], "p"]
    assert rows.loc[p.idxmin(), "p_holm"] == pytest.approx(min(2 * p.min(), 1))
    every = two_models.rows([a], [b], ("a", "b"), None, Report(resamples=100, minimum=4))
    assert every["p"].notna().all()


def test_a_studys_rare_label_has_a_difference_and_no_verdict():
    grid = Grid(DEMO | {"report": {"margin": 0.02}})
    found = measured(grid, np.random.default_rng(6), {})
    found = {name: replace(each, rare={1: frozenset({"x"})}) for name, each in found.items()}
    rows = study_pairs.table(grid, found)
    of_label, mean = rows[rows["label"] == "x"], rows[rows["label"] == "macro"]
    assert set(of_label["verdict"]) == {"too few images"} and set(of_label["family"]) == {0}
    assert of_label["p"].isna().all() and of_label["low"].notna().all()
    assert of_label["margin_verdict"].eq("").all() and mean["margin_verdict"].ne("").all()
    assert mean["p_holm"].notna().all() and mean["family"].gt(1).any()


@pytest.mark.parametrize("positives, known", [(1, False), (2, False), (3, True)])
def test_a_difference_has_an_interval_from_three_patients_of_each_class_on(positives, known):
    rng = np.random.default_rng(4)
    pair = [answers(rng, (positives,), 40) for _ in "ab"]
    rows = two_models.rows(pair[:1], pair[1:], ("a", "b"), [0.5], HOW)
    rows = rows[rows["label"] == "common"].set_index("metric")
    for metric in ("auroc", "ap"):
        assert rows.loc[metric, ["low", "p"]].notna().all() == known
        assert ("3 patients with the finding" in rows["sentence"].iloc[0]) != known
    assert np.isfinite(rows.loc["accuracy", "low"])  # rests on all patients
    size = difference.sizes(pair[:1])
    values = [[[shift_losses.values(one)]] for one in pair]
    loss = {(n, at): one.row(None) for n, at, one in shift_losses.losses(*values, size)}[0, 0]
    assert np.isfinite([loss["low"], loss["high"]]).all() == known


def test_images_of_two_patients_are_too_few_for_an_effect_a_gap_and_a_choice():
    rng = np.random.default_rng(5)
    patients = [f"sick{row % 2}" if row < 12 else f"{row}" for row in range(60)]
    made = answers(rng, (12,), 60, patients)
    [size, _] = difference.sizes([made])
    assert (size["rarer"], size["most"]) == (2, 2)
    drawn = rng.normal(0.1, 0.01, (2, 101))
    part = Part("ward", drawn, 0.5, 2, size, 0.01, 2)
    assert np.isnan(part.errors().interval(part.value)).all()
    assert np.isfinite(replace(part, size=size | {"most": 3}).errors().interval(0.1)).all()
    assert recommended.verdict(np.nan, np.nan, False) == "too few patients"
    enough = answers(rng, (12,), 60)
    groups = {n: of_group(one) for n, one in {"few": made, "many": enough}.items()}
    found = {name: numbers for name, _, numbers in gaps(groups, "auroc")}
    assert np.isnan(found["gap"]["low"]) and found["gap"]["reason"] == FEW
    both = {"one": of_group(enough), "two": of_group(answers(rng, (12,), 60))}
    assert np.isfinite(next(gaps(both, "auroc"))[2]["low"])


def of_group(made):
    """The AUROC of a group."""
    found = Evaluation(made, {})
    return column([Group(found, RowIntervals(found), frozenset())], ["common"], ("auroc", ""))
