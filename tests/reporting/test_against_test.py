"""A recommendation that the test speaks against is told as a doubt."""

from types import SimpleNamespace

import pandas as pd

from conftest import CONFIG
from cxrgrid.config.grid import Grid
from cxrgrid.reporting import against_test


def drawn(estimate: float, verdict: str) -> SimpleNamespace:
    """Two datasets in which x is recommended; y was trained in ward alone."""
    effect = {"factor": "backbone", "level": "x", "against": "y", "by": None, "model": "fixed"}
    effect |= {"metric": "auroc", "estimate": estimate, "verdict": verdict}
    best = pd.DataFrame({"dataset": ["ward", "atlas"], "backbone": "x", "recommended": True})
    cells = pd.DataFrame({"dataset": ["ward", "ward", "atlas"], "backbone": ["x", "y", "x"]})
    frames = {"effects": pd.DataFrame([effect]), "validation": best, "cells": cells}
    return SimpleNamespace(**frames, grid=Grid(CONFIG))


def test_a_recommended_level_that_is_lower_on_the_test_is_doubted_where_both_were_trained():
    [text] = against_test.sentences(drawn(-0.072, "worse"))
    assert text.startswith("ward: x is recommended by validation images, yet on test images AUROC")
    assert "lower with x than with y (main effect −0.072)" in text


def test_a_recommended_level_that_is_higher_or_not_shown_to_differ_is_not_doubted():
    assert not list(against_test.sentences(drawn(0.072, "better")))
    assert not list(against_test.sentences(drawn(-0.072, "not shown")))
