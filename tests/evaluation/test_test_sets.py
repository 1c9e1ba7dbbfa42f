"""Named test sets: who is in them, by whose truth, and an image, a study or a patient as one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from cxrgrid.config import dataset as config
from cxrgrid.config.errors import UserError
from cxrgrid.config.study import Report
from cxrgrid.evaluation import test_sets, thresholds
from cxrgrid.evaluation.all_metrics import Row
from cxrgrid.evaluation.predictions import Predictions
from cxrgrid.evaluation.score_rows import Parts, Sheet, add
from cxrgrid.io.parquet import write_parquet

LABELS = ["Effusion", "Nodule"]


@pytest.fixture
def table(tmp_path):
    """table.parquet of 12 images of 4 patients, two studies each, the last two patients in test."""
    image = [f"top/test/p{n // 3}/s{n // 3}{n % 3 // 2}/v{n % 3}.jpg" for n in range(12)]
    columns = {"image": image, "patient": [f"p{n // 3}" for n in range(12)]}
    columns |= {
        "study": [f"s{n // 3}{n % 3 // 2}" for n in range(12)],
        "view": ["PA", "AP", "LL"] * 4,
    }
    columns |= {"sex": ["F"] * 6 + ["M"] * 6, "age": [50.0] * 12}
    columns |= {"split": ["train"] * 6 + ["test"] * 6, "row": list(range(12))}
    columns |= {label: [0.0, 1.0] * 6 for label in LABELS}
    write_parquet(columns, tmp_path / "table.parquet", {"labels": LABELS, "dataset": "ward"})
    return tmp_path / "table.parquet"


def chosen(table, **setting):
    return test_sets.read(table, {"one": config.TestSet(**setting)}, None)["one"]


def predictions(n=120, seed=0, part="test"):
    """Answers on images of `n // 4` patients, two images a study, that follow the truth."""
    rng = np.random.default_rng(seed)
    truth = np.repeat(rng.random((n // 2, 2)) < 0.4, 2, axis=0).astype(float)
    odds = rng.normal(2 * truth - 1, 2)
    image = [f"{part}{at}" for at in range(n)]
    facts = {"labels": LABELS, "task": "multilabel", "target": "ward", "part": part}
    patient = [f"{part}p{at // 4}" for at in range(n)]
    return Predictions(image, patient, truth, 1 / (1 + np.exp(-odds)), facts, "", odds)


# ------------------------------------------------------------------ who is in it


def test_only_test_images_are_ever_in_a_test_set(table):
    assert chosen(table, sex=("F",)).images == set()
    assert len(chosen(table, view=("frontal",)).images) == 4
    assert len(chosen(table, sex=("M",)).images) == 6


@pytest.mark.parametrize(
    "name",
    ["top/test/p3/s31/v2.jpg", "/data/top/test/p3/s31/v2.jpg", "s31/v2.jpg", "test/p3/s31/v2.jpg"],
)
def test_a_file_may_name_an_image_from_any_folder(table, tmp_path, name):
    (tmp_path / "list.txt").write_text(f"{name}\nnot/there.jpg\n")
    assert chosen(table, files=str(tmp_path / "list.txt")).images == {"top/test/p3/s31/v2.jpg"}


def test_a_name_of_several_images_is_refused(table, tmp_path):
    (tmp_path / "list.txt").write_text("v0.jpg\n")
    with pytest.raises(UserError, match="'v0.jpg' is the name of several"):
        chosen(table, files=str(tmp_path / "list.txt"))


def test_a_truth_by_study_reaches_all_its_images(table, tmp_path):
    """The header of CheXpert's groundtruth.csv: Study, and labels."""
    path = tmp_path / "groundtruth.csv"
    path.write_text("Study,Nodule\nCheXpert/test/p2/s20,1\nCheXpert/test/p3/s30,0.0\ns10,1\n")
    found = chosen(table, files=str(path))
    assert {image.split("/")[3] for image in found.images} == {"s20", "s30"}
    assert len(found.images) == 4 and set(found.truth) == {"Nodule"}
    made = predictions(12)
    made = Predictions(
        sorted(found.images), ["p"] * 4, *[x[:4] for x in (made.labels, made.scores)], made.facts
    )
    labels = found.select(made).labels
    assert np.isnan(labels[:, 0]).all(), "a label that the file does not know is not scored"
    assert labels[:, 1].tolist() == [1, 1, 0, 0]


def test_columns_are_known_in_any_case_and_by_other_publishers_names(table, tmp_path, caplog):
    path = tmp_path / "t.csv"
    path.write_text("image,Pleural Effusion,nodule\ns20/v0.jpg,0,1\ns20/v0.jpg,0,1\n")
    truth = chosen(table, files=str(path)).truth
    assert [set(truth[label].values()) for label in LABELS] == [{0.0}, {1.0}]
    assert not caplog.records
    path.write_text("image,Lesion\ns20/v0.jpg,1\n")
    assert chosen(table, files=str(path)).truth is None
    assert "the dataset's own labels stay the truth" in caplog.text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,Nodule\ntop/test/p3/s31/v2.jpg,maybe\n", "Nodule is 'maybe'"),
        ("name,Nodule\nx,1\n", "has no column image"),
        ("image,Nodule\nx\n", "row 2 has 1 of 2 fields"),
        ("\n", "the list is empty"),
        ("image\nelsewhere.jpg\n", "names no image of the dataset"),
        ("image,nodule,Nodule\ns20/v0.jpg,1,1\n", "'nodule' and 'Nodule' are both 'Nodule'"),
        ("image,Nodule\ns20/v0.jpg,1\ns20/v0.jpg,0\n", "is 1 in one row and 0 in another"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_line(table, tmp_path, text, message):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(UserError, match=message):
        chosen(table, files=str(tmp_path / "t.csv"))


def test_a_dataset_without_studies_cannot_be_scored_by_them(tmp_path, table):
    columns = {"image": ["a"], "patient": ["p"], "split": ["test"], "age": [1.0]}
    columns |= {"view": ["PA"], "sex": ["F"], "study": [None]}
    write_parquet(columns, tmp_path / "none.parquet", {"labels": LABELS, "dataset": "ward"})
    with pytest.raises(UserError, match="score_by: ward names no study of an image"):
        chosen(tmp_path / "none.parquet", score_by="study")


# ------------------------------------------------------------------ several images as one


def units(made, size):
    return {image: f"u{at // size}" for at, image in enumerate(made.image)}


@pytest.mark.parametrize("pool", ["mean", "max"])
def test_the_score_of_a_study_is_that_of_its_images_by_hand(pool):
    test, val = predictions(), predictions(seed=1, part="val")
    one = test_sets.TestSet(set(test.image), None, units(test, 2), units(val, 2), pool)
    how = Report(operating_points=(0.5,))
    fit = thresholds.fit(val, test.facts, how.operating_points, "none")
    made = one.evaluation(val, test, how, fit)
    found = dict(zip(made.rows, made.metrics(np.ones((1, 60)))[0], strict=True))
    for at, label in enumerate(LABELS):
        pairs = test.scores[:, at].reshape(60, 2)
        by_hand = pairs.mean(axis=1) if pool == "mean" else pairs.max(axis=1)
        truth = test.labels[:, at].reshape(60, 2).max(axis=1)
        assert found[Row(label, "auroc", "")] == pytest.approx(roc_auc_score(truth, by_hand))
        assert found[Row(label, "tp", "0.5")] == ((by_hand >= 0.5) & (truth == 1)).sum()


@given(st.lists(st.floats(-60, 60), min_size=1, max_size=6), st.sampled_from(["mean", "max"]))
@settings(max_examples=100)
def test_log_odds_of_a_pool_are_those_of_its_probability(odds, how):
    odds = np.array(odds)[:, None]
    by_hand = getattr(1 / (1 + np.exp(-odds)), how)()
    pooled = test_sets.pooled_odds(odds, how)[0]
    assert 1 / (1 + np.exp(-pooled)) == pytest.approx(by_hand, rel=1e-9)
    assert odds.min() - 1e-9 <= pooled <= odds.max() + 1e-9


def test_ties_of_probabilities_that_round_to_one_stay_apart():
    first, second = (test_sets.pooled_odds(np.array([[40.0], [x]]), "mean") for x in (41.0, 42.0))
    assert second > first


def test_units_of_one_image_change_nothing():
    test = predictions()
    alone = test_sets.pooled(test, units(test, 1), "mean")
    np.testing.assert_allclose(alone.scores, test.scores)
    np.testing.assert_allclose(alone.log_odds, test.log_odds)
    np.testing.assert_array_equal(alone.labels, test.labels)
    assert alone.patient == test.patient


@pytest.mark.parametrize(
    ("labels", "unit"), [([1, 0], 1), ([0, 0], 0), ([0, np.nan], np.nan), ([1, np.nan], 1)]
)
def test_a_label_is_present_in_any_image_and_absent_only_if_in_none(labels, unit):
    found = test_sets.of_any(np.array(labels, float)[:, None])
    np.testing.assert_array_equal(found, [unit])


def test_thresholds_of_studies_are_fitted_on_studies():
    test, val = predictions(), predictions(seed=1, part="val")
    how = Report(operating_points=("youden",))
    tests = {
        name: test_sets.TestSet(set(test.image), None, units(test, size), units(val, size), "max")
        for name, size in (("pairs", 2), ("single", 1))
    }
    sheet = Sheet()
    add(sheet, {"dataset": "ward"}, val, test, how, Parts(tests=tests))
    cuts = {
        (row["subset"], row["label"]): row["value"]
        for row in sheet.scores
        if row["metric"] == "threshold"
    }
    for label in LABELS:
        assert cuts["single", label] == pytest.approx(cuts["all", label])
        assert cuts["pairs", label] != cuts["all", label]
    sizes = {(row["subset"], row["n"]) for row in sheet.scores if row["metric"] == "auroc"}
    assert {("all", 120), ("pairs", 60), ("single", 120)} <= sizes
