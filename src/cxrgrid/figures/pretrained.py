"""What another start than scratch changes, seed by seed."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cxrgrid import style
from cxrgrid.frames import Frames

CAPTION = (
    "Difference of the headline metric to scratch with the same seed, dataset, backbone and "
    "recipe. Small dots: pairs; diamond: their mean. Right of zero: better than scratch. "
    "Tests stand in the table of comparisons."
)


def draw(frames: Frames) -> Figure:
    """A panel a dataset, a row a backbone (and recipe), a colour an init."""
    pairs = frames.pairs()
    colour = style.colours(frames.cells["init"])
    datasets = list(dict.fromkeys(pairs["dataset"])) or [""]
    rows, columns = style.wrap(len(datasets), 2)
    most = max((part["backbone"].nunique() for _, part in pairs.groupby("dataset")), default=1)
    figure, grid = style.panels(rows, columns, 4.8, 1.1 + 0.4 * most, sharex=True)
    for axes, dataset in zip(grid.flat, datasets, strict=False):
        panel(axes, pairs[pairs["dataset"] == dataset], colour)
        axes.set_xlabel(f"difference in {frames.metric_name} (init − scratch, same seed)")
        axes.tick_params(labelbottom=True)
    for axes in grid.flat[len(datasets) :]:
        axes.set_axis_off()
    shown = {name: colour[name] for name in colour if name in set(pairs["init"])}
    if shown:
        style.legend(figure, style.dots(shown))
    return figure


def panel(axes: Axes, pairs: pd.DataFrame, colour: dict[str, tuple]) -> None:
    """One dataset."""
    axes.axvline(0, color=style.QUIET, linewidth=1)
    if pairs.empty:
        axes.set_yticks([])
        return style.title(axes, "no init besides scratch")
    several = pairs["recipe"].nunique() > 1
    rows = pairs["backbone"] + (" · " + pairs["recipe"] if several else "")
    names, inits = list(dict.fromkeys(rows)), list(dict.fromkeys(pairs["init"]))
    style.name_rows(axes, names)
    for (row, init), seeds in pairs.groupby([rows, "init"], sort=False):
        y = names.index(row) + style.offsets(len(inits))[inits.index(init)]
        axes.plot(seeds["difference"], [y] * len(seeds), "o", color=colour[init], markersize=3.5)
        axes.plot(seeds["difference"].mean(), y, "D", color=colour[init], markersize=7, mew=0.8,
                  markeredgecolor="white", alpha=0.75)  # fmt: skip
    found, planned = pairs["difference"].count(), len(pairs)
    return style.title(axes, pairs["dataset"].iloc[0], f"n = {found} of {planned} pairs")
