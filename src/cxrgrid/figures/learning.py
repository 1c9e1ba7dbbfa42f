"""AUROC over epochs, on validation images."""

from matplotlib.figure import Figure

from cxrgrid import style
from cxrgrid.frames import Frames

CAPTION = (
    "Mean over the labels that have both classes. Line: "
    "mean over seeds; band: smallest to largest; dot: the epoch whose weights are kept, one a seed."
)


def draw(frames: Frames) -> Figure:
    """A row a dataset, a column a backbone, a colour an init."""
    columns = {"val_auroc": ("validation", "")}
    return style.epochs(frames.cells, frames.history, columns, "validation AUROC")
