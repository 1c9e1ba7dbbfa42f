"""Folds are replicates of a cell: which there are, where they lie, and what starts from what."""

from types import SimpleNamespace

import pytest

from cxrgrid.config.errors import UserError
from cxrgrid.config.grid import Grid
from cxrgrid.config.pooling import division
from cxrgrid.config.rules import Rules
from cxrgrid.config.transfers import left_out, start_of
from demo_config import DEMO, replaced


def crossed(folds="all", split=None, **more) -> dict:
    """The demo with the dataset `ward` cross-validated."""
    config = replaced(DEMO, "datasets.ward.split", {"folds": 3} | (split or {}))
    return replaced(config, "grid.folds", folds) | more


def paths(config: dict, dataset: str = "ward") -> set[str]:
    return {cell.path() for cell in Grid(config).cells if cell.dataset == dataset}


def test_every_cell_of_a_single_split_keeps_its_path_and_settings_as_fold_0():
    single = Grid(replaced(DEMO, "datasets.ward.split", {"folds": 3}))
    every = Grid(crossed())
    for path, cell in single.by_path.items():
        assert every.by_path[path] == cell
    added = {path for path in every.by_path if path not in single.by_path}
    ward = paths(DEMO)
    assert added == {path.replace("/seed", f"/fold{fold}/seed") for path in ward for fold in (1, 2)}


def test_a_list_tests_its_folds_alone_and_other_datasets_have_one_split():
    grid = Grid(crossed([1, 2]))
    assert grid.folds["ward"] == (1, 2) and grid.folds["children"] == (0,)
    assert {cell.fold for cell in grid.cells if cell.dataset == "ward"} == {1, 2}
    assert {cell.fold for cell in grid.cells if cell.dataset != "ward"} == {0}


def test_each_fold_has_a_table_of_its_own_and_all_share_the_pixels():
    rules = Rules(Grid(crossed()), lambda path: [])
    cells = [cell for cell in rules.grid.cells if cell.dataset == "ward"]
    wildcards = [SimpleNamespace(**cell.wildcards()) for cell in cells]
    assert {rules.pixels(each) for each in wildcards} == {"results/data/ward/pixels.npy"}
    assert rules.tables(SimpleNamespace(target="ward")) == [
        f"results/data/ward{fold}/table.parquet" for fold in ("", "/fold1", "/fold2")
    ]
    own, second = (rules.split(SimpleNamespace(dataset="ward", fold=f)) for f in ("", "/fold2"))
    assert '"fold": 2' in second and 'fold"' not in own


def test_a_cell_starts_from_the_same_fold_of_the_same_dataset():
    weights = {"pretrained": {"dataset": "ward", "recipe": "source"}}
    for cell in Grid(crossed(weights=weights)).cells:
        if cell.init == "pretrained":
            where = (
                f"ward/{cell.backbone}/scratch/source{'' if not cell.fold else f'/fold{cell.fold}'}"
            )
            assert f"/cells/{where}/seed" in cell.weights


def test_a_chain_that_comes_back_in_another_fold_is_refused():
    weights = {"pretrained": {"dataset": "atlas", "init": "own"}, "own": {"dataset": "ward"}}
    with pytest.raises(UserError, match="fold1/seed0 would start from ward/.*another fold"):
        Grid(crossed(weights=weights))


JOINT = {
    "weights": {"pretrained": {"dataset": "atlas", "recipe": "joint"}},
    "recipes": {"default": {}, "joint": {"train_on": ["atlas", "ward"]}},
}


def joint(folds=0, datasets=("ward",), grid_folds="all", **more):
    """Cells of `ward`, cross-validated, that start from cells of `atlas` trained on both."""
    ward = DEMO["datasets"]["ward"] | {"labels": ["Effusion", "Cardiomegaly"]}
    atlas = ward | {"adapter": "chexpert", "labels": ["Pleural Effusion", "Cardiomegaly"]}
    split = {"folds": folds} if folds else {}
    axes = {"datasets": list(datasets), "inits": ["pretrained"], "folds": grid_folds}
    return {
        "study": "joint",
        "datasets": {"ward": ward | {"split": {"folds": 3}}, "atlas": atlas | {"split": split}},
        "grid": axes | {"backbones": ["resnet18"]},
        **(JOINT | more),
    }


@pytest.mark.parametrize("via", ["pretrained", "second"])
@pytest.mark.parametrize("folds", [0, 2])
def test_a_start_that_was_trained_on_another_fold_is_refused(via, folds):
    weights = JOINT["weights"] | {"second": {"dataset": "atlas", "init": "pretrained"}}
    config = joint(folds, ["ward", "atlas"] if folds else ["ward"], weights=weights)
    config["grid"]["inits"] = [via]
    if folds:  # fold 2 alone is one that atlas does not have
        match = "ward/resnet18/.*/fold2/seed0 would start from atlas/.*trains on fold 0 of ward"
    else:
        match = "fold1/seed0 would start from atlas/.*/joint/seed0, which trains on fold 0 of ward"
    with pytest.raises(UserError, match=match):
        Grid(config)
    config["grid"]["folds"] = [0]
    Grid(config)


def test_a_start_that_pools_is_of_the_same_fold_where_its_dataset_has_it():
    grid = Grid(joint(3, ["ward", "atlas"]))
    for cell in grid.cells:
        if cell.dataset == "ward":
            assert division(grid, start_of(grid, cell), "ward") == division(grid, cell, "ward")


def test_no_cell_is_tested_on_what_it_or_its_start_has_trained_on_in_another_fold():
    recipes = {"default": {}, "joint": {"train_on": ["own", "others"]}}
    config = joint(3, ["ward", "atlas"], recipes=recipes, transfer="all")
    config["grid"] |= {"inits": ["scratch", "pretrained"], "recipes": ["default", "joint"]}
    grid = Grid(config)
    tested = {path.split("/cells/")[1] for path, _ in grid.across()}
    for cell in grid.cells:
        there = any(path.startswith(f"{cell.path()}/") for path in tested)
        alone = cell.configuration()[2:] == ("scratch", "default")
        assert there == (alone or cell.fold == 0), cell.path()
    [one, two] = left_out(grid)
    assert "6 cells of ward are not tested on atlas" in one and "fold 0" in one
    assert "6 cells of atlas are not tested on ward" in two


def test_a_pool_keeps_out_every_tested_fold_of_what_it_does_not_read():
    recipes = {"default": {}, "joint": {"train_on": ["atlas", "third"]}}
    config = joint(recipes=recipes)
    config["datasets"]["third"] = config["datasets"]["atlas"]
    wildcards = SimpleNamespace(pool="atlas+third", fold="")
    assert Rules(Grid(config), lambda path: []).pooled(wildcards)[1] == [
        f"results/data/{name}" for name in ("atlas", "third", "ward", "ward/fold1", "ward/fold2")
    ]


FAULTS = [
    (crossed([3]), "grid.folds: no fold 3 of ward; it has 3"),
    (crossed([0, 0]), "grid.folds: 0, 0 names a fold twice"),
    (crossed("every"), "grid.folds"),
    (crossed(3), r"grid.folds: .* got a whole number; write \[0, 1\], or \[0\] for one"),
    (crossed(split={"fold": 1}), "datasets.ward.split.fold: .* leave it out"),
    (crossed(split={"folds": 9999}), r"datasets.ward.split.folds: 9999 folds of [\d,]+ patients"),
    (replaced(DEMO, "grid.folds", "all"), "grid.folds: no dataset of the block has folds"),
]


@pytest.mark.parametrize(("config", "words"), FAULTS)
def test_folds_that_are_not_there_are_one_line(config, words):
    with pytest.raises(UserError, match=words):
        Grid(config)


def test_blocks_cannot_differ_in_the_folds_of_a_dataset():
    blocks = [
        {"datasets": ["ward"], "backbones": ["resnet10t"], "folds": folds} for folds in ("all", [0])
    ]
    with pytest.raises(UserError, match="ward has the folds 0, 1, 2 in one block and 0 in another"):
        Grid(crossed() | {"grid": blocks})


FIXED = [
    {"adapter": "mimic", "root": "x", "split": {"name": "official", "folds": 5}},
    {
        "adapter": "nih",
        "root": "x",
        "split": {"name": "mine", "folds": 5, "files": {"train": "a", "val": "b", "test": "c"}},
    },
    {
        "adapter": "csv",
        "root": "x",
        "labels": ["Edema"],
        "columns": {"parts": {"train": "a.csv", "val": "b.csv", "test": "c.csv"}},
        "split": {"name": "column", "folds": 5},
    },
]


@pytest.mark.parametrize("dataset", FIXED)
def test_folds_beside_a_fixed_validation_list_are_refused_at_parse(dataset):
    with pytest.raises(UserError, match=r"split.folds: .* has a fixed validation list"):
        Grid(DEMO | {"datasets": {**DEMO["datasets"], "more": dataset}})


def test_folds_of_a_training_list_are_accepted():
    for name in ("official", "image"):
        config = crossed(split={"name": name})
        assert len(Grid(config).folds["ward"]) == 3


def twins(**more) -> dict:
    """Cells of `ward` that start from `again`, the same images under another name."""
    config = crossed(weights={"pretrained": {"dataset": "again"}})
    again = config["datasets"]["ward"] | more
    grid = config["grid"] | {"datasets": ["ward"]}
    return config | {"datasets": config["datasets"] | {"again": again}, "grid": grid}


def test_a_start_from_the_same_images_under_another_name_is_in_the_same_parts_or_refused():
    with pytest.raises(UserError, match="fold1/seed0 would start from again/.*are the same images"):
        Grid(twins())  # in one split, where `ward` has three folds
    both = twins()
    both["grid"] = both["grid"] | {"datasets": ["ward", "again"]}
    starts = [c for c in Grid(both).cells if c.dataset == "ward" and c.init == "pretrained"]
    assert starts
    for cell in starts:
        assert (f"/fold{cell.fold}/" in cell.weights) == bool(cell.fold)
    apart = {"split": {"fractions": [0.5, 0.25, 0.25]}}
    with pytest.raises(UserError, match="again and ward are the same images in other parts"):
        Grid(twins(**apart) | {"grid": twins()["grid"] | {"folds": []}})
    Grid(twins(phantom={"patients": 90, "seed": 77}))  # other images
