"""Labels are parted by how common they are in training, and averaged within their band."""

import numpy as np
import pytest

from cxrgrid.config.check_report import check_report
from cxrgrid.config.errors import UserError
from cxrgrid.config.study import Report
from cxrgrid.evaluation.frequency_rows import bands
from cxrgrid.evaluation.predictions import Predictions
from cxrgrid.evaluation.score_rows import Parts, Sheet, add
from cxrgrid.io.parquet import write_parquet

LABELS = ["common", "some", "rare", "rarest"]


def table(path):
    """200 training images with 40, 10, 1 and 0 positives, and test images that are all positive."""
    counts = dict(zip(LABELS, (40, 10, 1, 0), strict=True))
    columns = {"split": ["train"] * 200 + ["test"] * 50}
    for label, count in counts.items():
        columns[label] = np.r_[np.ones(count), np.zeros(200 - count), np.ones(50)]
    columns["some"][100:200] = np.nan  # of the known labels, one in ten
    write_parquet(columns, path, {"labels": LABELS})
    return path


def test_bands_count_known_training_labels(tmp_path):
    path = table(tmp_path / "table.parquet")
    middle = {"macro:head": ["common", "some"], "macro:middle": ["rare"]}
    assert bands(path, (0.004, 0.1)) == middle | {"macro:tail": ["rarest"]}
    assert bands(path, (0.11,)) == {
        "macro:head": ["common"],
        "macro:tail": ["some", "rare", "rarest"],
    }
    assert bands(path, ()) == {}


@pytest.mark.parametrize("interval", ["wilson", "percentile"])
def test_a_band_s_mean_is_that_of_its_labels(interval):
    rng = np.random.default_rng(0)
    labels = (rng.random((300, 4)) < (0.4, 0.3, 0.2, 0.0)).astype(float)
    scores = 1 / (1 + np.exp(-rng.normal(2 * labels - 1, 1)))
    names = [str(at) for at in range(300)]
    facts = {"task": "multilabel", "labels": LABELS, "target": "ward"}
    sheet, how = Sheet(), Report(operating_points=(0.5,), interval=interval, resamples=200)
    parts = Parts(bands={"macro:head": LABELS[:2], "macro:tail": LABELS[2:]})
    add(sheet, {}, None, Predictions(names, names, labels, scores, facts), how, parts)
    found = {(r["label"], r["metric"]): r for r in sheet.scores}
    for metric in ("auroc", "ap", "f1", "brier"):
        head = found["macro:head", metric]
        own = [found[label, metric]["value"] for label in LABELS[:2]]
        assert head["value"] == pytest.approx(np.mean(own)) and head["labels_scored"] == 2
        assert head["low"] < head["value"] < head["high"]
        tail = found["macro:tail", metric]  # the label without a positive is not in the mean
        assert tail["value"] == pytest.approx(found["rare", metric]["value"])
        assert tail["labels_scored"] == 1


@pytest.mark.parametrize("cuts", [[0.1, 0.01], [0.01, 0.1, 0.2]])
def test_bands_that_make_no_sense_are_refused(cuts):
    with pytest.raises(UserError, match="report.frequency_bands"):
        check_report({"frequency_bands": cuts})
