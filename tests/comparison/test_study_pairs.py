"""Configurations that differ in one factor are compared, and the factor is named."""

from itertools import combinations

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
