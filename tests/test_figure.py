"""Every figure draws, whatever is missing, and twice the same."""

import shutil
import xml.etree.ElementTree as ElementTree

import pytest

from conftest import write_report, write_study
from cxrgrid import figure, frames, style
from cxrgrid.check import FIGURES, modules
from cxrgrid.figures import ranks

ONE = {"datasets": ["ward"], "backbones": ["resnet10t"], "inits": ["scratch"], "seeds": [0]}


@pytest.fixture(scope="module")
def read(finished):
    return frames.read(finished, finished.parent / "report")


def texts(svg):
    return [text for node in ElementTree.fromstring(svg).iter() if (text := (node.text or ""))]


@pytest.mark.parametrize("name", modules(FIGURES))
def test_a_figure_gives_the_same_bytes_twice(name, read):
    assert figure.render(name, read) == figure.render(name, read)


@pytest.mark.parametrize("name", modules(FIGURES))
def test_a_figure_names_its_datasets_as_text(name, read):
    assert {"ward", "children"} <= {text.strip() for text in texts(figure.render(name, read))}


@pytest.mark.parametrize("name", modules(FIGURES))
def test_a_figure_has_a_caption(name):
    module = __import__(f"cxrgrid.figures.{name}", fromlist=["CAPTION"])
    assert module.CAPTION.endswith(".") and module.__doc__


def test_one_dataset_one_backbone_one_seed(tmp_path):
    report = write_report(write_study(tmp_path / "results", grid=ONE))
    assert sorted(path.stem for path in (report / "figures").iterdir()) == modules(FIGURES)


def test_figures_are_drawn_when_nothing_has_run(study):
    for name in ("cells", "scores"):
        shutil.rmtree(study.parent / name)
    report = write_report(study)
    assert sorted(path.stem for path in (report / "figures").iterdir()) == modules(FIGURES)


def test_the_missing_cell_is_marked(read):
    assert "missing" in texts(figure.render("leaderboard", read))
    assert any("3 of 4 pairs" in text for text in texts(figure.render("pretrained", read)))
    assert any("3 of 4 cells" in text for text in texts(figure.render("curves", read)))


def test_only_the_figures_asked_for_are_drawn(tmp_path):
    study = write_study(tmp_path / "results", report={"figures": ["curves"]})
    report = write_report(study)
    assert [path.name for path in (report / "figures").iterdir()] == ["curves.svg"]


def test_an_init_has_one_colour_everywhere():
    few, many = style.colours(["scratch", "timm"]), style.colours(["timm", "scratch", "other"])
    assert few["scratch"] == many["scratch"] and few["timm"] == many["timm"]
    assert len(set(many.values())) == 3


@pytest.mark.parametrize(
    "count, shape", [(1, (1, 1)), (2, (1, 2)), (3, (2, 2)), (4, (2, 2)), (5, (3, 2))]
)
def test_panels_wrap(count, shape):
    assert style.wrap(count, 2) == shape


def test_models_are_ranked_on_the_datasets_that_the_grid_names(tmp_path):
    weights = {"pretrained": {"dataset": "ward"}}
    grid = ONE | {"datasets": ["children"], "inits": ["scratch", "pretrained"]}
    report = write_report(write_study(tmp_path / "results", grid=grid, weights=weights))
    read = frames.read(report.parent / "study.json", report)
    assert set(read.cells["dataset"]) == {"ward", "children"}
    assert list(ranks.table(read).index) == ["children"]


def test_a_ranking_leaves_out_and_counts_what_is_not_scored_everywhere(finished):
    read = frames.read(finished, finished.parent / "report")
    values = ranks.table(read)
    assert values.shape == (2, 4) and values.notna().all(axis=None)
    read.metrics.loc[:, "value"] = read.metrics["value"].mask(
        (read.metrics["dataset"] == "ward") & (read.metrics["init"] == "pretrained")
        & (read.metrics["backbone"] == "resnet18")
    )  # fmt: skip
    assert ranks.table(read).shape == (2, 3)
    assert any("left out: 1" in text for text in texts(figure.render("ranks", read)))


def test_no_ranking_is_drawn_of_one_dataset(tmp_path):
    report = write_report(write_study(tmp_path / "results", grid=ONE))
    svg = (report / "figures/ranks.svg").read_bytes()
    assert any("No ranking over datasets" in text for text in texts(svg))
