"""Training and validation loss over epochs."""

from matplotlib.figure import Figure

from cxrgrid.reporting import figure_style
from cxrgrid.reporting.results import Frames

PART = "learning"
CAPTION = (
    "Line: mean over seeds; band: range over seeds; dot: the epoch whose weights are used, one per "
    "seed. A validation loss that rises while the training loss falls shows over-fitting."
)


def draw(frames: Frames) -> Figure:
    """Draw one row per dataset, one column per backbone; colours are inits, solid is validation."""
    columns = {"train_loss": ("training", (3, 1.5)), "val_loss": ("validation", "")}
    return figure_style.epochs(frames.cells, frames.history, columns, "loss (cross-entropy)")
