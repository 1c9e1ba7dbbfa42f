"""Headline metric by subgroup, of the chosen configuration of each init."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cxrgrid.config.cell import AXES, CONFIGURATION
from cxrgrid.reporting import figure_style
from cxrgrid.reporting.results import Frames

PART = "subgroups"
BETWEEN = ("gap:", "homogeneity:", "worst:")  # rows that are no group
CAPTION = (
    "Mean over labels with 95 % intervals over patients; first seed of the chosen configuration "
    "of each init. n: test images of the subgroup. Overlapping intervals do not show that two "
    "groups are equal."
)


def draw(frames: Frames) -> Figure:
    """Draw one panel per dataset, one row per subgroup; colours are inits."""
    rows = table(frames)
    datasets, colour = frames.grid.shown(), figure_style.colours(frames.cells["init"])
    parts = [rows[rows["dataset"] == name] for name in datasets]
    heights = [0.9 + 0.34 * max(1, part["subset"].nunique()) for part in parts]
    figure, grid = figure_style.panels(
        len(datasets), 1, 6.4, sum(heights) / len(heights), gridspec_kw={"height_ratios": heights}
    )
    for axes, part, dataset in zip(grid.flat, parts, datasets, strict=True):
        panel(axes, part, colour)
        axes.set_xlabel(f"{frames.metric_name}, mean over labels")
        figure_style.title(axes, dataset, "" if len(part) else "no subgroup is scored")
    figure_style.legend(figure, figure_style.dots(colour))
    return figure


def table(frames: Frames) -> pd.DataFrame:
    """Headline metric of all test images and their subgroups: first seed of `best`."""
    cells = frames.headline().dropna(subset="value").drop_duplicates(CONFIGURATION)
    best = frames.best()[CONFIGURATION].merge(cells[AXES], on=CONFIGURATION)
    rows = best.merge(frames.metrics, on=AXES)
    macro = (rows["metric"] == frames.metric) & (rows["target"] == rows["dataset"])
    macro &= rows["label"].isin(["macro", "all"]) & ~rows["subset"].str.startswith(BETWEEN)
    rows = rows[macro].drop_duplicates([*AXES, "subset"])
    parts = rows.groupby("dataset")["subset"].transform("nunique") > 1
    return rows[parts]


def panel(axes: Axes, rows: pd.DataFrame, colour: dict) -> None:
    """Draw one dataset, all test images on top."""
    subsets = sorted(rows["subset"].unique(), key=lambda name: (name != "all", name))
    inits = [name for name in colour if name in set(rows["init"])]
    sizes = rows.groupby("subset")["n"].max()
    names = [f"{'all' if name == 'all' else name} (n = {sizes[name]:,.0f})" for name in subsets]
    figure_style.name_rows(axes, names)
    for row in rows.itertuples():
        y = subsets.index(row.subset) + figure_style.offsets(len(inits))[inits.index(row.init)]
        axes.hlines(y, row.low, row.high, color=colour[row.init], linewidth=1.6)
        axes.plot(row.value, y, "o", color=colour[row.init], markersize=5.5,
                  markeredgecolor="white")  # fmt: skip
