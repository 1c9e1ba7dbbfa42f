"""Numbers of images with each label, by split and view."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from cxrgrid.reporting import figure_style
from cxrgrid.reporting.results import Frames

PART = "datasets"
CAPTION = (
    "Images with each label, by split: training / validation / test. One column per view, the "
    "rarest views together. n: number of images; an image counts once for each of its labels."
)
VIEWS = 3  # panels of views beside each other, at most
ALL = "all views"


def draw(frames: Frames) -> Figure:
    """Draw one row per dataset, one column per view and one bar per label."""
    parts = {name: views(part) for name, part in frames.views.groupby("dataset", sort=False)}
    columns = max(len(part["view"].unique()) for part in parts.values())
    heights = [0.8 + 0.22 * part["label"].nunique() for part in parts.values()]
    widths = [7.2] if columns == 1 else [4.4, *[2.4] * (columns - 1)]
    figure, grid = figure_style.panels(
        len(parts), columns, sum(widths) / columns, sum(heights) / len(parts),
        gridspec_kw={"height_ratios": heights, "width_ratios": widths},
    )  # fmt: skip
    sizes = frames.counts.groupby(["dataset", "split"])["images"].first().groupby("dataset").sum()
    for row, (name, part) in zip(grid, parts.items(), strict=True):
        for axes in row:
            axes.set_axis_off()
        for axes, (view, here) in zip(row, part.groupby("view", sort=False), strict=False):
            axes.set_axis_on()
            panel(axes, here, first=view == ALL)
            note = f"n = {sizes[name]:,} images" if view == ALL else view
            figure_style.title(axes, name if view == ALL else "", note)
    names = {"train": "training", "val": "validation", "test": "test"}
    figure_style.legend(
        figure, [Patch(color=figure_style.SPLITS[s], label=names[s]) for s in names]
    )
    return figure


def views(counts: pd.DataFrame) -> pd.DataFrame:
    """Counts for all views, then for each if there are several, the rarest as `other views`."""
    order = counts.groupby("view")["positives"].sum().sort_values(ascending=False, kind="stable")
    few = list(order.index if len(order) <= VIEWS else order.index[: VIEWS - 1])
    named = counts.assign(view=counts["view"].where(counts["view"].isin(few), "other views"))
    parts = [counts.assign(view=ALL)]
    if len(order) > 1:
        rest = ["other views"] if len(order) > VIEWS else []
        parts += [named[named["view"] == view] for view in [*few, *rest]]
    keys = ["view", "split", "label"]
    return pd.concat(parts).groupby(keys, sort=False)["positives"].sum().reset_index()


def panel(axes: Axes, counts: pd.DataFrame, first: bool) -> None:
    """Draw one dataset and view; in the first panel each bar has its three numbers."""
    wide = counts.pivot_table("positives", "label", "split", sort=False)
    wide = wide.reindex(columns=list(figure_style.SPLITS), fill_value=0).fillna(0)
    figure_style.name_rows(axes, list(wide.index) if first else [""] * len(wide))
    left = 0
    for split, colour in figure_style.SPLITS.items():
        axes.barh(range(len(wide)), wide[split], left=left, color=colour, height=0.72)
        left = left + wide[split]
    for at, row in enumerate(wide.itertuples(index=False)):
        text = " / ".join(f"{value:,.0f}" for value in row) if first else f"{sum(row):,.0f}"
        axes.annotate(text, (sum(row), at), (4, 0), textcoords="offset points", va="center",
                      fontsize=7.5, color=figure_style.QUIET)  # fmt: skip
    axes.set_xlim(0, max(left.max(), 1) * (1.5 if first else 1.3))
    axes.set_xlabel("images with the label" if first else "images")
