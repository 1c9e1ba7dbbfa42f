"""The authors' forms: their numbers are those of the study's files."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cxrgrid.config.cell import AXES, CONFIGURATION
from cxrgrid.reporting import results
from cxrgrid.tables import backbones, class_counts, experiments, subset_models


@pytest.fixture(scope="module")
def read(finished):
    return results.read(finished, finished.parent / "report")


def test_experiments_are_means_of_the_best_epochs_and_of_the_test_values(read):
    table = experiments.build(read).set_index(CONFIGURATION)
    assert len(table) == 8
    key = ("ward", "resnet18", "scratch", "default")
    best = read.history[read.history["best"] & (read.history[CONFIGURATION] == [*key]).all(axis=1)]
    assert table.loc[key, "val_loss"] == pytest.approx(best["val_loss"].mean())
    rows = read.metrics[(read.metrics[CONFIGURATION] == [*key]).all(axis=1)]
    macro = rows[(rows["label"] == "macro") & (rows["subset"] == "all")]
    for metric, column in (("auroc", "auroc"), ("f1", "F1_macro")):
        value = macro.loc[macro["metric"] == metric, "value"].mean()
        assert table.loc[key, column] == pytest.approx(value)


def test_experiments_are_columns_with_the_settings_in_which_they_differ(read):
    rows = experiments.build(read)
    ward = rows[rows["dataset"] == "ward"]
    shown = experiments.show(ward, read).set_index("experiment")
    assert list(shown.columns) == ["1", "2", "3", "4"]
    assert list(shown.loc["init"]) == ["scratch", "pretrained"] * 2
    assert "recipe" not in shown.index and "weights" not in shown.index
    assert list(shown.loc["training accuracy"]) == ["–"] * 4
    [said, point] = experiments.notes(ward, read)
    assert said.startswith("No training accuracy: trained by a version of cxrgrid that did not")
    assert "(experiments 1, 2, 3, 4)" in said and "`youden`" in point


def test_a_training_accuracy_that_is_recorded_is_shown(read):
    history = read.history.assign(train_accuracy=0.75)
    rows = experiments.build(replace(read, history=history))
    assert rows["reason"].isna().all()
    shown = experiments.show(rows[rows["dataset"] == "ward"], read).set_index("experiment")
    assert set(shown.loc["training accuracy"]) == {"0.750"}


def test_all_called_absent_is_one_minus_the_share_of_positives():
    rows = pd.DataFrame({"value": [0.9, 0.5], "n": [10, 30], "metric": "negative_accuracy"})
    rows = rows.assign(label=["a", "b"], **dict.fromkeys(AXES, "x"))
    assert experiments.absent(rows)["value"].tolist() == [pytest.approx((9 + 15) / 40)]


def test_no_decision_of_exclusive_classes_is_compared_with_all_called_absent(read):
    rows = experiments.build(read).assign(negative_accuracy=0.9)
    for name, there in (("ward", True), ("children", False)):
        shown = experiments.show(rows[rows["dataset"] == name], read)["experiment"]
        assert (experiments.LINES["negative_accuracy"] in set(shown)) == there, name


@pytest.mark.parametrize(
    ("seconds", "text"), [(44 * 60 + 20, "0:44:20"), (4834.6, "1:20:35"), (float("nan"), "–")]
)
def test_time_is_written_in_hours_minutes_and_seconds(seconds, text):
    assert experiments.duration(seconds) == text


def test_subsets_stand_below_all_images_with_the_three_rates(read):
    rows = read.metrics[read.metrics["metric"].isin(subset_models.METRICS)]
    rows = rows[rows["dataset"].eq("ward") & rows["label"].eq("Effusion")]
    both = [rows.assign(label="macro"), rows.assign(label="macro", subset="lateral", value=0.5)]
    gap = rows.assign(label="macro", subset="gap:subsets")
    table = subset_models.build(replace(read, metrics=pd.concat([*both, gap])))
    assert set(table["dataset"]) == {"ward"} and len(table) == 4 * 2
    assert list(table["subset"]) == ["all", "lateral"] * 4
    assert (table.loc[table["subset"] == "lateral", "specificity"] == 0.5).all()
    mean = rows[rows["metric"] == "sensitivity"].groupby(CONFIGURATION)["value"].mean()
    whole = table[table["subset"] == "all"].set_index(CONFIGURATION)["sensitivity"]
    assert whole.to_dict() == pytest.approx(mean.to_dict())


def test_without_subsets_there_is_no_such_table(read):
    assert subset_models.build(read).empty


def test_backbones_have_their_published_accuracy_or_are_not_known(read):
    cells = read.cells.assign(layers=20, multiply_adds=1.8e9, trainable=read.cells["parameters"])
    cells["backbone"] = cells["backbone"].replace("resnet10t", "toh_cnn")
    rows = backbones.build(replace(read, cells=cells.assign(backbone=read.cells["backbone"])))
    assert list(rows["backbone"]) == ["resnet10t", "resnet18"]
    shown = backbones.show(rows, read).set_index("backbone")
    assert shown.loc["resnet18", "ImageNet top-1 (%)"] == "71.5"
    assert shown.loc["resnet18", "multiply-adds (millions)"] == "1800.0"
    unknown = rows.assign(imagenet_top1=np.nan, imagenet_top5=np.nan)
    assert set(backbones.show(unknown, read)["ImageNet top-5 (%)"]) == {"not known"}
    assert backbones.notes(rows, read) == []


def test_published_accuracies_are_shares_of_images_in_percent():
    table = backbones.published()
    assert table.index.is_unique and len(table) > 50
    assert ((table["top1"] > 40) & (table["top1"] < table["top5"]) & (table["top5"] < 100)).all()


def test_class_counts_add_up_over_splits_and_say_where_sizes_are_not_known(read):
    rows = class_counts.build(read)
    sums = read.counts.groupby(["dataset", "label"])["positives"].sum()
    assert rows.set_index(["of", "label"])["positives"].to_dict() == sums.to_dict()
    assert class_counts.notes(rows, read)[0].startswith("ward, children: the version of cxrgrid")


def test_the_size_of_files_is_the_median_over_images(read):
    sizes = {"dataset": "ward", "width": [100, 200, 300], "height": [90, 80, 400]}
    sides = pd.DataFrame(sizes | {"images": [1, 3, 1]})
    rows = class_counts.build(replace(read, sides=sides))
    ward = rows[rows["of"] == "ward"].iloc[0]
    assert (ward["width"], ward["height"], ward["measured"]) == (200, 80, 5)
    assert class_counts.measured(ward) == "200 × 80 (80–400)"
    shown = class_counts.show(rows, read).set_index("dataset")
    assert shown.loc["children", "file size (pixels)"] == "–"
