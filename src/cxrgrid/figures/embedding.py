"""t-SNE of the test images' features."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from cxrgrid.config.cell import CONFIGURATION
from cxrgrid.reporting import figure_style
from cxrgrid.reporting.results import Frames

PART = "explanations"
CAPTION = (
    "Chosen explained configuration of each dataset, coloured by finding (several; none), view "
    "and source, where known. Axes have no unit; distances between groups have no meaning. n: test "
    "images, a sample of 800 if there are more."
)
METHOD = (
    "Embedding: t-SNE (fixed seed) of the features at the classifier's input; images with similar "
    "features lie near each other."
)
POINTS = 800
COLUMNS = ("finding", "view", "source")
# Paul Tol's muted scheme, safe for the colour-blind; inits have other colours.
PALETTE = ("#332288", "#cc6677", "#44aa99", "#ddcc77", "#88ccee", "#882255", "#117733", "#999933")
GREY = {"several": "#555555", "other": "#888888", "none": "#c4c4c4", "unknown": "#dddddd"}


def draw(frames: Frames) -> Figure:
    """Draw one row per dataset and one column per property that colours the points."""
    shown = {name: best(frames, name) for name in frames.grid.shown()}
    lenders = frames.grid.sources()  # of weights: often not explained, and no result
    shown = {name: one for name, one in shown.items() if one[0] or name not in lenders}
    told = [name for name in COLUMNS[1:] if any(tells(part, name) for _, part in shown.values())]
    columns = ["finding", *told]
    colours = {
        name: palette([part[name].dropna() for _, part in shown.values()]) for name in columns
    }
    figure, grid = figure_style.panels(max(len(shown), 1), len(columns), 3.8, 3.6)
    for axes in grid.flat:
        axes.set_axis_off()
    for row, (dataset, (cell, part)) in zip(grid, shown.items(), strict=False):
        if part.empty:
            figure_style.title(row[0], dataset, "no cell is explained")
            continue
        for axes, column in zip(row, columns, strict=True):
            if column != "finding" and not tells(part, column):
                continue
            panel(axes, part, column, colours[column])
            configuration = f"{cell['backbone']} · {cell['init']}, n = {len(part):,} images"
            figure_style.title(
                axes, dataset, configuration if column == "finding" else f"by {column}"
            )
    return figure


def best(frames: Frames, dataset: str) -> tuple[dict, pd.DataFrame]:
    """The explained cell of a dataset that is shown, and its points; None if there is none."""
    configurations = frames.best()
    configurations = configurations[configurations["dataset"] == dataset].sort_values("place")
    found = configurations[CONFIGURATION].merge(frames.embeddings, on=CONFIGURATION)
    rest = frames.embeddings[frames.embeddings["dataset"] == dataset]
    found = found if len(found) else rest
    if found.empty:
        return {}, found
    first = found.iloc[0]
    here = (found[[*CONFIGURATION, "seed"]] == first[[*CONFIGURATION, "seed"]]).all(axis=1)
    return first.to_dict(), found[here]


def tells(part: pd.DataFrame, column: str) -> bool:
    """True if a column has more than one value."""
    return part[column].nunique() > 1


def panel(axes: Axes, part: pd.DataFrame, column: str, colours: dict[str, str]) -> None:
    """Draw the images of one dataset, coloured by one column; grey values lie below the others."""
    values = part[column].fillna("unknown")
    named: dict[str, str] = {}
    for name in frequent(values):
        # Two names may have got one colour where they did not meet: here the rarer is grey.
        if name in colours and colours[name] not in named.values():
            named[name] = colours[name]
    colours = dict(sorted(named.items())) | GREY
    values = values.where(values.isin(colours), "other")
    some = np.linspace(0, len(part) - 1, min(POINTS, len(part))).astype(int)
    order = sorted(colours, key=lambda name: (name not in GREY, name))
    for name in order:
        here = part.iloc[some][(values == name).to_numpy()[some]]
        axes.scatter(here["x"], here["y"], s=16, c=[colours[name]], edgecolors="white",
                     linewidths=0.4)  # fmt: skip
    axes.set_axis_on()
    axes.set(xticks=[], yticks=[], xlabel="", ylabel="")
    axes.set_aspect("equal", "datalim")
    marks = [
        Line2D([], [], color=colour, marker="o", linestyle="", markersize=5, label=name)
        for name, colour in colours.items()
        if (values == name).any()
    ]
    axes.legend(handles=marks, loc="upper left", bbox_to_anchor=(0, 0), ncols=3, fontsize=7.5,
                handletextpad=0.1, columnspacing=0.8, borderaxespad=0.3)  # fmt: skip


def palette(several: list[pd.Series]) -> dict[str, str]:
    """{value: colour}, the same in all panels: hues for the most frequent, greys for the rest."""
    colours: dict[str, str] = {}
    for values in several:
        names = sorted(frequent(values))
        used = {colours[name] for name in names if name in colours}
        free = [colour for colour in PALETTE if colour not in used]
        new = [name for name in names if name not in colours]
        colours |= dict(zip(new, free, strict=False))
    return colours


def frequent(values: pd.Series) -> list[str]:
    """Values with a colour of their own in a panel."""
    return [name for name in values.value_counts().index if name not in GREY][: len(PALETTE)]
