"""A table is one file: the rule, the command and the page find it by listing."""

import shutil
import sys

import pandas as pd
import pytest

from conftest import make_report
from cxrgrid import tables
from cxrgrid.config import grid
from cxrgrid.config.checks import FIGURES, TABLES, modules
from test_report import Page, make
from test_workflow import ROOT, TINY, snakemake

MINE = '''"""Images of each cell's test set, counted once more."""

from cxrgrid.evaluation.wording import whole
from cxrgrid.reporting import cell_links

TEXTS = ["backbone"]
CAPTION = "Counted & found."
links = cell_links.of_cells


def build(frames):
    """One row per scored cell."""
    return frames.headline().dropna(subset="n")


def show(rows, frames):
    """The counts of all cells but the first as text."""
    rows = rows.iloc[1:]
    return rows[["backbone"]].assign(images=rows["n"].map(whole))


def notes(rows, frames):
    """A sentence of its own."""
    return [f"{len(rows)} cells counted."]
'''


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """The folder of the tables with one more file in it."""
    folder = tmp_path / "tables"
    shutil.copytree(TABLES, folder)
    (folder / "mine.py").write_text(MINE)
    monkeypatch.setattr(grid, "TABLES", folder)
    monkeypatch.setattr(tables, "__path__", [str(folder)])
    yield folder
    sys.modules.pop("cxrgrid.tables.mine", None)


@pytest.mark.parametrize("name", modules(TABLES))
def test_a_table_has_a_title_and_a_caption(name):
    module = __import__(f"cxrgrid.tables.{name}", fromlist=["CAPTION"])
    assert module.CAPTION.endswith(".") and module.__doc__.splitlines()[0].endswith(".")


@pytest.mark.parametrize(
    "name", [f"tables.{n}" for n in modules(TABLES)] + [f"figures.{n}" for n in modules(FIGURES)]
)
def test_a_caption_has_fewer_than_fifty_words(name):
    caption = __import__(f"cxrgrid.{name}", fromlist=["CAPTION"]).CAPTION
    assert len(caption.split()) < 50


@pytest.mark.long
def test_one_file_more_is_one_table_more_on_the_page(study, mine):
    report = make_report(study, study.parent / "report", False)  # no copy, which has no such table
    rows = pd.read_csv(report / "mine.csv")
    assert len(rows) == 15
    text = make(study).read_text()
    assert Page(text).open == []
    assert 'href="#mine">' in text and '<h2 id="mine">' in text
    part = text[text.index('<h2 id="mine">') :].split("</section>")[0]
    assert "Counted &amp; found." in part and "8 cells counted." in part
    first, *others = rows[rows["dataset"] == "children"].to_dict("records")
    address = "cells/children/{backbone}/{init}/{recipe}/seed{seed}.html"
    assert address.format(**first) not in part
    assert all(address.format(**row) in part for row in others)


def test_one_file_more_is_written_by_the_rule(tmp_path, monkeypatch):
    home = tmp_path / "home"
    for name in ("src", "workflow"):
        shutil.copytree(ROOT / name, home / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "Snakefile", home)
    (home / "src/cxrgrid/tables/mine.py").write_text(MINE)
    monkeypatch.setenv("PYTHONPATH", str(home / "src"))
    done = snakemake(tmp_path, TINY, "--dry-run", "--quiet", "host", "--", "table", workflow=home)
    assert done.returncode == 0, done.stderr
    for kind in ("csv", "json", "md", "tex", "xlsx"):
        assert f"results/tiny/report/mine.{kind}" in done.stdout + done.stderr
