"""Transfer between datasets: models of one on the test images of another."""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from cxrgrid.config.cell import CONFIGURATION
from cxrgrid.reporting import figure_style
from cxrgrid.reporting.results import Frames
from cxrgrid.tables.transfer import build

PART = "transfer"
CAPTION = (
    "Row: training dataset; column: test images. Framed: own test images, all labels; elsewhere "
    "the shared labels, whose number is below the value. Dash: none, or not asked for. *: trained "
    "on the tested dataset too, or from weights of a model that was. n: test images."
)
STARRED = ("initial weights", "trained on")  # in the note of a row: no clean test on other data


def draw(frames: Frames) -> Figure:
    """Draw one panel per backbone, init and recipe, or a sentence if there is no transfer."""
    rows = values(frames)
    if not frames.grid.transfers or rows.empty:
        return nothing(frames)
    datasets = frames.grid.tested()
    sources = [name for name in datasets if name in set(rows["dataset"])]
    models = list(rows.groupby(CONFIGURATION[1:], sort=False))
    lines, columns = figure_style.wrap(len(models), 3)
    height = 1.0 + 0.66 * len(sources)
    figure, grid = figure_style.panels(lines, columns, 1.3 + 0.95 * len(datasets), height)
    ends = rows["value"].min(), rows["value"].max()
    for axes, (model, part) in zip(grid.flat, models, strict=False):
        panel(axes, part, sources, datasets, ends)
        several = rows["recipe"].nunique() > 1
        figure_style.title(axes, model[0], " · ".join(model[1 : 3 if several else 2]))
    for axes in grid.flat[len(models) :]:
        axes.set_axis_off()
    figure.suptitle(frames.metric_name, x=0.01, ha="left", fontsize=9)
    return figure


def values(frames: Frames) -> pd.DataFrame:
    """One row per configuration and target: value, n, labels (0: all of its own), note."""
    own = (
        frames.entered()
        .groupby(CONFIGURATION, sort=False)
        .agg(value=("value", "mean"), n=("n", "max"))
    )
    own = own.reset_index().assign(labels=0, note="")
    own = own.assign(target=own["dataset"])
    across = build(frames)[[*CONFIGURATION, "target", "value", "n", "labels_scored", "note"]]
    across = across.rename(columns={"labels_scored": "labels"})
    rows = pd.concat([own, across], ignore_index=True)
    return rows.assign(recipe=rows["recipe"].map(frames.grid.entry))


def panel(
    axes: Axes, part: pd.DataFrame, sources: list[str], targets: list[str], ends: tuple
) -> None:
    """Draw one configuration; darker is better, on one scale in all panels."""
    palette = sns.color_palette("Blues", as_cmap=True)
    low, high = ends
    for row in part.itertuples():
        at = targets.index(row.target), sources.index(row.dataset)
        own = row.dataset == row.target
        if np.isnan(row.value):
            continue
        shade = 0.1 + 0.65 * ((row.value - low) / (high - low) if high > low else 0.5)
        face = palette(shade)
        edge = {"edgecolor": "#222222", "linewidth": 1.4} if own else {"linewidth": 0}
        inset = 0.47 if own else 0.5
        corner = (at[0] - inset, at[1] - inset)
        axes.add_patch(Rectangle(corner, 2 * inset, 2 * inset, facecolor=face, **edge))
        ink = "white" if shade > 0.55 else "#222222"
        star = "*" if any(word in (row.note or "") for word in STARRED) else ""
        axes.text(*at, f"{row.value:.2f}{star}", ha="center", va="bottom", color=ink, fontsize=9.5)
        below = "own" if own else f"{row.labels} label{'' if row.labels == 1 else 's'}"
        below += f"\nn = {row.n:,.0f}"
        axes.text(at[0], at[1] + 0.05, below, ha="center", va="top", color=ink, fontsize=7)
    shown = {(row.dataset, row.target) for row in part.dropna(subset="value").itertuples()}
    for y, source in enumerate(sources):
        for x, target in enumerate(targets):
            if (source, target) not in shown:
                axes.text(x, y, "–", ha="center", va="center", color=figure_style.QUIET)
    axes.set_xticks(range(len(targets)), targets)
    axes.set_yticks(range(len(sources)), sources)
    axes.set(xlim=(-0.5, len(targets) - 0.5), ylim=(len(sources) - 0.5, -0.5))
    axes.set(xlabel="tested on", ylabel="trained on")
    axes.grid(visible=False)
    axes.tick_params(length=0)


def nothing(frames: Frames) -> Figure:
    """Draw the sentence that says why there is no matrix."""
    text = "No model was tested on another dataset: the study asks for no `transfer` between:"
    return figure_style.sentence(text, frames.grid.tested())
