"""Curves of all labels of a dataset in one panel, with their scores beside it."""

import textwrap
from collections.abc import Callable

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from cxrgrid.config.cell import AXES, CONFIGURATION
from cxrgrid.reporting import figure_style
from cxrgrid.reporting.results import Frames

MOST = 20  # labels; those with the most positive test images
LONGEST = 64  # letters of a line in the legend, for which there is room beside the panel


def draw(frames: Frames, curve: str, one: Callable, say: Callable, up: tuple[str, str]) -> Figure:
    """One panel per dataset: the first training of its recommended configuration.

    curve: as `score` names it; one(axes, points, colour, scores): draws a label; say(scores): its
    text in the legend; up: names of the x and y axes. scores: `auroc`, `ap`, `prevalence`, `n` and
    `positives` of the label.
    """
    datasets = frames.grid.shown()
    figure, grid = figure_style.panels(len(datasets), 1, 7.6, 3.6)
    for axes, dataset in zip(grid.flat, datasets, strict=True):
        points, scores, name = of_dataset(frames, curve, dataset)
        colours = sns.color_palette("husl", max(1, len(scores)))
        colours = sns.color_palette("colorblind") if len(scores) <= 10 else colours
        entries = []
        for colour, (label, row) in zip(colours, scores.iterrows(), strict=False):
            one(axes, points[points["label"] == label], colour, row)
            entries.append((colour, f"{label}: {say(row)}"))
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel=up[0], ylabel=up[1])
        axes.set_box_aspect(1)
        figure_style.title(axes, dataset, name)
        if not entries:
            figure_style.say(axes, "no label is scored")
        legend(axes, entries)
    return figure


def legend(axes: Axes, entries: list[tuple[tuple, str]]) -> None:
    """Colours with their texts beside a panel. entries: (colour, text)."""
    longest = max((len(text) for _, text in entries), default=0)
    size = 8 if len(entries) < 15 and longest <= 50 else 7
    lines = [
        Line2D([], [], color=colour, label=textwrap.fill(text, LONGEST)) for colour, text in entries
    ]
    axes.legend(handles=lines, loc="center left", bbox_to_anchor=(1.03, 0.5), fontsize=size)


def of_dataset(frames: Frames, curve: str, dataset: str) -> tuple[pd.DataFrame, pd.DataFrame, str]:
    """Points and scores by label of the recommended configuration's first training, and its name.

    Of a cross-validated dataset, the first fold.
    """
    recommended = frames.validation["recommended"] & frames.validation["dataset"].eq(dataset)
    best = frames.validation[recommended][CONFIGURATION]
    points = best.merge(frames.curves[frames.curves["curve"] == curve], on=CONFIGURATION)
    if points.empty:
        return points, pd.DataFrame(), ""
    first = points[AXES].sort_values(["fold", "seed"], kind="stable").iloc[:1]
    points = points.merge(first, on=AXES)
    rows = pd.concat([frames.metrics, frames.of_folds]).merge(first, on=AXES)
    rows = rows[(rows["subset"] == "all") & rows["label"].isin(set(points["label"]))]
    names = ["auroc", "ap", "prevalence"]
    scores = rows.drop_duplicates(["label", "metric"]).pivot(
        index="label", columns="metric", values="value"
    )
    sizes = rows[rows["metric"] == "auroc"].drop_duplicates("label").set_index("label")
    scores = scores.reindex(columns=names).join(sizes[["n", "positives"]]).dropna(subset="n")
    scores = scores.sort_values("positives", ascending=False, kind="stable").head(MOST)
    known = [label for label in frames.facts[dataset]["labels"] if label in scores.index]
    row = first.iloc[0]
    text = ", ".join(str(row[axis]) for axis in CONFIGURATION[1:] if row[axis] != "default")
    fold = f", fold {row['fold']}" if points["fold"].iloc[0] or len(frames.of_folds) else ""
    return points, scores.loc[known], f"{text}{fold}, seed {row['seed']}"


def sizes(row: pd.Series) -> str:
    """Test images with a known label and positives of a label, as text."""
    return f"n = {row['n']:,.0f} ({row['positives']:,.0f})"
