"""Interactions: each effect by dataset and at the levels of the other factors."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cxrgrid.comparison.effect_rows import FIXED, ONE, named, primary_metric
from cxrgrid.evaluation.wording import p_value
from cxrgrid.reporting import figure_style
from cxrgrid.reporting.results import NAMES, Frames

MOST = 8  # panels
PART = "effects"
CAPTION = (
    "One panel per comparison of two levels, at most 8. Diamond and band: the main effect with its "
    "95 % interval; dots: in each dataset and at each level of other factors. p: of no interaction "
    "with that factor."
)
METHOD = "Interactions: a small p means that the effect depends on what else is chosen."


def draw(frames: Frames) -> Figure:
    """Draw one panel per contrast, one row per dataset and level."""
    metric = primary_metric(frames.grid)
    rows = frames.effects[frames.effects["metric"] == metric].fillna({"by": "", "by_level": ""})
    panels = [
        part for _, part in rows.groupby(["factor", "level", "against"], sort=False, dropna=False)
    ]
    panels = sorted(panels, key=lambda part: not part["primary"].any())[:MOST]
    across, down = figure_style.wrap(max(len(panels), 1), 2)
    most = max((len(lines(part)) for part in panels), default=1)
    figure, grid = figure_style.panels(across, down, 4.8, 0.9 + 0.24 * most, sharex=True)
    for axes, part in zip(grid.flat, panels, strict=False):
        panel(axes, part)
        axes.set_xlabel(f"difference in {NAMES[metric]}")
        axes.tick_params(labelbottom=True)
    for axes in grid.flat[len(panels) :]:
        axes.set_axis_off()
    return figure


def lines(part: pd.DataFrame) -> list[tuple[str, pd.Series]]:
    """(name, row) of each line of a panel: the main effect, datasets, levels of other factors."""
    whole = part[part["by"].eq("") & part["model"].eq(FIXED)]
    found = [("all", row) for _, row in whole.iterrows()]
    ones = part[part["model"].eq(ONE)]
    found += [(row["dataset"], row) for _, row in ones.iterrows() if len(ones) > 1]
    levels = part[part["by"].ne("")]
    return found + [(named(row["by"], row["by_level"]), row) for _, row in levels.iterrows()]


def panel(axes: Axes, part: pd.DataFrame) -> None:
    """Draw one contrast."""
    axes.axvline(0, color=figure_style.QUIET, linewidth=1)
    shown = lines(part)
    figure_style.name_rows(axes, [name for name, _ in shown])
    for at, (_, row) in enumerate(shown):
        mark(axes, at, row, main=at == 0)
    first = part.iloc[0]
    x, y = (named(first["factor"], level) for level in first[["level", "against"]].fillna(""))
    tests = part[part["interaction_p"].notna()].drop_duplicates("by")
    words = [f"{row['by']}: p {p_value(row['interaction_p'])}" for _, row in tests.iterrows()]
    figure_style.title(axes, f"{x} − {y}", ", ".join(words[:2]))


def mark(axes: Axes, y: float, row: pd.Series, main: bool) -> None:
    """Draw one effect; nothing where it is not known yet."""
    if np.isnan(row["estimate"]):
        axes.plot(0.015, y, "x", color=figure_style.QUIET, transform=axes.get_yaxis_transform())
        return
    colour = figure_style.INK if main else figure_style.SPLITS["train"]
    if main and not np.isnan(row["low"]):
        axes.axvspan(row["low"], row["high"], color=figure_style.SPLITS["test"], alpha=0.35, lw=0)
    if not np.isnan(row["low"]):
        axes.hlines(y, row["low"], row["high"], color=colour, linewidth=2 if main else 1.3)
    axes.plot(row["estimate"], y, "D" if main else "o", color=colour, markersize=6 if main else 5)
