"""Findings rest on the paired test of the study, not on intervals that overlap."""

from types import SimpleNamespace

import pandas as pd
import pytest

from cxrgrid.reporting.findings import first, verdicts

COLUMNS = ["dataset", "backbone", "init", "recipe", "value", "low", "high"]
COLUMNS += ["seeds", "planned", "n", "patients"]


def board(*rows):
    counts = (2, 2, 100, 60)
    found = pd.DataFrame([(*row, *counts) for row in rows], columns=COLUMNS)
    return found.assign(entry=found["recipe"], validation=found["value"])


def frames(**pair):
    """Frames with one comparison of inits on a dataset."""
    row = {"dataset": "ward", "axis": "init", "backbone": "resnet18", "recipe": "default"}
    row |= {"init": None, "a": "pretrained", "b": "scratch", "difference": 0.05, "low": 0.01}
    row |= {"high": 0.09, "p_holm": 0.02, "verdict": "better"}
    table = pd.DataFrame([row | pair])
    return SimpleNamespace(
        comparisons=table,
        pairs_of=lambda axis: table[table["axis"] == axis],
        compared_name="AUROC",
        metric_name="AUROC",
    )


TOP = ("ward", "resnet18", "pretrained", "default", 0.85, 0.80, 0.90)
SECOND = ("ward", "resnet18", "scratch", "default", 0.80, 0.75, 0.85)


def test_intervals_that_overlap_may_differ_and_those_that_do_not_may_not():
    text = first(board(TOP, SECOND), frames())
    assert "the two differ (AUROC +0.050 (+0.010 to +0.090); p after Holm = 0.020)" in text
    unlike = first(board(TOP, SECOND), frames(low=-0.01, p_holm=0.2, verdict="not shown"))
    assert "the two are not shown to differ" in unlike and "overlap" not in unlike
    nan = float("nan")
    untested = frames(low=nan, high=nan, p_holm=nan, verdict="too few patients")
    said = first(board(TOP, SECOND), untested)
    assert "on the same patients AUROC +0.050, not tested: too few patients" in said
    assert "Holm" not in said


def test_two_trainings_that_differ_are_not_called_alike():
    text = first(board(TOP, SECOND), frames(verdict="these trainings"))
    assert "these two trainings differ, which says nothing of the methods (AUROC +0.050" in text


def test_the_only_one_with_its_seeds_is_not_the_highest_of_one():
    rows = board(TOP, SECOND).assign(seeds=[2, 1])
    assert "(AUROC 0.850, the only configuration with most of its seeds)" in first(rows, frames())
    rows = board(TOP, SECOND).assign(seeds=[2, 0], planned=[2, 2])
    assert "(AUROC 0.850, the only configuration)" in first(rows, frames())
    assert "the highest of 2 configurations)" in first(board(TOP, SECOND), frames())


def test_the_only_configuration_of_a_study_is_not_recommended():
    text = first(board(TOP), frames())
    assert text.startswith("ward: of resnet18, pretrained the AUROC on test images is 0.850 (")
    assert "recommended" not in text and "highest" not in text


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        (["these trainings"], "the trainings differ, but one each says nothing of the methods"),
        (["better", "worse"], "2 of 2 pairs differ"),
        (["better", "not shown"], "1 of 2 pairs differ; no difference shown in 1"),
        (["incomplete", "incomplete"], "2 cannot be compared yet"),
    ],
)
def test_no_number_of_nothing_is_told(counts, text):
    assert verdicts(pd.DataFrame({"verdict": counts}), "") == text


def test_the_difference_is_told_from_the_best():
    turned = {"a": "scratch", "b": "pretrained", "difference": -0.05, "low": -0.09, "high": -0.01}
    assert "+0.050 (+0.010 to +0.090)" in first(board(TOP, SECOND), frames(**turned))


@pytest.mark.parametrize(
    "second",
    [
        ("ward", "resnet10t", "scratch", "default", 0.8, 0.7, 0.9),
        ("ward", "resnet10t", "pretrained", "default", 0.8, 0.7, 0.9),
    ],
)
def test_what_the_study_does_not_compare_is_said(second):
    assert "are not tested against each other" in first(board(TOP, second), frames())
