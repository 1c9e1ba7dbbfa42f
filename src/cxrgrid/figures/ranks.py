"""Mean ranks over the datasets, with Nemenyi's critical difference."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cxrgrid.comparison.significance import Ranks, rank
from cxrgrid.config.cell import CONFIGURATION
from cxrgrid.reporting import figure_style
from cxrgrid.reporting.results import Frames

PART = "comparisons"
CAPTION = (
    "Rank of each configuration on each dataset; 1 is the best. Diamond: mean rank. Bars join "
    "configurations whose mean ranks differ by less than the critical difference (5 %). n: "
    "datasets."
)
METHOD = (
    "Ranks: Nemenyi's critical difference of mean ranks over datasets (Demšar 2006). The sample "
    "are the datasets: with few of them the power is low."
)
TOO_FEW = "it takes two backbones that are scored on each of two datasets."
NEVER = "over so few datasets no difference of mean ranks can be shown, however large."
MARKS = "osv^<>Xp*hd"


def draw(frames: Frames) -> Figure:
    """Draw one row per configuration; where no difference can be shown, the reason."""
    values = table(frames)
    if min(values.shape) < 2 or values.columns.get_level_values("backbone").nunique() < 2:
        return nothing(frames, values, TOO_FEW)
    found = rank(values.to_numpy())
    if found.critical >= values.shape[1] - 1:
        return nothing(frames, values, NEVER)
    order = found.mean.argsort(kind="stable")
    figure, grid = figure_style.panels(1, 1, 6.4, 1.3 + 0.3 * len(order))
    axes = grid[0, 0]
    figure_style.name_rows(axes, [name(values.columns[at]) for at in order])
    for at, dataset in enumerate(values.index):
        x = found.ranks[at, order]
        axes.plot(x, range(len(order)), MARKS[at % len(MARKS)], label=dataset,
                  color=figure_style.QUIET, markersize=4.5, markerfacecolor="none")  # fmt: skip
    blue = figure_style.colours([])["scratch"]
    axes.plot(found.mean[order], range(len(order)), "D", color=blue, markersize=7,
              markeredgecolor="white", label="mean rank", zorder=3)  # fmt: skip
    bars(axes, found, len(order))
    axes.set_xlabel(f"rank by {frames.metric_name} (1 is the best)")
    figure_style.title(axes, f"critical difference {found.critical:.2f}", note(found, frames))
    figure_style.legend(figure, axes.get_legend_handles_labels()[0])
    return figure


def table(frames: Frames) -> pd.DataFrame:
    """Means over seeds, datasets by configurations; only those scored on every dataset.

    A dataset that is there only for others to start from is none on which models are ranked.
    """
    asked = {name for block in frames.grid.blocks() for name in block.datasets}
    cells = frames.entered()
    means = (
        cells[cells["dataset"].isin(asked)]
        .assign(recipe=cells["entry"])
        .groupby(CONFIGURATION, sort=False)["value"]
        .mean()
        .reset_index()
    )
    wide = means.pivot(index="dataset", columns=CONFIGURATION[1:], values="value")
    return wide.dropna(axis=0, how="all").dropna(axis=1)


def name(model: tuple[str, str, str]) -> str:
    """Short name of a configuration."""
    backbone, init, recipe = model
    return f"{backbone} · {init}" + ("" if recipe == "default" else f" · {recipe}")


def bars(axes: Axes, found: Ranks, models: int) -> None:
    """Draw vertical bars at the right that join configurations without a significant difference."""
    right = models + 0.35
    for at, (first, last) in enumerate(found.alike()):
        x = right + 0.18 * at
        axes.vlines(x, first - 0.2, last + 0.2, color="#333333", linewidth=3.5)
    axes.set_xlim(0.6, right + 0.18 * max(1, len(found.alike())))
    axes.set_xticks(range(1, models + 1))


def note(found: Ranks, frames: Frames) -> str:
    """Numbers of datasets and of configurations left out, and Friedman's p."""
    left_out = frames.entered().groupby(["backbone", "init", "entry"]).ngroups - len(found.mean)
    p = "p < 0.0001" if found.p < 1e-4 else f"p = {found.p:.2g}"
    text = f"{len(found.ranks)} datasets, Friedman {p}"
    return text + (f", left out: {left_out}" if left_out else "")


def nothing(frames: Frames, values: pd.DataFrame, why: str) -> Figure:
    """Draw the sentence that says why there is no ranking."""
    figure, grid = figure_style.panels(1, 1, 6.4, 0.8)
    axes = grid[0, 0]
    axes.set_axis_off()
    datasets = frames.grid.targets()
    lines = [
        f"No ranking over datasets: {why}",
        f"Scored on all: {values.shape[1]} models, {len(values)} of {len(datasets)} datasets:",
    ]
    for at, text in enumerate([*lines, *datasets]):
        axes.text(0, 1 - 0.16 * at, text, transform=axes.transAxes, va="top", fontsize=8.5)
    return figure
