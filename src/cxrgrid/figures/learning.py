"""Training and validation loss over epochs."""

from matplotlib.figure import Figure

from cxrgrid.reporting import epoch_curves
from cxrgrid.reporting.results import Frames

PART = "learning"
CAPTION = (
    "Line: mean over seeds; band: range over seeds; dot: the epoch whose weights are used, one per "
    "seed. A validation loss that rises while the training loss falls shows over-fitting. n: "
    "cells below each panel."
)


def draw(frames: Frames) -> Figure:
    """Draw one panel per dataset, backbone and recipe; colours are inits, solid is validation."""
    return epoch_curves.draw(frames.cells, frames.history, ["loss"])
