"""Headline metric against model size and time, with the Pareto front."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from cxrgrid.config.cell import CONFIGURATION
from cxrgrid.reporting import figure_style
from cxrgrid.reporting.results import Frames

PART = "cost"
CAPTION = (
    "Headline metric against the cost of a configuration, means over seeds. Bar: 95 % interval. "
    "Stepped line: the Pareto front, whose configurations are named. n: configurations with a "
    "score and a cost."
)
METHOD = (
    "Cost: parameters, multiply-adds per image (convolutions and matrix products), wall time and "
    "GPU-hours per cell; times are comparable on equal hardware only. The Pareto front holds the "
    "configurations that no other beats at the same or a lower cost."
)
COSTS = {
    "parameters": ("parameters (millions)", 1e6),
    "multiply_adds": ("multiply-adds per image (millions)", 1e6),
    "total_seconds": ("wall time per cell (min)", 60),
    "gpu_hours": ("GPU-hours per cell (h)", 1),
}
MARKS = "os^vD<>Xp*hd"


def draw(frames: Frames) -> Figure:
    """Draw one row per dataset, one column per cost; colours are inits, marks are backbones."""
    configurations = table(frames)
    costs = [name for name in COSTS if (configurations[name] > 0).any()] or ["parameters"]
    colour, datasets = figure_style.colours(frames.cells["init"]), frames.grid.shown()
    backbones = list(dict.fromkeys(frames.cells["backbone"]))
    marks = {name: MARKS[at % len(MARKS)] for at, name in enumerate(backbones)}
    figure, grid = figure_style.panels(len(datasets), len(costs), 3.3, 2.6, sharey="row")
    for row, dataset in zip(grid, datasets, strict=True):
        for axes, cost in zip(row, costs, strict=True):
            here = configurations[
                (configurations["dataset"] == dataset) & (configurations[cost] > 0)
            ]
            panel(axes, here.sort_values([cost, "value"]), cost, colour, marks)
            figure_style.title(axes, dataset, f"n = {len(here)} configurations")
        row[0].set_ylabel(frames.metric_name)
    few = len(backbones) <= len(MARKS)
    shapes = [
        Line2D([], [], color=figure_style.QUIET, marker=marks[name], linestyle="", label=name)
        for name in backbones
        if few
    ]
    figure_style.legend(figure, [*figure_style.dots(colour), *shapes])
    return figure


def table(frames: Frames) -> pd.DataFrame:
    """One row per scored configuration: value, interval and costs, means over seeds."""
    cells = frames.headline()
    cells = cells.assign(**{name: pd.to_numeric(cells[name], "coerce") for name in COSTS})
    means = cells.groupby(CONFIGURATION, sort=False)[["value", *COSTS]].mean().reset_index()
    return means.merge(frames.ends(), on=CONFIGURATION).dropna(subset="value")


def front(configurations: pd.DataFrame, cost: str) -> pd.DataFrame:
    """Configurations on the Pareto front, by rising cost."""
    configurations = configurations.sort_values(
        [cost, "value"], ascending=[True, False], kind="stable"
    )
    before = configurations["value"].cummax().shift(fill_value=float("-inf"))
    return configurations[configurations["value"] > before]


def panel(axes: Axes, configurations: pd.DataFrame, cost: str, colour: dict, marks: dict) -> None:
    """Draw one dataset and cost."""
    name, unit = COSTS[cost]
    axes.set_xlabel(name)
    if configurations.empty:
        return
    axes.set_xscale("log")
    best = front(configurations, cost)
    axes.step([*best[cost] / unit, configurations[cost].max() / unit],
              [*best["value"], best["value"].iloc[-1]],
              where="post", color=figure_style.QUIET, linewidth=1, zorder=1)  # fmt: skip
    for row in configurations.to_dict("records"):
        x, shade = row[cost] / unit, colour.get(row["init"], figure_style.QUIET)
        axes.vlines(x, row["low"], row["high"], color=shade, linewidth=1, alpha=0.5)
        axes.plot(x, row["value"], marks[row["backbone"]], color=shade, markersize=5.5,
                  markeredgecolor="white")  # fmt: skip
    for row in best.drop_duplicates("backbone", keep="last").to_dict("records"):
        axes.annotate(row["backbone"], (row[cost] / unit, row["value"]), (4, 4),
                      textcoords="offset points", fontsize=7.5)  # fmt: skip
    axes.margins(x=0.25)
    figure_style.plain_log(axes, configurations[cost] / unit)
