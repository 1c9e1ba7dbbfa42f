"""`answer`: the words follow from the primary effect, its interval and what is missing."""

import pandas as pd
import pytest

from cxrgrid.reporting import answer

ROW = {
    "factor": "init", "level": "pretrained", "against": "scratch", "primary": True,
    "estimate": 0.098, "low": 0.02, "high": 0.176, "p": 0.013, "p_holm": 0.013, "family_size": 1,
    "pairs": 4, "planned": 4, "datasets": 2, "seeds": 2, "n": 121, "patients": 67,
    "detectable": 0.11, "margin": float("nan"), "margin_verdict": "", "verdict": "better",
}  # fmt: skip
TITLE = "Does pretraining help?"


def row(**changes) -> pd.Series:
    return pd.Series(ROW | changes)


@pytest.mark.parametrize(
    ("changes", "title", "alone", "word"),
    [
        ({}, TITLE, True, "Yes"),
        ({}, "Which start is better?", True, "Shown"),
        ({}, TITLE, False, "Shown"),
        ({"estimate": -0.098, "low": -0.176, "high": -0.02}, TITLE, True, "No"),
        ({"pairs": 3}, TITLE, True, "Probably"),
        ({"seeds": 1}, TITLE, True, "Probably"),
        ({"seeds": 1, "estimate": -0.1, "low": -0.2, "high": -0.01}, TITLE, True, "Probably not"),
        ({"low": -0.02, "p": 0.2, "p_holm": 0.2}, TITLE, True, "Not shown"),
        ({"p_holm": 0.06}, TITLE, False, "Not shown"),
        ({"seeds": 1, "verdict": "these trainings"}, TITLE, True, "Not shown"),
        ({"low": -0.01, "high": 0.015, "p": 0.6, "p_holm": 0.6, "margin": 0.02,
          "margin_verdict": "equivalent"}, TITLE, True, "Equivalent"),
        ({"pairs": 0, "low": float("nan")}, TITLE, True, "Not known yet"),
        ({"low": float("nan"), "high": float("nan"), "p": float("nan")}, TITLE, True,
         "Not known yet"),
    ],
)  # fmt: skip
def test_the_word_follows_from_the_effect(changes, title, alone, word):
    assert answer.verdict(row(**changes), title, alone) == word


def test_one_training_each_is_answered_in_the_words_of_the_comparison():
    one = row(seeds=1, verdict="these trainings", sentence="This training of a scored higher.")
    assert answer.sentence(one, "AUROC") == "This training of a scored higher."


def test_an_effect_stands_with_its_interval_and_direction():
    text = answer.sentence(row(), "AUROC")
    assert text == (
        "AUROC is higher with pretrained than with scratch, on average by +0.098 "
        "(+0.020 to +0.176); p\u00a0=\u00a00.013."
    )
    other = row(estimate=-0.098, low=-0.176, high=-0.02, primary=False)
    assert "lower with pretrained" in answer.sentence(other, "AUROC")
    assert "after Holm's correction" in answer.sentence(other, "AUROC")


def test_what_could_have_been_missed_stands_beside_no_difference():
    text = answer.sentence(row(low=-0.02, p=0.2, p_holm=0.2), "AUROC")
    assert text.startswith("No difference shown between pretrained and scratch: AUROC +0.098")
    assert text.endswith("The study had 80 % power for a difference of 0.110.")


def test_nothing_is_claimed_of_pairs_that_are_not_done():
    assert answer.sentence(row(pairs=0), "AUROC").endswith("no pair of cells is done.")
    assert "3 of 4 pairs" in answer.basis(row(pairs=3))
