"""A page a cell: what it scored, learnt and cost, and the command that runs it again."""

import functools
import re
from os.path import relpath
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
import msgspec
import pandas as pd

from cxrgrid.cluster.progress import Progress
from cxrgrid.config.cell import AXES, Cell, Point
from cxrgrid.evaluation.score_columns import with_fold
from cxrgrid.evaluation.wording import number, whole
from cxrgrid.io.atomic import write_text
from cxrgrid.io.parquet import read_parquet
from cxrgrid.reporting.doubts import overfitted
from cxrgrid.reporting.policy import secured
from cxrgrid.reporting.results import Frames
from cxrgrid.reporting.sections import Section, section
from cxrgrid.reporting.svg_charts import Chart, Line, chart

HOME = "index.html"  # the report's page as it lies beside the cells' pages
TAIL = 24  # lines of a log
PERCENT = re.compile(r"(?<=\d) %")
COST = {
    "parameters": "Parameters",
    "trainable": "of which trainable",
    "multiply_adds": "Multiply-adds per image",
    "total_seconds": "Wall time (s)",
    "gpu_hours": "GPU-hours (h)",
    "images_per_second": "Training speed (images/s, median)",
    "peak_host_mb": "Peak memory of the process (MB)",
    "peak_device_mb": "Peak memory on the GPU (MB)",
    "energy_kwh": "Energy of the GPU (kWh)",
}
CURVES = {
    "roc": ("ROC", "1 − specificity", "sensitivity"),
    "pr": ("precision-recall", "recall", "precision"),
    "reliability": ("reliability", "mean score", "share of positives"),
}


@functools.cache
def environment() -> jinja2.Environment:
    """Environment of the templates: values are escaped, missing ones are errors."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader("cxrgrid.reporting"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        finalize=unbroken,
    )


def unbroken(value: Any) -> Any:
    """A text in which no line ends between a number and its %."""
    return type(value)(PERCENT.sub("\u00a0%", value)) if isinstance(value, str) else value


def address(axes: dict) -> str:
    """Path of a cell's page, relative to the report's folder. axes: AXES."""
    where = Point(*(axes[axis] for axis in AXES)).path()
    return f"cells/{quote(where)}.html"


def write(
    frames: Frames, study: Path, out: Path, labels: dict[str, Section], galleries: dict
) -> None:
    """Write all pages.

    study: the study's folder; out: the report's; labels: each page's rows of the table `labels`;
    galleries: each cell's gallery, from `galleries.read`.
    """
    template = environment().get_template("cell.html.j2")
    history = split(frames.history)
    points = split(frames.curves)
    thresholds = split(read_thresholds(frames, study))
    rows = {key(row): row for row in frames.cells.to_dict("records")}
    for cell in frames.grid.cells:
        axes = tuple(cell.axes().values())
        html = template.render(
            study=frames.grid.study,
            cell=cell,
            title=cell.path(),
            home=relpath(HOME, str(Path(cell.path()).parent)),
            row=rows[axes],
            folds=len(frames.grid.folds[cell.dataset]),
            others=siblings(cell, frames.grid.cells),
            learning=learning(history.get(axes)),
            overfitted=axes in history and overfitted(history[axes]),
            labels=labels.get(address(rows[axes])),
            gallery=galleries.get(axes),
            metric=frames.metric_name,
            charts=of_labels(points.get(axes)),
            thresholds=thresholds_table(thresholds.get(axes)),
            cost=cost(rows[axes]),
            settings=msgspec.to_builtins(cell),
            log=tail(study / "cells" / cell.path() / "train.log"),
            rerun=Progress(cell, "").rerun.replace(" --configfile", " --force --configfile"),
        )
        path = out / "cells" / f"{cell.path()}.html"
        write_text(path, secured(html))


def key(row: dict) -> tuple:
    """The coordinates of a row's cell."""
    return tuple(row[axis] for axis in AXES)


def split(frame: pd.DataFrame) -> dict[tuple, pd.DataFrame]:
    """{cell: its rows}."""
    return dict(iter(frame.groupby(AXES, sort=False)))


def siblings(cell: Cell, cells: list[Cell]) -> list[tuple[str, str]]:
    """The other replicates of the configuration, as (text, address from the page itself)."""
    same = [other for other in cells if other.configuration() == cell.configuration()]
    folds = len({other.fold for other in same}) > 1
    return [
        (
            f"fold {other.fold}, seed {other.seed}" if folds else f"seed {other.seed}",
            quote(relpath(f"{other.path()}.html", str(Path(cell.path()).parent))),
        )
        for other in same
        if other != cell
    ]


def learning(history: pd.DataFrame | None) -> list[Chart]:
    """Charts of loss and monitored metric over epochs."""
    if history is None:
        return []
    x = history["epoch"].astype(float).tolist()
    best = history["best"].astype(bool).to_numpy().nonzero()[0]
    mark = int(best[-1]) if len(best) else None
    train, val = (history[name].astype(float).tolist() for name in ("train_loss", "val_loss"))
    losses = [Line("training", x, train, "5 3"), Line("validation", x, val, mark=mark)]
    name = f"validation {history['monitor'].iloc[0]}"
    monitored = [Line(name, x, history["monitored"].astype(float).tolist(), mark=mark)]
    drawn = [chart("loss", "epoch", "loss", losses), chart(name, "epoch", name, monitored)]
    return [one for one in drawn if one]


def of_labels(points: pd.DataFrame | None) -> list[Chart]:
    """Charts of ROC, precision-recall and reliability of each label, in this order."""
    drawn = []
    for label, own in points.groupby("label", sort=False) if points is not None else []:
        for curve, (name, across, up) in CURVES.items():
            part = own[own["curve"] == curve]
            line = Line(label, part["x"].tolist(), part["y"].tolist())
            drawn.append(chart(f"{label}: {name}", across, up, [line], unit=True))
    return [one for one in drawn if one]


def read_thresholds(frames: Frames, study: Path) -> pd.DataFrame:
    """The thresholds of all cells on their own test images."""
    paths = [study / "thresholds" / f"{target}.parquet" for target in frames.grid.targets()]
    read = [with_fold(read_parquet(path)[0]).to_pandas() for path in paths if path.is_file()]
    found = pd.concat([pd.DataFrame(columns=[*AXES, "target", "intercept", "assurance"]), *read])
    # Files made before recalibration had an intercept do not name it.
    found["intercept"] = pd.to_numeric(found["intercept"]).fillna(0.0)
    return found[found["target"] == found["dataset"]]


def thresholds_table(thresholds: pd.DataFrame | None) -> Section | None:
    """Thresholds by label and operating point; None if there are none."""
    if thresholds is None or thresholds.empty:
        return None
    shown = thresholds[["label"]].copy()
    shown["operating point"] = thresholds["threshold_rule"]
    shown["threshold"] = thresholds["threshold"].map(number)
    shown["temperature"] = thresholds["temperature"].map(number)
    shown["intercept"] = thresholds["intercept"].map(number)
    if thresholds["assurance"].notna().any():
        shown["chance that new patients reach the target"] = thresholds["assurance"].map(number)
    shown["note"] = thresholds["reason"].fillna("")
    return section("Thresholds", shown, ["label", "operating point", "note"], [])


def cost(row: dict) -> list[tuple[str, str]]:
    """Known costs of a cell, as (name, value)."""
    found = [(name, pd.to_numeric(row.get(column), "coerce")) for column, name in COST.items()]
    return [
        (name, whole(value) if value >= 100 else f"{value:.3g}")
        for name, value in found
        if pd.notna(value)
    ]


def tail(log: Path) -> str:
    """The last lines of a log; empty if there is no log."""
    if not log.is_file():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 16_384))
        text = file.read().decode(errors="replace")
    # A progress bar rewrites its line; what it says last counts.
    lines = [line.rpartition("\r")[2] for line in text.rstrip().split("\n")]
    return "\n".join(lines[-TAIL:])
