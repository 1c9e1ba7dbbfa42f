"""Every row of the report's tables that rests on cells leads to the pages of just these."""

import pandas as pd
import pytest

from conftest import CONFIG, write_report, write_study
from cxrgrid.config.cell import AXES, CONFIGURATION
from cxrgrid.reporting import cell_links, sections
from test_report import make

LINKED = ("leaderboard", "pretrained", "comparisons", "labels")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The report's folder of a study with two recipes, and its tables."""
    grid = CONFIG["grid"] | {"recipes": ["default", "slow"]}
    folder = tmp_path_factory.mktemp("links") / "results"
    study = write_study(folder, grid=grid, recipes={"slow": {"lr": 1e-4}})
    write_report(study)
    make(study)
    folder = study.parent / "report"
    return folder, {name: sections.read(folder / f"{name}.json").sections for name in LINKED}


def test_each_table_has_links_for_each_of_its_rows(made):
    _, found = made
    for name, parts in found.items():
        assert parts
        for part in parts:
            assert len(part.links) == len(part.rows), (name, part.title)


def test_every_address_is_a_page(made):
    folder, found = made
    rows = [row for parts in found.values() for part in parts for row in part.links]
    addresses = {to for row in rows for _, to in row}
    assert len(addresses) == 32
    assert all((folder / to).is_file() for to in addresses)


def test_a_pair_leads_to_the_seeds_of_both(made):
    folder, found = made
    table = pd.read_csv(folder / "comparisons.csv", keep_default_na=False)
    macro = table[(table["label"] == "macro") & (table["metric"] == "auroc")]
    axes = set()
    for part in found["comparisons"]:
        rows = macro[macro["dataset"] == part.title].to_dict("records")
        for row, to in zip(rows, part.links, strict=True):
            wanted = []
            for side in "ab":
                place = [row[side] if axis == row["axis"] else row[axis] for axis in CONFIGURATION]
                wanted += [(f"{side}{n}", f"cells/{'/'.join(place)}/seed{n}.html") for n in (0, 1)]
            assert to == wanted
            axes.add(row["axis"])
    assert axes == {"init", "backbone", "recipe"}


def test_an_init_leads_to_its_cells_and_to_those_from_scratch(made):
    _, found = made
    first = found["pretrained"][0].links[0]
    texts = [text for text, _ in first]
    assert texts == ["a0", "a1", "b0", "b1"]
    assert all("/pretrained/" in to for _, to in first[:2])
    assert all("/scratch/" in to for _, to in first[2:])


def test_beside_a_model_from_elsewhere_stand_the_cells_of_the_place(made):
    _, found = made
    cells = pd.DataFrame(
        [("ward", "resnet18", "scratch", recipe, 0, 0) for recipe in ("default", "slow")],
        columns=AXES,
    )
    row = {"dataset": "ward", "backbone": "", "init": "", "recipe": "", "axis": "external"}
    rows = pd.DataFrame(
        [
            row | {"a": "theirs", "b": b, "recipe_a": "external", "recipe_b": recipe}
            for b, recipe in (("resnet18/scratch", "default"), ("resnet18/scratch/slow", "slow"))
        ]
    )
    got = cell_links.of_pairs(rows, cells)
    assert [to for line in got for _, to in line] == [
        f"cells/ward/resnet18/scratch/{recipe}/seed0.html" for recipe in ("default", "slow")
    ]


def test_an_ensemble_has_no_page(made):
    rows = pd.DataFrame([("ward", "ensemble", "scratch", "default")], columns=CONFIGURATION)
    cells = pd.DataFrame([("ward", "resnet18", "scratch", "default", 0, 0)], columns=AXES)
    assert cell_links.of_configurations(rows, cells) == [[]]
