"""How many images each label has, in training, validation and test."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from cxrgrid import style
from cxrgrid.frames import Frames

CAPTION = "Images with each label, by split: training / validation / test. n: images in all."


def draw(frames: Frames) -> Figure:
    """A panel a dataset, a bar a label."""
    datasets = list(frames.facts)
    rows, columns = style.wrap(len(datasets), 2)
    sizes = [frames.counts[frames.counts["dataset"] == name]["label"].nunique() for name in datasets]
    tallest = [max(sizes[row * columns : (row + 1) * columns]) for row in range(rows)]
    ratios = [0.75 + 0.22 * labels for labels in tallest]
    figure, grid = style.panels(
        rows, columns, 4.8, sum(ratios) / rows + 0.3, gridspec_kw={"height_ratios": ratios}
    )
    for axes, dataset in zip(grid.flat, datasets, strict=False):
        panel(axes, frames.counts[frames.counts["dataset"] == dataset])
    for axes in grid.flat[len(datasets) :]:
        axes.set_axis_off()
    names = {"train": "training", "val": "validation", "test": "test"}
    style.legend(figure, [Patch(color=style.SPLITS[s], label=names[s]) for s in names])
    return figure


def panel(axes: Axes, counts: pd.DataFrame) -> None:
    """One dataset; the three numbers stand at the end of each bar."""
    wide = counts.pivot_table("positives", "label", "split", sort=False)
    style.name_rows(axes, list(wide.index))
    left = 0
    for split, colour in style.SPLITS.items():
        axes.barh(range(len(wide)), wide[split], left=left, color=colour, height=0.72)
        left = left + wide[split]
    for at, row in enumerate(wide[list(style.SPLITS)].itertuples(index=False)):
        text = " / ".join(f"{value:,.0f}" for value in row)
        axes.annotate(text, (sum(row), at), (4, 0), textcoords="offset points", va="center",
                      fontsize=7.5, color=style.QUIET)  # fmt: skip
    axes.set_xlim(0, max(left.max(), 1) * 1.34)
    axes.set_xlabel("images with the label")
    n = counts.groupby("split")["images"].first().sum()
    style.title(axes, counts["dataset"].iloc[0], f"n = {n:,} images")
