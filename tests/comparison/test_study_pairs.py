"""Configurations that differ in one factor are compared, and the factor is named."""

from itertools import combinations

import pytest

from cxrgrid.comparison.planned_pairs import pairs
from cxrgrid.config.grid import Grid
from demo_config import DEMO

LISTS = {"epochs": 2, "lr": [0.001, 0.0003], "image": {"size": [64, 96, 128]}}


def found(**changes):
    grid = DEMO["grid"] | {"datasets": ["ward"], "backbones": ["resnet10t"], "inits": ["scratch"]}
    return pairs(
        Grid(DEMO | {"recipes": {"default": LISTS}, "weights": {}, "grid": grid | changes})
    )


def test_two_recipes_of_one_study_are_compared_where_one_factor_differs():
    of_lr = [pair for pair in found() if pair.factor == "lr"]
    of_size = [pair for pair in found() if pair.factor == "image.size"]
    assert len(of_lr) == 3 and len(of_size) == 2 * len(list(combinations(range(3), 2)))
    assert len(found()) == len(of_lr) + len(of_size)
    assert {pair.levels for pair in of_lr} == {("0.0003", "0.001")}
    assert {pair.among for pair in of_lr} == {"", "image.size 96", "image.size 128"}


def test_a_pair_names_its_factor_and_levels_and_keeps_the_names_of_its_recipes():
    keys = next(pair for pair in found() if pair.factor == "lr" and not pair.among).keys()
    assert (keys["axis"], keys["a"], keys["b"]) == ("recipe", "default-lr0.0003", "default")
    assert (keys["factor"], keys["level_a"], keys["level_b"]) == ("lr", "0.0003", "0.001")


def test_without_lists_every_two_recipes_are_compared_as_before():
    recipes = {"default": {}, "long": {"epochs": 30}, "slow": {"lr": 0.0001, "epochs": 40}}
    grid = DEMO["grid"] | {"datasets": ["ward"], "inits": ["scratch"], "recipes": list(recipes)}
    config = DEMO | {"recipes": recipes, "weights": {}, "grid": grid}
    recipe = [pair for pair in pairs(Grid(config)) if pair.axis == "recipe"]
    assert len(recipe) == 2 * 3 and {pair.factor for pair in recipe} == {""}
    assert {pair.keys()["factor"] for pair in recipe} == {"recipe"}


def named(recipes, order, axis="recipe"):
    grid = {"datasets": ["ward"], "backbones": ["resnet10t"], "inits": ["scratch"]}
    config = {"recipes": recipes, "weights": {}, "grid": DEMO["grid"] | grid | {"recipes": order}}
    every = pairs(Grid(DEMO | config))
    return {frozenset((pair.a[3], pair.b[3])) for pair in every if pair.keys()["factor"] == axis}


STEPS = [  # the recipes default and tuned, and the pairs by the recipe
    ({}, {"weight_decay": [0.05, 0.01], "epochs": 30}, [("default", "tuned")]),
    ({}, {"weight_decay": [0.01, 0.05], "epochs": 30}, [("default", "tuned-weight_decay0.05")]),
    ({}, {"weight_decay": [0.05, 0.01]}, []),
    ({"lr": [0.001, 0.0003]}, {"lr": 0.001, "epochs": 30}, [("default", "tuned")]),
    ({"lr": [0.001, 0.0003]}, {"lr": "3e-4", "epochs": 30}, [("default-lr0.0003", "tuned")]),
    ({"lr": [0.001, 0.0003]}, {"lr": 0.0001, "epochs": 30}, [("default", "tuned")]),
    (
        {"lr": [0.001, 0.0003]},
        {"lr": [0.0003, 0.001], "epochs": 30},
        [("default", "tuned-lr0.001"), ("default-lr0.0003", "tuned")],
    ),
    (
        {"image": {"size": [64, 96]}},
        {"image": {"equalize": "clahe"}},
        [("default", "tuned"), ("default-size96", "tuned-size96")],
    ),
    ({"image": {"equalize": ["none", "clahe"]}}, {"image": {"equalize": "none"}, "epochs": 30}, 1),
    ({"image": {"size": [64, 96]}}, {"lr": [0.001, 0.0003], "choose": "validation"}, 1),
    (
        {"image": {"size": [64, 96]}},
        {"image": {"size": 96}, "lr": [0.001, 0.0003], "choose": "validation"},
        [("default-size96", "tuned")],
    ),
    ({"lr": [0.001, 0.0003], "choose": "validation"}, {"epochs": 30, "choose": "validation"}, 1),
    ({"train_where": [{"sex": ["F", "M"]}, {}]}, {"train_where": {"sex": ["M", "F"]}, "lr": 1}, 1),
]


@pytest.mark.parametrize(("default", "tuned", "expected"), STEPS)
def test_recipes_are_compared_one_step_apart_in_whatever_order_they_are_named(
    default, tuned, expected
):
    """Alike in all of which both have a value in common, else each at its first; a search once."""
    recipes = {"default": {"epochs": 2, **default}, "tuned": tuned}
    expected = [("default", "tuned")] if expected == 1 else expected
    for order in (["default", "tuned"], ["tuned", "default"]):
        assert named(recipes, order) == set(map(frozenset, expected))


def test_what_a_dataset_says_of_images_is_the_level_of_a_recipe_that_says_nothing():
    size = DEMO["datasets"]["ward"]["image"]["size"]
    tuned = {"image": {"size": [32, size]}, "epochs": 3}
    assert named({"default": {}, "tuned": tuned}, ["default", "tuned"]) == {
        frozenset(("default", f"tuned-size{size}"))
    }


def test_a_level_with_an_override_of_its_own_is_not_met_by_the_level_of_another_recipe():
    recipes = {"default": LISTS, "long": {"epochs": 4}}
    override = {"recipe": "default-size96", "set": {"batch_size": 8}}
    grid = {"datasets": ["ward"], "inits": ["scratch"], "recipes": list(recipes)}
    config = DEMO | {"recipes": recipes, "weights": {}, "grid": DEMO["grid"] | grid}
    met = [
        {pair.a[3] for pair in pairs(Grid(config | more)) if pair.keys()["factor"] == "recipe"}
        for more in ({}, {"overrides": [override]})
    ]
    assert met[0] - met[1] == {"long-size96"} and met[1] < met[0]
