"""`answer`: the words follow from the primary effect, its interval and what is missing."""

from types import SimpleNamespace

import pandas as pd
import pytest

from conftest import CONFIG
from cxrgrid.config.grid import Grid
from cxrgrid.reporting import answer
from cxrgrid.reporting.cell_pages import environment

NAN = float("nan")
ROW = {
    "factor": "init", "level": "pretrained", "against": "scratch", "primary": True,
    "estimate": 0.098, "low": 0.02, "high": 0.176, "p": 0.013, "p_holm": 0.013, "family_size": 1,
    "pairs": 4, "planned": 4, "datasets": 2, "seeds": 2, "n": 121, "patients": 67,
    "seed_se": 0.01, "detectable": 0.11, "margin": float("nan"), "margin_verdict": "",
    "verdict": "better",
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
        ({"estimate": 0.0, "low": NAN, "p_holm": NAN, "verdict": "not shown"}, TITLE, True,
         "Not shown"),
        ({"low": NAN, "p_holm": NAN, "verdict": "too few patients"}, TITLE, True, "Not known yet"),
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


def test_the_interval_of_one_training_each_is_said_to_be_over_patients_alone():
    assert answer.basis(row(), 2).startswith("95 % interval over patients and trainings;")
    assert "1 to 3 seeds each" in answer.basis(row(seeds=1), 3)
    assert answer.basis(row(low=NAN, seed_se=NAN), 2).startswith("No interval; 4 pairs")
    alone = answer.basis(row(seeds=1, seed_se=NAN, verdict="these trainings"), 1)
    assert alone.startswith("95 % interval over patients alone;")


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
    none = answer.sentence(row(low=-1, high=1, p=0.2, p_holm=0.2, detectable=1.01), "AUROC")
    assert none.endswith("No true difference would have been shown 8 times in 10.")


def test_nothing_is_claimed_of_pairs_that_are_not_done():
    assert answer.sentence(row(pairs=0), "AUROC").endswith("no pair of cells is done.")
    assert "3 of 4 pairs" in answer.basis(row(pairs=3), 2)


ALL = ROW | {"dataset": "all", "model": "fixed", "by": None, "metric": "auroc"}
BOARD = {
    "dataset": "ward", "backbone": "resnet18", "init": "pretrained", "recipe": "default",
    "seeds": 2, "planned": 2, "validation": 0.91, "value": 0.9, "low": 0.85, "high": 0.94,
    "n": 121, "patients": 67,
}  # fmt: skip


def card(*effects, title=TITLE, doubts=(), missing=(), sources=(), alone=()) -> str:
    """The card as the page shows it, for a study with these main effects."""
    frame = pd.DataFrame(effects, columns=[*ALL])
    frame["primary"] = frame["primary"].astype(bool)
    columns = ["dataset", "metric", "subset", "label", "value", "reason"]
    metrics = pd.DataFrame(list(alone), columns=columns)
    frames = SimpleNamespace(
        grid=Grid(CONFIG | {"title": title}),
        effects=frame,
        metrics=metrics,
        metric="auroc",
        metric_name="AUROC",
        rare=lambda name: [],
    )
    found = answer.answer(frames, pd.DataFrame([BOARD]))
    page = environment().get_template("answer.html.j2")
    about = {"study": frames.grid.study, "cells": [0] * 16, "metric": "AUROC", "sources": sources}
    text = page.render(answer=found, doubts=list(doubts), missing=list(missing), **about)
    return text.replace("\u00a0", " ")


UNDECIDED = {"low": -0.02, "p": 0.2, "p_holm": 0.2, "verdict": "not shown"}


@pytest.mark.parametrize(
    ("effects", "words"),
    [
        ([{}], ["Yes.</strong> AUROC is higher with pretrained than with scratch, on average by"]),
        (
            [{"estimate": -0.098, "low": -0.176, "high": -0.02}],
            ["No.</strong> AUROC is lower with pretrained than with scratch", "−0.098"],
        ),
        (
            [UNDECIDED],
            ["Not shown.</strong> No difference shown", "80 % power for a difference of 0.110"],
        ),
        (
            [{"pairs": 3}],
            ["Probably.</strong> AUROC is higher", "3 of 4 pairs of configurations"],
        ),
        (
            [{"pairs": 0, "low": float("nan"), "p": float("nan")}],
            ["Not known yet.</strong> pretrained against scratch: no pair of cells is done."],
        ),
        ([], ["No factor.</strong> The study varies nothing but its datasets, so there is no"]),
    ],
    ids=["yes", "no", "undecided", "incomplete", "nothing done", "no factor"],
)
def test_the_card_says_in_words_what_the_study_found(effects, words):
    text = card(*(ALL | changes for changes in effects))
    for said in words:
        assert said in text
    assert text.count("</strong>") == 1, "one verdict"
    assert "0.900 (0.850–0.940)" in text, "what is recommended stands there in every state"
    assert "<svg" not in text, "no chart without an effect by dataset"


def test_the_card_draws_the_effect_of_each_dataset_and_their_mean():
    one = ALL | {"model": "one"}
    text = card(ALL, one | {"dataset": "ward"}, one | {"dataset": "children"})
    assert text.count('class="bar') == 3 and 'class="bar whole"' in text
    alone = card(ALL, one | {"dataset": "ward"})
    assert alone.count('class="bar') == 1, "one dataset is no mean"


def test_the_first_doubts_stand_open_and_the_others_are_folded():
    shown, folded = card(ALL, doubts=[f"doubt {n}." for n in range(9)]).split("<details>")
    assert shown.count("<li>doubt") == 6 and folded.count("<li>doubt") == 3
    assert "3 more" in folded
    assert "Nothing that cxrgrid looks for" in card(ALL)


def test_datasets_that_lend_weights_are_said_to_be_no_results():
    assert "starts for others" not in card(ALL)
    assert "trained on atlas and west are starts for others" in card(ALL, sources=["atlas", "west"])


def test_metadata_that_do_not_vary_have_no_value_that_looks_like_one():
    why, start = "age, sex and view do not vary", ("ward", "metadata_auroc", "all")
    assert why in card(ALL, alone=[(*start, label, NAN, why) for label in "ab"])
    known = card(ALL, alone=[(*start, "a", 0.4, None), (*start, "b", NAN, "one class only")])
    assert "0.400" in known and "one class only" not in known
