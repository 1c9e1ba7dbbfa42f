"""`train_on`: the datasets of a cell, its labels there, what reruns, and each mistake."""

from types import SimpleNamespace

import msgspec
import pytest

from cxrgrid.config.cell import fold_folder
from cxrgrid.config.errors import UserError
from cxrgrid.config.grid import Grid
from cxrgrid.config.identity import identity
from cxrgrid.config.pooling import pool_file, training_arrays
from cxrgrid.config.rules import Rules
from cxrgrid.config.shifted_cells import Shifted
from cxrgrid.config.transfers import taught
from cxrgrid.data.pooled_part import shown_as

NIH = {"adapter": "nih", "root": "x", "image": {"size": 32}, "labels": ["Effusion", "Edema"]}
CONFIG = {
    "study": "tiny",
    "datasets": {
        "nih": NIH,
        "chexpert": {
            **{"adapter": "chexpert", "root": "x", "image": {"size": 48}},
            "labels": ["Edema", "Pleural Effusion"],
        },
        "padchest": {"adapter": "padchest", "root": "x", "labels": ["pleural effusion", "nodule"]},
        "children": {"adapter": "kermany", "root": "x"},
        "mine": {"adapter": "folder", "root": "x"},
    },
    "grid": {"datasets": ["nih", "chexpert"], "backbones": ["resnet18"]},
}


def grid(recipe=None, **more):
    recipes = {"recipes": {"default": recipe or {}}}
    return Grid(CONFIG | recipes | more)


def by_path(found):
    return {f"{cell.dataset}/{cell.recipe}": cell for cell in found.cells}


def test_own_and_others_are_the_datasets_of_the_grid():
    cells = by_path(grid({"train_on": [["own"], ["own", "others"], ["others"]]}))
    assert {path: cell.train_on for path, cell in cells.items()} == {
        "nih/default": (),
        "nih/default-train_on-own+others": ("chexpert", "nih"),
        "nih/default-train_on-others": ("chexpert",),
        "chexpert/default": (),
        "chexpert/default-train_on-own+others": ("chexpert", "nih"),
        "chexpert/default-train_on-others": ("nih",),
    }
    there = cells["nih/default-train_on-others"].labels_there
    assert there == {"chexpert": {"Effusion": "Pleural Effusion", "Edema": "Edema"}}


def test_one_leave_one_out_line_serves_any_number_of_datasets():
    labels = {
        "nih": ["Effusion"],
        "chexpert": ["Pleural Effusion"],
        "padchest": ["pleural effusion"],
    }
    datasets = {name: CONFIG["datasets"][name] | {"labels": own} for name, own in labels.items()}
    axes = CONFIG["grid"] | {"datasets": list(datasets)}
    found = grid({"train_on": ["others"]}, datasets=datasets, grid=axes)
    assert {cell.dataset: cell.train_on for cell in found.cells} == {
        "nih": ("chexpert", "padchest"),
        "chexpert": ("nih", "padchest"),
        "padchest": ("chexpert", "nih"),
    }
    assert len({pool_file(found, cell) for cell in found.cells}) == 1


def test_a_cell_that_pools_nothing_is_the_cell_that_it_was():
    before = by_path(grid())
    for setting in ([["own"], ["own", "others"]], [[], ["others"]]):
        after = by_path(grid({"train_on": setting, "dataset_sampling": "balanced"}))
        for name in ("nih/default", "chexpert/default"):
            assert identity(after[name]) == identity(before[name])


def test_the_order_of_names_makes_no_other_cell():
    one, other = (
        by_path(grid({"train_on": names}, grid=CONFIG["grid"] | {"datasets": ["nih"]}))
        for names in (["nih", "chexpert"], ["chexpert", "nih"])
    )
    assert identity(one["nih/default"]) == identity(other["nih/default"])


def asked(found, cell):
    rules = Rules(found, lambda path: [])
    axes = {axis: str(value) for axis, value in cell.axes().items()}
    wildcards = SimpleNamespace(**axes | {"fold": fold_folder(cell.fold)})
    files = rules.training(wildcards)
    found = [files["tables"], files["pixels"], rules.pool(wildcards)]
    return found, rules.data(wildcards, SimpleNamespace(**files))


def test_training_declares_every_dataset_that_it_reads_and_else_what_it_did():
    found = grid({"train_on": [["own"], ["own", "others"]]})
    cells = by_path(found)
    (tables, pixels, pool), data = asked(found, cells["nih/default-train_on-own+others"])
    assert tables == [f"results/data/{name}/table.parquet" for name in ("nih", "chexpert")]
    assert pixels == ["results/data/nih/pixels.npy", "results/data/chexpert/pixels-size32.npy"]
    assert pool == ["results/tiny/pools/chexpert+nih.parquet"]
    assert data == f"results/data/nih results/data/chexpert --pool {pool[0]}"
    assert asked(found, cells["nih/default"]) == (
        [["results/data/nih/table.parquet"], ["results/data/nih/pixels.npy"], []],
        "results/data/nih",
    )
    assert set(found.arrays("chexpert")) == {"", "-size32"}


def test_training_asks_for_the_arrays_that_were_made_for_it():
    image = {"size": [32, "64x48"], "equalize": ["none", "clahe"]}
    found = grid({"train_on": ["own", "others"], "image": image})
    facts = {
        name: {"dataset": name, "image": msgspec.to_builtins(dataset.image) | {"cropped_to": None}}
        for name, dataset in found.study.datasets.items()
    }
    for cell in found.cells:
        own = {"image": facts[cell.dataset]["image"] | cell.image}
        for name in cell.train_on:
            assert shown_as(cell, own, facts[name]) == found.image_on(cell, name)


CLAHE = CONFIG["datasets"] | {
    "chexpert": CONFIG["datasets"]["chexpert"] | {"image": {"size": 32, "equalize": "clahe"}}
}


def test_what_a_recipe_says_of_images_holds_on_every_dataset_it_is_trained_on():
    recipe = {"train_on": ["own", "others"], "image": {"equalize": ["none", "clahe"]}}
    found = grid(recipe, datasets=CLAHE)
    facts = {
        name: {"dataset": name, "image": msgspec.to_builtins(dataset.image)}
        for name, dataset in found.study.datasets.items()
    }
    for cell in found.cells:
        asked = "clahe" if "clahe" in cell.recipe else "none"
        own = {"image": facts[cell.dataset]["image"] | cell.image}
        for name in cell.train_on:
            other = shown_as(cell, own, facts[name])
            assert (facts[name]["image"] | other)["equalize"] == asked
            assert other == found.image_on(cell, name)
    arrays = {path: training_arrays(found, cell)[1] for path, cell in by_path(found).items()}
    assert arrays["nih/default"] == "results/data/chexpert/pixels-equalize-none.npy"
    assert arrays["nih/default-equalize-clahe"] == "results/data/chexpert/pixels.npy"
    assert "-equalize-none" in found.arrays("chexpert")


def test_what_a_recipe_says_of_images_holds_where_its_cells_are_tested_and_trains_none_again():
    more = {"datasets": CLAHE, "transfer": ["nih", "chexpert"], "report": {"shifts": ["noise"]}}
    plain, said = grid(**more), grid({"image": {"equalize": "none", "size": 32}}, **more)
    for before, after in zip(plain.cells, said.cells, strict=True):
        if after.dataset == "nih":
            assert identity(after) == identity(before)
    for found, array, flag in ((plain, "", ""), (said, "-equalize-none", "--image")):
        rules, shifted = Rules(found, lambda path: []), Shifted(found)
        wildcards = SimpleNamespace(**found.cells[0].wildcards(), target="chexpert")
        given = SimpleNamespace(others=shifted.others(wildcards))
        path = f"results/data/chexpert/pixels{array}.npy"
        assert rules.pixels(wildcards) == path and path in shifted.others(wildcards)
        for flags in (rules.same(wildcards), shifted.flags(wildcards, given)):
            assert (' --image \'{"equalize": "none"}\'' in flags) == bool(flag)
    # A target that is like that itself is predicted as it was.
    assert said.said(said.cells[0], ["padchest"]) == {}


def test_a_pool_compares_with_all_that_the_study_tests():
    found = grid(
        {"train_on": ["own", "padchest"]},
        grid=CONFIG["grid"] | {"datasets": ["nih"]},
        transfer=["chexpert"],
    )
    rules = Rules(found, lambda path: [])
    wildcards = SimpleNamespace(pool="nih+padchest", fold="")
    folders = "results/data/nih results/data/padchest"
    asked = f"{folders} --tested {folders} results/data/chexpert"
    given = SimpleNamespace(tables=rules.pool_tables(wildcards))
    assert rules.pool_folders(wildcards, given) == asked
    assert found.tested() == ["nih", "chexpert"]
    assert found.used() == ["nih", "chexpert", "padchest"]


def test_a_fold_is_trained_with_the_same_fold_of_datasets_that_have_it_and_tests_its_own():
    nih, chexpert = (CONFIG["datasets"][name] for name in ("nih", "chexpert"))
    datasets = CONFIG["datasets"] | {"nih": nih | {"split": {"folds": 3}}}
    datasets["chexpert"] = chexpert | {"split": {"folds": 2}}
    axes = CONFIG["grid"] | {"folds": "all"}
    found = grid({"train_on": ["own", "others"]}, datasets=datasets, grid=axes)
    cells = {cell.fold: cell for cell in found.cells if cell.dataset == "nih"}
    folders = {fold: asked(found, cell)[1].split(" --pool ")[0] for fold, cell in cells.items()}
    assert folders == {
        0: "results/data/nih results/data/chexpert",
        1: "results/data/nih/fold1 results/data/chexpert/fold1",
        2: "results/data/nih/fold2 results/data/chexpert",
    }
    pools = {fold: pool_file(found, cell) for fold, cell in cells.items()}
    assert pools[1] == "results/tiny/pools/chexpert+nih/fold1.parquet"
    wildcards = SimpleNamespace(pool="chexpert+nih", fold="/fold2")
    assert Rules(found, lambda path: []).pooled(wildcards)[1] == [
        "results/data/chexpert",
        "results/data/nih/fold2",
    ]


def test_a_cell_has_learned_from_all_its_datasets_and_its_start():
    found = grid(
        {},
        recipes={"default": {}, "joint": {"train_on": ["own", "padchest"]}},
        weights={"pretrained": {"dataset": "nih", "recipe": "joint"}},
        grid={"datasets": ["chexpert"], "backbones": ["resnet18"], "inits": ["pretrained"]},
    )
    [cell] = [cell for cell in found.cells if cell.dataset == "chexpert"]
    assert taught(found, cell) == ["chexpert", "nih", "padchest"]


@pytest.mark.parametrize(
    ("recipe", "more", "words"),
    [
        (
            {"train_on": ["nih"]},
            {},
            "cell nih/.*: nih alone is what the cells of nih are trained on",
        ),
        ({"train_on": ["nih", "nih"]}, {}, "nih would be trained on twice"),
        ({"train_on": ["own", "nih"]}, {}, "nih would be trained on twice"),
        ({"train_on": ["nih", "padchst"]}, {}, "no dataset 'padchst'; did you mean 'padchest'"),
        ({"train_on": "others"}, {}, "train_on: expected a list, got text"),
        (
            {"train_on": [["others"]]},
            {"grid": {"datasets": ["nih"], "backbones": ["resnet18"]}},
            "no other",
        ),
        ({"train_on": ["own", "children"]}, {}, "children shares no label with nih"),
        ({"train_on": ["own", "mine"]}, {}, "datasets.mine.labels: name them"),
        ({"train_on": ["padchest"]}, {}, r"knows Edema; .*set datasets.nih.labels: \[Effusion\]"),
        (
            {"validate_on": "train_on"},
            {},
            "recipes.default.validate_on: train_on is for recipes with",
        ),
        ({"dataset_sampling": "balanced"}, {}, "dataset_sampling: balanced is for recipes with"),
        (
            {"train_on": ["own", "mine"]},
            {"datasets": CONFIG["datasets"] | {"own": NIH}},
            "datasets.own: `train_on` has a meaning for this word",
        ),
        (
            {"train_on": ["own", "padchest"]},
            {"datasets": CONFIG["datasets"] | {"nih": NIH | {"task": "multiclass"}}},
            "classes exclude each other in nih, and not in padchest",
        ),
        (
            {"train_on": ["own", "padchest"]},
            {
                "datasets": CONFIG["datasets"]
                | {"padchest": CONFIG["datasets"]["padchest"] | {"same_as": {"nodule": "Effusion"}}}
            },
            "'pleural effusion' and 'nodule' would both be 'Pleural Effusion'",
        ),
    ],
)
def test_each_mistake_is_one_line_before_any_job(recipe, more, words):
    with pytest.raises(UserError, match=words) as error:
        grid(recipe, **more)
    assert "\n" not in str(error.value)
