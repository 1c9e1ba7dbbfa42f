"""`table`: numbers that one can compute by hand, and no mean that hides how many seeds it has."""

import json
from types import SimpleNamespace

import pandas as pd
import pytest

from conftest import LABELS, MISSING, write_report, write_study
from cxrgrid import collect, table
from cxrgrid.config.cell import AXES
from cxrgrid.config.checks import TABLES, modules
from cxrgrid.config.study_json import read_grid
from cxrgrid.evaluation import wording
from cxrgrid.io.parquet import read_parquet, write_parquet
from cxrgrid.reporting import sections
from cxrgrid.tables import leaderboard

CONFIGURATION = ["ward", "resnet18", "pretrained", "default"]

RERUN = (
    f"snakemake results/demo/cells/{MISSING}/model.safetensors --configfile results/demo/study.json"
)


@pytest.fixture(scope="module")
def report(finished):
    return finished.parent / "report"


def rows(frame, configuration):
    return frame[(frame[AXES[: len(configuration)]] == configuration).all(axis=1)]


def shown(report, name):
    """The sections of a table as a reader sees them."""
    return sections.read(report / f"{name}.json").sections


def whole(report, metric, label="macro"):
    metrics = pd.read_csv(report / "metrics.csv")
    return metrics[(metrics["metric"] == metric) & (metrics["label"] == label)]


def test_leaderboard_is_the_mean_over_seeds(report):
    configuration = ["ward", "resnet10t", "scratch", "default"]
    auroc = rows(whole(report, "auroc"), configuration)
    row = rows(pd.read_csv(report / "leaderboard.csv"), configuration).iloc[0]
    first, second = auroc["value"]
    assert row["value"] == pytest.approx((first + second) / 2, abs=1e-6)
    assert row["sd"] == pytest.approx(abs(first - second) / 2**0.5, abs=1e-6)
    configurations = pd.read_csv(report / "configurations.csv")
    both = rows(
        configurations[
            (configurations["metric"] == "auroc") & (configurations["label"] == "macro")
        ],
        configuration,
    ).iloc[0]
    assert (row["low"], row["high"]) == pytest.approx((both["low"], both["high"]), abs=1e-5)
    assert (row["seeds"], row["planned"]) == (2, 2)


def test_a_mean_over_fewer_seeds_says_so(report):
    row = rows(pd.read_csv(report / "leaderboard.csv"), CONFIGURATION).iloc[0]
    assert (row["seeds"], row["planned"]) == (1, 2)
    assert row["rerun"] == RERUN
    one = rows(whole(report, "auroc"), CONFIGURATION).iloc[0]
    assert row["value"] == one["value"] and row["low"] < one["low"], "others say how seeds vary"
    ward = shown(report, "leaderboard")[0]
    [row] = [r for r in ward.rows if r[:2] == ["resnet18", "pretrained"]]
    assert "1 of 2" in row
    assert any(MISSING in note for note in ward.notes)


def test_a_place_without_seeds_is_missing_and_last(study):
    path = study.parent / "cells" / MISSING.replace("seed1", "seed0") / "history.parquet"
    path.unlink()
    (path.parent / "predictions/val.parquet").unlink()
    scores = study.parent / "scores/ward.parquet"
    frame = read_parquet(scores)[0].to_pandas()
    gone = (frame["backbone"] == "resnet18") & (frame["init"] == "pretrained")
    write_parquet(frame[~gone], scores, {})
    report = write_report(study)
    ward = shown(report, "leaderboard")[0]
    assert ward.rows[-1][:3] == ["resnet18", "pretrained", "missing"]
    assert "0 of 2" in ward.rows[-1]
    pair = shown(report, "pretrained")[0].rows
    assert ["missing", "missing", "–", "–", "0 of 2"] in [row[-5:] for row in pair]


def test_competing_classes_take_the_decision_as_a_whole(report):
    configuration = ["children", "resnet18", "scratch", "default"]
    row = rows(pd.read_csv(report / "leaderboard.csv"), configuration).iloc[0]
    decided = rows(whole(report, "balanced_accuracy", "all"), configuration)["value"].mean()
    assert row["balanced_accuracy"] == pytest.approx(decided, abs=1e-6)
    assert row["majority_accuracy"] == pytest.approx(
        rows(whole(report, "majority_accuracy", "all"), configuration)["value"].mean(), abs=1e-6
    )


def test_labels_that_exclude_nothing_have_no_accuracy_as_a_whole(report):
    ward, children = shown(report, "leaderboard")
    assert "accuracy" in children.header and "accuracy" not in ward.header


def test_pretrained_is_compared_seed_by_seed(report):
    auroc = whole(report, "auroc").set_index([axis for axis in AXES if axis != "fold"])["value"]
    row = rows(pd.read_csv(report / "pretrained.csv"), CONFIGURATION).iloc[0]
    scratch = auroc["ward", "resnet18", "scratch", "default", 0]
    value = auroc["ward", "resnet18", "pretrained", "default", 0]
    assert row["scratch"] == scratch, "the mean of scratch leaves out the seed that has no pair"
    assert row["difference"] == pytest.approx(value - scratch, abs=1e-6)
    assert (row["seeds"], row["planned"]) == (1, 2)
    assert "tests see Pairwise comparisons" in (report / "pretrained.md").read_text()


def test_every_cell_and_label_has_a_row(report):
    frame = pd.read_csv(report / "labels.csv")
    assert len(frame) == 15 * 3 + 1
    assert frame.loc[frame["state"] == "missing", "label"].isna().all()
    one = frame[frame["label"] == "Nodule"].iloc[0]
    metrics = pd.read_csv(report / "metrics.csv").set_index([*AXES, "label", "metric"])["value"]
    for metric in ("auroc", "sensitivity", "tp", "majority_accuracy"):
        assert one[metric] == metrics[(*one[AXES], "Nodule", metric)]
    assert one["error_rate"] == pytest.approx(1 - metrics[(*one[AXES], "Nodule", "accuracy")])


def test_datasets_count_images_patients_and_labels(report, finished):
    counts = pd.read_csv(report / "datasets.csv").set_index(["dataset", "split", "label"])
    path = finished.parent.parent / "data/ward/table.parquet"
    images = read_parquet(path)[0].to_pandas()
    train = images[images["split"] == "train"]
    row = counts.loc[("ward", "train", "Effusion")]
    assert row["images"] == 36 and row["patients"] == train["patient"].nunique()
    assert row["positives"] == train["Effusion"].sum()
    assert row["positives"] + row["negatives"] + row["unknown"] == 36


def test_the_headline_metric_is_the_one_that_the_study_names(tmp_path):
    report = write_report(write_study(tmp_path / "results", report={"headline": "f1"}))
    row = rows(pd.read_csv(report / "leaderboard.csv"), ["ward", "resnet10t", "scratch"]).iloc[0]
    f1 = rows(whole(report, "f1"), ["ward", "resnet10t", "scratch"])
    assert row["value"] == pytest.approx(f1["value"].mean(), abs=1e-6)
    assert row["low"] < f1["low"].mean() < f1["high"].mean() < row["high"]
    assert "F1, mean over labels" in (report / "leaderboard.md").read_text()


@pytest.mark.parametrize(
    "value, low, high, text",
    [
        (0.8124, 0.771, 0.85, "0.812 (0.771–0.850)"),
        (0.5, float("nan"), float("nan"), "0.500"),
        (float("nan"), 0.1, 0.2, "–"),
    ],
)
def test_a_number_as_all_write_it(value, low, high, text):
    assert wording.number(value, low, high) == text


def test_labels_are_all_shown(report):
    for section in shown(report, "labels"):
        assert {row[0] for row in section.rows} - {"missing"} == set(LABELS[section.title])


def test_subsets_leave_every_table_as_it_is(report):
    metrics = pd.read_csv(report / "metrics.csv")
    part = metrics.assign(subset="women", value=0.99)
    both = pd.concat([metrics, part], ignore_index=True)
    all_labels = SimpleNamespace(facts={})
    found = [leaderboard.prevalence(each, all_labels) for each in (both, metrics)]
    assert found[0].equals(found[1])


@pytest.mark.long
def test_other_operating_points_and_averages_leave_every_table_as_it_is(tmp_path):
    study = write_study(tmp_path / "results")
    report = write_report(study)
    averaged = {"classification_report", "experiments"}
    names = [n for n in read_grid(study).tables() if n not in averaged]
    before = {name: (report / f"{name}.md").read_text() for name in names}
    path = study.parent / "scores/ward.parquet"
    frame = read_parquet(path)[0].to_pandas()
    decided = frame[frame["threshold_rule"] != ""]
    macro = frame[(frame["label"] == "macro")]
    more = [decided.assign(threshold_rule="0.5", value=0.99)]
    more += [macro.assign(label=name, value=0.99) for name in ("micro", "weighted", "samples")]
    more += [macro[macro["metric"] == "f1"].assign(metric="accuracy", value=0.99)]
    write_parquet(pd.concat([frame, *more]), path, {})
    write_report(study)
    assert {name: (report / f"{name}.md").read_text() for name in names} == before
    assert "| micro |" in (report / "classification_report.md").read_text()


def test_each_table_says_what_uncertain_labels_were_taken_for(tmp_path):
    study = write_study(tmp_path / "results")
    path = tmp_path / "results/data/ward/table.parquet"
    read, facts = read_parquet(path)
    sentence = "Uncertain labels (-1) are taken as present (one): Nodule 7."
    write_parquet(read, path, facts | {"policy": {"notes": [sentence]}})
    report = write_report(study)
    several = {"others", "choices", "tests", "literature", "transfer", "subgroups", "pooled"}
    several |= {"frequency", "abstention", "shifts", "unfamiliar"}
    several |= {"subset_models", "backbones", "class_counts"}
    for name in set(modules(TABLES)) - several:
        ward, *others = [part for part in shown(report, name) if part.title != "All datasets"]
        assert sentence in ward.notes, name
        assert not any(sentence in other.notes for other in others)


def test_every_table_of_a_dataset_that_leaks_says_so(study):
    path = study.parent.parent / "data/ward/table.parquet"
    frame, facts = read_parquet(path)
    leak = {"patients": 5, "test_images": 16, "test_images_seen": 7, "asked": True}
    write_parquet(frame, path, facts | {"leakage": leak})
    report = write_report(study)
    for name in ("leaderboard", "pretrained", "labels", "datasets"):
        notes = {part.title: part.notes for part in shown(report, name)}
        assert "5 patients are in two splits, and 7 of 16 test images" in notes["ward"][0]
        assert not any("Leakage" in note for note in notes["children"])


def test_ensembles_and_models_from_elsewhere_have_a_table_of_their_own_and_are_in_no_mean(tmp_path):
    model = {"dataset": "ward", "predictions": "theirs.csv"}
    study = write_study(tmp_path / "results")
    before = (write_report(study) / "leaderboard.csv").read_bytes()
    study.write_text(json.dumps(json.loads(study.read_text()) | {"external": {"theirs": model}}))
    path = study.parent / "scores/ward.parquet"
    scores = read_parquet(path)[0].to_pandas()
    some = scores[(scores["backbone"] == "resnet10t") & (scores["init"] == "scratch")]
    some = some[some["seed"] == 0]
    together = some.assign(backbone="ensemble:resnet10t", seed=-1, value=some["value"] / 2)
    theirs = some.assign(backbone="theirs", init="external", recipe="external")
    stranger = some.assign(backbone="ensemble:resnet50", seed=-1)
    write_parquet(pd.concat([scores, together, theirs, stranger]), path, {})
    report = study.parent / "report"
    collect.main([str(study), "--out-dir", str(report)])
    table.main([str(study), "--report", str(report)])
    assert (report / "leaderboard.csv").read_bytes() == before
    assert not any("theirs" in row for row in shown(report, "leaderboard")[0].rows)
    [ward] = shown(report, "others")
    assert [row[0] for row in ward.rows] == ["theirs", "ensemble:resnet10t"]
    members = ward.header.index("members")
    assert [row[members] for row in ward.rows] == ["1", "2"]
    others = pd.read_csv(report / "others.csv")
    assert dict(zip(others["backbone"], others["kind"], strict=True)) == {
        "theirs": "external",
        "ensemble:resnet10t": "ensemble",
    }


@pytest.mark.long
def test_the_matrix_sets_shared_labels_beside_the_own_test_set(tmp_path):
    study = write_study(tmp_path / "results")
    config = json.loads(study.read_text())
    clinic = config["datasets"]["ward"] | {"labels": ["Nodule", "Effusion", "Mass"]}
    config |= {"transfer": ["clinic"], "datasets": config["datasets"] | {"clinic": clinic}}
    study.write_text(json.dumps(config))
    path = study.parent / "scores/ward.parquet"
    scores = read_parquet(path)[0].to_pandas()
    cell = scores["backbone"].eq("resnet10t") & scores["init"].eq("scratch")
    shared = scores[cell & scores["label"].isin(["Nodule", "Effusion", "macro"])]
    there = shared.assign(target="clinic", value=shared["value"] - 0.1)
    write_parquet(there, study.parent / "scores/clinic.parquet", {})
    seen = {"source": ["ward"] * 2, "target": ["clinic"] * 2, "image": ["a", "b"]}
    write_parquet(seen | {"reason": ["same patient"] * 2}, study.parent / "overlap.parquet", {})
    report = write_report(study)
    rows = pd.read_csv(report / "transfer.csv").set_index(["backbone", "init"])
    assert len(rows) == 4 and (rows["masked"] == 2).all() and (rows["target"] == "clinic").all()
    row = rows.loc["resnet10t", "scratch"]
    auroc = scores[cell & scores["metric"].eq("auroc")]
    own = auroc[auroc["label"].isin(["Nodule", "Effusion"])]["value"].mean()
    macro = auroc[auroc["label"].eq("macro")]["value"].mean()
    assert row["own"] == pytest.approx(own) and row["value"] == pytest.approx(macro - 0.1)
    assert (row["labels_scored"], row["seeds"], row["planned"]) == (2, 2, 2)
    assert rows.loc["resnet18", "scratch"]["seeds"] == 0
    [section] = shown(report, "transfer")
    assert section.title == "ward" and any("missing" in row for row in section.rows)
    leaderboard = pd.read_csv(report / "leaderboard.csv")
    assert set(leaderboard["dataset"]) == {"ward", "children"}


def test_subgroups_show_each_group_and_the_gap(tmp_path):
    study = write_study(tmp_path / "results")
    path = study.parent / "scores/ward.parquet"
    scores = read_parquet(path)[0].to_pandas()
    macro = scores[(scores["label"] == "macro") & (scores["metric"] == "auroc")]
    parts = {"sex=F": (0.8, None), "sex=M": (0.6, None), "gap:sex": (0.2, "F - M")}
    rows = [macro.assign(subset=s, value=v, groups=g) for s, (v, g) in parts.items()]
    write_parquet(pd.concat([scores, *rows]), path, {})
    report = write_report(study)
    found = pd.read_csv(report / "subgroups.csv")
    assert found.groupby("subset")["value"].mean().to_dict() == {
        name: pytest.approx(value) for name, (value, _) in parts.items()
    }
    [ward] = shown(report, "subgroups")
    gaps = [row for row in ward.rows if "gap:sex" in row]
    assert len(gaps) == 4 and all("F - M" in row for row in gaps)
