"""The simulations of benchmarks/ in short, seeded: intervals hold, no claim is made too often."""

import importlib.util
import sys
from argparse import Namespace
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from long_tests import by_turns

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def load(monkeypatch):
    """A function that imports one of the simulations."""

    def found(name):
        monkeypatch.syspath_prepend(BENCHMARKS)
        spec = importlib.util.spec_from_file_location(
            f"benchmark_{name}", BENCHMARKS / f"{name}.py"
        )
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, spec.name, module)
        spec.loader.exec_module(module)
        return module

    return found


def allowed(share, count):
    """Three Monte-Carlo standard errors of a share among so many studies."""
    return 3 * np.sqrt(share * (1 - share) / count)


CELLS = [(100, 0.1, 0.8), (40, 0.1, 0.9), (100, 0.02, 0.6), (400, 0.02, 0.8), (400, 0.5, 0.98)]


@pytest.mark.parametrize(("patients", "prevalence", "auroc"), by_turns(CELLS, 1))
def test_intervals_of_labels_and_their_means_hold_the_truth(load, patients, prevalence, auroc):
    coverage = load("coverage")
    coverage.TRUTH, coverage.LABELS = 50_000, 100
    args = Namespace(studies=200, process="normal", icc=0.5, resamples=0)
    with np.errstate(all="ignore"):
        held = coverage.held(args, patients, prevalence, auroc)
    for name in ("auroc", "ap", "sensitivity", "specificity", "auroc, macro", "ap, macro"):
        inside = held[name][0]
        assert inside.mean() > 0.95 - allowed(0.95, len(inside)), name
        assert (held[name][1] > 0).all(), name


CLAIMS = [(0.03, 2), (0.09, 1), (0.03, 1), (0.09, 2)]


@pytest.mark.parametrize(("seed_sd", "seeds"), by_turns(CLAIMS, 2))
def test_the_word_better_is_rarely_used_of_equal_methods(load, seed_sd, seeds):
    """Seed SD 0.03 and 0.09: a difference between trainings is not one between methods."""
    effects, found, tries = load("effects"), Counter(), 60
    grid, rng = effects.study(2, seeds), np.random.default_rng([1, seeds])
    for _ in range(tries):
        measured = effects.draw(grid, rng, seed_sd, {"d0": 0.0, "d1": 0.0})
        effects.claims(grid, measured, 0.0, found)
        effects.pair(grid, measured, found)
    for name in ("better, effect", "better, pair"):
        assert found[name] / tries <= 0.05 + allowed(0.05, tries), name
    assert found["effect"] / tries >= 0.95 - allowed(0.95, tries)
    assert seeds > 1 or not found["better, pair"], "one training is no method"


GROUPS = [(5, 40, 0.4), (5, 200, 0.1), (10, 40, 0.4), (2, 200, 0.4)]


@pytest.mark.parametrize(("groups", "patients", "prevalence"), by_turns(GROUPS, 1))
def test_groups_that_do_not_differ_have_no_gap(load, groups, patients, prevalence):
    gaps = load("gaps")
    with np.errstate(all="ignore"):
        found = gaps.studies(100, 0.5, groups, patients, prevalence)
    for metric, each in found.items():
        gap, _, held = np.mean(each, axis=0)
        assert gap <= 0.05 + allowed(0.05, len(each)), metric
        assert held >= 0.95 - allowed(0.95, len(each)), metric
