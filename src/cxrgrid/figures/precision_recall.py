"""Precision-recall curves of the chosen configuration of each init."""

from matplotlib.figure import Figure

from cxrgrid.reporting import figure_style
from cxrgrid.reporting.results import Frames

PART = "labels"
CAPTION = (
    "Configuration of each init with the highest validation value, on test images; one line per "
    "seed (and fold); up to eight labels per dataset. Dashed: the prevalence, which a random "
    "ranking reaches. n: test images with a known label (positives)."
)
METHOD = "Figures of labels show those with the most positive test images."


def draw(frames: Frames) -> Figure:
    """Draw one panel per dataset and label; colours are inits."""
    return figure_style.small_multiples(frames, one, "recall (sensitivity)", "precision")


def one(axes, points, colour: tuple, prevalence: float) -> None:
    """Draw the curve of one seed."""
    points = points[points["curve"] == "pr"]
    axes.axhline(prevalence, color=figure_style.QUIET, linewidth=0.8, dashes=(3, 2), zorder=1)
    axes.plot(points["x"], points["y"], color=colour, linewidth=1.2, alpha=0.85)
