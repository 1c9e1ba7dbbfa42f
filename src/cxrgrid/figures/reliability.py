"""Calibration of the best configuration of each init."""

from matplotlib.figure import Figure

from cxrgrid.reporting import figure_style
from cxrgrid.reporting.results import Frames

PART = "labels"
CAPTION = (
    "Share of positives against mean probability, in 15 bins of equally many test images; one "
    "line per seed; up to eight labels per dataset. Dashed: perfect calibration; below it, "
    "probabilities are too high. n: test images with a known label (positives)."
)


def draw(frames: Frames) -> Figure:
    """Draw one panel per dataset and label; colours are inits."""
    return figure_style.small_multiples(frames, one, "mean score", "share of positives")


def one(axes, points, colour: tuple, prevalence: float) -> None:
    """Draw the bins of one seed."""
    points = points[points["curve"] == "reliability"]
    axes.plot([0, 1], [0, 1], color=figure_style.QUIET, linewidth=0.8, dashes=(3, 2), zorder=1)
    axes.plot(points["x"], points["y"], "o-", color=colour, linewidth=1, markersize=2.6, alpha=0.85)
