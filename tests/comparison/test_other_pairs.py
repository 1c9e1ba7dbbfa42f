"""Pairs at operating points, as ensembles and within subsets, held against values by hand."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from conftest import write_study
from cxrgrid.comparison import other_pairs
from cxrgrid.config.grid import Grid
from cxrgrid.io.parquet import read_parquet, write_parquet
from cxrgrid.tables import other_pairs as table_of_pairs

GRID = {"datasets": ["ward"], "backbones": ["resnet10t"], "inits": ["scratch", "pretrained"]}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A study of two inits with two seeds and a subset: its cells' folder, and the rows."""
    results = tmp_path_factory.mktemp("pairs") / "results"
    report = {"operating_points": [0.5, 0.7]}
    study = write_study(results, grid=GRID | {"seeds": [0, 1]}, report=report)
    config = json.loads(study.read_text())
    config["datasets"]["ward"] |= {"subsets": {"frontal": {"view": ["PA"]}}}
    table, facts = read_parquet(results / "data/ward/table.parquet")
    rows = table.to_pandas().assign(sex=None, age=np.nan)
    write_parquet(rows, results / "data/ward/table.parquet", facts)
    grid = Grid(config)
    found = other_pairs.rows(grid, study.parent / "cells", results / "data", None)
    return study.parent / "cells", pd.DataFrame(found), rows


def answers(cells, init, seed):
    """Test predictions of a cell."""
    path = f"ward/resnet10t/{init}/default/seed{seed}/predictions/ward.parquet"
    return read_parquet(cells / path)[0].to_pandas()


def one(rows, kind, metric, label, rule=""):
    """The only row of a kind, metric and label."""
    found = rows[(rows["kind"] == kind) & (rows["metric"] == metric) & (rows["label"] == label)]
    [row] = found[found["threshold_rule"] == rule].to_dict("records")
    return row


def test_an_operating_point_compares_what_is_decided_there(made):
    cells, rows, _ = made
    row = one(rows, "operating point", "sensitivity", "Effusion", "0.7")
    for side, init in (("value_a", "pretrained"), ("value_b", "scratch")):
        found = [answers(cells, init, seed) for seed in (0, 1)]
        right = [(t["p:Effusion"] >= 0.7)[t["y:Effusion"] == 1].mean() for t in found]
        assert row[side] == pytest.approx(np.mean(right))
    assert row["low"] <= row["difference"] <= row["high"]
    assert (row["seeds"], row["planned"], row["axis"]) == (2, 2, "init")


def test_an_ensemble_is_the_mean_probability_and_one_training(made):
    cells, rows, _ = made
    row = one(rows, "ensemble", "auroc", "Effusion")
    for side, init in (("value_a", "pretrained"), ("value_b", "scratch")):
        both = [answers(cells, init, seed) for seed in (0, 1)]
        mean = (both[0]["p:Effusion"] + both[1]["p:Effusion"]) / 2
        assert row[side] == pytest.approx(roc_auc_score(both[0]["y:Effusion"], mean))
    assert row["verdict"] in ("not shown", "these trainings", "not defined")
    rows = pd.DataFrame(rows)
    said = table_of_pairs.notes(rows.assign(label="macro", verdict="these trainings"), None)
    assert said == ["These trainings: they differ; other seeds may not."]
    assert table_of_pairs.notes(rows.assign(label="macro", verdict="not shown"), None) == []


def test_a_subset_compares_its_images_alone(made):
    cells, rows, table = made
    row = one(rows, "subset", "auroc", "Effusion")
    frontal = set(table.loc[table["view"] == "PA", "image"])
    found = [answers(cells, "scratch", seed) for seed in (0, 1)]
    part = [t[t["image"].isin(frontal)] for t in found]
    each = [roc_auc_score(t["y:Effusion"], t["p:Effusion"]) for t in part]
    assert row["value_b"] == pytest.approx(np.mean(each))
    assert row["n"] == len(part[0]) < len(found[0])


def test_families_are_of_one_kind_and_p_is_never_smaller_after_holm(made):
    rows = made[1].dropna(subset="p")
    assert (rows["p_holm"] >= rows["p"]).all()
    sizes = rows[rows["label"] == "macro"].groupby(["kind", "threshold_rule", "metric"]).size()
    assert (sizes == 1).all()
    assert set(made[1]["kind"]) == {"operating point", "ensemble", "subset"}
