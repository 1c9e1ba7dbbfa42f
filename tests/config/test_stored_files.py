"""Results in a storage: each reader declares what it reads, and is given the copies of it."""

from types import SimpleNamespace

import pytest

from cxrgrid.config.grid import Grid
from cxrgrid.config.rules import Rules
from cxrgrid.config.shifted_cells import WHOLE, Shifted
from cxrgrid.config.stored_files import Stored

PHANTOM = {"adapter": "nih", "phantom": {"patients": 9}, "labels": ["Nodule"]}
WARD = {"adapter": "nih", "root": "x", "labels": ["Nodule"]}
LISTS = {"split": {"name": "lists", "files": {"train": "a.txt", "test": "b.txt"}}}
CONFIG = {
    "study": "tiny",
    "datasets": {"atlas": PHANTOM, "ward": WARD | LISTS, "clinic": WARD},
    "weights": {
        "first": {"dataset": "atlas", "recipe": "source", "seed": 0},
        "second": {"dataset": "clinic", "recipe": "default", "seed": 0, "init": "first"},
    },
    "recipes": {"default": {}, "source": {}, "joint": {"train_on": ["own", "clinic"]}},
    "report": {"shifts": ["noise"]},
    "transfer": ["clinic"],
    "grid": [
        {"datasets": ["atlas"], "recipes": ["source"], "backbones": ["resnet18"]},
        {"datasets": ["clinic"], "inits": ["first"], "backbones": ["resnet18"]},
        {"datasets": ["ward"], "inits": ["second"], "backbones": ["resnet18"]},
        {"datasets": ["ward"], "recipes": ["joint"], "backbones": ["resnet18"]},
    ],
}
NAMES = ("atlas", "ward", "clinic")
COPIES = ".snakemake/storage/s3/bucket/"


@pytest.fixture(scope="module")
def grid():
    return Grid(CONFIG)


def wildcards(grid, dataset, recipe="default"):
    (cell,) = (c for c in grid.cells if (c.dataset, c.recipe) == (dataset, recipe))
    return SimpleNamespace(**cell.wildcards(), target="clinic")


def copied(paths):
    return [f"{COPIES}{path}" for path in paths]


def test_with_results_in_this_folder_no_rule_has_another_input(grid):
    here = Stored(grid, used=False)
    cell = wildcards(grid, "ward")
    asked = (here.asked, here.training, here.shifting, here.cells, here.results, here.collected)
    for ask in asked:
        assert ask(cell) == []
    assert Shifted(grid).answers() == []


def test_in_a_storage_a_training_names_what_it_reads_of_its_starts(grid):
    found = Stored(grid, used=True).training(wildcards(grid, "ward"))
    assert "results/data/ward/pixels.parquet" in found
    for start in ("clinic/resnet18/first/default", "atlas/resnet18/scratch/source"):
        for name in ("cell.json", "history.parquet"):
            assert f"results/tiny/cells/{start}/seed0/{name}" in found
    for name in ("ward", "clinic", "atlas"):
        assert f"results/data/{name}/hashes.npy" in found
    alone = Stored(grid, used=True).training(wildcards(grid, "atlas", "source"))
    assert alone == ["results/data/atlas/pixels.parquet"]


def test_in_a_storage_a_cell_that_is_asked_again_names_its_history_and_lists_of_images(grid):
    there, cell = Stored(grid, used=True), wildcards(grid, "ward")
    history = "results/tiny/cells/ward/resnet18/second/default/seed0/history.parquet"
    assert there.asked(cell) == [history, "results/data/clinic/pixels.parquet"]
    wanted = {history, *there.training(cell), *(f"results/data/{n}/pixels.parquet" for n in NAMES)}
    assert set(there.shifting(cell)) == wanted


def test_in_a_storage_reports_name_all_that_they_read(grid):
    found = Stored(grid, used=True).results(None)
    assert len(set(found)) == len(found)
    for cell in grid.cells:
        for name in ("cell.json", "history.parquet", "predictions/val.parquet"):
            assert f"{grid.folder(cell)}/{name}" in found
    assert {path for path, _ in grid.across()} < set(found)
    for name in ("scores", "curves", "thresholds"):
        assert f"results/tiny/{name}/clinic.parquet" in found


def test_in_a_storage_tables_and_figures_name_all_that_is_collected(grid):
    there = Stored(grid, used=True)
    more = set(there.collected(None)) - set(there.results(None))
    names = ("metrics", "history", "cells", "confusions")
    assert more == {f"results/tiny/report/{name}.csv" for name in names}


def test_in_a_storage_answers_under_changes_are_files_that_rules_name(grid):
    shifted = Shifted(grid, stored=True)
    names = ["noise-weak.parquet", "noise-medium.parquet", "noise-strong.parquet"]
    assert shifted.answers() == names
    for cell in shifted.cells:
        folder = f"{grid.folder(cell)}/shift"
        assert {f"{folder}/{name}" for name in (*names, WHOLE)} <= set(shifted.files())


def test_commands_are_given_the_copies(grid):
    rules, cell = Rules(grid, lambda path: []), wildcards(grid, "ward")
    plain = rules.training(cell)
    assert rules.data(cell, SimpleNamespace(**plain)) == "results/data/ward"
    moved = SimpleNamespace(**{name: copied(paths) for name, paths in plain.items()})
    assert rules.data(cell, moved) == (
        f"{COPIES}results/data/ward --weights {COPIES}results/tiny/cells/clinic/resnet18/first/"
        "default/seed0/model.safetensors"
    )
    joint = wildcards(grid, "ward", "joint")
    moved = {name: copied(paths) for name, paths in rules.training(joint).items()}
    assert rules.data(joint, SimpleNamespace(**moved)) == " ".join(
        [*copied(["results/data/ward", "results/data/clinic"]), "--pool", moved["pool"][0]]
    )
    shifted = Shifted(grid)
    others = copied(shifted.others(cell))
    words = shifted.flags(cell, SimpleNamespace(others=others)).split()
    assert words[words.index("--others") + 1].startswith(f"{COPIES}results/data/")


def test_files_of_the_users_own_and_drawn_images_lie_here_and_not_in_the_storage(grid):
    rules = Rules(grid, lambda path: [], local=lambda path: f"here:{path}")
    assert rules.lists(wildcards(grid, "ward")) == ["here:a.txt", "here:b.txt"]
    assert rules.drawn(wildcards(grid, "atlas", "source")) == ["here:results/data/atlas/phantom"]
    assert rules.training(wildcards(grid, "ward"))["weights"][0].startswith("results/")
