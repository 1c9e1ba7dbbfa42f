"""Validation AUROC over epochs."""

from matplotlib.figure import Figure

from cxrgrid.reporting import figure_style
from cxrgrid.reporting.results import Frames

PART = "learning"
CAPTION = (
    "Mean over the labels that have both classes. Line: mean over seeds; band: range over seeds; "
    "dot: the epoch whose weights are used, one per seed (and fold)."
)


def draw(frames: Frames) -> Figure:
    """Draw one row per dataset and one column per backbone; colours are inits."""
    columns = {"val_auroc": ("validation", "")}
    return figure_style.epochs(frames.cells, frames.history, columns, "validation AUROC")
