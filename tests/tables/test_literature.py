"""The study beside published numbers: the right pairs, and every difference of protocol said."""

from dataclasses import replace

import pandas as pd
import pytest

from conftest import CONFIG, write_report, write_study
from cxrgrid import report
from cxrgrid.io.parquet import read_parquet, write_parquet
from cxrgrid.reporting import papers, sections
from cxrgrid.reporting.results import read, read_csv
from cxrgrid.tables import literature

BASE = dict.fromkeys(papers.COLUMNS)
BASE |= {"paper": "A paper", "source": "doi", "where": "Table 1", "read_in": "the source"}
BASE |= {"dataset": "nih", "split": "official", "images": 16, "size": 224, "ensemble": "1"}
BASE |= {"crops": 1, "pretraining": "none", "backbone": "resnet18", "label": "Effusion"}
BASE |= {"metric": "auroc", "value": 0.8}
OURS = literature.Protocol(
    "official", 16, 224, 3, None, None, "resnet18", "none", "one of each label, by validation"
)


def row(**changes):
    return pd.Series(BASE | changes, dtype="O")


def real(**ward):
    """The study with its first dataset read from a folder, so that it is not drawn."""
    first = {"adapter": "nih", "root": "data", "labels": CONFIG["datasets"]["ward"]["labels"]}
    return {"datasets": CONFIG["datasets"] | {"ward": first | ward}}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    path = write_study(tmp_path_factory.mktemp("real") / "results", **real())
    write_report(path)
    return path


def compare(study, *rows):
    """The comparison with some papers' rows."""
    folder = study.parent / "report"
    published = pd.DataFrame([row(**changes) for changes in rows], dtype="O")
    return literature.compare(read(study, folder), read_csv(folder / "leaderboard.csv"), published)


def test_the_same_protocol_has_no_mismatch():
    assert literature.mismatches(row(), OURS) == []


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"split": "chexnet-community"}, "split: chexnet-community, here official"),
        ({"split": None}, "split: not stated, here official"),
        ({"images": 25596}, "number of test images: 25,596, here 16"),
        ({"images": None}, "number of test images: not stated, here 16"),
        ({"part": "p10, lateral"}, "test images: p10, lateral"),
        ({"size": 320}, "size: 320 px, here 224 px"),
        ({"size": None}, "size: not stated, here 224 px"),
        ({"uncertain": "one"}, "uncertain labels: one, here none in the data"),
        ({"blank": "ignore"}, "blank labels: ignore, here none in the data"),
        ({"ensemble": "30"}, "ensemble of 30 models, here one model"),
        ({"ensemble": "several"}, "ensemble of several models, here one model"),
        ({"ensemble": None}, "ensemble or one model: not stated, here one model"),
        ({"crops": 10}, "10 crops of each test image, here the whole image once"),
        ({"pretraining": "imagenet"}, "pretraining: imagenet, here none"),
        ({"backbone": "densenet121"}, "backbone: densenet121, here resnet18"),
        ({"labels": 14}, "mean over 14 labels, here over 3"),
        ({"metric": "f1", "threshold": 0.2}, "threshold: 0.2, here one of each label, by"),
    ],
)
def test_each_mismatch_is_said_alone(changes, text):
    [found] = literature.mismatches(row(**changes), OURS)
    assert found.startswith(text)


def test_splits_drawn_alike_are_other_splits():
    drawn = replace(OURS, split="patient")
    [found] = literature.mismatches(row(split="patient"), drawn)
    assert "drawn anew" in found


def test_a_policy_that_differs_is_said():
    ours = replace(OURS, uncertain="zero")
    assert literature.mismatches(row(uncertain="zero"), ours) == []
    found = literature.mismatches(row(uncertain="one"), ours)
    assert found == ["uncertain labels: one, here zero"]
    found = literature.mismatches(row(), ours)
    assert found == ["uncertain labels: not stated, here zero"]


def test_images_that_the_study_leaves_out_are_said(tmp_path):
    chosen = real(view=["PA"], one_per_patient=True, uncertain="one")
    path = write_study(tmp_path / "results", **chosen)
    write_report(path)
    [text] = compare(path, {})["mismatches"]
    assert "images here chosen by view, one per patient" in text and "uncertain" not in text


def test_parts_of_a_test_set_are_told_apart(study):
    """Three test sets of one model: three rows, three titles."""
    parts = ["p10, combined", "p10, AP and PA", None]
    table = compare(study, *({"part": part} for part in parts))
    shown = literature.show(table, None)
    assert shown["paper"].tolist() == [
        "A paper (p10, combined)",
        "A paper (p10, AP and PA)",
        "A paper",
    ]
    assert len(literature.notes(table, None)) == 3


def test_phantoms_are_never_compared(finished):
    assert compare(finished, {}).empty
    assert read_csv(finished.parent / "report/literature.csv").empty
    text = report_page(finished)
    assert "Comparison with the literature" not in text and 'href="#literature"' not in text


def report_page(study):
    report.main([str(study)])
    return (study.parent / "report/report.html").read_text()


def test_the_numbers_are_those_of_the_scores(study):
    table = compare(study, {})
    metrics = pd.read_csv(study.parent / "report/metrics.csv")
    own = metrics[
        (metrics[["dataset", "backbone", "init"]] == ["ward", "resnet18", "scratch"]).all(axis=1)
        & (metrics["label"] == "Effusion")
        & (metrics["metric"] == "auroc")
    ]
    [found] = table.to_dict("records")
    assert found["seeds"] == len(own) == 2
    assert found["value"] == pytest.approx(own["value"].mean())
    assert found["low"] < own["low"].mean() < own["high"].mean() < found["high"], "seeds vary too"
    assert found["difference"] == pytest.approx(own["value"].mean() - 0.8)
    assert found["inside"] == (found["low"] <= 0.8 <= found["high"])
    assert found["mismatches"] == "split: official, here patient"


def test_the_interval_decides(study):
    low, high = compare(study, {})[["low", "high"]].iloc[0]
    values = (low - 0.001, low + 0.001, high - 0.001, high + 0.001)
    table = compare(study, *({"value": value} for value in values))
    assert table["inside"].tolist() == [False, True, True, False]


def test_the_nearest_place_is_compared(study):
    """Backbone and start as published; else the backbone; else the first of the leaderboard."""
    first = read_csv(study.parent / "report/leaderboard.csv").iloc[0]
    table = compare(
        study,
        {"backbone": "resnet18", "pretraining": "imagenet"},
        {"backbone": "resnet10t", "pretraining": "none"},
        {"backbone": "densenet121"},
    )
    configurations = table[["backbone", "init"]].to_numpy().tolist()
    assert configurations[:2] == [["resnet18", "pretrained"], ["resnet10t", "scratch"]]
    assert configurations[2] == [first["backbone"], first["init"]]


def test_only_the_same_dataset_label_and_metric_are_compared(study):
    """No other adapter's numbers, and none that the study has not."""
    assert compare(study, {"dataset": "chexpert"}).empty
    assert compare(study, {"label": "Mass"}, {"metric": "precision"}).empty
    assert len(compare(study, {"label": "macro", "labels": 14})) == 1


def test_another_policy_of_the_dataset_is_read_from_its_facts(tmp_path):
    study = write_study(tmp_path / "results", **real())
    path = tmp_path / "results/data/ward/table.parquet"
    table, facts = read_parquet(path)
    labels = facts["labels"]
    met = {label: {"uncertain": int(label == "Effusion"), "blank": 0} for label in labels}
    words = {"uncertain": dict.fromkeys(labels, "one"), "blank": dict.fromkeys(labels, "absent")}
    write_parquet(table, path, facts | {"policy": {**words, "counts": met, "notes": []}})
    write_report(study)
    found = compare(study, {}, {"label": "Nodule"}, {"label": "macro", "labels": 3})
    said = ["uncertain labels: not stated, here one" in text for text in found["mismatches"]]
    assert said == [True, False, True]


def test_the_report_shows_it_with_all_mismatches(study):
    folder = study.parent / "report"
    table = read_csv(folder / "literature.csv")
    assert set(table["dataset"]) == {"ward"} and set(table["label"]) <= {
        "Effusion",
        "Nodule",
        "Hernia",
        "macro",
    }
    [section] = sections.read(folder / "literature.json").sections
    assert len(section.rows) == len(table) > 50
    text = report_page(study)
    assert 'href="#literature"' in text and "Comparison with the literature" in text
    assert "split: chexnet-community, here patient" in text
    assert "10 crops of each test image, here the whole image once" in text
    for paper in set(table["paper"]):
        assert paper.replace("'", "&#39;") in text


def test_a_study_of_which_nothing_ran_has_no_comparison(tmp_path):
    study = write_study(tmp_path / "results", **real())
    for path in (study.parent / "scores").glob("*.parquet"):
        path.unlink()
    write_report(study)
    assert read_csv(study.parent / "report/literature.csv").empty
