"""`choose`: what is recommended follows from validation images, and a search is one entry."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score, roc_auc_score

from conftest import CONFIG, LABELS, write_report, write_study
from cxrgrid import choose
from cxrgrid.config.cell import AXES, CONFIGURATION
from cxrgrid.config.errors import UserError
from cxrgrid.config.grid import Grid
from cxrgrid.config.recipe import Recipe
from cxrgrid.io.parquet import read_parquet, write_parquet
from cxrgrid.reporting import sections

SEARCH = {"default": {}, "tuned": {"lr": [0.001, 0.0003], "weight_decay": [0.05, 0.01]}}
GRID = CONFIG["grid"] | {"datasets": ["ward"], "recipes": ["default", "tuned"]}


def search(choose_by="validation"):
    """Settings of a study with a search over two lists."""
    tuned = SEARCH["tuned"] | ({"choose": choose_by} if choose_by else {})
    return {"recipes": SEARCH | {"tuned": tuned}, "grid": GRID}


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """The report's folder of a study with a search."""
    return write_report(write_study(tmp_path_factory.mktemp("search") / "results", **search()))


def made(study):
    """The rows of `choose`."""
    choose.main([str(study), "--out", str(study.parent / "validation.csv")])
    return pd.read_csv(study.parent / "validation.csv")


def answers(study, row, seed, part="val"):
    path = study.parent / "cells" / "/".join(row[CONFIGURATION]) / f"seed{seed}/predictions"
    return read_parquet(path / f"{part}.parquet")[0].to_pandas()


def both_classes(val):
    return [label for label in LABELS["ward"] if val[f"y:{label}"].nunique() > 1]


def test_the_value_is_the_mean_over_seeds_of_the_validation_auroc(finished):
    table = pd.read_csv(finished.parent / "report/validation.csv")
    for row in table[table["dataset"] == "ward"].to_dict("records"):
        row, each = pd.Series(row), []
        for seed in range(row["seeds"]):
            val = answers(finished, row, seed)
            each.append(
                np.mean([roc_auc_score(val[f"y:{x}"], val[f"p:{x}"]) for x in both_classes(val)])
            )
        assert row["value"] == pytest.approx(np.mean(each), abs=1e-5)
        assert (row["n"], row["patients"]) == (8, 4)
    assert (table.groupby("dataset")["recommended"].sum() == 1).all()


def test_a_metric_with_a_threshold_is_at_the_first_operating_point(tmp_path):
    report = {"headline": "f1", "operating_points": [0.4]}
    study = write_study(tmp_path / "results", report=report)
    row = made(study).iloc[0]
    each = []
    for seed in (0, 1):
        val = answers(study, row, seed)
        each.append(
            np.mean([f1_score(val[f"y:{x}"], val[f"p:{x}"] >= 0.4) for x in both_classes(val)])
        )
    assert row["value"] == pytest.approx(np.mean(each), abs=1e-5) and row["metric"] == "f1"


def test_the_recommended_one_does_not_depend_on_test_images(study):
    """Perfect answers on test images of all others change nothing."""
    before = made(study)
    chosen = before[before["recommended"]].iloc[0]
    for cell in Grid(CONFIG).cells:
        path = study.parent / "cells" / cell.path() / f"predictions/{cell.dataset}.parquet"
        if cell.dataset == "ward" and path.is_file() and cell.backbone != chosen["backbone"]:
            table, facts = read_parquet(path)
            frame = table.to_pandas()
            for label in LABELS["ward"]:
                frame[f"p:{label}"] = frame[f"y:{label}"]
            write_parquet(frame, path, facts)
    pd.testing.assert_frame_equal(made(study), before)


def test_one_that_lacks_seeds_is_no_rival_of_complete_ones(study):
    table = made(study)
    ward = table[table["dataset"] == "ward"].set_index(CONFIGURATION[1:3])
    lacking = ward.loc[("resnet18", "pretrained")]
    assert (lacking["seeds"], lacking["planned"]) == (1, 2)
    path = study.parent / "cells/ward/resnet18/pretrained/default/seed0/predictions/val.parquet"
    read, facts = read_parquet(path)
    frame = read.to_pandas()
    for label in LABELS["ward"]:
        frame[f"p:{label}"] = frame[f"y:{label}"]
    write_parquet(frame, path, facts)
    ward = made(study).query("dataset == 'ward'").set_index(CONFIGURATION[1:3])
    assert ward.loc[("resnet18", "pretrained"), "value"] == 1.0
    assert not ward.loc[("resnet18", "pretrained"), "recommended"]
    assert ward["recommended"].sum() == 1


def test_cells_with_different_validation_images_are_refused(study):
    path = study.parent / "cells/ward/resnet18/scratch/default/seed0/predictions/val.parquet"
    read, facts = read_parquet(path)
    write_parquet(read.to_pandas().iloc[1:], path, facts)
    with pytest.raises(UserError, match="cannot be compared: 1 images are in one only"):
        made(study)


# ------------------------------------------------------------------ a search


@pytest.mark.long
def test_of_a_search_one_level_enters_the_comparisons(searched):
    table = pd.read_csv(searched / "validation.csv")
    tuned = table[table["entry"] == "tuned"]
    assert len(tuned) == 4 * 4 and (tuned["of"] == 4).all()
    best = tuned.loc[tuned.groupby(CONFIGURATION[:3])["value"].idxmax()]
    complete = tuned[tuned["chosen"]]
    assert set(complete["recipe"]) <= set(tuned["recipe"]) and len(complete) == 4
    assert sorted(complete["value"]) == sorted(best["value"])
    pairs = pd.read_csv(searched / "comparisons.csv", keep_default_na=False)
    recipe = pairs[pairs["axis"] == "recipe"]
    assert set(recipe["a"]) == {"tuned"} and set(recipe["b"]) == {"default"}
    assert set(recipe["factor"]) == {"recipe"}
    standing = complete.set_index(CONFIGURATION[:3])["recipe"]
    for row in recipe.itertuples():
        assert row.recipe_a == standing[(row.dataset, row.backbone, row.init)]
    across = pairs[(pairs["axis"] == "backbone") & (pairs["recipe"] == "tuned")]
    for row in across.itertuples():
        assert row.recipe_a == standing[(row.dataset, row.a, row.init)]
        assert row.recipe_b == standing[(row.dataset, row.b, row.init)]


def test_every_file_with_rows_of_a_recipe_has_its_level_of_each_factor(searched):
    found = {path.stem: pd.read_csv(path, dtype=str) for path in searched.glob("*.csv")}
    of_recipes = [name for name in found if "recipe" in found[name] and "factor" not in found[name]]
    assert {"configurations", "confusions", "leaderboard", "metrics", "recommended"} < {*of_recipes}
    lacking = [
        name for name in of_recipes if not {"factor:lr", "factor:weight_decay"} < {*found[name]}
    ]
    assert not lacking
    rows = found["configurations"].query("recipe == 'tuned-lr0.0003'")
    assert set(rows["factor:lr"]) == {"0.0003"} and set(rows["factor:weight_decay"]) == {"0.05"}
    rows = found["recommended"].groupby("recipe")["factor:lr"].unique()
    assert [*rows["tuned"]] == ["chosen"] and rows["default"] != ["chosen"]


def test_the_numbers_of_a_pair_are_those_of_the_chosen_level(searched):
    pairs = pd.read_csv(searched / "comparisons.csv")
    configurations = pd.read_csv(searched / "configurations.csv")
    keys = [*CONFIGURATION, "metric", "label"]
    value = configurations.set_index(keys)["value"]
    for row in pairs[pairs["axis"] == "init"].itertuples():
        if row.seeds == 2:
            for side in "ab":
                init, recipe = getattr(row, side), getattr(row, f"recipe_{side}")
                at = (row.dataset, row.backbone, init, recipe, row.metric, row.label)
                assert getattr(row, f"value_{side}") == pytest.approx(value[at], abs=1e-5)


def test_a_search_counts_once_in_the_family(tmp_path, searched):
    apart = write_report(write_study(tmp_path / "results", **search("none")))
    families = [
        pd.read_csv(folder / "comparisons.csv").groupby("axis")["family"].max()
        for folder in (searched, apart)
    ]
    # Backbones: of 2 inits, 2 entries against 5 recipes each, 3 labels and 1 dataset.
    assert families[0]["backbone"] * 5 == families[1]["backbone"] * 2


def test_leaderboard_and_page_show_the_chosen_level_and_the_search_beside_it(searched):
    leaderboard = pd.read_csv(searched / "leaderboard.csv")
    table = pd.read_csv(searched / "validation.csv")
    assert len(leaderboard) == 2 * 4
    assert set(leaderboard["validation"]) == set(table.loc[table["chosen"], "value"])
    top = leaderboard.iloc[0]
    assert top["recommended"] and leaderboard["recommended"].sum() == 1
    [shown] = sections.read(searched / "choices.json").sections
    assert len(shown.rows) == 16
    assert sum(row[shown.header.index("chosen")] == "chosen" for row in shown.rows) == 4
    choices = pd.read_csv(searched / "choices.csv")
    assert len(choices) == len(table) and choices["value"].notna().sum() == 8
    test = choices.dropna(subset="value").set_index(CONFIGURATION)["value"]
    own = leaderboard.set_index(CONFIGURATION)["value"]
    pd.testing.assert_series_equal(test.sort_index(), own.sort_index())


def test_a_choice_is_no_setting_of_a_cell():
    """Else `choose` would train again."""
    assert "choose" not in Recipe.__struct_fields__
    plain, chosen = (Grid(CONFIG | search(word)) for word in (None, "validation"))
    assert plain.cells == chosen.cells
    assert [cell.axes() for cell in plain.cells] == [cell.axes() for cell in chosen.cells]
    assert set(AXES) == set(chosen.cells[0].axes())


def test_default_passes_its_choice_on_and_a_recipe_may_decline():
    recipes = {"default": {"lr": [0.1, 0.2], "choose": "validation"}, "all": {"choose": "none"}}
    grid = Grid(CONFIG | {"recipes": recipes, "grid": GRID | {"recipes": ["default", "all"]}})
    assert [grid.entry(name) for name in grid.recipes] == ["default", "default", "all", "all-lr0.2"]


@pytest.mark.parametrize(
    ("tuned", "message"),
    [
        ({"choose": "test"}, "recipes.tuned.choose: no choice 'test'"),
        ({"choose": ["none", "validation"]}, r"recipes.tuned.choose: validation or none, not \["),
        ({"choose": "validation"}, "recipes.tuned.choose: no setting of this recipe is a list"),
    ],
)
def test_a_choice_that_cannot_be_made_is_refused_at_parse(tuned, message):
    with pytest.raises(UserError, match=message):
        Grid(CONFIG | {"recipes": {"tuned": tuned}, "grid": GRID})


def test_an_override_cannot_choose():
    with pytest.raises(UserError, match="overrides"):
        Grid(CONFIG | {"overrides": [{"set": {"choose": "validation"}}]})


def test_compare_does_not_pass_over_a_choice_that_has_not_been_made(tmp_path):
    from cxrgrid import compare

    path = tmp_path / "study.json"
    path.write_text(json.dumps(CONFIG | search()))
    with pytest.raises(UserError, match="give --validation, made by `choose`"):
        compare.main(["--study", str(path), "--out", str(tmp_path / "c.csv")])
