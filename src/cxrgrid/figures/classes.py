"""How many images each label has, in training, validation and test."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from cxrgrid import style
from cxrgrid.frames import Frames

CAPTION = "Images with each label, by split: training / validation / test. n: images in all."


def draw(frames: Frames) -> Figure:
    """A panel a dataset, as high as it has labels; a bar a label."""
    parts = [part for _, part in frames.counts.groupby("dataset", sort=False)]
    heights = [0.75 + 0.22 * part["label"].nunique() for part in parts]
    figure, grid = style.panels(
        len(parts), 1, 7.2, sum(heights) / len(parts), gridspec_kw={"height_ratios": heights}
    )
    for axes, part in zip(grid.flat, parts, strict=True):
        panel(axes, part)
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
    axes.set_xlim(0, max(left.max(), 1) * 1.2)
    axes.set_xlabel("images with the label")
    n = counts.groupby("split")["images"].first().sum()
    style.title(axes, counts["dataset"].iloc[0], f"n = {n:,} images")
