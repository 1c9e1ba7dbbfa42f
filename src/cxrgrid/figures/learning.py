"""AUROC over epochs, on validation images."""

from matplotlib.figure import Figure

from cxrgrid.reporting import figure_style
from cxrgrid.reporting.results import Frames

CAPTION = (
    "Mean over the labels that have both classes. Line: "
    "mean over seeds; band: smallest to largest; dot: the epoch whose weights are kept, one a seed."
)


def draw(frames: Frames) -> Figure:
    """A row a dataset, a column a backbone, a colour an init."""
    columns = {"val_auroc": ("validation", "")}
    return figure_style.epochs(frames.cells, frames.history, columns, "validation AUROC")
