"""Metadata-only baseline: AUROC of a label predicted from age, sex, view and source.

A logistic regression on age (in decades), sex, view and source, trained on the training rows and
tested on the test rows. Images with equal values are one weighted row, so that a hundred thousand
images take a second.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

from cxrgrid.evaluation import metrics
from cxrgrid.evaluation.own_intervals import own_intervals
from cxrgrid.evaluation.predictions import Predictions
from cxrgrid.evaluation.wording import number, whole

FIELDS = ("age", "sex", "view", "source")
KNOWN = 0.7  # an AUROC that deserves a warning, if its interval lies above
ENOUGH = 10  # positives and negatives in the test rows: below, an interval says little


def coarse(table: pd.DataFrame) -> pd.DataFrame:
    """The fields that vary in training, as text; unknown is a value of its own."""
    found = {name: table[name] for name in FIELDS if name in table}
    if "age" in found:
        found["age"] = found["age"].floordiv(10)
    frame = pd.DataFrame(found, index=table.index).astype(object)
    frame = frame.where(frame.notna(), "unknown").astype(str)
    train = frame[table["split"] == "train"]
    return frame[[name for name in frame if train[name].nunique() > 1]]


@dataclass(frozen=True)
class Design:
    """Rows that agree in all fields as one: code int [N] of each row, columns float [codes, C]."""

    codes: np.ndarray
    columns: np.ndarray


def design(fields: pd.DataFrame) -> Design:
    """The distinct rows of some fields, as indicator columns."""
    codes = fields.groupby(list(fields), sort=True).ngroup().to_numpy()
    _, first = np.unique(codes, return_index=True)
    return Design(codes, pd.get_dummies(fields.iloc[first]).to_numpy(float))


def predict(known: Design, label: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Probability of the label for each row [N], from a model fitted on `train`, bool [N]."""
    size, codes = len(known.columns), known.codes[train]
    present = np.bincount(codes, weights=label[train], minlength=size)
    absent = np.bincount(codes, weights=1 - label[train], minlength=size)
    model = LogisticRegression(max_iter=1000)
    weights = np.concatenate([present, absent])
    model.fit(np.tile(known.columns, (2, 1)), np.repeat([1, 0], size), weights)
    return model.predict_proba(known.columns)[known.codes, 1]


def baseline(table: pd.DataFrame, labels: list[str]) -> dict:
    """Fields that vary, and for each label the AUROC of each field and of all fields together.

    `low`, `high`: the interval of all together over test patients, None where these are too few
    (`own_intervals`). An AUROC is None if it is not defined; `reason` says why.
    """
    fields = coarse(table)
    chosen = {"all": list(fields)} | {name: [name] for name in fields}
    designs = {name: design(fields[names]) for name, names in chosen.items() if names}
    found = {label: of_label(table, designs, label) for label in labels}
    return {"fields": list(fields), "labels": found}


def of_label(table: pd.DataFrame, designs: dict[str, Design], label: str) -> dict:
    """The row of one label."""
    known = table[label].isin([0, 1])
    train, test = ((known & (table["split"] == name)).to_numpy() for name in ("train", "test"))
    truth = table[label].to_numpy()
    row = {"n": int(test.sum()), "positives": int(truth[test].sum())}
    row |= {"auroc": {}, "low": None, "high": None, "reason": None}
    parts = {"train": truth[train], "test": truth[test]}
    lacking = [name for name, part in parts.items() if len(np.unique(part)) < 2]
    if lacking or not designs:
        why = f"one class only in {lacking[0]}" if lacking else "age, sex and view do not vary"
        return row | {"reason": why}
    scores = {name: predict(known_by, truth, train)[test] for name, known_by in designs.items()}
    one = np.ones((1, row["n"]), np.uint8)
    row["auroc"] = {
        name: rounded(metrics.order(truth[test], each).weigh(one).auroc()[0])
        for name, each in scores.items()
    }
    low, high = interval(truth[test], scores["all"], table.loc[test, "patient"].tolist())
    return row | {"low": rounded(low), "high": rounded(high)}


def interval(truth: np.ndarray, scores: np.ndarray, patient: list[str]) -> tuple[float, float]:
    """Interval of the AUROC of scores [N]; NaN where positives or negatives are too few."""
    images = [str(at) for at in range(len(truth))]
    made = Predictions(images, patient, truth[:, None], scores[:, None], {"labels": ["all"]})
    low, high = own_intervals(made)
    return float(low[0, 0]), float(high[0, 0])


def rounded(value: float) -> float | None:
    """A number rounded for JSON; None for NaN."""
    return None if np.isnan(value) else round(float(value), 6)


def metadata_warnings(found: dict) -> list[str]:
    """Warnings about labels that metadata alone predicts well."""
    rows = [
        f"{label} {number(row['auroc']['all'], row['low'], row['high'])}, n = {whole(row['n'])}"
        for label, row in found["labels"].items()
        if row["low"] is not None
        and row["low"] > KNOWN
        and ENOUGH <= row["positives"] <= row["n"] - ENOUGH
    ]
    if not rows:
        return []
    return [
        f"{', '.join(found['fields'])} alone, without the images, predict the label with an AUROC "
        f"of: {', '.join(rows)}. A model may rely on this confounding instead of the finding."
    ]
