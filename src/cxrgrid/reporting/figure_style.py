"""One style for all figures: type, colours, panels. An init has one colour everywhere."""

import textwrap
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import matplotlib
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.ticker import LogFormatter

from cxrgrid.config.cell import CONFIGURATION, REPLICATES
from cxrgrid.reporting.results import Frames

LETTERS = 12  # of a legend's text that fit in an inch
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
    "pdf.fonttype": 42,
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


@contextmanager
def applied() -> Iterator[None]:
    """Context in which matplotlib draws in this style, whatever the user's matplotlibrc says."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(RC)
        yield


def as_plain_text(figure: Figure) -> Figure:
    """The figure with each $ of its words as it is; powers of ten on log axes stay formulas."""
    powers = set()
    for panel in figure.axes:
        for axis in (panel.xaxis, panel.yaxis):
            if isinstance(axis.get_major_formatter(), LogFormatter):
                powers |= set(axis.findobj(Text)) - {axis.label}
    for text in set(figure.findobj(Text)) - powers:
        text.set_parse_math(False)
    return figure


def shorten_names(figure: Figure, names: Iterable[str]) -> Figure:
    """The figure with the middle of long names left out, which would leave no room for panels."""
    long = sorted((name for name in names if len(name) > LONGEST), key=len, reverse=True)

    def shortened(words: str) -> str:
        for name in long:
            words = words.replace(name, f"{name[:16]}…{name[-9:]}")
        return words

    for text in figure.findobj(Text) if long else ():
        text.set_text(shortened(text.get_text()))
    for panel in figure.axes if long else ():
        for axis in (panel.xaxis, panel.yaxis):
            shown = [text.get_text() for text in axis.get_ticklabels()]
            if any(shortened(words) != words for words in shown):
                axis.set_ticklabels(map(shortened, shown))
    return figure


LONGEST = 48  # letters of a name; no label of a publisher is longer
QUIET = "#767676"  # 4.5:1 on white
INK = "#222222"
SPLITS = {"train": "#40566b", "val": "#8ba3b8", "test": "#ccd8e2"}


def colours(inits: Iterable[str]) -> dict[str, tuple]:
    """Colour-blind-safe: blue is scratch, then orange, green, … in the order of the study."""
    names = ["scratch", *(name for name in dict.fromkeys(inits) if name != "scratch")]
    return dict(zip(names, sns.color_palette("colorblind", len(names)), strict=True))


def panels(rows: int, columns: int, width: float, height: float, **share) -> tuple:
    """A figure and its axes [rows, columns]; width, height: of one panel, in inches.

    A narrow figure keeps a minimum width, so that its legend and labels have room.
    """
    figure = Figure(figsize=(max(columns * width, 4.2), rows * height + 0.55))
    return figure, figure.subplots(rows, columns, squeeze=False, **share)


def sentence(text: str, names: Iterable[str]) -> Figure:
    """A figure that says why there is nothing to draw, with a line per name."""
    figure, grid = panels(1, 1, 6.4, 0.8)
    axes = grid[0, 0]
    axes.set_axis_off()
    for at, line in enumerate([text, *names]):
        axes.text(0, 1 - 0.16 * at, line, transform=axes.transAxes, va="top", fontsize=8.5)
    return figure


def wrap(count: int, columns: int) -> tuple[int, int]:
    """(rows, columns) for `count` panels, with at most `columns` columns."""
    columns = min(count, columns)
    return -(-count // columns), columns


def title(axes: Axes, name: str, below: str = "") -> None:
    """Set a panel's title, and below it, since there may be no room beside it, lines of n."""
    if not below:
        axes.set_title(name)
        return
    axes.set_title(name, pad=17 + 11 * below.count("\n"))
    axes.annotate(below, (0, 1), (0, 5), "axes fraction", "offset points", fontsize=8.5)


def legend(figure: Figure, handles: list[Line2D]) -> None:
    """One legend above all panels, in as many columns as fit; many lines make it higher."""
    letters = int(LETTERS * figure.get_figwidth())
    for handle in handles:
        handle.set_label(textwrap.fill(handle.get_label(), letters))
    longest = max((len(handle.get_label()) for handle in handles), default=1)
    columns = min(len(handles), 5, max(1, letters // (longest + 5)))
    lines = sum(1 + handle.get_label().count("\n") for handle in handles) / max(columns, 1)
    figure.set_figheight(figure.get_figheight() + 0.17 * max(0, lines - 2))
    figure.legend(handles=handles, loc="outside upper left", ncols=columns)


def dots(colour: dict[str, tuple]) -> list[Line2D]:
    """Legend entries for inits drawn as dots."""
    mark = {"marker": "o", "linestyle": "", "markersize": 6}
    return [Line2D([], [], color=value, label=name, **mark) for name, value in colour.items()]


def lines(colour: dict[str, tuple]) -> list[Line2D]:
    """Legend entries for inits drawn as lines."""
    return [Line2D([], [], color=value, label=name) for name, value in colour.items()]


def offsets(count: int) -> np.ndarray:
    """Offsets of `count` marks around their common tick."""
    return (np.arange(count) - (count - 1) / 2) * min(0.26, 0.8 / count)


def name_rows(axes: Axes, names: list[str]) -> None:
    """Name the ticks of a panel whose rows are categories, the first on top."""
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.45, -0.55)
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)


def plain_log(axes: Axes, values: pd.Series) -> None:
    """A logarithmic x axis with plain numbers, also where it spans less than a decade."""
    low, high = values.min(), values.max()
    if high / low < 1.5:
        axes.set_xlim(low / 1.6, high * 1.6)
    low, high = axes.get_xlim()
    steps = [mantissa * 10.0**power for power in range(-6, 9) for mantissa in (1, 2, 5)]
    ticks = [step for step in steps if low <= step <= high]
    ticks = [step for step in ticks if f"{step:e}"[0] == "1"] if len(ticks) > 5 else ticks
    axes.set_xticks(ticks, [f"{tick:,g}" for tick in ticks])
    axes.minorticks_off()


def say(axes: Axes, text: str) -> None:
    """A sentence in an empty panel."""
    axes.set(xticks=[], yticks=[])
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color=QUIET,
              fontsize=8.5)  # fmt: skip


def small_multiples(frames: Frames, one: Callable, across: str, up: str, most: int = 8) -> Figure:
    """One panel per dataset and label: `one` draws each seed of each init's chosen configuration.

    one(axes, points, colour, prevalence): points of a cell and label, as `score` writes them. At
    most `most` labels a dataset: those with the most positives in test.
    """
    best, colour = frames.best(), colours(frames.cells["init"])
    chosen = labels_of(frames, most)
    points = best[CONFIGURATION].merge(frames.curves, on=CONFIGURATION)
    spots = places_of(chosen["dataset"], 4)
    rows, columns = (max(part) + 1 for part in zip(*spots, strict=True))
    figure, grid = panels(rows, columns, 2.5, 2.4, sharex=True, sharey=True)
    for axes in grid.flat:
        axes.set_axis_off()
    for (y, x), row in zip(spots, chosen.itertuples(), strict=True):
        axes = grid[y, x]
        axes.set_axis_on()
        here = points[(points["dataset"] == row.dataset) & (points["label"] == row.label)]
        share = row.positives / max(1, row.positives + row.negatives)
        for (init, *_), seed in here.groupby(["init", *REPLICATES], sort=False):
            one(axes, seed, colour[init], share)
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
        axes.tick_params(labelbottom=True)
        n = f"n = {row.positives + row.negatives:,} ({row.positives:,})"
        title(axes, row.dataset if x == 0 else "", f"{row.label}, {n}")
        axes.set(xlabel=across, ylabel="" if x else up)
    legend(figure, lines({name: colour[name] for name in dict.fromkeys(best["init"])} or colour))
    return figure


def places_of(datasets: Iterable[str], columns: int) -> list[tuple[int, int]]:
    """(row, column) of each panel; each dataset begins a new row."""
    spots, last = [], None
    for name in datasets:
        y, x = spots[-1] if spots else (-1, 0)
        spots.append((y, x + 1) if name == last and x + 1 < columns else (y + 1, 0))
        last = name
    return spots


def labels_of(frames: Frames, most: int) -> pd.DataFrame:
    """The labels of each dataset of a cell with the most positives in test, in its order."""
    test = frames.tested[frames.tested["dataset"].isin(frames.cells["dataset"])]
    order = {name: at for at, name in enumerate(frames.grid.shown())}
    test = test.sort_values("dataset", key=lambda names: names.map(order), kind="stable")
    rank = test.groupby("dataset", sort=False)["positives"].rank("first", ascending=False)
    return test[rank <= most]
