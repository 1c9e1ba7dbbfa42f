"""Main effects are the means that they are called, and err as often as they say."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import t

from cxrgrid.comparison import effect_rows
from cxrgrid.comparison.effect_parts import part
from cxrgrid.comparison.main_effects import contrasts, over_datasets, within
from cxrgrid.comparison.measured import Measured
from cxrgrid.config.grid import Grid
from demo_config import DEMO, replaced

SIZE = {"n": 200, "positives": 60, "patients": 150, "rarer": 60, "most": 60}


def measured(grid, rng, effects, seed_sd=0.03, sampling=0.02, resamples=200):
    """Made-up values of all cells of a study, one label: 0.7 plus effects[level] of each factor.

    Patients move all cells of a dataset alike, and each cell a little by itself.
    """
    found = {}
    for dataset in dict.fromkeys(cell.dataset for cell in grid.cells):
        values = {}
        shared = rng.normal(size=1 + resamples) * sampling
        for cell in [cell for cell in grid.cells if cell.dataset == dataset]:
            true = 0.7 + effects.get(cell.init, 0) + effects.get(cell.backbone, 0)
            true += effects.get(grid.levels[cell.recipe].get("lr"), 0) + effects.get(dataset, 0)
            own = rng.normal(size=1 + resamples) * sampling / 2 + rng.normal() * seed_sd
            drawn = true + shared + own
            values[cell.configuration(), cell.seed] = np.tile(drawn[:, None, None], (1, 2, 2))
        ends = {key: np.stack([each[0] - 0.1, each[0] + 0.1]) for key, each in values.items()}
        found[dataset] = Measured(["x", "macro"], {1: [SIZE, SIZE]}, values, ends, {})
    return found


def rows(grid, found, **chosen):
    frame = effect_rows.table(grid, found)
    for name, value in {"metric": "auroc", "by": "", **chosen}.items():
        frame = frame[frame[name] == value]
    return frame


def test_a_source_cohort_is_no_result_and_each_factor_is_compared_over_all_else():
    found = {(c.factor, c.level, c.against): c for c in contrasts(Grid(DEMO))}
    assert list(found) == [
        ("init", "pretrained", "scratch"),
        ("backbone", "cs3darknet_s", "resnet10t"),
    ]
    for contrast in found.values():
        assert set(contrast.pairs) == {"ward", "children"}, "atlas is only a start"
        for pairs in contrast.pairs.values():
            assert len(pairs) == 2
    [levels] = within(Grid(DEMO), found["init", "pretrained", "scratch"])
    assert [(c.by, c.by_level) for c in levels] == [
        ("backbone", "resnet10t"),
        ("backbone", "cs3darknet_s"),
    ]


def test_levels_of_recipes_meet_where_the_other_factors_are_alike():
    lists = {"lr": [0.001, 0.0003, 0.0001], "image": {"size": [64, 96]}}
    grid = Grid(replaced(DEMO, "recipes.default", DEMO["recipes"]["default"] | lists))
    of_lr = [c for c in contrasts(grid) if c.factor == "lr"]
    assert [(c.level, c.against) for c in of_lr] == [
        ("0.0003", "0.001"),
        ("0.0001", "0.001"),
        ("0.0001", "0.0003"),
    ]
    for contrast in of_lr:  # two backbones, two inits, two sizes
        assert all(len(pairs) == 8 for pairs in contrast.pairs.values())
        for x, y in contrast.pairs["ward"]:
            assert grid.levels[x[3]]["image.size"] == grid.levels[y[3]]["image.size"]
            assert x[:3] == y[:3]


def test_the_effect_is_the_mean_of_the_pairs_and_its_errors_are_those_of_an_analysis_of_variance():
    grid, rng = Grid(DEMO), np.random.default_rng(3)
    found = measured(grid, rng, {"pretrained": 0.1})
    init = contrasts(grid)[0]
    parts = [part(pairs, found[name], 0) for name, pairs in init.pairs.items()]
    for one in parts:
        here = found[one.dataset]
        cells = {key: value[:, 0, -1] for key, value in here.values.items()}
        side = {
            name: np.mean([v for (c, _), v in cells.items() if c[2] == name], axis=0)
            for name in ("pretrained", "scratch")
        }
        apart = side["pretrained"] - side["scratch"]
        np.testing.assert_allclose(one.values, apart, atol=1e-12)
        assert one.sampling == pytest.approx(apart[1:].std(ddof=1))
        groups = {}
        for (configuration, _), value in cells.items():
            groups.setdefault(configuration, []).append(value[0])
        within_cells = np.mean([np.var(group, ddof=1) for group in groups.values()])
        assert one.training == (pytest.approx(np.sqrt(within_cells * (1 / 4 + 1 / 4))), 4)
    value, errors = over_datasets(parts, {"ward": "a", "children": "b"})
    low, high, p = errors.interval(value)
    reach = [t.ppf(0.975, 59) * one.sampling / 2 for one in parts]
    reach += [t.ppf(0.975, 4) * one.training[0] / 2 for one in parts]
    assert value == pytest.approx(np.mean([one.value for one in parts]))
    assert (high - low) / 2 == pytest.approx(np.sqrt(np.square(reach).sum()))
    _, alike = over_datasets(parts, {"ward": "a", "children": "a"})
    assert alike.total > errors.total, "the same patients twice are no more patients"


def test_the_primary_effect_is_tested_by_itself_and_the_rest_by_holm():
    lists = DEMO["recipes"]["default"] | {"lr": [0.001, 0.0003]}
    grid = Grid(replaced(DEMO, "recipes.default", lists))
    frame = rows(grid, measured(grid, np.random.default_rng(1), {}), model="fixed")
    assert frame["primary"].tolist() == [True, False, False]
    first, *others = frame.to_dict("records")
    assert first["p"] == first["p_holm"] and first["family"] == "primary: init, auroc"
    smaller, larger = sorted(others, key=lambda row: row["p"])
    assert smaller["p_holm"] == pytest.approx(min(1, 2 * smaller["p"]))
    assert smaller["family"] == "other factors, auroc" and smaller["family_size"] == 2
    asked = Grid(replaced(grid.config, "report.primary", {"factor": "lr", "metric": "ap"}))
    frame = effect_rows.table(asked, measured(asked, np.random.default_rng(1), {}))
    assert set(frame.loc[frame["primary"], "factor"]) == {"lr"}
    assert set(frame.loc[frame["primary"], "metric"]) == {"ap"}


def test_cells_that_are_missing_leave_their_pairs_out_and_are_counted():
    grid = Grid(DEMO)
    found = measured(grid, np.random.default_rng(2), {"pretrained": 0.1})
    gone = ("ward", "resnet10t", "pretrained", "default")
    for seed in (0, 1):
        del found["ward"].values[gone, seed]
    whole, ward, _ = rows(grid, found, factor="init").to_dict("records")
    assert (whole["pairs"], whole["planned"], ward["pairs"], ward["planned"]) == (3, 4, 1, 2)
    assert "3 of 4 pairs" in whole["sentence"]
    for cells in found.values():
        cells.values.clear()
    frame = effect_rows.table(grid, found)
    assert set(frame["verdict"]) == {"incomplete"} and frame["estimate"].isna().all()
    assert frame["sentence"].str.contains("incomplete, no pair").all()


def test_one_training_each_is_not_called_a_better_method():
    config = replaced(DEMO, "grid.seeds", [0])
    config["grid"] = config["grid"] | {"backbones": ["resnet10t"]}
    grid = Grid(config)
    found = measured(grid, np.random.default_rng(4), {"pretrained": 0.2})
    [row] = rows(grid, found, model="fixed").to_dict("records")
    assert row["p"] < 0.001 and row["verdict"] == "these trainings" and np.isnan(row["seed_se"])
    assert "it is not shown that pretrained is the better method" in row["sentence"]
    assert "is better than" not in row["sentence"]
    # With two backbones the spread of the pairs stands for that of trainings: 1 df a dataset.
    several = Grid(replaced(DEMO, "grid.seeds", [0]))
    found = measured(several, np.random.default_rng(4), {"pretrained": 0.2})
    row = rows(several, found, model="fixed", factor="init").iloc[0]
    assert row["seed_se"] > 0 and row["high"] - row["low"] > 4 * row["sampling_se"]


def test_a_margin_gives_verdicts_and_power_stands_beside_no_difference():
    grid = Grid(replaced(DEMO, "report.margin", 0.3))
    found = measured(grid, np.random.default_rng(5), {}, seed_sd=0.01)
    row = rows(grid, found, factor="init", model="fixed").iloc[0]
    assert row["margin_verdict"] == "equivalent" and row["verdict"] == "not shown"
    assert row["sentence"].endswith("The two are equivalent within the margin of 0.3.")
    assert row["detectable"] > (row["high"] - row["low"]) / 2
    assert f"had to be {row['detectable']:.3f} to be shown 8 times in 10" in row["sentence"]
    tight = Grid(replaced(DEMO, "report.margin", 0.001))
    few = rows(tight, found, factor="init", model="fixed").iloc[0]
    assert few["times_needed"] == pytest.approx((few["detectable"] / 0.001) ** 2)
    assert "To show one of 0.001 as often would take about" in few["sentence"]
    assert np.isnan(row["times_needed"]), "the study could have shown 0.3"
    assert rows(tight, found, factor="init", model="fixed").iloc[0]["margin_verdict"] == "undecided"


def test_an_effect_that_depends_on_the_backbone_is_an_interaction():
    grid, rng = Grid(DEMO), np.random.default_rng(6)
    p = {}
    for depends in (0.0, 0.4):
        found = measured(grid, rng, {"pretrained": 0.1}, seed_sd=0.01)
        for cells in found.values():
            for (configuration, _), value in cells.values.items():
                if configuration[1:3] == ("cs3darknet_s", "pretrained"):
                    value += depends
        levels = rows(grid, found, factor="init", by="backbone")
        assert levels["by_level"].tolist() == ["resnet10t", "cs3darknet_s"]
        assert levels["interaction_p"].nunique() == 1
        p[depends] = levels["interaction_p"].iloc[0]
    assert p[0.4] < 0.01 < p[0.0]


def test_three_datasets_have_a_random_effect_too():
    config = replaced(DEMO, "datasets.clinic", DEMO["datasets"]["ward"])
    config = replaced(config, "grid.datasets", ["ward", "children", "clinic"])
    grid = Grid(config)
    frame = rows(grid, measured(grid, np.random.default_rng(7), {"pretrained": 0.1}), factor="init")
    assert frame["model"].tolist() == ["fixed", "random", "one", "one", "one"]
    random = frame.iloc[1]
    assert random["low"] > random["prediction_low"] and random["tau"] >= 0
    assert "random effects" in random["sentence"] and random["family"] == ""


def test_datasets_of_too_few_patients_are_in_no_random_effect():
    names = ["ward", "children", "clinic", "school"]
    more = dict.fromkeys(names[2:], DEMO["datasets"]["ward"])
    config = replaced(DEMO | {"datasets": DEMO["datasets"] | more}, "grid.datasets", names)
    grid = Grid(config)
    found = measured(grid, np.random.default_rng(7), {"pretrained": 0.1})
    for number, small in enumerate(["school", "clinic"]):
        found[small] = replace(found[small], sizes={1: [SIZE | {"most": 2}] * 2})
        frame = rows(grid, found, factor="init").set_index(["model", "dataset"])
        assert np.isfinite(frame.loc["one", small]["estimate"]).all()
        assert np.isnan(frame.loc["one", small]["low"]).all()
        assert [*frame.loc[frame.index.isin(["random"], level=0), "datasets"]] == [[3], []][number]


def test_of_a_search_the_chosen_level_meets_the_other_recipes_and_is_no_factor():
    recipes = DEMO["recipes"] | {"searched": {"lr": [0.001, 0.0003], "choose": "validation"}}
    recipes |= {"long": {"epochs": 20, "rotate": [0, 5]}}
    config = replaced(DEMO, "recipes", recipes)
    grid = Grid(replaced(config, "grid.recipes", ["default", "searched", "long"]))
    found = {(c.factor, c.level, c.against): c for c in contrasts(grid)}
    assert "lr" not in {factor for factor, _, _ in found}
    assert set(found) >= {("recipe", "searched", "default"), ("rotate", "0", "5")}
    one = found["recipe", "searched", "default"]
    assert {pair[0][3] for pair in one.pairs["ward"]} == {"searched"}, "an entry"
    cells = measured(grid, np.random.default_rng(1), {})
    standing = {
        pair[0]: (*pair[0][:3], "searched-lr0.0003")
        for pairs in one.pairs.values()
        for pair in pairs
    }
    frame = effect_rows.table(grid, cells, standing)
    row = frame[(frame["level"] == "searched") & (frame["dataset"] == "ward")].iloc[0]
    chosen, other = (
        np.mean([v[0, 0, -1] for (c, _), v in cells["ward"].values.items() if c[3] == name])
        for name in ("searched-lr0.0003", "default")
    )
    assert row["estimate"] == pytest.approx(chosen - other)


def test_the_effect_of_a_recipe_averages_in_no_level_that_differs_in_another_setting():
    recipes = DEMO["recipes"] | {"tuned": {"epochs": 20, "lr": 0.001}}
    recipes["default"] = recipes["default"] | {"lr": [0.001, 0.0003]}
    found = []
    for order in (["default", "tuned"], ["tuned", "default"]):
        config = replaced(DEMO, "recipes", recipes)
        grid = Grid(replaced(config, "grid.recipes", order))
        cells = measured(grid, np.random.default_rng(1), {"0.0003": 0.2}, seed_sd=0.0, sampling=0.0)
        whole = rows(grid, cells, factor="recipe", model="fixed")
        found.append((len(whole), whole["planned"].sum(), abs(whole["estimate"].sum())))
    assert found[0] == found[1] == (1, 8, pytest.approx(0, abs=1e-9))


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [1, 2])
@pytest.mark.parametrize("seed_sd", [0.0, 0.03, 0.09])
def test_without_an_effect_one_is_claimed_in_at_most_five_per_cent_of_studies(seed_sd, seeds):
    grid = Grid(replaced(DEMO, "grid.seeds", list(range(seeds))))
    init, rng, wrong, tries = contrasts(grid)[0], np.random.default_rng(8), 0, 400
    for _ in range(tries):
        found = measured(grid, rng, {}, seed_sd, resamples=60)
        parts = [part(pairs, found[name], 0) for name, pairs in init.pairs.items()]
        value, errors = over_datasets(parts, {"ward": "a", "children": "b"})
        wrong += errors.interval(value)[2] < 0.05
    assert wrong / tries < 0.05 + 2 * np.sqrt(0.05 * 0.95 / tries)


def test_levels_that_no_resample_tells_apart_have_an_interval_too():
    grid = Grid(replaced(DEMO, "report.margin", 0.2))
    found = measured(grid, np.random.default_rng(8), {}, seed_sd=0)
    for cells in found.values():
        same = next(iter(cells.values.values()))
        cells.values.update(dict.fromkeys(cells.values, same))
        cells.ends.update(dict.fromkeys(cells.ends, np.stack([same[0] - 0.1, same[0] + 0.1])))
    for row in rows(grid, found, factor="init").to_dict("records"):
        assert row["low"] == pytest.approx(-row["high"]) and 0 < row["high"] < 0.1, row
        assert row["estimate"] == 0 and row["p"] == 1 and row["verdict"] == "not shown"
        assert row["margin_verdict"] == "equivalent" and np.isnan(row["detectable"])
        assert f"differences up to {row['high']:.3f} remain possible" in row["sentence"]
    alone = rows(grid, found, factor="init", model="one").iloc[0]
    alike = 60 / (60 + 2)  # by Pearson's correlation between two that are alike, drawn to 0
    assert alone["high"] == pytest.approx(np.sqrt(2 * 0.1**2 * (1 - alike)), abs=1e-6)


def test_a_difference_that_is_shown_is_not_also_called_not_worse():
    said = {}
    for margin in (0.01, 0.29):
        grid = Grid(replaced(DEMO, "report.margin", margin))
        found = measured(grid, np.random.default_rng(9), {"pretrained": 0.3}, seed_sd=0.01)
        row = rows(grid, found, factor="init", model="fixed").iloc[0]
        assert row["verdict"] == "better" and row["margin_verdict"] == "not worse"
        assert "is not worse" not in row["sentence"]
        said[margin] = row["sentence"]
    assert said[0.01].endswith("The difference is larger than the margin of 0.01.")
    assert said[0.29].endswith("It is not shown to be larger than the margin of 0.29.")
