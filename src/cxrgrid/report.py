"""Write the report: one self-contained page with findings, tables, figures and data audits.

Beside it, in cells/, a page for each cell.

Takes the tables of `table` (their text as JSON), the figures of `figure`, and the datasets' facts
and audits. `--headline` prints leaderboard and findings and writes nothing.

Example:
  python -m cxrgrid.report results/demo/study.json --report results/demo/report \\
      --out results/demo/report/report.html
"""

import importlib
import json
import re
from dataclasses import replace
from pathlib import Path

import pandas as pd

from cxrgrid.cluster.run_config import asked_by
from cxrgrid.config.cell import AXES, fold_folder
from cxrgrid.config.errors import UserError
from cxrgrid.evaluation.wording import number
from cxrgrid.io import cli
from cxrgrid.io.atomic import write_text
from cxrgrid.io.json_file import read_facts
from cxrgrid.reporting import (
    cell_pages,
    checklist,
    galleries,
    glance,
    page_parts,
    paper_text,
    policy,
    readings,
    run_facts,
    sections,
    shareable,
)
from cxrgrid.reporting.answer import answer
from cxrgrid.reporting.dataset_cards import card
from cxrgrid.reporting.doubts import doubts, overfitted
from cxrgrid.reporting.findings import findings
from cxrgrid.reporting.report_files import check_files
from cxrgrid.reporting.results import Frames, read, read_csv
from cxrgrid.reporting.sections import MISSING, Section, Table
from cxrgrid.tables import labels as label_table

FILE = re.compile(r'(?<!">)<code>([\w-]+\.\w+)</code>')

# ------------------------------------------------------------------ the page


def inline(svg: str, name: str) -> str:
    """An SVG for a page that holds several: no prologue, its own ids, its width told to CSS."""
    width = re.search(r'<svg[^>]* width="([\d.]+pt)"', svg)[1]
    svg = svg[svg.index("<svg") :].replace("<svg", f'<svg style="--width: {width}"', 1)
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r"url\(#", f"url(#{name}-", svg)
    svg = re.sub(r'href="#', f'href="#{name}-', svg)
    return re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)


def figures(frames: Frames, folder: Path) -> dict[str, dict]:
    """The figures with their captions, by name."""
    found = {}
    for name in frames.grid.figures():
        path = folder / f"{name}.svg"
        if not path.is_file():
            raise UserError(f"{path}: no such file; run snakemake to make it")
        module = importlib.import_module(f"cxrgrid.figures.{name}")
        title = module.__doc__.splitlines()[0].rstrip(".")
        svg = inline(path.read_text("utf-8"), name)
        part, method = (getattr(module, attribute, "") for attribute in ("PART", "METHOD"))
        found[name] = {"svg": svg, "title": title, "caption": module.CAPTION}
        found[name] |= {"part": part, "method": method}
    return found


# ------------------------------------------------------------------ the cells' own pages


def own_scores(frames: Frames, labels: Table) -> dict[str, Section]:
    """The rows of the label table of each cell's page; of a fold its own."""
    each = frames.by_fold()
    if each.replicates.empty:
        return of_cells(labels)
    found = of_cells(replace(labels, sections=[whole(part) for part in labels.sections]))
    for name, rows in label_table.build(each).groupby("dataset", sort=False):
        shown, links = label_table.show(rows, each), label_table.links(rows, each.cells)
        part = sections.section(name, shown, label_table.TEXTS, [], links)
        found |= of_cells(replace(labels, sections=[part]))
    return found


def whole(part: Section) -> Section:
    """A section without its rows of several folds."""
    kept = [at for at, links in enumerate(part.links) if len(links) == 1]
    rows, links = ([values[at] for at in kept] for values in (part.rows, part.links))
    return replace(part, rows=rows, links=links)


def of_cells(labels: Table) -> dict[str, Section]:
    """The rows of the label table of each cell's page, without its coordinates; missing: none."""
    found: dict[str, Section] = {}
    for part in labels.sections:
        keep = [at for at, name in enumerate(part.header) if name not in AXES]
        header, numeric = ([values[at] for at in keep] for values in (part.header, part.numeric))
        texts = [*part.notes, labels.caption]
        for row, [(_, page)] in zip(part.rows, part.links, strict=True):
            if row[0] != MISSING:
                own = replace(part, header=header, numeric=numeric, rows=[], links=[], notes=texts)
                found.setdefault(page, own).rows.append([row[at] for at in keep])
    return found


def fitted_too_far(frames: Frames) -> list[tuple[str, str]]:
    """The cells that over-fitted, as (name, address)."""
    cells = [part for _, part in frames.history.groupby(AXES, sort=False) if overfitted(part)]
    firsts = [part.iloc[0].to_dict() for part in cells]
    return [("/".join(str(row[axis]) for axis in AXES), cell_pages.address(row)) for row in firsts]


def read_audits(frames: Frames, data: Path) -> dict[str, dict]:
    """The audits that there are: of several folds the first one's, with the warnings of all."""
    found = {}
    for name in frames.facts:
        folds = frames.grid.folds[name]
        paths = {fold: data / f"{name}{fold_folder(fold)}" / "audit.json" for fold in folds}
        audits = {f: read_facts(path) for f, path in paths.items() if path.is_file()}
        for fold, audit in audits.items():
            first = found.setdefault(name, audit)
            more = [text for text in audit["warnings"] if text not in first["warnings"]]
            first["warnings"] += [f"Fold {fold}: {text}" for text in more]
    return found


def read_overlap(study: Path) -> list[str]:
    """Warnings on images that datasets of the study share."""
    path = study.parent / "overlap.json"
    return read_facts(path)["warnings"] if path.is_file() else []


def write(args, frames: Frames, leaderboard: pd.DataFrame, audited: dict, data: Path) -> None:
    """The page, from the files in the report's folder."""
    tables = {n: sections.read(args.report / f"{n}.json") for n in frames.grid.tables()}
    drawn = figures(frames, args.report / "figures")
    shown = galleries.read(frames, args.study.parent)
    asked = readings.history(readings.read(frames.folder / readings.NAME), frames.grid)
    about = {"runs": run_facts.runs(frames.cells), "commit": run_facts.commit(), "question": asked}
    counts = {section.title: section for section in tables["datasets"].sections}
    cards = [
        card(name, frames, data / name, audited.get(name, {}), counts[name])
        for name in frames.facts
    ]
    words = about | {"cards": cards, "explained": galleries.of_datasets(frames, shown)}
    words |= answers(frames, leaderboard, audited, read_overlap(args.study))
    words = shareable.words(words) if args.shareable else words
    template = cell_pages.environment().get_template("report.html.j2")
    html = template.render(**words, **laid_out(frames, tables, drawn, words["explained"]))
    if args.shareable:
        known = shareable.names((data / name for name in frames.facts), args.report)
        html, said = shareable.copy(html, known, words["left"])
        print(f"left out: {said}. Read the page before you send it: your config's words stay")
    write_text(
        args.out, policy.secured(html if args.shareable else leading_to_files(html, args.report))
    )
    if args.shareable:
        return
    paper_text.write(frames, tables, drawn, args.out.parent)
    page = checklist.text(frames, audited, tables, data, about)
    write_text(args.out.parent / "checklist.md", page)
    scores = own_scores(frames, tables["labels"])
    cell_pages.write(frames, args.study.parent, args.out.parent, scores, shown)
    write_text(args.out.parent / "cells" / cell_pages.HOME, policy.secured(among_cells(html)))


def leading_to_files(html: str, folder: Path) -> str:
    """The page with a link at each file of the report's folder that a sentence names."""
    return FILE.sub(
        lambda code: (
            f'<a href="{code[1]}">{code[0]}</a>' if (folder / code[1]).is_file() else code[0]
        ),
        html,
    )


def answers(frames: Frames, leaderboard: pd.DataFrame, audited: dict, overlap: list[str]) -> dict:
    """The words of the page on the study, by the names in its template."""
    study = frames.grid.study
    return {
        "title": study.title or study.study,
        "study": study,
        "metric": frames.metric_name,
        "answer": answer(frames, leaderboard),
        "doubts": doubts(frames, audited, overlap),
        "findings": findings(frames, leaderboard, under=True),
        "overlap": overlap,
        "glance": glance.glance(leaderboard, frames.cells, frames.grid.sources()),
        "overfitted": fitted_too_far(frames),
        "cells": frames.cells,
        "missing": frames.cells[frames.cells["state"] == "missing"],
        "again": asked_by(study.study),
        "sources": frames.grid.sources(),
        "config": json.dumps(frames.grid.config, indent=2),
    }


def laid_out(
    frames: Frames, tables: dict[str, Table], drawn: dict[str, dict], explained: list
) -> dict:
    """The parts of the page that have content, and the methods that they rest on.

    A grid of one cell is no more than its row of the leaderboard, unless it is missing.
    """
    cells = frames.cells
    several = len(cells) > 1 or (cells["state"] == "missing").any()
    always = {"datasets", "methods", "provenance"}
    always |= ({"grid"} if several else set()) | ({"explanations"} if explained else set())
    parts = page_parts.parts(tables, drawn, always)
    return {"tables": tables, "parts": parts, "methods": page_parts.methods(parts)}


def among_cells(html: str) -> str:
    """The page as it lies in the cells' folder, which `snakemake --report` takes as a whole.

    It leads to their pages, and not to files outside of the folder.
    """
    html = re.sub(r'<p class="downloads">.*?</p>\n?', "", html, flags=re.DOTALL)
    return html.replace('href="cells/', 'href="')


def headline(leaderboard: pd.DataFrame, metric: str) -> str:
    """The leaderboard in few columns, for a terminal."""
    shown = leaderboard[["dataset", "backbone", "init", "recipe"]].copy()
    numbers = leaderboard[["value", "low", "high"]].itertuples(index=False)
    shown[f"{metric} (95 % interval)"] = [number(*row) for row in numbers]
    shown["on validation"] = [number(value) for value in leaderboard["validation"]]
    shown["seeds"] = leaderboard["seeds"]
    return shown.to_string(index=False)


def main(argv: list[str] | None) -> None:
    """Write the page; or print what it would say first."""
    parser = cli.parser("report", __doc__)
    parser.add_argument("study", type=Path, help="study.json")
    parser.add_argument("--report", type=Path, help="its tables and figures, if not in report/")
    parser.add_argument("--data", type=Path, help="results/data, if not beside the study")
    parser.add_argument("--out", type=Path, help="report.html, if not in report/")
    parser.add_argument(
        "--shareable",
        action="store_true",
        help="write shareable.html alone: without pixels, names of files and patients, and paths",
    )
    parser.add_argument("--headline", action="store_true", help="only print the findings")
    args = parser.parse_args(argv)
    args.report = args.report or args.study.parent / "report"
    args.out = args.out or args.report / ("shareable.html" if args.shareable else "report.html")
    data = args.data or args.study.parent.parent / "data"
    frames = read(args.study, args.report, data)
    check_files(args.study, args.report, ("leaderboard",))
    leaderboard, audited = read_csv(args.report / "leaderboard.csv"), read_audits(frames, data)
    audited = shareable.audits(audited) if args.shareable else audited
    if args.headline:
        print(headline(leaderboard, frames.metric_name), end="\n\n")
        found = answer(frames, leaderboard)
        print(f"{found.word}. {found.text}", *found.more, "", sep="\n")
        lines = [*findings(frames, leaderboard), *doubts(frames, audited, read_overlap(args.study))]
        print("\n".join(f"- {text}" for text in lines))
        print(f"\nThe report: {args.out.resolve().as_uri()}")
    else:
        write(args, frames, leaderboard, audited, data)
        print(args.out)


if __name__ == "__main__":
    cli.run(main)
