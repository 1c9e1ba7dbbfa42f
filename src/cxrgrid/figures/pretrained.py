"""Difference of each init to scratch: forest plot."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from cxrgrid.reporting import figure_style
from cxrgrid.reporting.results import Frames

PART = "pretrained"
CAPTION = (
    "Difference to scratch, all else equal, mean over labels. Diamond: mean over seeds; bar: 95 % "
    "interval over patients and seeds; rings: single seeds. Filled: significant after Holm's "
    "correction. n: pairs of trainings with the same seed, done of those planned."
)


def draw(frames: Frames) -> Figure:
    """Draw one panel per dataset, one row per backbone and recipe; colours are inits."""
    forest, pairs = against_scratch(frames), frames.pairs()
    colour = figure_style.colours(frames.cells["init"])
    datasets = list(dict.fromkeys(pairs["dataset"])) or [""]
    rows, columns = figure_style.wrap(len(datasets), 2)
    lines = (len(names(part)) * part["init"].nunique() for _, part in pairs.groupby("dataset"))
    height = 1.1 + max(0.4, 0.28 * max(lines, default=1))
    figure, grid = figure_style.panels(rows, columns, 4.8, height, sharex=True)
    for axes, dataset in zip(grid.flat, datasets, strict=False):
        panel(axes, *(part[part["dataset"] == dataset] for part in (forest, pairs)), colour)
        axes.set_xlabel(f"difference in {frames.compared_name} (init − scratch)")
        axes.tick_params(labelbottom=True)
    for axes in grid.flat[len(datasets) :]:
        axes.set_axis_off()
    shown = {name: colour[name] for name in colour if name in set(pairs["init"])}
    if shown:
        missing = Line2D(
            [], [], color=figure_style.QUIET, marker="x", linestyle="", label="missing"
        )
        some = pairs["difference"].isna().any()
        figure_style.legend(figure, [*figure_style.dots(shown), *([missing] if some else [])])
    return figure


def against_scratch(frames: Frames) -> pd.DataFrame:
    """Comparisons with scratch: one row per configuration, with its own `init`."""
    rows = frames.pairs_of("init")
    return rows[rows["b"] == "scratch"].assign(init=lambda part: part["a"])


def names(rows: pd.DataFrame) -> list[tuple[str, str]]:
    """Names of backbones with their recipes, in the order of the study."""
    return list(dict.fromkeys(zip(rows["backbone"], rows["recipe"], strict=True)))


def panel(axes: Axes, forest: pd.DataFrame, pairs: pd.DataFrame, colour: dict) -> None:
    """Draw one dataset."""
    axes.axvline(0, color=figure_style.QUIET, linewidth=1)
    if pairs.empty:
        axes.set_yticks([])
        return figure_style.title(axes, "no init besides scratch")
    several = pairs["recipe"].nunique() > 1
    rows, inits = names(pairs), list(dict.fromkeys(pairs["init"]))
    figure_style.name_rows(
        axes, [f"{name} · {recipe}" if several else name for name, recipe in rows]
    )
    keys = ["backbone", "recipe", "init"]
    found = {key: part.iloc[0] for key, part in forest.groupby(keys, sort=False)}
    for key, seeds in pairs.groupby(keys, sort=False):
        y = rows.index(key[:2]) + figure_style.offsets(len(inits))[inits.index(key[2])]
        bar(axes, y, found.get(key), seeds["difference"], colour[key[2]])
    done, planned = pairs["difference"].count(), len(pairs)
    text = f"n = {done} of {planned} pairs of trainings"
    return figure_style.title(axes, pairs["dataset"].iloc[0], text)


def bar(axes: Axes, y: float, row: pd.Series | None, seeds: pd.Series, colour: tuple) -> None:
    """Draw one configuration: seeds, mean, interval; a cross at the left if some are missing."""
    if seeds.isna().any():
        left = axes.get_yaxis_transform()
        axes.plot(0.015, y, "x", color=colour, transform=left, markersize=4.5, clip_on=False)
    if row is None or pd.isna(row["difference"]):
        return
    axes.hlines(y, row["low"], row["high"], color=colour, linewidth=1.6)
    if seeds.count() > 1:
        axes.plot(seeds, [y] * len(seeds), "o", color=colour, markersize=3.4,
                  markerfacecolor="white", markeredgewidth=0.9)  # fmt: skip
    shown = row["verdict"] in ("better", "worse")
    axes.plot(row["difference"], y, "D", color=colour, markersize=6.5, markeredgewidth=1.2,
              markerfacecolor=colour if shown else "white", zorder=3)  # fmt: skip
