"""Log odds say what the probabilities say, and do not saturate."""

import numpy as np
import pytest
from scipy.special import expit, softmax

from cxrgrid.config.errors import UserError
from cxrgrid.config.study import Report
from cxrgrid.evaluation import log_odds, metrics
from cxrgrid.evaluation.predictions import Predictions, columns, only, read_any
from cxrgrid.evaluation.score_rows import Parts, Sheet, add
from cxrgrid.io.parquet import write_parquet


def file(path, labels, logits, probabilities=True):
    """A predictions file of independent labels, as `train` writes it; or without log odds."""
    rows = [str(at) for at in range(len(labels))]
    names = [f"l{at}" for at in range(labels.shape[1])]
    scores = (1 / (1 + np.exp(-logits.astype(np.float32)))).astype(np.float32)
    found = columns({"image": rows, "patient": rows}, names, labels, scores, logits)
    if not probabilities:
        found = {name: values for name, values in found.items() if name[:2] != "z:"}
    write_parquet(found, path, {})
    return path


@pytest.fixture
def saturated():
    """Labels [N, 1] and logits around 25, where single-precision probabilities are all 1."""
    rng = np.random.default_rng(0)
    labels = (rng.random((400, 1)) < 0.3).astype(float)
    return labels, rng.normal(25 + 2 * labels, 1)


def value(made, metric):
    sheet = Sheet()
    add(sheet, {}, None, made, Report(operating_points=(0.5,), interval="wilson"), Parts())
    rows = [r for r in sheet.scores if r["metric"] == metric and r["label"] == "l0"]
    return rows[0]


def test_saturated_probabilities_do_not_tie(tmp_path, saturated):
    labels, logits = saturated
    made = read_any(file(tmp_path / "with.parquet", labels, logits))
    without = read_any(file(tmp_path / "without.parquet", labels, logits, False))
    assert without.log_odds is None and (without.scores == 1).mean() > 0.9
    truth = metrics.auroc(labels[:, 0], logits[:, 0])
    row = value(made, "auroc")
    assert row["value"] == pytest.approx(truth, abs=1e-12) and row["low"] < truth < row["high"]
    assert value(without, "auroc")["value"] < truth - 0.2
    # The loss of a negative called sure is that of its logit, not of the nearest probability.
    assert value(made, "log_loss")["value"] == pytest.approx(
        np.logaddexp(0, np.where(labels == 1, -1, 1) * logits).mean(), rel=1e-9
    )


def test_some_of_the_images_keep_theirs(tmp_path, saturated):
    made = read_any(file(tmp_path / "x.parquet", *saturated))
    part = only(made, {"3", "17", "200"})
    np.testing.assert_array_equal(part.log_odds, made.log_odds[[3, 17, 200]])
    assert part.image == ["3", "17", "200"] and part.path == made.path


def test_log_odds_of_another_probability_are_refused(tmp_path, saturated):
    labels, logits = saturated
    path = file(tmp_path / "x.parquet", labels, logits)
    made = read_any(path)
    rows = {"image": made.image, "patient": made.patient}
    wrong = np.where(np.arange(400)[:, None] == 7, -3.0, logits)
    write_parquet(columns(rows, ["l0"], labels, made.scores, wrong), path, {})
    with pytest.raises(UserError, match="z:l0 of image '7' is -3, not the log odds"):
        read_any(path)
    two = np.tile(labels, 2), np.tile(made.scores, 2), np.tile(logits, 2)
    found = columns(rows, ["a", "b"], *two)
    write_parquet({n: v for n, v in found.items() if n != "z:b"}, path, {})
    with pytest.raises(UserError, match="no column 'z:b'"):
        read_any(path)


def test_classes_against_all_others():
    logits = np.random.default_rng(1).normal(0, 3, (50, 4))
    shares = softmax(logits, axis=1)
    np.testing.assert_allclose(log_odds.competing(logits), np.log(shares / (1 - shares)))
    sure = log_odds.competing(np.array([[60.0, 0, 0], [50.0, 0, 0]]))
    assert sure[0, 0] > sure[1, 0] + 9.9 and np.isfinite(sure).all()


def test_a_mean_of_probabilities():
    several = [np.random.default_rng(at).normal(0, 3, (20, 2)) for at in range(3)]
    mean = np.mean([expit(x) for x in several], axis=0)
    np.testing.assert_allclose(expit(log_odds.of_mean(several)), mean)
    step = log_odds.of_mean([log_odds.of_mean(several[:2]), several[2]], [2, 1])
    np.testing.assert_allclose(step, log_odds.of_mean(several))
    assert log_odds.of_mean([np.array([50.0]), np.array([40.0])])[0] > 40


def test_facts_and_order_of_columns():
    rows = {"image": ["x"], "patient": ["p"]}
    found = columns(rows, ["a"], np.ones((1, 1)), np.full((1, 1), 0.5), np.zeros((1, 1)))
    assert list(found) == ["image", "patient", "y:a", "p:a", "z:a"]
    assert Predictions(["x"], ["p"], np.ones((1, 1)), np.ones((1, 1)), {}).ranking[0, 0] == 1
