"""Every figure draws, whatever is missing, and twice the same."""

import json
import shutil
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import conftest
from conftest import CONFIG, write_report, write_study
from cxrgrid import figure, report
from cxrgrid.comparison.significance import rank
from cxrgrid.config.checks import FIGURES, modules
from cxrgrid.config.idle import can_rank
from cxrgrid.figures import classes, cost, pretrained, ranks
from cxrgrid.reporting import figure_style, results

ONE = {"datasets": ["ward"], "backbones": ["resnet10t"], "inits": ["scratch"], "seeds": [0]}


@pytest.fixture(scope="module")
def read(finished):
    return results.read(finished, finished.parent / "report")


def texts(svg):
    return [text for node in ElementTree.fromstring(svg).iter() if (text := (node.text or ""))]


@pytest.mark.parametrize("name", modules(FIGURES))
def test_a_figure_gives_the_same_bytes_twice_and_names_its_datasets_as_text(
    name, read, finished, monkeypatch
):
    monkeypatch.setattr(figure, "METADATA", {"svg": figure.METADATA["svg"]})
    drawn = figure.render(name, read)["svg"]
    assert {"ward", "children"} <= {text.strip() for text in texts(drawn)}
    asked = name in read.grid.figures()  # others the command has not drawn
    file = finished.parent / f"report/figures/{name}.svg"
    assert drawn == (file.read_bytes() if asked else figure.render(name, read)["svg"])


ODD = {
    "signs": ["$", r"$\frac{a}$ % _x^2 \d{e}", "<b>&\"'"],
    "long": ["L" * 200, "Pleural " * 25, "x" * 199 + "$"],
    "scripts": ["استرواح الصدر", "肺部浸润影与实变", "🫁 p\tq"],
}


@pytest.mark.long
@pytest.mark.filterwarnings("ignore:constrained_layout not applied")
@pytest.mark.parametrize("kind", ODD)
def test_any_name_of_a_label_is_drawn(tmp_path, monkeypatch, caplog, kind):
    """Signs of formulas, names longer than a panel, letters that the font has not."""
    caplog.set_level("INFO")
    labels = {"ward": ODD[kind], "children": [f"{label} 2" for label in ODD[kind]]}
    monkeypatch.setattr(conftest, "LABELS", labels)
    datasets = {"ward": {"adapter": "csv", "root": "a", "columns": {"image": "i", "patient": "p"}}}
    datasets |= {"children": {"adapter": "folder", "root": "b"}}
    datasets = {name: own | {"labels": labels[name]} for name, own in datasets.items()}
    study = write_study(tmp_path / "results", datasets=datasets, title=" ".join(ODD[kind]))
    frames = results.read(study, write_report(study))
    for name in modules(FIGURES):
        drawn = figure.render(name, frames)
        assert drawn["svg"].endswith(b"</svg>\n") and drawn["pdf"].startswith(b"%PDF")
    assert ("roc.pdf has boxes for" in caplog.text) == (kind == "scripts")
    report.main([str(study), "--report", str(study.parent / "report")])


SOME = [pytest.param(n, marks=[pytest.mark.long] * (n != "roc")) for n in modules(FIGURES)]


@pytest.mark.parametrize("name", SOME)
def test_a_figure_has_a_pdf_of_the_same_bytes_twice(name, read):
    drawn = figure.render(name, read)
    assert set(drawn) == {"svg", "pdf"} and drawn["pdf"].startswith(b"%PDF")
    assert drawn == figure.render(name, read)


@pytest.mark.parametrize("name", modules(FIGURES))
def test_a_figure_has_a_caption(name):
    module = __import__(f"cxrgrid.figures.{name}", fromlist=["CAPTION"])
    assert module.CAPTION.endswith(".") and module.__doc__


def test_one_dataset_one_backbone_one_seed(tmp_path):
    made = write_report(write_study(tmp_path / "results", grid=ONE), drawn=True)
    drawn = {path.stem for path in (made / "figures").glob("*.svg")}
    assert set(modules(FIGURES)) - drawn == {
        "abstention",
        "effects",
        "pretrained",
        "ranks",
        "shifts",
        "subgroups",
        "transfer",
    }


@pytest.mark.long
def test_figures_are_drawn_when_nothing_has_run(study):
    for name in ("cells", "scores"):
        shutil.rmtree(study.parent / name)
    report = write_report(study, drawn=True)
    drawn = {path.stem for path in (report / "figures").glob("*.svg")}
    assert set(modules(FIGURES)) - drawn == {
        "abstention",
        "ranks",
        "shifts",
        "subgroups",
        "transfer",
    }


def test_the_missing_cell_is_marked(read):
    assert "missing" in texts(figure.render("leaderboard", read)["svg"])
    assert any("3 of 4 pairs" in text for text in texts(figure.render("pretrained", read)["svg"]))
    assert any("3 of 4 cells" in text for text in texts(figure.render("curves", read)["svg"]))


def test_only_the_figures_asked_for_are_drawn(tmp_path):
    study = write_study(tmp_path / "results")
    report, folder = write_report(study), tmp_path / "figures"
    study.write_text(json.dumps(CONFIG | {"report": {"figures": ["curves"]}}))
    figure.main([str(study), "--report", str(report), "--out-dir", str(folder)])
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["curves.pdf", "curves.svg"]


def test_an_init_has_one_colour_everywhere():
    few, many = (
        figure_style.colours(["scratch", "timm"]),
        figure_style.colours(["timm", "scratch", "other"]),
    )
    assert few["scratch"] == many["scratch"] and few["timm"] == many["timm"]
    assert len(set(many.values())) == 3


@pytest.mark.parametrize(
    "count, shape", [(1, (1, 1)), (2, (1, 2)), (3, (2, 2)), (4, (2, 2)), (5, (3, 2))]
)
def test_panels_wrap(count, shape):
    assert figure_style.wrap(count, 2) == shape


def test_models_are_ranked_on_the_datasets_that_the_grid_names(tmp_path):
    weights = {"pretrained": {"dataset": "ward"}}
    grid = ONE | {"datasets": ["children"], "inits": ["scratch", "pretrained"]}
    report = write_report(write_study(tmp_path / "results", grid=grid, weights=weights))
    read = results.read(report.parent / "study.json", report)
    assert set(read.cells["dataset"]) == {"ward", "children"}
    assert list(ranks.table(read).index) == ["children"]


def test_a_ranking_leaves_out_and_counts_what_is_not_scored_everywhere(finished, monkeypatch):
    read = results.read(finished, finished.parent / "report")
    values = ranks.table(read)
    assert values.shape == (2, 4) and values.notna().all(axis=None)
    rows = read.metrics
    missing = (rows["dataset"] == "ward") & (rows["init"] == "pretrained")
    missing &= rows["backbone"] == "resnet18"
    read = replace(read, metrics=rows.assign(value=rows["value"].mask(missing)))
    found = ranks.table(read)
    assert found.shape == (2, 3)
    svg = figure.render("ranks", read)["svg"]
    assert any("no difference of mean ranks can be shown" in text for text in texts(svg))
    monkeypatch.setattr(ranks, "table", lambda _: pd.concat([found, found.rename(str.upper)]))
    assert any("left out: 1" in text for text in texts(figure.render("ranks", read)["svg"]))


@pytest.mark.parametrize(
    "datasets, backbones, inits, drawn",
    [(2, 4, 1, False), (3, 2, 1, False), (3, 1, 4, False), (3, 3, 1, True), (4, 2, 1, True)],
)
def test_a_ranking_takes_as_many_datasets_and_models_as_could_show_a_difference(
    datasets, backbones, inits, drawn
):
    names = [f"d{at}" for at in range(datasets)]
    cells = [
        SimpleNamespace(dataset=name, backbone=f"b{one}", init=f"i{start}", recipe="default")
        for name in names
        for one in range(backbones)
        for start in range(inits)
    ]
    blocks = [SimpleNamespace(datasets=names)]
    grid = SimpleNamespace(cells=cells, blocks=lambda: blocks, entry=str)
    assert can_rank(grid) == drawn
    critical = rank(np.random.default_rng(0).normal(size=(datasets, backbones * inits))).critical
    assert drawn == (critical < backbones * inits - 1 and backbones > 1)


def test_a_ranking_leaves_out_backbones_that_are_not_trained_everywhere():
    blocks = [SimpleNamespace(datasets=["a", "b", "c", "d"])]
    cells = [
        SimpleNamespace(dataset=name, backbone=backbone, init="scratch", recipe="default")
        for name in "abcd"
        for backbone in (("x", "y") if name != "d" else ("x",))
    ]
    assert not can_rank(SimpleNamespace(cells=cells, blocks=lambda: blocks, entry=str))


def test_a_ranking_of_one_dataset_that_is_asked_for_says_why_there_is_none(tmp_path):
    asked = {"figures": ["ranks"]}
    report = write_report(write_study(tmp_path / "results", grid=ONE, report=asked), drawn=True)
    svg = (report / "figures/ranks.svg").read_bytes()
    assert any("No ranking over datasets" in text for text in texts(svg))


def test_the_front_holds_what_none_beats_at_its_cost():
    places = pd.DataFrame({"parameters": [1, 1, 2, 3, 4], "value": [0.6, 0.7, 0.65, 0.9, 0.8]})
    best = cost.front(places, "parameters")
    beaten = [
        ((places["parameters"] <= row.parameters) & (places["value"] > row.value)).any()
        for row in places.itertuples()
    ]
    assert sorted(best.index) == [at for at, worse in enumerate(beaten) if not worse] == [1, 3]


def test_the_forest_is_what_compare_found(read):
    rows = pretrained.against_scratch(read)
    assert len(rows) == 4 and set(rows["init"]) == {"pretrained"}
    assert (rows["low"] <= rows["difference"]).all() and (rows["difference"] <= rows["high"]).all()


def test_views_add_up_to_all_images(read):
    ward = read.views[read.views["dataset"] == "ward"]
    shown = classes.views(ward)
    sums = shown.assign(whole=shown["view"] == classes.ALL).groupby("whole")["positives"].sum()
    counted = read.counts.loc[read.counts["dataset"] == "ward", "positives"].sum()
    assert sums[True] == sums[False] == counted


def test_the_chosen_place_of_each_init_has_the_highest_validation_value_of_complete_ones(read):
    assert len(read.best()) == 4
    for row in read.best().itertuples():
        same = read.validation
        same = same[(same["dataset"] == row.dataset) & (same["init"] == row.init)]
        assert row.value == same.loc[same["seeds"] == same["planned"], "value"].max()
