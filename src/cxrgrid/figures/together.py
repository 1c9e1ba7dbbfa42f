"""Losses and metrics of all models on one pair of axes, by step and by epoch."""

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from cxrgrid.config.cell import AXES, CONFIGURATION
from cxrgrid.reporting import figure_style, step_losses
from cxrgrid.reporting.epoch_curves import MEASURES, UNRECORDED
from cxrgrid.reporting.results import Frames

PART = "learning"
MOST = 10  # models, above which lines cannot be told apart
CAPTION = (
    "Each line is a configuration, mean over its finished trainings. Left: training loss by step, "
    "at each step's weights; then validation by epoch. n: finished trainings; at most 10 "
    "configurations per dataset, those with the highest validation values."
)
METHOD = (
    "Training losses by step are means of up to 20 parts of consecutive steps in each epoch. "
    "Losses of different recipes compare only where they are the same function: weights of "
    "positives, smoothing and focal losses change their scale."
)


def draw(frames: Frames) -> Figure:
    """Draw one row per dataset; one column for the loss by step, then one per measure."""
    names = list(dict.fromkeys(["loss", *frames.grid.study.report.curves]))
    datasets, steps = frames.grid.shown(), step_losses.read(frames)
    figure, grid = figure_style.panels(len(datasets), len(names) + 1, 3.1, 2.9)
    for row, dataset in zip(grid, datasets, strict=True):
        models = named(frames, dataset)
        done = frames.cells.merge(models, on=CONFIGURATION)
        done = (done["state"] == "done").sum()
        by_step(row[0], steps.merge(models, on=CONFIGURATION), models)
        history = frames.history.merge(models, on=CONFIGURATION)
        for axes, name in zip(row[1:], names, strict=True):
            columns, label = MEASURES[name]
            column = list(columns)[-1]
            by_epoch(axes, history, column, models)
            axes.set_ylabel(f"validation {label}" if len(columns) > 1 else label)
        figure_style.title(row[0], dataset, f"n = {done} trainings")
        entries = [Line2D([], [], color=r.colour, label=r.model) for r in models.itertuples()]
        row[-1].legend(handles=entries, loc="center left", bbox_to_anchor=(1.02, 0.5), fontsize=8)
    return figure


def named(frames: Frames, dataset: str) -> pd.DataFrame:
    """CONFIGURATION, `model` and `colour` of the lines of a dataset, in the study's order."""
    models = frames.cells.loc[frames.cells["dataset"] == dataset, CONFIGURATION].drop_duplicates()
    values = models.merge(frames.validation, on=CONFIGURATION, how="left")["value"]
    values.index = models.index
    models = models.loc[sorted(values.sort_values(ascending=False, kind="stable").index[:MOST])]
    differ = [axis for axis in CONFIGURATION[1:] if models[axis].nunique() > 1] or ["backbone"]
    colours = sns.color_palette("colorblind", max(1, len(models)))
    return models.assign(model=models[differ].agg(", ".join, axis=1), colour=colours[: len(models)])


def by_step(axes: Axes, losses: pd.DataFrame, models: pd.DataFrame) -> None:
    """Draw training losses by step."""
    axes.set(xlabel="training step", ylabel="training loss")
    if losses.empty:
        figure_style.say(axes, UNRECORDED if len(models) else "no training has finished")
    for model in models.itertuples():
        own = losses[losses["model"] == model.model]
        mean = own.groupby("step")["loss"].mean()
        axes.plot(mean.index, mean, color=model.colour, linewidth=1.1)


def by_epoch(axes: Axes, history: pd.DataFrame, column: str, models: pd.DataFrame) -> None:
    """Draw a column of the history by epoch, with a dot at each training's epoch that is used."""
    axes.set_xlabel("epoch")
    if history[column].isna().all():
        figure_style.say(axes, UNRECORDED if len(history) else "no training has finished")
    for model in models.itertuples():
        own = history[history["model"] == model.model]
        mean = own.groupby("epoch")[column].mean()
        axes.plot(mean.index, mean, color=model.colour, linewidth=1.3)
        best = own[own["best"].astype(bool)].drop_duplicates(AXES)
        axes.scatter(best["epoch"], best[column], s=16, color=model.colour, edgecolors="white",
                     linewidths=0.6, zorder=3)  # fmt: skip
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))
