"""The study beside published numbers: the right pairs, and every difference of protocol said."""

from dataclasses import replace

import pandas as pd
import pytest
import yaml

from conftest import CONFIG, write_report, write_study
from cxrgrid import report, table
from cxrgrid.config.grid import Grid
from cxrgrid.io.parquet import read_parquet, write_parquet
from cxrgrid.reporting import papers, protocols, sections
from cxrgrid.reporting.results import read, read_csv
from cxrgrid.tables import literature

BASE = dict.fromkeys(papers.COLUMNS)
BASE |= {"paper": "A paper", "source": "doi", "where": "Table 1", "read_in": "the source"}
BASE |= {"dataset": "nih", "split": "official", "images": 16, "size": 224, "ensemble": "1"}
BASE |= {"crops": 1, "pretraining": "none", "backbone": "resnet18", "label": "Effusion"}
BASE |= {"metric": "auroc", "value": 0.8}
OURS = protocols.Protocol("official", 16, 224, None, None, "resnet18", "none")


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
    assert protocols.mismatches(row(), OURS) == []


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
    ],
)
def test_each_mismatch_is_said_alone(changes, text):
    [found] = protocols.mismatches(row(**changes), OURS)
    assert found.startswith(text)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("0.2", "0.2"),
        ("youden", "Youden's index on validation images"),
        ("sensitivity 0.9", "sensitivity 0.9 on validation images"),
        ("argmax", "the highest score decides"),
    ],
)
def test_a_threshold_differs_only_where_the_source_states_none(rule, words):
    """A stated one is the pair's own; of a metric without a threshold nothing is said."""
    ours = replace(OURS, rule=rule)
    assert protocols.mismatches(row(metric="f1", threshold=0.2), ours) == []
    said = protocols.mismatches(row(metric="f1"), ours)
    assert said == [f"threshold: not stated, here {words}"]
    assert protocols.mismatches(row(), OURS) == []


def test_splits_drawn_alike_are_other_splits():
    drawn = replace(OURS, split="patient")
    [found] = protocols.mismatches(row(split="patient"), drawn)
    assert "drawn anew" in found


def test_a_policy_that_differs_is_said():
    ours = replace(OURS, uncertain="zero")
    assert protocols.mismatches(row(uncertain="zero"), ours) == []
    found = protocols.mismatches(row(uncertain="one"), ours)
    assert found == ["uncertain labels: one, here zero"]
    found = protocols.mismatches(row(), ours)
    assert found == ["uncertain labels: not stated, here zero"]


@pytest.mark.long
def test_images_that_the_study_leaves_out_are_said(tmp_path):
    chosen = real(view=["PA"], one_per_patient=True, uncertain="one")
    path = write_study(tmp_path / "results", **chosen)
    write_report(path)
    [text] = compare(path, {})["mismatches"]
    assert "images here chosen by view, one per patient" in text and "uncertain" not in text


@pytest.mark.long
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


def reasons(table):
    """Why each row stands alone; empty for a pair."""
    assert table["value"].isna().equals(table["unpaired"].ne("")), "one or the other"
    return table["unpaired"].tolist()


def test_the_same_backbone_is_compared_from_the_same_start_if_it_can_be(study):
    table = compare(
        study,
        {"backbone": "resnet18", "pretraining": "imagenet"},
        {"backbone": "resnet10t", "pretraining": "none"},
        {"backbone": "resnet18", "pretraining": "radiographs"},
    )
    configurations = table[["backbone", "init"]].to_numpy().tolist()
    assert configurations[:2] == [["resnet18", "pretrained"], ["resnet10t", "scratch"]]
    ranked = read_csv(study.parent / "report/leaderboard.csv")
    ranked = ranked[ranked["dataset"].eq("ward") & ranked["backbone"].eq("resnet18")]
    assert configurations[2] == ["resnet18", ranked["init"].iloc[0]], "by validation value"
    assert "pretraining: radiographs, here" in table["mismatches"][2]


def test_what_has_no_counterpart_says_why(study):
    table = compare(
        study,
        {"backbone": "densenet121"},
        {"backbone": None},
        {"label": "Mass"},
        {"label": "macro", "labels": 14},
        {"label": "macro", "labels": 3},
        {"recipe": "exp1"},
        {"recipe": "default"},
        {"subset": "view=frontal"},
        {"metric": "f1", "threshold": 0.2},
        {"label": "micro", "metric": "specificity"},
    )
    assert reasons(table) == [
        "densenet121 is not trained here",
        "its network is not stated, or not one of timm's",
        "Mass is not a label here",
        "a mean over 14 labels, and here over 3",
        "",
        "resnet18 is not trained here with recipe exp1",
        "",
        "view=frontal is not one of the dataset's subsets",
        "threshold 0.2 is not one of the operating points",
        "specificity of micro is not defined here",
    ]
    assert compare(study, {"dataset": "chexpert"}).empty, "of another dataset nothing is said"


def compared(frames, **changes):
    """The comparison of one published number with a study's frames."""
    folder = frames.folder / "report"
    published = pd.DataFrame([row(**changes)], dtype="O")
    return literature.compare(frames, read_csv(folder / "leaderboard.csv"), published).iloc[0]


@pytest.fixture(scope="module")
def frames(study):
    """The study with numbers at 0.5 too, and of a subset `front`: 0.1 and 0.2 below the others."""
    read_in = read(study, study.parent / "report")
    fixed = read_in.metrics[read_in.metrics["threshold_rule"] == "youden"]
    fixed = fixed.assign(value=fixed["value"] - 0.1, threshold_rule="0.5")
    front = read_in.metrics.assign(value=read_in.metrics["value"] - 0.2, subset="front")
    subsets = {"women": {"sex": ["F"], "view": ["frontal"]}, "front": {"view": ["frontal"]}}
    return replace(
        read_in,
        grid=Grid(CONFIG | real(subsets=subsets)),
        metrics=pd.concat([read_in.metrics, front]),
        other_points=fixed,
    )


def test_each_threshold_has_the_numbers_of_its_own_operating_point(frames):
    """0.5 as stated; the study's first, youden, where the source states none."""
    stated, silent = (compared(frames, metric="f1", threshold=at) for at in (0.5, None))
    ranking = compared(frames)
    assert (stated["threshold_rule"], silent["threshold_rule"]) == ("0.5", "youden")
    assert silent["value"] - stated["value"] == pytest.approx(0.1)
    assert "threshold" not in stated["mismatches"] + ranking["mismatches"]
    assert "threshold: not stated, here Youden's index" in silent["mismatches"]
    assert "threshold 0.2 is not one" in compared(frames, metric="f1", threshold=0.2)["unpaired"]


def test_numbers_of_a_view_stand_beside_the_subset_of_that_view(frames):
    """A subset of women's frontal images is another one."""
    whole, front = (compared(frames, subset=view) for view in (None, "view=frontal"))
    assert (whole["subset"], front["subset"]) == ("all", "front")
    assert whole["value"] - front["value"] == pytest.approx(0.2)
    lateral = compared(frames, subset="view=lateral")
    assert lateral["unpaired"] == "view=lateral is not one of the dataset's subsets"


def test_experiments_that_share_a_backbone_stand_beside_their_own_recipes(tmp_path):
    """Each of the eleven experiments beside the cell that repeats it, and no two beside one."""
    config = yaml.safe_load((papers.FOLDER.parent / "studies/nih-eleven.yaml").read_text())
    grid = Grid(config)
    published = papers.read().query("paper == 'Au' and metric == 'auroc'")
    assert len(published) == 11
    wanted = published[["backbone", "recipe"]].to_records(index=False).tolist()
    cells = {
        (c.backbone, c.recipe): c.init for c in grid.cells if c.dataset == "eleven-as-published"
    }
    assert sorted(wanted) == sorted(cells), "one to one"
    for row in published.itertuples():
        assert (cells[row.backbone, row.recipe] == "imagenet") == (row.pretraining == "imagenet")


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


def test_the_page_shows_each_pair_and_each_model_without_one(study, tmp_path):
    """Several numbers of a model alone are one row; real papers have no ResNet-18 of theirs."""
    folder = study.parent / "report"
    paired = {"split": "chexnet-community", "crops": 10, "paper": "Pair's"}
    alone = [
        {"paper": "Alone", "backbone": "densenet121", "label": name}
        for name in ("Effusion", "Nodule")
    ]
    rows = [row(**changes) for changes in (paired, *alone)]
    pd.DataFrame(rows).to_csv(tmp_path / "mine.csv", index=False)
    everything = read(study, folder)
    table.write("literature", replace(everything, papers=tmp_path), folder)
    [section] = sections.read(folder / "literature.json").sections
    assert [line[:2] for line in section.rows] == [["Pair's", "Effusion"], ["Alone", "2 values"]]
    assert section.rows[1][3:5] == ["0.800", "no counterpart"] and not section.links[1]
    assert len(section.links[0]) == 2, "the pages of both seeds"
    text = report_page(study)
    assert 'href="#literature"' in text and "Comparison with the literature" in text
    assert "split: chexnet-community, here patient" in text
    assert "10 crops of each test image, here the whole image once" in text
    assert "no counterpart: densenet121 is not trained here." in text
    table.write("literature", everything, folder)
    text = report_page(study)
    for paper in set(read_csv(folder / "literature.csv")["paper"]):
        assert paper.replace("'", "&#39;") in text


def test_a_study_of_which_nothing_ran_has_no_comparison(tmp_path):
    study = write_study(tmp_path / "results", **real())
    for path in (study.parent / "scores").glob("*.parquet"):
        path.unlink()
    write_report(study)
    assert read_csv(study.parent / "report/literature.csv").empty
