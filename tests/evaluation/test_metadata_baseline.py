"""A label that age, sex or view give away is found; one that they do not is not."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from cxrgrid.evaluation import metadata_baseline


def cohort(n=4000, seed=0):
    """Edema goes with view and age, Hernia with nothing."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"age": rng.integers(1, 95, n).astype(float)})
    frame["sex"] = rng.choice(["M", "F", None], n, p=[0.5, 0.45, 0.05])
    frame["view"] = rng.choice(["AP", "PA"], n)
    chance = 0.1 + 0.5 * (frame["view"] == "AP") + 0.3 * (frame["age"] > 60)
    frame["Edema"] = (rng.random(n) < chance).astype(float)
    frame["Hernia"] = (rng.random(n) < 0.2).astype(float)
    frame["split"] = rng.choice(["train", "val", "test"], n, p=[0.7, 0.1, 0.2])
    return frame.assign(patient=[f"p{at // 2}" for at in range(n)])


def test_what_metadata_tell_is_told():
    found = metadata_baseline.baseline(cohort(), ["Edema", "Hernia"])
    assert found["fields"] == ["age", "sex", "view"]
    edema, hernia = found["labels"]["Edema"], found["labels"]["Hernia"]
    assert edema["low"] < edema["auroc"]["all"] < edema["high"]
    assert edema["auroc"]["all"] > edema["auroc"]["view"] > edema["auroc"]["age"] > 0.55
    assert abs(edema["auroc"]["sex"] - 0.5) < 0.08 and abs(hernia["auroc"]["all"] - 0.5) < 0.08
    [warning] = metadata_baseline.metadata_warnings(found)
    assert "Edema" in warning and "Hernia" not in warning


def test_it_is_a_logistic_regression_on_every_row():
    """Rows that agree are fitted as one with a weight; the outcome is that of all rows."""
    table = cohort(800)
    fields = metadata_baseline.coarse(table)
    columns = pd.get_dummies(fields).to_numpy(float)
    train, test = table["split"] == "train", table["split"] == "test"
    model = LogisticRegression(max_iter=1000).fit(columns[train], table.loc[train, "Edema"])
    wanted = roc_auc_score(table.loc[test, "Edema"], model.predict_proba(columns[test])[:, 1])
    row = metadata_baseline.baseline(table, ["Edema"])["labels"]["Edema"]
    assert row["auroc"]["all"] == pytest.approx(wanted, abs=2e-3)
    assert (row["n"], row["positives"]) == (test.sum(), table.loc[test, "Edema"].sum())


def test_a_source_is_used_where_there_is_one():
    table = cohort().assign(source=lambda frame: frame["Hernia"].map({1: "B", 0: "A"}))
    found = metadata_baseline.baseline(table, ["Hernia"])
    assert found["labels"]["Hernia"]["auroc"]["source"] == 1


def unknown_ages(table):
    return table.assign(age=np.nan, sex=None, view="AP")


def no_positive(table):
    return table.assign(Edema=table["Edema"].where(table["split"] != "test", 0.0))


def all_unknown(table):
    return table.assign(Edema=np.nan)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (unknown_ages, "age, sex and view do not vary"),
        (no_positive, "one class only in test"),
        (all_unknown, "one class only in train"),
    ],
)
def test_what_cannot_be_said_has_a_reason(change, reason):
    row = metadata_baseline.baseline(change(cohort(400)), ["Edema"])["labels"]["Edema"]
    assert row["reason"] == reason and row["auroc"] == {} and row["low"] is None


def test_unknown_labels_are_not_counted():
    table = cohort(900)
    table.loc[::3, "Edema"] = np.nan
    row = metadata_baseline.baseline(table, ["Edema"])["labels"]["Edema"]
    assert row["n"] == (table["Edema"].notna() & (table["split"] == "test")).sum()


def test_two_positives_are_no_warning():
    row = {"auroc": {"all": 0.99}, "low": 0.9, "high": 1.0, "n": 60, "positives": 2}
    assert metadata_baseline.metadata_warnings({"fields": ["age"], "labels": {"Hernia": row}}) == []
