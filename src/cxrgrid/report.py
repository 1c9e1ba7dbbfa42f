"""Write the one page that says what was found, and how sure that is: one file, no network.

Takes the tables of `table` (their Markdown is shown as it is), the figures of `figure`, and the
datasets' facts and audits. `--headline` prints leaderboard and findings and writes nothing.

Example:
  python -m cxrgrid.report results/demo/study.json --report results/demo/report \\
      --out results/demo/report/report.html
"""

import base64
import importlib
import io
import json
import re
import subprocess
from pathlib import Path

import jinja2
import numpy as np
import pandas as pd
from PIL import Image

from cxrgrid import audits, command
from cxrgrid.config import UserError
from cxrgrid.data import read_parquet
from cxrgrid.findings import findings
from cxrgrid.frames import Frames, number, read, read_csv
from cxrgrid.section import Section, parse

TABLES = ("leaderboard", "pretrained", "comparisons", "labels", "datasets", "literature")
SAMPLES = 12
SIDE = 160  # pixels: larger samples make the page heavy, and show no more at their size on it


# ------------------------------------------------------------------ the grid at a glance


def glance(leaderboard: pd.DataFrame) -> dict:
    """Dataset × backbone (× recipe) by init; a place that is not in the study is None."""
    several = leaderboard["recipe"].nunique() > 1
    inits = list(dict.fromkeys(["scratch", *leaderboard["init"]]))
    inits = [name for name in inits if name in set(leaderboard["init"])]
    low, high = leaderboard["value"].min(), leaderboard["value"].max()
    rows = {}
    for place in leaderboard.sort_values(["backbone"], kind="stable").to_dict("records"):
        head = (place["dataset"], place["backbone"], place["recipe"] if several else "")
        shade = (place["value"] - low) / (high - low) if high > low else 1.0
        place |= {"text": number(place["value"]), "shade": f"{8 + 52 * shade:.0f}%"}
        rows.setdefault(head, {})[place["init"]] = place
    order = list(dict.fromkeys(leaderboard["dataset"]))
    heads = sorted(rows, key=lambda head: order.index(head[0]))
    return {"inits": inits, "rows": {head: rows[head] for head in heads}}


# ------------------------------------------------------------------ dataset cards


def samples(folder: Path, facts: dict) -> list[dict]:
    """Some images of each label, then others, as PNG in base64 with what they show."""
    table = read_parquet(folder / "table.parquet")[0].to_pandas()
    pixels = np.load(folder / "pixels.npy", mmap_mode="r")
    shown = []
    for _, image in choose(table, facts["labels"]).iterrows():
        present = [label for label in facts["labels"] if image[label] == 1]
        text = ", ".join(present) or "none of the labels"
        shown.append({"png": png(pixels[image["row"]]), "name": image["image"], "labels": text})
    return shown


def choose(table: pd.DataFrame, labels: list[str]) -> pd.DataFrame:
    """Label by label the first image that has it and is not chosen yet, then evenly among all."""
    chosen: dict[int, None] = {}
    for label in labels[:SAMPLES]:
        having = table.index[table[label] == 1].difference(pd.Index(chosen))
        chosen |= dict.fromkeys(having[:1])
    evenly = np.linspace(0, len(table) - 1, min(2 * SAMPLES, len(table))).astype(int)
    chosen |= dict.fromkeys(table.index[evenly])
    return table.loc[list(chosen)[:SAMPLES]]


def png(pixels: np.ndarray) -> str:
    """Grey levels as an inline PNG."""
    image = Image.fromarray(np.asarray(pixels))
    image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    image.save(file, format="png", optimize=True)
    return base64.b64encode(file.getvalue()).decode()


def card(name: str, frames: Frames, folder: Path, audit: dict, counts: Section) -> dict:
    """What the page says of one dataset; no pixels of data that may not be shown."""
    facts = frames.facts[name]
    phantom = frames.grid.study.datasets[name].phantom is not None
    allowed = phantom or frames.grid.study.report.show_credentialed
    hidden = facts.get("credentialed", True) and not allowed
    return {
        "name": name,
        "facts": facts,
        "counts": counts,
        "accounting": audit.get("accounting") or facts.get("accounting", []),
        "warnings": audit.get("warnings", []),
        "copies": audits.copies(audit),
        "metadata": audits.metadata(audit),
        "phantom": phantom,
        "hidden": hidden,
        "samples": []
        if hidden or not (folder / "pixels.npy").is_file()
        else samples(folder, facts),
    }


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
        svg = inline(path.read_text(), name)
        found[name] = {"svg": svg, "title": title, "caption": module.CAPTION}
    return found


def runs(cells: pd.DataFrame) -> list[dict]:
    """On which hardware and versions how many cells ran, and how long."""
    done = cells[cells["state"] == "done"].fillna({"hardware": "unknown", "versions": "unknown"})
    groups = done.groupby(["hardware", "versions"])
    return [
        {"hardware": hardware, "versions": versions, "cells": len(part)}
        | {"minutes": part["seconds"].sum() / 60, "speed": part["images_per_second"].median()}
        for (hardware, versions), part in groups
    ]


def commit() -> str:
    """The commit of the code, where it lies in a git repository."""
    asked = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        done = subprocess.run(asked, cwd=Path(__file__).parent, capture_output=True, text=True)
    except OSError:
        return ""
    return done.stdout.strip()


def page(**content) -> str:
    """The template, filled in."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("cxrgrid", ""),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template("report.html.j2").render(content)


def read_audits(frames: Frames, data: Path) -> dict[str, dict]:
    """The audits that there are."""
    paths = {name: data / name / "audit.json" for name in frames.facts}
    return {name: json.loads(path.read_text()) for name, path in paths.items() if path.is_file()}


def read_overlap(study: Path) -> list[str]:
    """Warnings on images that datasets of the study share."""
    path = study.parent / "overlap.json"
    return json.loads(path.read_text())["warnings"] if path.is_file() else []


def write(args, frames: Frames, leaderboard: pd.DataFrame, audited: dict, data: Path) -> None:
    """The page, from the files in the report's folder."""
    tables = {name: parse((args.report / f"{name}.md").read_text()) for name in TABLES}
    counts = {section.title: section for section in tables["datasets"]}
    cards = [
        card(name, frames, data / name, audited.get(name, {}), counts[name])
        for name in frames.facts
    ]
    study = frames.grid.study
    html = page(
        title=study.title or study.study,
        study=study,
        metric=frames.metric_name,
        findings=findings(frames, leaderboard, audited),
        overlap=read_overlap(args.study),
        glance=glance(leaderboard),
        cells=frames.cells,
        tables=tables,
        figures=figures(frames, args.report / "figures"),
        cards=cards,
        runs=runs(frames.cells),
        commit=commit(),
        config=json.dumps(frames.grid.config, indent=2),
    )
    args.out.write_text(html)


def headline(leaderboard: pd.DataFrame, metric: str) -> str:
    """The leaderboard in few columns, for a terminal."""
    shown = leaderboard[["dataset", "backbone", "init", "recipe"]].copy()
    numbers = leaderboard[["value", "low", "high"]].itertuples(index=False)
    shown[f"{metric} (95 % interval)"] = [number(*row) for row in numbers]
    shown["seeds"] = leaderboard["seeds"]
    return shown.to_string(index=False)


def main(argv: list[str] | None) -> None:
    """Write the page; or print what it would say first."""
    parser = command.parser("report", __doc__)
    parser.add_argument("study", type=Path, help="study.json")
    parser.add_argument("--report", type=Path, help="its tables and figures, if not in report/")
    parser.add_argument("--data", type=Path, help="results/data, if not beside the study")
    parser.add_argument("--out", type=Path, help="report.html, if not in report/")
    parser.add_argument("--headline", action="store_true", help="only print what was found")
    args = parser.parse_args(argv)
    args.report = args.report or args.study.parent / "report"
    args.out = args.out or args.report / "report.html"
    data = args.data or args.study.parent.parent / "data"
    frames = read(args.study, args.report, data)
    leaderboard, audited = read_csv(args.report / "leaderboard.csv"), read_audits(frames, data)
    if args.headline:
        print(headline(leaderboard, frames.metric), end="\n\n")
        print("\n".join(f"- {text}" for text in findings(frames, leaderboard, audited)))
        print(f"\nThe report: {args.out.resolve().as_uri()}")
    else:
        write(args, frames, leaderboard, audited, data)


if __name__ == "__main__":
    command.run(main)
