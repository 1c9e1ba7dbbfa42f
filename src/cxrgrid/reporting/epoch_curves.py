"""Small multiples of the histories: one panel per dataset, backbone and recipe of the study."""

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from cxrgrid.reporting import figure_style
from cxrgrid.reporting.figure_style import QUIET

# By name in `report.curves`: columns of the history with dashes, and the axis.
TRAIN, VAL = ("training", (3, 1.5)), ("validation", "")
MEASURES = {
    "loss": ({"train_loss": TRAIN, "val_loss": VAL}, "loss"),
    "auroc": ({"val_auroc": VAL}, "validation AUROC"),
    "accuracy": ({"train_accuracy": TRAIN, "val_accuracy": VAL}, "accuracy"),
    "f1": ({"train_f1": TRAIN, "val_f1": VAL}, "F1, mean over labels"),
    "monitor": ({"monitored": VAL}, "monitored metric, validation"),
    "lr": ({"lr": VAL}, "learning rate"),
}
COLUMNS = 4  # panels beside each other, at most
WIDEST = 36  # characters above a panel
PANEL = ["dataset", "backbone", "recipe"]
UNRECORDED = "not recorded by the version\nof cxrgrid that trained"


def draw(cells: pd.DataFrame, history: pd.DataFrame, names: list[str]) -> Figure:
    """One panel per measure, dataset, backbone and recipe of the cells; colours are inits.

    names: keys of MEASURES. Each dataset begins a new row of panels.
    """
    colour = figure_style.colours(cells["init"])
    there = cells[PANEL].drop_duplicates().sort_values("dataset", kind="stable", key=first_seen)
    wanted = [(name, *row) for name in names for row in there.itertuples(index=False, name=None)]
    spots = figure_style.places_of([each[:2] for each in wanted], COLUMNS)
    rows, columns = (max(part) + 1 for part in zip(*spots, strict=True))
    width = 2.5 if columns > 2 else 4.2
    figure, grid = figure_style.panels(rows, columns, width, 2.2, sharey="row")
    for axes in grid.flat:
        axes.set_axis_off()
    several = there.groupby("dataset")["recipe"].nunique()
    for (y, x), (name, *key) in zip(spots, wanted, strict=True):
        axes, (measured, label) = grid[y, x], MEASURES[name]
        axes.set_axis_on()
        here = cells[(cells[PANEL] == key).all(axis=1)]
        panel(axes, history[(history[PANEL] == key).all(axis=1)], measured, colour)
        axes.set_xlabel(f"epoch ({(here['state'] == 'done').sum()} of {len(here)} cells)")
        axes.set_ylabel("" if x else label)
        dataset, backbone, recipe = key
        below = backbone if several[dataset] == 1 else f"{backbone}\n{shortened(recipe)}"
        figure_style.title(axes, "" if x else dataset, below)
    figure_style.legend(figure, [*figure_style.lines(colour), *dashes(names)])
    return figure


def shortened(recipe: str) -> str:
    """A recipe's name, with its middle left out where it is wider than a panel."""
    return recipe if len(recipe) <= WIDEST else f"{recipe[:14]}…{recipe[-(WIDEST - 15) :]}"


def first_seen(values: pd.Series) -> pd.Series:
    """Position at which each value is seen first."""
    order = {value: at for at, value in enumerate(dict.fromkeys(values))}
    return values.map(order)


def dashes(names: list[str]) -> list[Line2D]:
    """Legend entries of training and validation; none where only one of them is drawn."""
    kinds = dict.fromkeys(kind for name in names for kind in MEASURES[name][0].values())
    if len(kinds) < 2:
        return []
    return [Line2D([], [], color=QUIET, dashes=d or (None, None), label=text) for text, d in kinds]


def panel(axes: Axes, history: pd.DataFrame, columns: dict, colour: dict) -> None:
    """Draw the cells of one panel: mean and range over seeds, and a dot at the epoch that is used.

    columns: {column: (name in the legend, dashes)}; the last one has the dots.
    """
    if len(history) and history[list(columns)].isna().all(axis=None):
        figure_style.say(axes, UNRECORDED)
    for column, (_, dash) in columns.items():
        known = history.dropna(subset=column)
        if known.empty:
            continue
        sns.lineplot(
            known, x="epoch", y=column, hue="init", palette=colour, ax=axes, legend=False,
            errorbar=lambda seeds: (seeds.min(), seeds.max()), linewidth=1.5,
            dashes=dash or (None, None), err_kws={"alpha": 0.15, "linewidth": 0},
        )  # fmt: skip
    best = history[history["best"].astype(bool)]
    axes.scatter(best["epoch"], best[column], s=22, c=[colour[name] for name in best["init"]],
                 edgecolors="white", linewidths=0.7, zorder=3)  # fmt: skip
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))
