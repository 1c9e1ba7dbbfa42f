"""Published numbers: each file is sound, and says what its source says."""

import re
import shutil

import pytest

from cxrgrid.config.checks import backbones
from cxrgrid.config.errors import UserError
from cxrgrid.reporting import papers


@pytest.fixture(scope="module")
def published():
    return papers.read()


def value(published, **where):
    found = published
    for name, wanted in where.items():
        found = found[found[name] == wanted]
    assert len(found) == 1, where
    return found["value"].iloc[0]


def test_every_file_is_read(published):
    lines = sum(len(path.read_text().splitlines()) - 1 for path in papers.FOLDER.glob("*.csv"))
    assert len(published) == lines > 400
    assert {"nih", "chexpert", "mimic", "siim", "rsna"} == set(published["dataset"])


def test_the_readme_explains_each_column():
    table = re.findall(r"^\| (`.*?`) \|", (papers.FOLDER / "README.md").read_text(), re.MULTILINE)
    assert re.findall(r"`(\w+)`", " ".join(table)) == papers.COLUMNS


def test_backbones_are_timm_names(published):
    assert set(published["backbone"].dropna()) <= backbones()


@pytest.mark.parametrize(
    ("where", "number"),
    [
        ({"paper": "CheXNet", "label": "Atelectasis"}, 0.8094),
        ({"paper": "CheXNet", "label": "Hernia"}, 0.9164),
        ({"paper": "CheXNet", "label": "macro"}, 0.841),
        ({"paper": "Toh, Daffa and Hung", "model": "CheXNet", "label": "Atelectasis"}, 0.8217),
        ({"paper": "Toh, Daffa and Hung", "model": "CheXNet", "label": "macro"}, 0.833),
        ({"backbone": "toh_cnn", "label": "macro"}, 0.677),
        ({"backbone": "toh_resnet", "label": "macro"}, 0.759),
        ({"backbone": "toh_densenet", "label": "macro"}, 0.744),
        ({"backbone": "toh_unet_encoder", "label": "macro"}, 0.703),
        ({"backbone": "toh_xvt", "label": "macro"}, 0.677),
        ({"model": "experiment 11", "metric": "auroc", "label": "macro"}, 0.7629),
        ({"model": "experiment 11", "metric": "f1", "label": "micro"}, 0.43),
        ({"model": "experiment 11", "metric": "sensitivity", "label": "Atelectasis"}, 0.45),
        ({"model": "EfficientNetV2-S", "part": "p10, combined", "metric": "accuracy"}, 0.7667),
        ({"paper": "medical_mae", "model": "DenseNet-121"}, 0.822),
        ({"paper": "torchxrayvision", "backbone": "densenet121", "dataset": "siim"}, 0.79),
    ],
)
def test_numbers_are_those_of_the_sources(published, where, number):
    assert value(published, **where) == number


def test_a_mean_over_labels_is_the_mean_of_its_labels(published):
    """To the third decimal place, as printed: for all tables that give both."""
    auroc = published[published["metric"] == "auroc"]
    checked = 0
    for _, rows in auroc.fillna("").groupby(["paper", "model"]):
        single = rows[~rows["label"].isin(papers.AVERAGES)]
        mean = rows.loc[rows["label"] == "macro", "value"]
        if len(single) == 14 and len(mean) == 1:
            assert single["value"].astype(float).mean() == pytest.approx(mean.iloc[0], abs=6e-4)
            checked += 1
    assert checked == 12


def test_the_accuracy_follows_from_sensitivity_specificity_and_420_images(published):
    """Of each test set of Hydyrov: some number of positives gives all three, to the last digit."""
    own = published[published["paper"] == "Hydyrov"]
    for _, rows in own.groupby(["model", "part"]):
        three = rows.set_index("metric")["value"]
        assert any(
            abs((round(three["sensitivity"] * p) + round(three["specificity"] * (420 - p))) / 420
                - three["accuracy"]) < 6e-5
            and abs(round(three["sensitivity"] * p) / p - three["sensitivity"]) < 6e-5
            for p in range(1, 420)
        )  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (",nih,,,patient,", ",nhi,,,patient,", "line 32, dataset: no adapter 'nhi'.*'nih'"),
        (",Atelectasis,", ",Atelektasis,", "label: no label 'Atelektasis'.*'Atelectasis'"),
        (",auroc,0.8094,", ",auroc,80.94,", "line 32.*<= 1"),
        (",auroc,0.8094,,", ",auroc,0.8094,0.82,", "0.8094 lies outside of its interval"),
        (",auroc,0.8094,", ",auc,0.8094,", "no metric 'auc'"),
        (",patient,,224,", ",pacient,,224,", "line 32.*pacient|Invalid enum value"),
        (",Cardiomegaly,auroc,0.9248,", ",Atelectasis,auroc,0.9,", "the same number as in line 32"),
        ("paper,model", "papers,model", "the columns should be paper,model,year"),
        (",nih,,,patient,", ",nih,,view,patient,", "line 32.*view"),
        (",14,,macro", ",,,macro", "over how many labels"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path, old, new, message):
    text = (papers.FOLDER / "chexnet.csv").read_text()
    assert old in text
    (tmp_path / "chexnet.csv").write_text(text.replace(old, new))
    with pytest.raises(UserError, match=message):
        papers.read(tmp_path)


def test_without_the_folder_there_are_no_rows(tmp_path):
    frame = papers.read(tmp_path / "none")
    assert frame.empty and list(frame) == papers.COLUMNS


def test_files_beside_the_tables_are_not_read(tmp_path):
    shutil.copy(papers.FOLDER / "README.md", tmp_path)
    assert papers.read(tmp_path).empty
