"""Headline metric of every configuration on its dataset's test images."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from cxrgrid.config.cell import CONFIGURATION
from cxrgrid.evaluation.wording import many
from cxrgrid.reporting import figure_style
from cxrgrid.reporting.results import Frames

PART = "leaderboard"
CAPTION = (
    "Mean over labels, on test images; of a search, the level chosen on validation images. "
    "Dot: mean over seeds; rings: seeds; bar: 95 % interval over patients and, if there are "
    "several, seeds. n: test images."
)


def draw(frames: Frames) -> Figure:
    """Draw one panel per dataset, one row per backbone and recipe; colours are inits."""
    ends = frames.ends().rename(columns={"low": "from", "high": "to"})
    cells = frames.entered().merge(ends, on=CONFIGURATION)
    cells["recipe"] = cells["entry"]
    colour = figure_style.colours(cells["init"])
    datasets = frames.grid.shown()
    rows, columns = figure_style.wrap(len(datasets), 2)
    most = max(len(configurations(part)) for _, part in cells.groupby("dataset"))
    height = 1.1 + most * max(0.4, 0.16 * len(colour))
    figure, grid = figure_style.panels(rows, columns, 4.8, height, sharex=True)
    for axes, dataset in zip(grid.flat, datasets, strict=False):
        folds = frames.facts.get(dataset, {}).get("folds", 1)
        panel(axes, cells[cells["dataset"] == dataset], colour, folds)
        axes.set_xlabel(f"{frames.metric_name}, mean over labels")
        axes.tick_params(labelbottom=True)
    for axes in grid.flat[len(datasets) :]:
        axes.set_axis_off()
    missing = Line2D([], [], color=figure_style.QUIET, marker="x", linestyle="", label="missing")
    some = cells["value"].isna().any()
    figure_style.legend(figure, [*figure_style.dots(colour), *([missing] if some else [])])
    return figure


def configurations(cells: pd.DataFrame) -> list[tuple[str, str]]:
    """Names of backbones with their recipes, in the order of the study."""
    return list(dict.fromkeys(zip(cells["backbone"], cells["recipe"], strict=True)))


def panel(axes: Axes, cells: pd.DataFrame, colour: dict[str, tuple], folds: int) -> None:
    """Draw one dataset; folds: of its cross-validation, or 1."""
    inits = [name for name in colour if name in set(cells["init"])]
    rows = configurations(cells)
    several = len({recipe for _, recipe in rows}) > 1
    figure_style.name_rows(
        axes, [f"{name} · {recipe}" if several else name for name, recipe in rows]
    )
    for at, (backbone, recipe) in enumerate(rows):
        here = cells[(cells["backbone"] == backbone) & (cells["recipe"] == recipe)]
        for offset, init in zip(figure_style.offsets(len(inits)), inits, strict=True):
            dot(axes, at + offset, here[here["init"] == init], colour[init])
    n = cells["n"].max()
    parts = [f"{folds} folds"] if folds > 1 else []
    parts += [many(cells["seed"].nunique(), "seed")]
    note = "no scores yet" if pd.isna(n) else ", ".join([f"n = {n:,.0f}", *parts])
    figure_style.title(axes, cells["dataset"].iloc[0], note)


def dot(axes: Axes, y: float, seeds: pd.DataFrame, colour: tuple) -> None:
    """Draw the seeds of one configuration; a cross at the left edge if some are missing."""
    scored = seeds.dropna(subset="value")
    if len(scored) < len(seeds):
        left = axes.get_yaxis_transform()
        axes.plot(0.015, y, "x", color=colour, transform=left, markersize=4.5, clip_on=False)
    if scored.empty:
        return
    axes.hlines(y, scored["from"].iloc[0], scored["to"].iloc[0], color=colour, linewidth=1.6)
    if len(scored) > 1:
        ring = {"markerfacecolor": "white", "markersize": 3.6, "markeredgewidth": 1}
        axes.plot(scored["value"], [y] * len(scored), "o", color=colour, **ring)
    axes.plot(scored["value"].mean(), y, "o", color=colour, markersize=6, markeredgecolor="white")
