"""Loss over epochs, on training and on validation images."""

from matplotlib.figure import Figure

from cxrgrid.reporting import figure_style
from cxrgrid.reporting.results import Frames

CAPTION = (
    "Line: mean over seeds; band: smallest to largest; dot: the epoch whose "
    "weights are kept, one a seed. A validation loss that rises while training falls: over-fitting."
)


def draw(frames: Frames) -> Figure:
    """A row a dataset, a column a backbone, a colour an init; solid is validation."""
    columns = {"train_loss": ("training", (3, 1.5)), "val_loss": ("validation", "")}
    return figure_style.epochs(frames.cells, frames.history, columns, "loss (cross-entropy)")
