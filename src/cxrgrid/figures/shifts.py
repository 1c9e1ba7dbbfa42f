"""Performance under changes of the test images."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cxrgrid.comparison.effect_rows import primary_metric
from cxrgrid.config.cell import CONFIGURATION
from cxrgrid.config.shifted_cells import Shifted
from cxrgrid.config.shifts import STRENGTHS
from cxrgrid.reporting import figure_style
from cxrgrid.reporting.results import NAMES, Frames
from cxrgrid.tables.shifts import build

PART = "shifts"
CAPTION = (
    "Configuration of each init with the highest validation value, on test images under each "
    "change. Line: mean over labels and seeds; bar: 95 % interval of the difference from unchanged "
    "images of the same patients."
)


def draw(frames: Frames) -> Figure:
    """Draw one row per dataset and one column per change; colours are inits."""
    rows, names = build(frames), Shifted(frames.grid).names
    rows = rows[(rows["metric"] == primary_metric(frames.grid)) & (rows["label"] == "macro")]
    rows = rows.merge(frames.best()[CONFIGURATION], on=CONFIGURATION)
    if rows.empty:
        text = "No cell has met changed images (`report.shifts`) of:"
        return figure_style.sentence(text, frames.grid.tested())
    places = [(data, name) for data in dict.fromkeys(rows["dataset"]) for name in names]
    lines, columns = figure_style.wrap(len(names), 5)
    deep = rows["dataset"].nunique()
    figure, grid = figure_style.panels(deep * lines, columns, 1.75, 1.6, sharey="row")
    colour = figure_style.colours(frames.cells["init"])
    for axes in grid.flat:
        axes.set_axis_off()
    for at, (dataset, name) in enumerate(places):
        block, place = divmod(at, len(names))
        axes = grid[block * lines + place // columns, place % columns]
        axes.set_axis_on()
        part = rows[(rows["dataset"] == dataset) & (rows["change"] == name)]
        panel(axes, part, colour)
        figure_style.title(axes, name, dataset if deep > 1 else "")
        if place % columns == 0:
            axes.set_ylabel(NAMES[primary_metric(frames.grid)])
    used = {init: colour[init] for init in colour if init in set(rows["init"])}
    figure_style.legend(figure, figure_style.lines(used))
    return figure


def panel(axes: Axes, part: pd.DataFrame, colour: dict) -> None:
    """Draw one change: a line per init over the strengths, from the unchanged images on."""
    inits = list(dict.fromkeys(part["init"]))
    for shift, init in zip(figure_style.offsets(len(inits)) / 2, inits, strict=True):
        own = part[part["init"] == init].set_index("strength").loc[list(STRENGTHS)]
        x = np.arange(len(STRENGTHS) + 1) + shift
        y = np.append(own["unchanged"].iloc[0], own["value"])
        axes.plot(x, y, color=colour[init], linewidth=1.2, marker="o", markersize=3)
        below, above = own["difference"] - own["low"], own["high"] - own["difference"]
        known = below.notna().to_numpy()
        ends = np.array([below, above])[:, known]
        axes.errorbar(x[1:][known], y[1:][known], ends, fmt="none", ecolor=colour[init],
                      elinewidth=0.9)  # fmt: skip
    axes.set_xticks(range(len(STRENGTHS) + 1), ["none", *STRENGTHS], rotation=35, ha="right",
                    fontsize=7.5)  # fmt: skip
