"""`pages`: every cell has a page, a missing one too; numbers of the report lead there."""

import re
from urllib.parse import unquote

import pytest
from markupsafe import Markup

from conftest import MISSING
from cxrgrid import report
from cxrgrid.config.cell import AXES
from cxrgrid.config.study_json import read_grid
from cxrgrid.evaluation import wording
from cxrgrid.io.parquet import write_parquet
from cxrgrid.reporting import cell_pages, results
from test_report import Page


@pytest.fixture(scope="module")
def folder(finished):
    report.main([str(finished)])
    return finished.parent / "report"


@pytest.mark.long
def test_every_cell_has_a_page_and_every_link_a_target(folder, finished):
    cells = read_grid(finished).cells
    found = {str(path.relative_to(folder / "cells")) for path in folder.glob("cells/**/*.html")}
    assert found == {"index.html", *(f"{cell.path()}.html" for cell in cells)}
    for path in [folder / "report.html", *folder.glob("cells/**/*.html")]:
        for address in re.findall(r'<a[^>]* href="([^"#:]+)"', path.read_text()):
            assert (path.parent / unquote(address)).is_file(), (path, address)


def test_every_scored_cell_is_linked_from_the_leaderboard_and_the_labels(folder, finished):
    text = (folder / "report.html").read_text()
    for cell in read_grid(finished).cells:
        links = text.count(f'href="cells/{cell.path()}.html"')
        assert links >= (2 if cell.path() == MISSING else 4), cell.path()


def test_a_page_is_sound_and_needs_nothing_else(folder):
    for path in set(folder.glob("cells/**/*.html")) - {folder / "cells/index.html"}:
        text = path.read_text()
        page = Page(text)
        assert page.open == [] and page.all("main") and page.all("header")
        assert not page.all("script") and not re.search(r"@import|url\((?!#)|https?://", text)


def test_the_cells_folder_has_all_that_its_pages_lead_to(folder):
    for path in folder.glob("cells/**/*.html"):
        for address in re.findall(r'<a[^>]* href="([^"#:]+)"', path.read_text()):
            target = (path.parent / unquote(address)).resolve()
            assert target.is_file() and target.is_relative_to((folder / "cells").resolve())


def test_a_missing_cell_says_why_and_how_to_run_it(folder):
    text = (folder / f"cells/{MISSING}.html").read_text()
    assert "This cell has not finished:</strong> not run" in text
    assert f"snakemake results/demo/cells/{MISSING}/model.safetensors --force --configfile" in text


def test_a_page_has_the_cells_own_numbers(folder):
    labels = results.read_csv(folder / "labels.csv")
    row = labels[labels["label"] == "Nodule"].iloc[0]
    text = (folder / cell_pages.address(row.to_dict())).read_text()
    value = wording.number(row["auroc"], row["low"], row["high"])
    assert value in re.sub("</?span>", "", text)
    assert "the best is 6" in text and text.count("<polyline") == 3 + 9


def test_the_log_ends_with_its_last_lines(tmp_path):
    log = tmp_path / "train.log"
    assert cell_pages.tail(log) == ""
    log.write_text("".join(f"line {n}\n" for n in range(5000)) + "0%\r100%\n")
    lines = cell_pages.tail(log).splitlines()
    assert len(lines) == cell_pages.TAIL and lines[-1] == "100%" and lines[0] == "line 4977"


def test_thresholds_of_the_version_before_have_no_intercept(finished, tmp_path):
    frames = results.read(finished, finished.parent / "report")
    target = frames.grid.targets()[0]
    row = frames.cells.loc[frames.cells["dataset"] == target, AXES].iloc[:1]
    row = row.assign(target=target, label="Nodule", threshold=0.5, temperature=1.2)
    (tmp_path / "thresholds").mkdir()
    write_parquet(row, tmp_path / "thresholds" / f"{target}.parquet", {})
    assert cell_pages.read_thresholds(frames, tmp_path)["intercept"].tolist() == [0]


def test_no_line_ends_between_a_number_and_its_per_cent():
    said = cell_pages.environment().from_string("{{ a }}|{{ b }}|{{ c }}")
    text = said.render(a="test AUROC (95 % interval)", b=Markup("<b>5 % of</b>"), c=5)
    assert text == "test AUROC (95\u00a0% interval)|<b>5\u00a0% of</b>|5"
