"""Positives and negatives of each label, by view and split."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from cxrgrid.reporting import figure_style
from cxrgrid.reporting.results import Frames

PART = "datasets"
CAPTION = (
    "Images with and without the label in each view and split; images whose label is unknown are "
    "in neither number. Up to eight labels per dataset, those with the most positive test images. "
    "n: images of known label."
)
PRESENT, ABSENT = "#40566b", "#ccd8e2"
SPLITS = {"train": "training", "val": "validation", "test": "test"}
VIEWS = 4  # at most; the rarest together
OTHERS = "other views"


def draw(frames: Frames) -> Figure:
    """Draw one panel per dataset and label, one bar per view and split."""
    chosen = figure_style.labels_of(frames, 8)
    tables = {
        name: by_view(part)
        for name, part in frames.views.groupby("dataset", sort=False)
        if name in set(chosen["dataset"])
    }
    spots = figure_style.places_of(chosen["dataset"], 4)
    rows, columns = (max(part) + 1 for part in zip(*spots, strict=True))
    heights = [0.0] * rows
    for (y, _), name in zip(spots, chosen["dataset"], strict=True):
        heights[y] = 0.95 + 0.2 * len(tables[name].groupby(["view", "split"]))
    width = 2.9 if columns > 2 else 4.4
    figure, grid = figure_style.panels(
        rows, columns, width, sum(heights) / rows, gridspec_kw={"height_ratios": heights}
    )
    for axes in grid.flat:
        axes.set_axis_off()
    for (y, x), row in zip(spots, chosen.itertuples(), strict=True):
        axes, table = grid[y, x], tables[row.dataset]
        axes.set_axis_on()
        here = table[table["label"] == row.label]
        panel(axes, here, named=x == 0)
        n = f"n = {here['positives'].sum() + here['negatives'].sum():,}"
        figure_style.title(axes, row.dataset if x == 0 else "", f"{row.label}, {n}")
    figure_style.legend(
        figure, [Patch(color=PRESENT, label="with the label"), Patch(color=ABSENT, label="without")]
    )
    return figure


def by_view(counts: pd.DataFrame) -> pd.DataFrame:
    """Positives and negatives by view, split and label; the commonest views first."""
    sizes = counts.groupby("view")[["positives", "negatives"]].sum().sum(axis=1)
    order = list(sizes.sort_values(ascending=False, kind="stable").index)
    kept = order if len(order) <= VIEWS else order[: VIEWS - 1]
    named = counts.assign(view=counts["view"].where(counts["view"].isin(kept), OTHERS))
    keys = ["view", "split", "label"]
    table = named.groupby(keys, sort=False)[["positives", "negatives"]].sum().reset_index()
    table["at"] = table["view"].map({v: at for at, v in enumerate([*kept, OTHERS])})
    table["part"] = table["split"].map(list(SPLITS).index)
    return table.sort_values(["at", "part"], kind="stable")


def panel(axes: Axes, table: pd.DataFrame, named: bool) -> None:
    """Draw one label; named: with the names of views and splits."""
    one = table["view"].nunique() == 1
    names = [
        SPLITS[row.split] if one else f"{row.view}, {SPLITS[row.split]}"
        for row in table.itertuples()
    ]
    figure_style.name_rows(axes, names if named else [""] * len(names))
    at = range(len(table))
    axes.barh(at, table["positives"], color=PRESENT, height=0.74)
    axes.barh(at, table["negatives"], left=table["positives"], color=ABSENT, height=0.74)
    for y, row in enumerate(table.itertuples()):
        axes.annotate(
            f"{row.positives:,} / {row.negatives:,}", (row.positives + row.negatives, y), (4, 0),
            textcoords="offset points", va="center", fontsize=7.5, color=figure_style.QUIET,
        )  # fmt: skip
    axes.set_xlim(0, max((table["positives"] + table["negatives"]).max(), 1) * 1.55)
    axes.set_xlabel("images (with / without)")
