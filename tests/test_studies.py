"""The study files: whole grids without a setting that does nothing, each runs to a report."""

import html
import json
import re
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import yaml

import long_tests
from cxrgrid import phantom
from cxrgrid.config import label_names
from cxrgrid.config.cell import CONFIGURATION, Point
from cxrgrid.config.checks import adapter_facts
from cxrgrid.config.grid import Grid
from cxrgrid.config.overrides import matches
from cxrgrid.reporting import papers, sections
from cxrgrid.reporting.findings import published_vs_right
from test_workflow import ROOT, snakemake

FILES = {path.stem: path for path in sorted((ROOT / "studies").glob("*.yaml"))}
# Cells and, of these, each backbone's.
CELLS = {
    "chestxray14-zoo": dict.fromkeys(
        ["toh_cnn", "toh_resnet", "toh_densenet", "toh_unet_encoder", "toh_xvt", "densenet121"], 4
    ),
    "lung-three": {"mobilenetv3_large_100": 21, "efficientnet_b1": 21, "resnet34": 45},
    "mimic-effusion": {"tf_efficientnetv2_s": 8},
    "nih-eleven": {
        **{"au_cnn3": 8, "au_cnn3_wide": 1, "au_cnn2": 4, "au_cnn2_wide": 1},
        **{"mobilenetv1_100": 4, "densenet121": 14, "seresnet50": 3, "mobilevit_s": 3},
    },
    "pneumothorax-chexpert": {"resnet34": 11, "densenet121": 6},
}
# Settings that act only where another one has such a value.
ACTS = {
    "restart_epochs": ("schedule", {"restarts"}),
    "restart_mult": ("schedule", {"restarts"}),
    "step_epochs": ("schedule", {"step"}),
    "factor": ("schedule", {"step", "plateau"}),
    "plateau_epochs": ("schedule", {"plateau"}),
    "plateau_on": ("schedule", {"plateau"}),
    "pct_start": ("schedule", {"onecycle"}),
    "momentum": ("optimizer", {"momentum", "sgd", "rmsprop"}),
    "focal_gamma": ("loss", {"focal"}),
    "pos_weight": ("task", {"multilabel"}),
    "class_weight": ("task", {"multiclass"}),
}
# On a phantom of so many patients each dataset keeps images of every kind that its study asks for.
PATIENTS = {"mimic": 240, "nih": 60, "chexpert": 50, "siim": 60, "kermany": 50}
SAMPLE = {"frontal": 60, "lateral": 40}


def read(name: str) -> dict:
    """A study file as a config."""
    return yaml.safe_load(FILES[name].read_text())


def settings_of(config: dict, recipe: str) -> set[str]:
    """The settings that the file itself gives the cells of a recipe, or of a level of its lists."""
    return {*config["recipes"].get("default", {}), *config["recipes"].get(recipe, {})}


@pytest.mark.parametrize("name", CELLS)
def test_grid_has_the_cells_that_its_header_says(name):
    cells = Grid(read(name)).cells
    assert re.search(r"^# (\d+) cells", FILES[name].read_text(), re.M)[1] == str(len(cells))
    counts = dict.fromkeys(CELLS[name], 0)
    for cell in cells:
        counts[cell.backbone] += 1
    assert counts == CELLS[name]


@pytest.mark.parametrize("name", FILES)
def test_file_says_how_it_is_run_and_reads_from_data(name):
    config = read(name)
    assert config["study"] == name
    assert f"snakemake --configfile studies/{name}.yaml" in FILES[name].read_text()
    for dataset in config["datasets"].values():
        assert "phantom" in dataset or dataset["root"].startswith("data/")


@pytest.mark.parametrize("name", CELLS)
def test_what_is_done_right_has_patients_apart_no_flip_and_three_seeds(name):
    grid = Grid(read(name))
    right = [cell for cell in grid.cells if cell.dataset.endswith("-done-right")]
    configurations = {}
    for cell in right:
        assert grid.study.datasets[cell.dataset].split.name in ("patient", "official")
        assert not cell.hflip or cell.recipe == "done-right-hflip-on"
        assert cell.monitor != "loss"
        configuration = (cell.dataset, cell.backbone, cell.init, cell.recipe)
        configurations.setdefault(configuration, set()).add(cell.seed)
    assert configurations and all(seeds == {0, 1, 2} for seeds in configurations.values())
    assert "youden" in grid.study.report.operating_points


@pytest.mark.parametrize("name", FILES)
def test_every_name_of_a_study_is_used(name):
    config, grid = read(name), Grid(read(name))
    for axis, names in (("dataset", "datasets"), ("recipe", "recipes"), ("init", "weights")):
        used = {getattr(c, axis) for c in grid.cells} | {"default", *config.get("transfer", [])}
        used |= {grid.recipes[c.recipe].base for c in grid.cells}
        assert set(config.get(names, {})) <= used
    for override in grid.study.overrides:
        cells = ((Point(**c.axes()), grid.recipes[c.recipe]) for c in grid.cells)
        assert any(matches(override, *cell) for cell in cells)


@pytest.mark.parametrize("name", FILES)
def test_every_setting_of_a_recipe_acts_in_some_cell(name):
    config, grid = read(name), Grid(read(name))
    idle = {(recipe, key) for recipe, given in config["recipes"].items() for key in given}
    for cell in grid.cells:
        dataset = grid.study.datasets[cell.dataset]
        task = dataset.task if dataset.task != "auto" else TASKS[dataset.adapter]
        recipe = grid.recipes[cell.recipe].base
        for key in settings_of(config, recipe):
            where, values = ACTS.get(key, ("task", {"multilabel", "multiclass"}))
            if (task if where == "task" else getattr(cell, where)) in values:
                idle -= {(recipe, key), ("default", key)}
    assert idle == set()


TASKS = dict.fromkeys(("nih", "mimic", "chexpert", "siim"), "multilabel")
TASKS |= {"kermany": "multiclass", "covid_radiography": "multiclass"}


def reduced(config: dict, size: int) -> dict:
    """The study on phantoms, without a network: few images, two short epochs, one seed."""
    config = {key: value for key, value in config.items() if key != "weights"}
    for number, (name, dataset) in enumerate(config["datasets"].items()):
        dataset = {key: value for key, value in dataset.items() if key != "root"}
        patients = PATIENTS.get(dataset["adapter"], 60)
        dataset["phantom"] = {"patients": patients, "seed": number, "size": size}
        dataset["image"] = {**dataset["image"], "size": size}
        if "files" in dataset["split"]:
            dataset["split"] = {"name": "official"}
        if "sample" in dataset:
            dataset["sample"] = {**dataset["sample"], "n": SAMPLE}
        config["datasets"][name] = dataset
    config["recipes"] = {name: short(given) for name, given in config["recipes"].items()}
    config["recipes"]["default"] |= {"epochs": 2, "batch_size": 8}
    config["recipes"]["default"].setdefault("steps_per_epoch", 2)
    config["overrides"] = [{**o, "set": short(o["set"])} for o in config.get("overrides", [])]
    # What was planned with Grad-CAM and t-SNE has them here too; elsewhere they would take minutes.
    explain = "first_seed" if config["study"] == "lung-three" else "none"
    config["report"] = {**config["report"], "resamples": 100, "explain": explain}
    return config


def on_disk(config: dict, folder: Path) -> dict:
    """The study with its phantoms drawn below `folder`, one per adapter, as if downloaded."""
    for dataset in config["datasets"].values():
        dataset["root"] = f"data/{dataset['adapter']}"
        drawn, out = {"adapter": dataset["adapter"]} | dataset.pop("phantom"), dataset["root"]
        if not (folder / out).is_dir():
            phantom.main([json.dumps(drawn), "--out", str(folder / out)])
    return config


def short(given: dict) -> dict:
    """A recipe's settings, for two epochs of small batches; levels of a list stay apart."""
    most = {"epochs": 2, "batch_size": 8, "steps_per_epoch": 2, "restart_epochs": 1}
    most |= {"plateau_epochs": 0}
    less = {key: value for key, value in given.items() if key in most}
    for key, value in less.items():
        many = range(len(value)) if isinstance(value, list) else ()
        less[key] = [most[key] - at for at in many] or min(value, most[key])
    return given | less


def covering(config: dict) -> list[dict]:
    """As blocks, cells from scratch with every dataset, recipe and backbone at least once.

    With a level of a list there is the base that it is compared with.
    """
    blocks = [
        {key: axis for key, axis in block.items() if key != "inits"} for block in config["grid"]
    ]
    grid = Grid(config | {"grid": blocks})
    cells = grid.cells
    left = {(axis, getattr(c, axis)) for c in cells for axis in ("dataset", "recipe", "backbone")}
    blocks = []
    while left:
        new = [left & {(axis, getattr(c, axis)) for axis, _ in left} for c in cells]
        at = max(range(len(cells)), key=lambda at: len(new[at]))
        cell, left = cells[at], left - new[at]
        names = {f"{axis}s": [getattr(cell, axis)] for axis in ("dataset", "backbone", "recipe")}
        base = grid.recipes[cell.recipe].base
        blocks += [names | {"recipes": [base], "design": "base"}]
        blocks += [names] if cell.recipe != base else []
    return [block for at, block in enumerate(blocks) if block not in blocks[:at]]


@pytest.mark.long(turns=len(CELLS) + 1)
@pytest.mark.parametrize("name", CELLS)
def test_study_runs_on_its_datasets_layouts_to_a_report_beside_the_literature(name, tmp_path):
    # The networks of the zoo halve an image six times.
    config = reduced(read(name), 64 if name == "chestxray14-zoo" else 32)
    config = on_disk(config, tmp_path) if name in PUBLISHED else config
    config["grid"] = grid = covering(config)
    done = snakemake(tmp_path, config)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    folder = tmp_path / f"results/{name}/report"
    cells = (folder / "cells.csv").read_text().splitlines()
    assert len(cells) == 1 + len(grid) and not any(",missing," in line for line in cells)
    report = (folder / "report.html").read_text()
    assert all(part in report for part in (*config["datasets"], *CELLS[name]))
    REPRODUCED[name](folder, report)
    if name in PUBLISHED:
        is_beside_the_literature(folder, report, config)


def is_beside_the_literature(folder, report: str, config: dict):
    """Each published number of a dataset stands beside its own kind, or says why it does not.

    The study's own are read again from metrics.csv, by all in which the two must agree.
    """
    published = papers.read()
    rows = pd.read_csv(folder / "literature.csv", dtype={"threshold_rule": str})
    metrics = pd.read_csv(folder / "metrics.csv", dtype={"threshold_rule": str})
    metrics = metrics[metrics["seed"] >= 0]  # no ensemble
    report = html.unescape(report)
    sources = re.findall(r"<dt>Source</dt><dd>(.*?)</dd>", report)
    for (name, dataset), source in zip(config["datasets"].items(), sources, strict=True):
        assert source == adapter_facts(dataset["adapter"])["ORIGIN"]
        own = published[published["dataset"] == dataset["adapter"]].to_dict("records")
        shown = rows[rows["dataset"] == name].to_dict("records")
        for theirs, ours in zip(own, shown, strict=True):
            assert [theirs[key] for key in ("paper", "metric")] == [ours["paper"], ours["metric"]]
            assert theirs["value"] == ours["published"]
            if pd.isna(ours["value"]):
                assert ours["unpaired"] in report
            else:
                is_a_pair(theirs, ours, metrics)
    paired = set(rows.loc[rows["value"].notna(), "paper"])
    assert PUBLISHED[config["study"]] in paired
    assert "no counterpart" in report or rows.empty


def is_a_pair(theirs: dict, ours: dict, metrics: pd.DataFrame):
    """Backbone, recipe, subset, label and operating point agree, and the number is the cells'."""
    assert ours["backbone"].split(".")[0] == theirs["backbone"]
    assert theirs["recipe"] in (None, ours["recipe"])
    assert SUBSETS[theirs["subset"]] == ours["subset"]
    there, here = (
        label_names.published().get(one["label"], one["label"]) for one in (theirs, ours)
    )
    assert there == here
    if theirs["threshold"] is not None:
        assert (
            ours["threshold_rule"] in (f"{theirs['threshold']:g}", "argmax")
            or theirs["metric"] == "auroc"
        )
    axes = [*CONFIGURATION, "subset", "label", "metric"]
    rows = metrics[(metrics[axes] == [ours[axis] for axis in axes]).all(axis=1)]
    rule = ours["threshold_rule"]
    rows = rows[rows["threshold_rule"].isna() if pd.isna(rule) else rows["threshold_rule"] == rule]
    assert ours["value"] == pytest.approx(rows["value"].mean(), abs=1e-6)


# Studies that are run on folders, as they would be downloaded, and the paper that each repeats.
PUBLISHED = {
    "chestxray14-zoo": "Toh, Daffa and Hung",
    "nih-eleven": "Au",
    "mimic-effusion": "Hydyrov",
}
SUBSETS = {None: "all", "view=frontal": "ap-pa", "view=lateral": "lateral"}


def is_compared(folder, factor: str, levels: set[str]) -> bool:
    """True if each of a list's other levels has a difference to the first, on the same patients."""
    pairs = pd.read_csv(folder / "comparisons.csv").query("factor == @factor")
    pairs = pairs.dropna(subset="difference")
    return levels == {str(level) for side in "ab" for level in pairs[f"level_{side}"]}


def printed(folder, name: str, dataset: str) -> pd.DataFrame:
    """A dataset's section of a table as a reader sees it, without the asterisk of few cases."""
    table = sections.read(folder / f"{name}.json")
    [part] = [part for part in table.sections if part.title == dataset]
    rows = [[str(field).removesuffix(" *") for field in row] for row in part.rows]
    return pd.DataFrame(rows, columns=part.header)


def drawn(folder) -> dict[str, str]:
    """The figures' text by name."""
    return {path.stem: path.read_text() for path in (folder / "figures").glob("*.svg")}


def zoo(folder, report):
    """Table 1: the AUROC of each of 14 labels, and the parameters; the curves of the losses."""
    labels = pd.read_csv(folder / "labels.csv").groupby("backbone")
    assert (labels["label"].nunique() == 14).all() and labels["auroc"].count().min() > 7
    trainable = pd.read_csv(folder / "cells.csv").set_index("backbone")["trainable"]
    assert trainable["toh_densenet"] == 2_136_302 and trainable["toh_resnet"] == 6_299_342
    assert trainable["toh_xvt"] == 2_823_758 and trainable["densenet121"] == 6_968_206
    ways = [printed(folder, "label_models", f"zoo-{way}") for way in ("as-published", "done-right")]
    rows = {*adapter_facts("nih")["LABELS"], "average", "parameters"}
    assert all({*table["label"]} == rows for table in ways)
    assert {*CELLS["chestxray14-zoo"]} < {*ways[0], *ways[1]}
    figure = drawn(folder)["together"]  # Figures 5 and 6: all models on one pair of axes
    assert all(text in figure for text in ("training step", "validation loss", "toh_unet_encoder"))
    assert "not recorded" not in figure


def lungs(folder, report):
    """F1 by epoch, confusion matrices, t-SNE, Grad-CAM, and what the networks cost."""
    history = pd.read_csv(folder / "history.csv").set_index("monitor")
    assert history.loc["f1", "monitored"].notna().all()
    assert {"confusion", "embedding"} <= {path.stem for path in (folder / "figures").glob("*.svg")}
    assert "data:image/webp" in report
    assert (pd.read_csv(folder / "cells.csv")["multiply_adds"] > 0).all()
    table = printed(folder, "class_counts", "All datasets").set_index("dataset")  # Table 1
    assert {"classes", "images of each class", "file size (pixels)"} < {*table}
    classes = table.loc[["covid-as-published", "pneumonia-as-published", "xray8-as-published"]]
    assert [*classes["classes"]] == ["3", "3", "7"]
    table = printed(folder, "backbones", "All datasets").set_index("backbone")  # Table 2
    assert {"parameters", "layers", "multiply-adds (millions)", "ImageNet top-5 (%)"} < {*table}
    assert {"resnet34", "efficientnet_b1", "mobilenetv3_large_100"} == {*table.index}
    figure = drawn(folder)["curves"]  # Figure 3: training and validation F1 by epoch
    assert "F1, mean over labels" in figure and "not recorded" not in figure
    assert is_compared(folder, "image.equalize", {"histogram", "none"})
    assert is_compared(folder, "image.blur", {"5", "0"})


def effusion(folder, report):
    """Table 1: accuracy, sensitivity and specificity of all, of frontal and of lateral views."""
    metrics = pd.read_csv(folder / "metrics.csv")
    for metric in ("accuracy", "sensitivity", "specificity"):
        rows = metrics[(metrics["metric"] == metric) & (metrics["threshold_rule"] == "0.5")]
        by_subset = rows.groupby("subset")["value"].count()
        assert by_subset[["all", "ap-pa", "lateral"]].min() >= 2
    table = printed(folder, "subset_models", "effusion-as-published")
    assert {"all", "ap-pa", "lateral"} < {*table["subset"]}
    rates = {f"{name} (95 % interval)" for name in ("accuracy", "sensitivity", "specificity")}
    assert rates | {"backbone", "init"} < {*table}
    figure = drawn(folder)["balance"]  # Figure 3: both classes by view and split
    assert all(f", {part}" in figure for part in ("training", "validation", "test"))
    assert "LATERAL" in figure and "without" in figure


def eleven(folder, report):
    """Figure 3 and the classification report: at 0.2, micro and macro; and the time."""
    metrics = pd.read_csv(folder / "metrics.csv")
    cells = pd.read_csv(folder / "cells.csv")
    rows = metrics[(metrics["threshold_rule"] == "0.2") & (metrics["seed"] >= 0)]  # no ensemble
    counts = rows.groupby(["metric", "label"])["value"].count()
    for metric in ("precision", "sensitivity", "f1"):
        assert counts[metric][["micro", "macro"]].min() == len(cells)
    assert (cells["seconds"] > 0).all()
    table = printed(folder, "experiments", "eleven-as-published").set_index("experiment")
    rows = ["training loss", "training accuracy", "validation loss", "validation accuracy"]
    rows += ["test accuracy", "time (h:mm:ss)", "AUROC", "backbone", "batch size", "monitor"]
    rows += [f"{name}, {by}" for name in ("precision", "recall", "F1") for by in ("micro", "macro")]
    assert {*rows} < {*table.index} and (table.loc["training accuracy"] != "–").all()
    assert table.shape[1] == (cells["dataset"] == "eleven-as-published").sum()
    assert "Hernia: AUROC" in drawn(folder)["roc_labels"]  # Figure 5
    table = printed(folder, "classification_report", "eleven-as-published").set_index("label")
    assert {"precision", "recall", "F1", "support"} < {*table}  # Figure 6
    assert {"Hernia", "micro", "macro", "weighted", "samples"} < {*table.index}
    assert is_compared(folder, "sampling", {"natural", "balanced"})
    assert is_compared(folder, "epochs", {"2", "1"})


def pneumothorax(folder, report):
    """A misclassification rate, and the pneumothorax classifier on CheXpert."""
    labels = pd.read_csv(folder / "labels.csv")
    wrong = (labels["fp"] + labels["fn"]) / labels["n"]
    assert labels["error_rate"].to_numpy() == pytest.approx(wrong, abs=1e-5, nan_ok=True)
    assert labels["error_rate"].notna().any()
    across = pd.read_csv(folder / "transfer.csv")
    there = across[across["dataset"].str.startswith("siim")]
    assert set(there["target"]) == {"chexpert-done-right"} and (there["seeds"] == 1).all()
    assert set(there["labels"]) == {"Pneumothorax"} and (there["n"] > 0).all()
    assert is_compared(folder, "image.crop_to", {"lungs", "none"})


REPRODUCED = {
    "chestxray14-zoo": zoo,
    "lung-three": lungs,
    "mimic-effusion": effusion,
    "nih-eleven": eleven,
    "pneumothorax-chexpert": pneumothorax,
}


@pytest.mark.long(turns=len(CELLS) + 1)
def test_choices_are_compared_on_two_test_sets_around_one_base(tmp_path):
    config = read("chexpert-choices")
    assert len(Grid(config).cells) == 45
    for number, dataset in enumerate(config["datasets"].values()):
        del dataset["root"]
        dataset |= {"phantom": {"patients": 60, "size": 64, "seed": number}, "image": {"size": 32}}
    del config["weights"]
    small = {"epochs": 1, "batch_size": 8, "image": {"size": [32, 48, "48x32"]}}
    config["recipes"]["default"] |= small | {"train_share": [1, 0.5]}
    config["grid"] |= {"backbones": ["test_resnet", "test_vit"], "inits": ["scratch"], "seeds": [0]}
    config["report"] |= {"explain": "none"}
    done = snakemake(tmp_path, config)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    folder = tmp_path / "results/chexpert-choices/report"
    effects = pd.read_csv(folder / "effects.csv")
    varied = {"backbone", "image.size", "uncertain", "train_share", "loss", "rotate"}
    assert set(effects["factor"]) == varied
    assert set(effects.loc[effects["primary"], "level"]) == {"zero", "one", "smooth"}
    metrics = pd.read_csv(folder / "metrics.csv")
    assert set(metrics["target"]) == {"chexpert", "release"}
    truth = metrics[metrics["metric"].eq("prevalence") & metrics["subset"].eq("all")]
    assert (truth.groupby(["target", "label"])["value"].nunique() == 1).all(), "one truth for all"


def test_what_the_published_way_is_worth_is_the_difference_of_the_same_backbone_and_start():
    rows = [
        ("x-as-published", "a", "default", 0.9),
        ("x-as-published", "b", "default", 0.7),  # not done right: nothing is said of it
        ("x-done-right", "a", "done-right", 0.8),
        ("x-done-right", "a", "flip", 0.1),
        ("x-as-published", "c", "default", 0.5),
        ("x-done-right", "c", "done-right", 0.6),
        ("y", "a", "default", 0.5),
    ]
    board = pd.DataFrame(rows, columns=["dataset", "backbone", "recipe", "value"])
    (sentence,) = published_vs_right(board.assign(init="scratch", seeds=1), "AUROC")
    assert "a, scratch: 0.900 as published, 0.800 done right (+0.100); c, scratch: " in sentence
    assert "0.500 as published, 0.600 done right (−0.100). Split" in sentence
    assert "not tested" in sentence
    assert not list(published_vs_right(board.assign(init="scratch", seeds=0), "AUROC"))


class Collected(SimpleNamespace):
    """A test as pytest has collected it, and its mark if it is a long one."""

    def get_closest_marker(self, name: str) -> pytest.Mark | None:
        return self.long if name == "long" else None


def test_each_turn_takes_a_study_and_ten_take_every_long_test_once():
    marked, apart = pytest.mark.long.mark, pytest.mark.long(turns=6).mark
    studies = [Collected(path="studies", long=apart, name=name) for name in "uvwxyz"]
    faults = [Collected(path="faults", long=marked, name=name) for name in range(13)]
    short = [Collected(path="faults", long=None, name="short")]
    every = [*studies, *faults, *short]
    turns = [long_tests.chosen(every, str(number)) for number in range(8, 18)]
    assert all(one in turn for one in short for turn in turns)
    assert [sum(one in turn for one in studies) for turn in turns] == [1] * 10
    assert all(sum(one in turn for turn in turns[:6]) == 1 for one in studies)
    assert all(sum(one in turn for turn in turns) == 1 for one in faults)
    assert long_tests.chosen(every, "all") == every and long_tests.chosen(every, "none") == short
    with pytest.raises(pytest.UsageError, match="--long some: all, none, or the number"):
        long_tests.chosen(every, "some")
