"""Confusion matrices on test images, of the chosen configuration of each init."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cxrgrid.config.cell import AXES, CONFIGURATION
from cxrgrid.reporting import figure_style
from cxrgrid.reporting.results import Frames

PART = "labels"
CAPTION = (
    "First seed of the chosen configuration of each init. Numbers are test images; the shade is "
    "their share of the images with (or without) the label. n: test images."
)
METHOD = (
    "Confusion matrices: where classes exclude each other, truth by decision (the class with the "
    "highest score); else true positives, false negatives, false positives and true negatives of "
    "each label at the study's first operating point."
)
CELLS = {
    "true positive": "tp",
    "false negative": "fn",
    "false positive": "fp",
    "true negative": "tn",
}


def draw(frames: Frames) -> Figure:
    """Draw one row per dataset and one column per init."""
    best, cells = frames.best(), frames.headline().dropna(subset="value")
    inits, datasets = list(dict.fromkeys(best["init"])) or [""], frames.grid.shown()
    heights = [0.9 + 0.3 * len(frames.facts[name]["labels"]) for name in datasets]
    figure, grid = figure_style.panels(
        len(datasets), len(inits), 4.4, sum(heights) / len(heights),
        gridspec_kw={"height_ratios": heights},
    )  # fmt: skip
    for row, dataset in zip(grid, datasets, strict=True):
        for axes, init in zip(row, inits, strict=True):
            here = best[(best["dataset"] == dataset) & (best["init"] == init)]
            cell = here[CONFIGURATION].merge(cells, on=CONFIGURATION).head(1)
            if cell.empty:
                axes.set_axis_off()
                asked = frames.cells["dataset"].eq(dataset) & frames.cells["init"].eq(init)
                if asked.any():
                    figure_style.title(axes, dataset, f"{init}: no cell is scored")
                continue
            panel(axes, *counts(frames, cell))
            name = f"{cell['backbone'].iloc[0]} · {init}, n = {cell['n'].iloc[0]:,.0f}"
            figure_style.title(axes, dataset, name)
    return figure


def counts(frames: Frames, cell: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray]:
    """Numbers of images by label and decision, and the shares that shade them."""
    own = cell[AXES].merge(frames.confusions, on=AXES)
    if len(own):
        matrix = own.pivot_table("n", "truth", "decision", sort=False)
        return matrix, (matrix.T / matrix.sum(axis=1).clip(lower=1)).T.to_numpy()
    rows = cell[AXES].merge(frames.metrics, on=AXES)
    rows = rows[(rows["subset"] == "all") & (rows["target"] == rows["dataset"])]
    wide = rows.pivot_table("value", "label", "metric").reindex(columns=list(CELLS.values()))
    wide = wide.reindex(frames.facts[cell["dataset"].iloc[0]]["labels"]).dropna()
    with_label, without = wide["tp"] + wide["fn"], wide["fp"] + wide["tn"]
    rows_of = np.stack([with_label, with_label, without, without], axis=1)
    return wide.set_axis(list(CELLS), axis=1), wide.to_numpy() / np.maximum(rows_of, 1)


def panel(axes: Axes, matrix: pd.DataFrame, share: np.ndarray) -> None:
    """Draw one matrix, each number on its shade."""
    # Not imshow, which would embed a bitmap.
    axes.pcolormesh(share, cmap="Blues", vmin=0, vmax=1, edgecolors="white", linewidth=1)
    for (y, x), value in np.ndenumerate(matrix.to_numpy()):
        ink = "white" if share[y, x] > 0.6 else figure_style.INK
        axes.text(
            x + 0.5, y + 0.5, f"{value:,.0f}", ha="center", va="center", fontsize=8, color=ink
        )
    names = [name.replace(" ", "\n") if name in CELLS else name for name in matrix.columns]
    axes.set_xticks(np.arange(matrix.shape[1]) + 0.5, names)
    axes.set_yticks(np.arange(matrix.shape[0]) + 0.5, matrix.index)
    axes.invert_yaxis()
    competing = list(matrix.index) == list(matrix.columns)
    axes.set_xlabel("decision" if competing else "images")
    axes.set_ylabel("truth" if competing else "label")
    axes.grid(visible=False)
    axes.tick_params(length=0)
