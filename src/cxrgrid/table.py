"""Write the tables of the report: each file in src/cxrgrid/tables is one.

Each as CSV, with bare numbers, and as text with intervals, n, notes and links: Markdown, LaTeX and
XLSX for people, JSON for `report`.

Example:
  python -m cxrgrid.table results/demo/study.json --report results/demo/report
"""

import importlib
import logging
from pathlib import Path
from types import ModuleType

import pandas as pd

from cxrgrid.comparison.effect_rows import ALL
from cxrgrid.evaluation.wording import many
from cxrgrid.io import cli
from cxrgrid.io.atomic import write_text
from cxrgrid.io.csv_file import write_csv
from cxrgrid.reporting import dataset_cards, papers, sections, spreadsheet
from cxrgrid.reporting.factor_columns import with_levels
from cxrgrid.reporting.markdown import latex, markdown
from cxrgrid.reporting.results import Frames, read
from cxrgrid.reporting.sections import Section, Table


def as_text(module: ModuleType, rows: pd.DataFrame, frames: Frames) -> Table:
    """A table as a reader sees it, with a section for all datasets and each that has rows."""
    rows = rows.round(6).reset_index(drop=True)  # what rounds to 0.744 here does so in the CSV
    parts = [(name, rows[rows["dataset"] == name]) for name in [ALL, *frames.grid.used()]]
    found = [of_dataset(module, name, part, frames) for name, part in parts if not part.empty]
    found = [section for section in found if section.rows]
    title = module.__doc__.splitlines()[0].rstrip(".")
    part, method = (getattr(module, name, "") for name in ("PART", "METHOD"))
    return Table(title, module.CAPTION, found, part, method)


def of_dataset(module: ModuleType, name: str, rows: pd.DataFrame, frames: Frames) -> Section:
    """The section of one dataset."""
    shown = module.show(rows, frames)
    has_links, has_notes = hasattr(module, "links"), hasattr(module, "notes")
    links = module.links(rows.loc[shown.index], frames.cells) if has_links else []
    own = module.notes(rows, frames) if has_notes else []
    title = "All datasets" if name == ALL else name
    return sections.section(title, shown, module.TEXTS, notes(name, rows, frames) + own, links)


def notes(name: str, rows: pd.DataFrame, frames: Frames) -> list[str]:
    """Notes of every table of a dataset: leakage, commands for missing cells, label policy."""
    reruns = rows["rerun"].dropna().drop_duplicates() if "rerun" in rows else []
    facts = frames.facts.get(name, {})
    found = dataset_cards.leaked(facts) + [f"Missing: `{text}`" for text in reruns if text]
    return found + facts.get("policy", {}).get("notes", [])


def write(name: str, frames: Frames, folder: Path) -> None:
    """Write one table to the report's folder."""
    module = importlib.import_module(f"cxrgrid.tables.{name}")
    rows = module.build(frames)
    if name in frames.grid.rows():
        path = folder / f"{name}.csv"
        if "recipe" in rows and "factor" not in rows:  # comparisons name the one that differs
            rows = with_levels(rows.copy(), frames.grid.levels)
        write_csv(rows.round(6), path)
    table = as_text(module, rows, frames)
    sections.write(table, folder / f"{name}.json")
    write_text(folder / f"{name}.md", markdown(table))
    write_text(folder / f"{name}.tex", latex(table, name))
    spreadsheet.write(sheets(rows.round(6), table), folder / f"{name}.xlsx")


def sheets(rows: pd.DataFrame, table: Table) -> dict[str, list]:
    """Sheets of a table: bare numbers, then each section as a reader sees it, then its notes."""
    bare = [list(rows.columns), *rows.astype(object).values.tolist()]
    shown = {part.title: [part.header, *part.rows] for part in table.sections}
    notes = [(part.title, note) for part in table.sections for note in part.notes]
    about = [("table", "note"), ("", table.title), ("", table.caption), ("", table.method), *notes]
    return {"numbers": bare, **shown, "notes": about}


def main(argv: list[str] | None) -> None:
    """Write every table."""
    parser = cli.parser("table", __doc__)
    parser.add_argument("study", type=Path, help="study.json")
    parser.add_argument("--report", type=Path, required=True, help="the folder of metrics.csv")
    parser.add_argument("--data", type=Path, help="results/data, if not beside the study")
    parser.add_argument("--papers", type=Path, default=papers.FOLDER, help="published results")
    args = parser.parse_args(argv)
    frames = read(args.study, args.report, args.data, args.papers)
    for name in frames.grid.tables():
        write(name, frames, args.report)
    logging.info(many(len(frames.grid.tables()), "table"))


if __name__ == "__main__":
    cli.run(main)
