"""One style for all figures: type, colours, panels. An init has one colour everywhere."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

RC = {
    "axes.axisbelow": True,
    "axes.edgecolor": "#888888",
    "axes.grid": True,
    "axes.labelcolor": "#333333",
    "axes.labelsize": 9,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.h_pad": 0.08,
    "figure.constrained_layout.w_pad": 0.08,
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.7,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "cxrgrid",
    "text.color": "#222222",
    "xtick.color": "#666666",
    "xtick.labelcolor": "#333333",
    "xtick.labelsize": 8.5,
    "ytick.color": "#666666",
    "ytick.labelcolor": "#333333",
    "ytick.labelsize": 8.5,
}
QUIET = "#8a8a8a"
SPLITS = {"train": "#40566b", "val": "#8ba3b8", "test": "#ccd8e2"}


def colours(inits: Iterable[str]) -> dict[str, tuple]:
    """Colour-blind-safe: blue is scratch, then orange, green, … in the order of the study."""
    names = ["scratch", *(name for name in dict.fromkeys(inits) if name != "scratch")]
    return dict(zip(names, sns.color_palette("colorblind", len(names)), strict=True))


def panels(rows: int, columns: int, width: float, height: float, **share) -> tuple:
    """A figure and its axes [rows, columns]; width and height of one panel in inches.

    A narrow figure keeps a minimum width, so that its legend and labels have room.
    """
    figure = Figure(figsize=(max(columns * width, 4.2), rows * height + 0.55))
    return figure, figure.subplots(rows, columns, squeeze=False, **share)


def wrap(count: int, columns: int) -> tuple[int, int]:
    """Rows and columns that hold `count` panels, at most `columns` beside each other."""
    columns = min(count, columns)
    return -(-count // columns), columns


def title(axes: Axes, name: str, note: str = "") -> None:
    """What a panel shows, and on how many."""
    axes.set_title(name)
    if note:
        axes.annotate(
            note, (1, 1), (0, 4), "axes fraction", "offset points", ha="right", va="bottom",
            fontsize=8, color=QUIET,
        )  # fmt: skip


def subtitle(axes: Axes, name: str, below: str) -> None:
    """What a narrow panel shows, on two lines."""
    axes.set_title(name, pad=17)
    axes.annotate(below, (0, 1), (0, 5), "axes fraction", "offset points", fontsize=8.5)


def legend(figure: Figure, handles: list[Line2D]) -> None:
    """One legend above all panels."""
    figure.legend(handles=handles, loc="outside upper left", ncols=min(len(handles), 5))


def dots(colour: dict[str, tuple]) -> list[Line2D]:
    """Legend entries for inits drawn as dots."""
    mark = {"marker": "o", "linestyle": "", "markersize": 6}
    return [Line2D([], [], color=value, label=name, **mark) for name, value in colour.items()]


def lines(colour: dict[str, tuple]) -> list[Line2D]:
    """Legend entries for inits drawn as lines."""
    return [Line2D([], [], color=value, label=name) for name, value in colour.items()]


def offsets(count: int) -> np.ndarray:
    """Where `count` marks stand around their common tick."""
    return (np.arange(count) - (count - 1) / 2) * min(0.26, 0.8 / count)


def name_rows(axes: Axes, names: list[str]) -> None:
    """Name the ticks of a panel whose rows are categories, the first on top."""
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.45, -0.55)
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)


def epochs(cells: pd.DataFrame, history: pd.DataFrame, columns: dict, label: str) -> Figure:
    """Columns of the history over epochs: a row a dataset (and recipe), a column a backbone.

    columns: {column: (name in the legend, dashes)}; the last one carries the dot at the best epoch.
    """
    colour = colours(cells["init"])
    cells, history = named(cells), named(history)
    rows, backbones = list(dict.fromkeys(cells["row"])), list(dict.fromkeys(cells["backbone"]))
    width = 3.0 if len(backbones) > 2 else 4.6
    figure, grid = panels(len(rows), len(backbones), width, 2.3, sharex="row", sharey="row")
    for at, row in enumerate(rows):
        for axes, backbone in zip(grid[at], backbones, strict=True):
            here = (cells["row"] == row) & (cells["backbone"] == backbone)
            there = (history["row"] == row) & (history["backbone"] == backbone)
            epoch_panel(axes, history[there], columns, colour)
            done = (cells[here]["state"] == "done").sum()
            note = f"{done} of {here.sum()} cells" if here.any() else "not in the study"
            axes.set_xlabel(f"epoch ({note})")
            subtitle(axes, row, backbone)
        grid[at][0].set_ylabel(label)
    dashes = [Line2D([], [], color=QUIET, dashes=d or (None, None), label=name)
              for name, d in columns.values()]  # fmt: skip
    legend(figure, [*lines(colour), *(dashes if len(dashes) > 1 else [])])
    return figure


def named(frame: pd.DataFrame) -> pd.DataFrame:
    """With the name of the row of panels: the dataset, and the recipe where it has several."""
    several = frame.groupby("dataset")["recipe"].transform("nunique") > 1
    row = frame["dataset"].where(~several, frame["dataset"] + ", " + frame["recipe"])
    return frame.assign(row=row)


def epoch_panel(axes: Axes, history: pd.DataFrame, columns: dict, colour: dict) -> None:
    """The cells of one dataset and backbone."""
    axes.set(xlabel="epoch", ylabel="")
    if history.empty:
        return
    for column, (_, dashes) in columns.items():
        sns.lineplot(
            history, x="epoch", y=column, hue="init", palette=colour, ax=axes, legend=False,
            errorbar=lambda seeds: (seeds.min(), seeds.max()), linewidth=1.5,
            dashes=dashes or (None, None), err_kws={"alpha": 0.15, "linewidth": 0},
        )  # fmt: skip
    best = history[history["best"].astype(bool)]
    axes.scatter(best["epoch"], best[column], s=22, c=[colour[name] for name in best["init"]],
                 edgecolors="white", linewidths=0.7, zorder=3)  # fmt: skip
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))
    axes.set_ylabel("")
