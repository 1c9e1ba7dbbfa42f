"""The reporting checklist of a study as Markdown, filled from its files where these say it.

Topics are those for which CLAIM 2024 (Tejani et al., Radiol Artif Intell 2024, 6:e240300),
TRIPOD+AI (Collins et al., BMJ 2024, 385:e078378), STARD-AI (Sounderajah et al., Nat Med 2025) and
Metrics Reloaded (Maier-Hein et al., Nat Methods 2024, 21:195-212) ask, in words of our own.
"""

from collections.abc import Iterator
from pathlib import Path

import jinja2
import pandas as pd

from cxrgrid.config.operating_points import rule
from cxrgrid.evaluation.wording import number, part, whole
from cxrgrid.io.parquet import read_parquet
from cxrgrid.reporting.dataset_cards import origin
from cxrgrid.reporting.label_counts import SPLITS
from cxrgrid.reporting.markdown import line, plain
from cxrgrid.reporting.results import Frames
from cxrgrid.reporting.sections import Table

INTERVALS = {
    "wilson": "Wilson intervals, moderated for the correlation of images of one patient",
    "percentile": "percentile intervals over resampled patients",
    "bca": "bias-corrected and accelerated intervals over resampled patients",
}
CALIBRATE = {
    "none": "Probabilities are not recalibrated.",
    "temperature": "Each label's log odds are divided by a number, fitted on validation images.",
    "platt": "Each label's log odds get an intercept and a slope, fitted on validation images.",
}
DEMOGRAPHICS = ("age", "sex", "view")
UNTOLD = {"terms": "not told", "task": "multilabel", "notes": []}
UNTOLD |= {"policy": {"notes": []}, "image": {}, "split": "", "split_hash": ""}  # older tables
PATIENTS = ("age, median (quartiles)", "female", "views, images")


def text(frames: Frames, audited: dict, tables: dict[str, Table], data: Path, about: dict) -> str:
    """The page. audited: audits by dataset; data: results/data; about: `runs`, `commit`
    and `question`, of when it was asked."""
    study = frames.grid.study
    loader = jinja2.PackageLoader("cxrgrid.reporting")
    environment = jinja2.Environment(
        loader=loader, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    points = ", ".join(rule(point) for point in study.report.operating_points)
    found = environment.get_template("checklist.md.j2").render(
        title=study.title or study.study,
        study=study,
        metric=frames.metric_name,
        datasets=[of_dataset(frames, name, audited.get(name, {}), data) for name in frames.facts],
        models=models(frames),
        trainings=trainings(frames),
        cells=part(int((frames.cells["state"] == "done").sum()), len(frames.cells)),
        points=points,
        calibrate=CALIBRATE[study.report.calibrate],
        intervals=INTERVALS[study.report.interval],
        results={name: rows_of(tables[name]) for name in sorted(tables) if tables[name].sections},
        effects=effects(frames),
        transfer=frames.grid.transfers,
        **about,
    )
    return found.rstrip() + "\n"


def of_dataset(frames: Frames, name: str, audit: dict, data: Path) -> dict:
    """Source, flow, missing data, splits and labels of a dataset, as its files say."""
    facts = UNTOLD | frames.facts[name]
    counts = frames.counts[frames.counts["dataset"] == name]
    aside = audit.get("aside", [])
    return {
        "name": name,
        "facts": facts,
        "origin": origin(name, frames),
        "phantom": frames.grid.study.datasets[name].phantom is not None,
        "flow": grid(["step", "images", "patients"], accounting(audit or facts)),
        "aside": f"{len(aside):,} unreadable images set aside" if aside else "no image unreadable",
        "missing": missing(data / name / "table.parquet"),
        "patients": grid(["split", *PATIENTS], patients(data / name / "table.parquet")),
        "splits": grid(["split", "images", "patients"], split_sizes(counts)),
        "labels": grid(["label", *(f"{s}: positive / known" for s in SPLITS)], by_label(counts)),
        "warnings": audit.get("warnings", []),
        "crossing": len(audit.get("patients_in_two_splits", {})),
        "published": audit.get("published", {}),
    }


def grid(header: list[str], rows: Iterator[list[str]]) -> str:
    """A Markdown table."""
    return "\n".join([line(header), line(["---"] * len(header)), *map(line, rows)])


def accounting(facts: dict) -> Iterator[list[str]]:
    """Images and patients after each step."""
    for step in facts.get("accounting", []):
        yield [step["step"], whole(step["images"]), whole(step["patients"])]


def split_sizes(counts: pd.DataFrame) -> Iterator[list[str]]:
    """Images and patients of each split."""
    for split, rows in counts.groupby("split", sort=False):
        yield [split, *(whole(rows[kind].max()) for kind in ("images", "patients"))]


def by_label(counts: pd.DataFrame) -> Iterator[list[str]]:
    """Positives of the known labels in each split, with their share; unknown ones are the rest."""
    for label, rows in counts.groupby("label", sort=False):
        cells = {row.split: row for row in rows.itertuples()}
        texts = []
        for split in SPLITS:
            row = cells[split]
            known = row.positives + row.negatives
            share = f" ({row.positives / known:.1%})" if known else ""
            unknown = f", {row.unknown:,} unknown" if row.unknown else ""
            texts.append(f"{row.positives:,} / {known:,}{share}{unknown}")
        yield [label, *texts]


def missing(path: Path) -> list[str]:
    """Images without age, sex or view, by split, as sentences."""
    if not path.is_file():
        return []
    table = read_parquet(path)[0]
    names = [name for name in DEMOGRAPHICS if name in table.column_names]
    frame = table.select(["split", *names]).to_pandas()
    found = []
    for name in names:
        absent = frame[name].isna().groupby(frame["split"]).sum()
        each = ", ".join(f"{absent.get(split, 0):,} in {split}" for split in SPLITS)
        found.append(
            f"{name} unknown for {each} images" if absent.sum() else f"{name} known for all"
        )
    return found


def patients(path: Path) -> Iterator[list[str]]:
    """Age, sex and views of each split's images, where they are known."""
    if not path.is_file():
        return
    table = read_parquet(path)[0]
    names = [name for name in ("split", *DEMOGRAPHICS) if name in table.column_names]
    frame = table.select(names).to_pandas().reindex(columns=["split", *DEMOGRAPHICS])
    for split in SPLITS:
        rows = frame[frame["split"] == split]
        ages, sexes = rows["age"].dropna(), rows["sex"].dropna()
        low, middle, high = ages.quantile([0.25, 0.5, 0.75]) if len(ages) else (float("nan"),) * 3
        age = f"{middle:.0f} ({low:.0f}–{high:.0f})" if len(ages) else "unknown"
        sex = f"{(sexes == 'F').mean():.0%}" if len(sexes) else "unknown"
        views = rows["view"].fillna("unknown").value_counts().items()
        yield [split, age, sex, ", ".join(f"{name} {count:,}" for name, count in views)]


def models(frames: Frames) -> str:
    """Backbones with their parameters, and how many cells each has."""
    known = frames.cells.dropna(subset="parameters")
    rows = known.groupby(["backbone", "init"], sort=False)["parameters"].agg(["first", "size"])
    texts = ([*key, whole(row["first"]), whole(row["size"])] for key, row in rows.iterrows())
    return grid(["backbone (timm)", "initial weights", "parameters", "trainings"], texts)


def trainings(frames: Frames) -> str:
    """Recipe settings that the study states, by recipe."""
    rows = (
        [name, "; ".join(f"{key} {value}" for key, value in settings.items()) or "defaults"]
        for name, settings in (frames.grid.study.recipes or {"default": {}}).items()
    )
    return grid(["recipe", "settings that differ from the defaults (docs/settings.md)"], rows)


def effects(frames: Frames) -> list[str]:
    """The sentences on the primary question, and how large a difference could have been shown."""
    rows = frames.effects[frames.effects["primary"].fillna(False).astype(bool)]
    found = []
    for row in rows.itertuples():
        size = f"a true difference of {number(row.detectable)}"
        least = size if row.detectable < 1 else "no true difference"
        power = f" Power: {least} is shown in 80 % of such studies."
        found.append(row.sentence + (power if pd.notna(row.detectable) else ""))
    return found


def rows_of(table: Table) -> str:
    """A table of the report with its sections and their notes below each other."""
    parts = []
    for section in table.sections:
        rule_line = line(["---:" if numeric else "---" for numeric in section.numeric])
        body = "\n".join([line(section.header), rule_line, *map(line, section.rows)])
        parts += [f"**{section.title}**\n\n{body}", *map(plain, section.notes)]
    return "\n\n".join([*parts, table.caption])
