"""Named test sets: own rows in the scores, own pairs in the comparisons, and nothing trained."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t
from sklearn.metrics import roc_auc_score

from conftest import CONFIG, LABELS, write_report, write_study
from cxrgrid import score
from cxrgrid.config.cell import CONFIGURATION
from cxrgrid.config.errors import UserError
from cxrgrid.config.grid import Grid
from cxrgrid.config.steps import indexing
from cxrgrid.io.parquet import read_parquet, write_parquet
from cxrgrid.reporting import results, sections
from cxrgrid.tables import tests

TESTS = {"frontal": {"view": ["frontal"]}, "patients": {"score_by": "patient", "pool": "max"}}


def datasets(tests):
    ward = CONFIG["datasets"]["ward"] | ({"tests": tests} if tests else {})
    return CONFIG["datasets"] | {"ward": ward}


def scored(results, tests):
    """The report's folder of a study whose ward has been scored."""
    study = write_study(results, datasets=datasets(tests))
    path = results / "data/ward/table.parquet"
    table, facts = read_parquet(path)
    more = {"sex": ["F"] * 60, "age": [50.0] * 60, "study": [None] * 60}
    write_parquet(table.to_pandas().assign(**more), path, facts)
    for target in LABELS:
        out = str(study.parent / f"scores/{target}.parquet")
        score.main([str(study), "--target", target, "--out", out])
    return write_report(study)


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    return scored(tmp_path_factory.mktemp("tests") / "results", TESTS)


def answers(report, row, seed):
    path = report.parent / "cells" / "/".join(row[CONFIGURATION]) / f"seed{seed}/predictions"
    return read_parquet(path / "ward.parquet")[0].to_pandas()


def auroc(made):
    labels = [x for x in LABELS["ward"] if made[f"y:{x}"].nunique() > 1]
    return np.mean([roc_auc_score(made[f"y:{x}"], made[f"p:{x}"]) for x in labels])


def selected(made, report, name):
    if name == "patients":
        return made.groupby("patient").max()
    table = read_parquet(report.parent.parent / "data/ward/table.parquet")[0].to_pandas()
    return made[made["image"].isin(table.loc[table["view"].notna(), "image"])]


def test_each_test_set_has_its_rows_by_hand(report):
    table = pd.read_csv(report / "tests.csv")
    assert set(table["dataset"]) == {"ward"} and len(table) == 4 * 3
    for _, row in table[table["subset"] != "all"].iterrows():
        each = [
            auroc(selected(answers(report, row, seed), report, row["subset"]))
            for seed in range(row["seeds"])
        ]
        assert row["value"] == pytest.approx(np.mean(each), abs=1e-5)
        assert row["n"] == {"frontal": 10, "patients": 8}[row["subset"]]
    [shown] = sections.read(report / "tests.json").sections
    assert {row[shown.header.index("scored by")] for row in shown.rows} == {"image", "patient, max"}


def test_models_are_compared_on_each_test_set_by_itself(report):
    pairs = pd.read_csv(report / "comparisons.csv", keep_default_na=False, na_values=[""])
    pairs = pairs[(pairs["dataset"] == "ward") & (pairs["metric"] == "auroc")]
    assert set(pairs["subset"]) == {"all", *TESTS}
    assert pairs.groupby("subset").size().nunique() == 1
    row = pairs[(pairs["subset"] == "patients") & (pairs["label"] == "macro")].query(
        "axis == 'backbone' and init == 'scratch'"
    )
    row = row.iloc[0]
    sides = [
        np.mean(
            [
                auroc(
                    selected(
                        answers(report, pd.Series({**row, "backbone": row[side]}), s),
                        report,
                        "patients",
                    )
                )
                for s in (0, 1)
            ]
        )
        for side in "ab"
    ]
    assert row["difference"] == pytest.approx(sides[0] - sides[1], abs=1e-5)
    values = pd.read_csv(report / "configurations.csv")
    assert set(values["subset"]) == {"all", *TESTS}


def test_the_mean_of_f1_has_the_spread_between_trainings_in_its_interval(report):
    frames = results.read(report.parent / "study.json", report)
    grid = Grid(frames.grid.config | {"report": {"headline": "f1"}})
    table = tests.build(replace(frames, grid=grid)).query("subset == 'frontal'")
    rows = frames.metrics.query("subset == 'frontal' and metric == 'f1' and label == 'macro'")
    groups = [part for _, part in rows.groupby(CONFIGURATION, sort=False)]
    df = sum(len(part) - 1 for part in groups)
    sd = np.sqrt(
        sum(part["value"].var() * (len(part) - 1) for part in groups if len(part) > 1) / df
    )
    assert sd > 0
    for row, part in zip(table.itertuples(), groups, strict=True):
        of_seeds = t.ppf(0.975, df) * sd / np.sqrt(len(part))
        low = row.value - np.hypot((part["value"] - part["low"]).mean(), of_seeds)
        assert row.value == pytest.approx(part["value"].mean())
        assert row.low == pytest.approx(max(low, 0)) and row.low < part["low"].mean()


@pytest.mark.long
def test_test_sets_change_nothing_elsewhere(report, tmp_path):
    without = scored(tmp_path / "results", None)
    assert len(pd.read_csv(without / "tests.csv")) == 0
    for name in ("leaderboard", "choices", "pretrained", "validation", "effects", "subgroups"):
        if (report / f"{name}.csv").is_file():
            assert (report / f"{name}.csv").read_text() == (without / f"{name}.csv").read_text()
    pairs, before = (pd.read_csv(folder / "comparisons.csv") for folder in (report, without))
    same = pairs[pairs["subset"] == "all"].reset_index(drop=True)
    pd.testing.assert_frame_equal(same, before, check_dtype=False)


def test_test_sets_train_and_prepare_nothing():
    plain, more = (Grid(CONFIG | {"datasets": datasets(tests)}) for tests in (None, TESTS))
    assert plain.cells == more.cells
    settings = [indexing("ward", grid.study.datasets["ward"], "x") for grid in (plain, more)]
    assert settings[0] == settings[1]


@pytest.mark.parametrize(
    ("tests", "message"),
    [
        ({"a b": {"view": ["PA"]}}, "datasets.ward.tests: the name 'a b'"),
        ({"all": {"view": ["PA"]}}, "'all' names the whole"),
        ({"whole": {}}, "datasets.ward.tests.whole: is the whole of the test images"),
        ({"x": {"views": ["PA"]}}, "datasets.ward.tests.x: .*view"),
        ({"x": {"score_by": "studies"}}, "datasets.ward.tests.x.score_by: .*study"),
        ({"x": {"view": ["PA"], "pool": "max"}}, "tests.x.pool: is for score_by"),
        ({"x": {"age": [60, 20]}}, r"tests.x.age: \[low, high\]"),
    ],
)
def test_a_test_set_that_cannot_be_is_one_line_at_parse(tests, message):
    with pytest.raises(UserError, match=message) as error:
        Grid(CONFIG | {"datasets": datasets(tests)})
    assert "\n" not in str(error.value)


def test_a_name_that_a_subset_has_is_refused():
    ward = datasets({"men": {"sex": ["M"]}})["ward"] | {"subsets": {"men": {"sex": ["M"]}}}
    with pytest.raises(UserError, match="'men' names one of the subsets"):
        Grid(CONFIG | {"datasets": CONFIG["datasets"] | {"ward": ward}})


def test_competing_classes_have_no_studies():
    children = CONFIG["datasets"]["children"] | {"tests": {"p": {"score_by": "patient"}}}
    with pytest.raises(UserError, match="score_by: is for task: multilabel"):
        Grid(CONFIG | {"datasets": CONFIG["datasets"] | {"children": children}})


def test_a_file_that_is_not_there_is_said_before_any_job(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    grid = Grid(CONFIG | {"datasets": datasets({"readers": {"files": "readers.csv"}})})
    with pytest.raises(UserError, match="datasets.ward.tests.readers.files: no file 'readers.csv'"):
        grid.check_files()


def test_of_configurations_with_one_seed_each_nothing_is_filled_in():
    """An empty choice of rows, whose targets must not come from all of them."""
    axes = dict.fromkeys(["dataset", "backbone", "init", "recipe", "subset"], "x")
    one = {**axes, "metric": "auroc", "label": "macro", "seeds": 1}
    rows = pd.DataFrame([{**one, "value": 0.5, "low": 0.4, "high": 0.6}] * 2)
    table = pd.DataFrame([{**axes, "target": "x", "value": 0.7, "low": 0.6, "high": 0.8}])
    frames = SimpleNamespace(configurations=rows, test_values=rows[:0], metric="auroc")
    found = tests.with_seeds(table, frames)
    assert found["value"].tolist() == [0.7] and len(found) == 1
