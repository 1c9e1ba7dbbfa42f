"""Metrics over epochs."""

from matplotlib.figure import Figure

from cxrgrid.reporting import epoch_curves
from cxrgrid.reporting.results import Frames

PART = "learning"
CAPTION = (
    "The metrics of `report.curves`, mean over the labels that have both classes. Line: mean over "
    "seeds; band: range over seeds; dot: the epoch whose weights are used, one per seed (and "
    "fold). n: cells below each panel."
)
METHOD = (
    "Metrics over epochs: those of training, with dashes, are of the steps' own answers, to "
    "augmented images and with dropout, at each step's weights; accuracy and F1 are at 0.5, or by "
    "the highest score where classes exclude each other."
)


def draw(frames: Frames) -> Figure:
    """Draw one panel per metric, dataset, backbone and recipe; colours are inits."""
    names = list(dict.fromkeys(frames.grid.study.report.curves))
    return epoch_curves.draw(frames.cells, frames.history, names)
