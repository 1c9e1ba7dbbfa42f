"""Lists of recipe settings become recipes with readable names, as the design says."""

import re

import pytest
import yaml

from cxrgrid.comparison.planned_pairs import pairs
from cxrgrid.config.errors import UserError
from cxrgrid.config.factors import expand, merge
from cxrgrid.config.grid import Grid
from demo_config import DEMO, replaced
from test_architecture import ROOT

TWO = {"epochs": 5, "lr": [0.001, 0.0003], "image": {"size": [224, "768x640"], "blur": 5}}


LISTS = {"epochs": 2, "lr": [0.001, 0.0003], "image": {"size": [64, 96]}}


def study(design="full", **changes) -> dict:
    """The demo with two lists in its default recipe, on one dataset with one seed."""
    grid = DEMO["grid"] | {"datasets": ["ward"], "seeds": [0], "design": design}
    return DEMO | {"recipes": {"default": LISTS, "source": {}}, "grid": grid} | changes


def asked(config) -> list[tuple[str, str, str]]:
    """Backbone, init and recipe of the cells of the dataset that is asked for."""
    cells = [cell for cell in Grid(config).cells if cell.dataset == "ward"]
    return [(cell.backbone, cell.init, cell.recipe) for cell in cells]


def names(settings, design="full"):
    return [recipe.name for recipe in expand("default", settings, design)]


def test_a_recipe_without_lists_is_itself():
    (recipe,) = expand("default", {"lr": 0.1}, "full")
    assert (recipe.name, recipe.settings, recipe.levels) == ("default", {"lr": 0.1}, {})


def test_full_is_the_product_and_one_at_a_time_leaves_the_others_at_their_base():
    assert names(TWO) == [
        "default",
        "default-size768x640",
        "default-lr0.0003",
        "default-lr0.0003-size768x640",
    ]
    assert names(TWO, "one_at_a_time") == ["default", "default-lr0.0003", "default-size768x640"]


def test_each_recipe_has_its_levels_and_all_other_settings():
    recipes = {recipe.name: recipe for recipe in expand("default", TWO, "full")}
    both = recipes["default-lr0.0003-size768x640"]
    wanted = {"epochs": 5, "lr": 0.0003, "image": {"size": "768x640", "blur": 5}}
    assert both.settings == wanted
    assert both.levels == {"lr": "0.0003", "image.size": "768x640"}
    assert recipes["default"].levels == {"lr": "0.001", "image.size": "224"}


def test_a_value_put_into_a_list_and_a_level_added_leave_the_names_before_as_they_are():
    lists = [[0.001], [0.001, 0.0003], [0.001, 0.0003, 0.01]]
    for fewer, more in zip(lists, lists[1:], strict=False):
        assert names({"lr": more})[: len(fewer)] == names({"lr": fewer})
    assert names({"lr": lists[0]}) == names({"lr": 0.001})


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"train_on": [["nih"], ["nih", "chexpert"]]}, "default-train_on-nih+chexpert"),
        ({"hflip": [False, True]}, "default-hflip-on"),
        ({"image": {"crop_to": ["none", "lungs"]}}, "default-crop_to-lungs"),
        ({"uncertain": ["zero", {"Effusion": "one"}]}, "default-uncertain-Effusion-one"),
        ({"train_where": [{}, {"view": ["PA"]}]}, "default-train_where-view-PA"),
        ({"train_share": [0.1, 1]}, "default-train_share1"),
        ({"train_where": [{}, {"age": [18, 60]}]}, "default-train_where-age-18+60"),
    ],
)
def test_levels_have_names_that_a_path_can_hold(settings, name):
    assert names(settings)[1:] == [name]


def test_an_age_is_a_range_to_a_reader():
    levels = [{"sex": ["F"]}, {"age": [18, 60], "view": ["PA", "AP"]}, {"age": []}]
    told = [one.levels["train_where"] for one in expand("d", {"train_where": levels}, "full")]
    assert told == ["sex F", "age 18 to 60, view PA + AP", "age none"]


def test_a_setting_whose_value_is_a_list_is_no_factor():
    assert names({"train_on": ["nih", "chexpert"]}) == ["default"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"lr": []}, r"recipes\.default\.lr: a list without a value"),
        ({"lr": [0.1, 0.1]}, r"recipes\.default\.lr: the level 0\.1 stands there twice"),
        ({"lr": list(range(1, 200)), "rotate": list(range(1, 200))}, "one_at_a_time"),
    ],
)
def test_a_list_that_cannot_be_is_one_line(settings, words):
    with pytest.raises(UserError, match=words):
        expand("default", settings, "full")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"lr": [0.01, 0.01]}, "lr: the level 0.01 stands there twice"),
        ({"lr": [0.01, 0.010000000001]}, "would both be called 0.01; round them"),
        ({"lr": [0.01, "1e-2"]}, "lr: the levels 0.01 and 1e-2 mean the same"),
        ({"lr": [0.01, "0.01"]}, "lr: the level 0.01 stands there twice"),
        ({"image": {"size": [32, "32x32"]}}, "size: the levels 32 and 32x32 mean the same"),
        ({"image": {"size": ["48x32", "48 X 32"]}}, "size: the levels 48x32 and 48 X 32 mean"),
        ({"image": {"size": [32, "32"]}}, "image.size: the level 32 stands there twice"),
        ({"image": {"size": [64, [48, 32]]}}, "size: [48, 32] is no size; write width x height"),
        (
            {"train_where": [{}, {"source": ["A"]}, {"source": ["a"]}]},
            "recipes: 'default-train_where-source-A' and 'default-train_where-source-a' differ in",
        ),
        ({"train_where": [{}, {"view": []}]}, "train_where: the levels all and view none mean"),
        ({"train_on": [[], ["own"]]}, "train_on: the levels none and own mean the same"),
        (
            {"train_where": [{}, {"source": ["北京"]}, {"source": ["上海"]}]},
            "source 北京 and source 上海 would both be called 'default-train_where-source'; give",
        ),
        (
            {"train_where": [{}, {"source": ["St. Mary"]}, {"source": ["St.-Mary"]}]},
            "levels source St. Mary and source St.-Mary would both be called",
        ),
        ({"train_where": [{}, {"source": ["x" * 300]}]}, "too long for a folder; give it as a"),
    ],
)
def test_levels_that_are_one_or_have_one_name_are_refused(settings, words):
    with pytest.raises(UserError, match=re.escape(words)):
        Grid(study(recipes={"default": settings, "source": {}}))


IDLE = {"train_on": [["own"], ["own", "atlas"]], "dataset_sampling": ["natural", "balanced"]}
TWINS = [
    (IDLE, {}, "default and default-dataset_sampling-balanced would be the same training of ward/"),
    (IDLE, {}, "dataset_sampling natural or balanced makes no difference"),
    ({"image": [{}, {"size": 64}]}, {}, "image as the dataset's or size 64 makes no difference"),
    ({"train_on": [["ward", "atlas"], ["atlas", "ward"]]}, {}, "ward + atlas or atlas + ward"),
    ({"train_where": [{"sex": ["F", "M"]}, {"sex": ["M", "F"]}]}, {}, "sex F + M or sex M + F"),
    ({"uncertain": ["", "ignore"]}, {}, "would be the same training"),
    ({"lr": 0.001}, {"lr": "1e-3"}, "recipes.tuned: default and tuned would be the same"),
]


@pytest.mark.parametrize(("default", "tuned", "words"), TWINS)
def test_two_names_of_one_training_in_a_block_are_refused(default, tuned, words):
    config = study(recipes={"default": default, "source": {}, "tuned": tuned})
    config["grid"] = config["grid"] | {"recipes": ["default", "tuned"] if tuned else ["default"]}
    with pytest.raises(UserError, match=re.escape(words)):
        Grid(config)
    config["grid"] = [config["grid"] | {"recipes": [n], "design": "base"} for n in ("default",)]
    config["grid"] += [config["grid"][0] | {"recipes": ["tuned"]}]
    assert {recipe for *_, recipe in asked(config)} == {"default", "tuned"}, "blocks are apart"


def test_whole_image_recipes_are_levels_too():
    levels = [{}, {"equalize": "clahe", "blur": 5}]
    cells = Grid(study(recipes={"default": {"image": levels}, "source": {}}))
    found = cells.levels["default"], cells.levels["default-image-equalize-clahe-blur-5"]
    assert [level["image"] for level in found] == ["as the dataset's", "equalize clahe, blur 5"]


def test_nested_settings_are_merged():
    assert merge({"image": {"size": 64, "blur": 5}}, {"image": {"size": 96}}) == {
        "image": {"size": 96, "blur": 5}
    }


def test_a_grid_crosses_all_levels_with_the_other_axes():
    found = asked(study())
    assert len(found) == len(set(found)) == 2 * 2 * 4
    cells = {cell.recipe: cell for cell in Grid(study()).cells if cell.dataset == "ward"}
    assert cells["default"].image == {}, "64 is the dataset's own size"
    assert cells["default-lr0.0003-size96"].image == {"size": 96}
    assert cells["default-lr0.0003-size96"].lr == 0.0003


def test_one_at_a_time_changes_one_axis_of_the_first_cell():
    first, *others = asked(study("one_at_a_time"))
    assert first == ("resnet10t", "scratch", "default")
    for other in others:
        assert sum(x != y for x, y in zip(first, other, strict=True)) == 1
    assert {recipe for *_, recipe in others} == {"default", "default-lr0.0003", "default-size96"}
    assert len(others) == 4


@pytest.mark.parametrize(
    ("second", "levels"),
    [
        ({"rotate": [0, 5, 10], "choose": "validation"}, ["-rotate5", "-rotate10"]),
        ({"rotate": [0, 5, 10]}, ["-rotate5", "-rotate10"]),
        ({"lr": [0.01, 0.03]}, ["-lr0.03"]),
        ({"hflip": True}, []),
    ],
)
def test_one_at_a_time_keeps_the_lists_that_a_second_recipe_has_itself(second, levels):
    config = study(
        "one_at_a_time", recipes={"default": LISTS, "source": {}, "tuned": {"epochs": 3} | second}
    )
    config["grid"] |= {"recipes": ["default", "tuned"]}
    found = {recipe for *_, recipe in asked(config) if recipe.startswith("tuned")}
    searched = ["-lr0.0003", "-size96"] if "choose" in second else []
    assert found == {f"tuned{level}" for level in ["", *levels, *searched]}


def test_base_crosses_the_axes_at_the_first_level_of_every_list():
    found = asked(study("base"))
    assert len(found) == len(set(found)) == 2 * 2
    assert {recipe for *_, recipe in found} == {"default"}
    grid = study("base")["grid"] | {"recipes": ["default", "default-lr0.0003"]}
    assert {recipe for *_, recipe in asked(study(grid=grid))} == {"default", "default-lr0.0003"}


def test_blocks_of_one_study_have_designs_of_their_own():
    base, around = study("base")["grid"], study("one_at_a_time")["grid"]
    around |= {axis: base[axis][:1] for axis in ("backbones", "inits")}
    found = asked(study(grid=[base, around]))
    assert found[:4] == asked(study("base"))
    assert [recipe for *_, recipe in found[4:]] == ["default-lr0.0003", "default-size96"]


def test_a_level_can_be_named_by_itself_and_a_recipe_derived_has_the_lists_of_default():
    grid = study()["grid"] | {"recipes": ["default-lr0.0003", "source"]}
    found = {recipe for *_, recipe in asked(study(grid=grid))}
    levels = {"source", "source-lr0.0003", "source-size96", "source-lr0.0003-size96"}
    assert found == {"default-lr0.0003"} | levels


def test_a_list_leaves_the_cells_of_its_first_level_as_they_are():
    plain = study(recipes={"default": {"epochs": 2, "lr": 0.001}, "source": {}})
    before = {cell.path(): cell for cell in Grid(plain).cells}
    after = {cell.path(): cell for cell in Grid(study()).cells}
    assert {path: after[path] for path in before} == before


def test_an_override_of_a_recipe_reaches_all_its_levels():
    override = {"recipe": "default", "set": {"rotate": 7.0}}
    cells = Grid(study(overrides=[override])).cells
    assert {cell.rotate for cell in cells if cell.recipe.startswith("default")} == {7.0}


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ({"recipe": "default", "set": {"lr": 0.5}}, "overrides[0].set: lr, but lr is a factor of"),
        ({"backbone": "resnet10t", "set": {"image": {"size": 32}}}, "but image.size is a factor"),
        ({"recipe": "default-lr0.0003", "set": {"lr": 0.5}}, "of the recipe 'default': its levels"),
    ],
)
def test_an_override_of_a_factor_is_refused(override, words):
    with pytest.raises(UserError, match=re.escape(words)):
        Grid(study(overrides=[override]))


def test_a_level_with_an_override_says_what_else_differs_there():
    override = {"recipe": "default-size96", "backbone": "resnet10t", "set": {"batch_size": 4}}
    grid = Grid(study("one_at_a_time", overrides=[override]))
    name = "96 with batch_size 4 for resnet10t"
    assert grid.levels["default-size96"]["image.size"] == name
    assert grid.levels["default-lr0.0003"] == {
        "recipe": "default",
        "lr": "0.0003",
        "image.size": "64",
    }
    assert {pair.words() for pair in pairs(grid) if pair.factor == "image.size"} == {
        (f"image.size {name}", "image.size 64")
    }


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"image": {"sise": 64}}, r"recipes\.default\.image.*'sise'.*did you mean 'size'"),
        ({"image": {"size": 4}}, r"image.*size"),
        ({"lr": ["fast", 0.1]}, r"recipes\.default.*lr"),
        ({"uncertain": "won"}, r"cell ward/.*uncertain.*'won'.*did you mean"),
        ({"train_share": [1, 0]}, r"default.train_share: expected a number above 0, got 0"),
        ({"train_where": {"sex": ["X"]}}, r"default.train_where.sex: no choice 'X'; known: F, M"),
        ({"train_on": [["own"], "atlas"]}, r"default.train_on: each level is a list itself"),
        ({"train_where": {"age": [60, 20]}}, r"train_where\.age: \[low, high\]"),
    ],
)
def test_a_setting_that_cannot_be_is_one_line_at_parse(settings, words):
    with pytest.raises(UserError, match=words):
        Grid(study(recipes={"default": settings, "source": {}}))


def test_classes_that_exclude_each_other_have_no_label_policy():
    config = study(recipes={"default": {"uncertain": "one"}, "source": {}})
    config["grid"] = config["grid"] | {"datasets": ["children"]}
    with pytest.raises(UserError, match="uncertain and blank are for task: multilabel"):
        Grid(config)


def test_levels_say_of_each_recipe_what_it_has_of_every_factor():
    levels = Grid(study()).levels
    assert levels["default"] == {"recipe": "default", "lr": "0.001", "image.size": "64"}
    both = {"recipe": "default", "lr": "0.0003", "image.size": "96"}
    assert levels["default-lr0.0003-size96"] == both
    assert Grid(DEMO).levels["source"] == {"recipe": "source"}


def test_a_size_may_be_width_by_height_and_a_square_has_one_spelling():
    sizes = {"size": [32, "96x80", "80 × 96", "64x64"]}
    grid = Grid(study(recipes={"default": {"image": sizes}, "source": {}}))
    arrays = grid.arrays("ward")
    assert {arrays[suffix].sides for suffix in arrays} == {(32, 32), (64, 64), (96, 80), (80, 96)}
    assert {"-size96x80", "-size80x96", "-size32"} < set(arrays)
    own = [cell for cell in grid.cells if cell.dataset == "ward" and "64x64" in cell.recipe]
    assert own and all(cell.image == {} for cell in own), "the dataset's own size, written out"
    with pytest.raises(UserError, match="size '96x8': .* each side from 16 to 2048 pixels"):
        Grid(study(recipes={"default": {"image": {"size": "96x8"}}, "source": {}}))


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"datasets.ward.image.size": [64, 96]}, r"datasets\.ward\.image\.size"),
        ({"datasets.ward.split": {"seed": [0, 1]}}, r"datasets\.ward\.split\.seed"),
        ({"recipes.default.lr": [0.1, [0.2]]}, r"recipes\.default\.lr"),
        ({"overrides": [{"set": {"lr": [0.1, 0.2]}}]}, r"overrides\[0\]\.set\.lr"),
    ],
)
def test_a_list_where_none_may_be_is_one_line_that_says_where_one_may(changes, where):
    config = study()
    for path, value in changes.items():
        config = replaced(config, path, value)
    with pytest.raises(UserError, match=rf"{where}.*got a list; write one value; lists of levels"):
        Grid(config)


def pages_lines() -> list[dict]:
    """The settings that open each row of the table in docs/vary.md, as YAML."""
    text = (ROOT / "docs/vary.md").read_text()
    rows = re.findall(r"^\| (?!to vary)[^|`]+ \| `([^`]+)`", text, re.MULTILINE)
    return [yaml.safe_load(f"{{{line}}}") for line in rows]


def test_every_line_of_the_page_how_do_i_vary_makes_as_many_levels_as_it_says():
    lines = pages_lines()
    [axes] = [line for line in lines if "backbones" in line]
    [split] = [line["split"] for line in lines if "split" in line]
    own = {
        f"row{at}": line for at, line in enumerate(lines) if not {"backbones", "split"} & {*line}
    }
    assert len(own) >= 12
    pooled = {
        name: {"train_on": ["own", "others"]} for name in own if "dataset_sampling" in own[name]
    }
    labels = {"nih": "Effusion", "chexpert": "Pleural Effusion", "padchest": "pleural effusion"}
    datasets = {
        name: {"adapter": name, "phantom": {}, "labels": [label]} for name, label in labels.items()
    }
    datasets["nih"]["split"] = split
    recipes = {name: line | pooled.get(name, {}) for name, line in own.items()}
    block = axes | {"datasets": [*datasets], "recipes": [*own], "folds": "all"}
    block["design"] = "one_at_a_time"
    grid = Grid({"study": "s", "datasets": datasets, "recipes": recipes, "grid": block})
    for name, [given] in ((name, line.values()) for name, line in own.items()):
        levels = next(iter(given.values())) if isinstance(given, dict) else given
        made = [recipe for recipe in grid.recipes.values() if recipe.base == name]
        assert len(made) == len(levels) > 1, own[name]
    assert {cell.fold for cell in grid.cells} == set(range(split["folds"]))
