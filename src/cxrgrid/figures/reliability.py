"""Calibration of the chosen configuration of each init."""

from matplotlib.figure import Figure

from cxrgrid.reporting import figure_style
from cxrgrid.reporting.results import Frames

PART = "calibration"
CAPTION = (
    "Share of positives against the predicted probability. Line: smooth calibration curve "
    "(restricted cubic spline of the log odds), one per seed (and fold), with its pointwise 95 % "
    "band over patients; dots: 15 bins of equally many test images; up to eight labels per "
    "dataset. Dashed: perfect calibration; below it, probabilities are too high. n: test images "
    "with a known label (positives). Indices with intervals: table `calibration`."
)


def draw(frames: Frames) -> Figure:
    """Draw one panel per dataset and label; colours are inits."""
    return figure_style.small_multiples(frames, one, "predicted probability", "share of positives")


def one(axes, points, colour: tuple, prevalence: float) -> None:
    """Draw the bins, the curve and the band of one seed."""
    smooth = points[points["curve"] == "smooth"][["x", "y", "low", "high"]].astype(float)
    bins = points[points["curve"] == "reliability"]
    axes.plot([0, 1], [0, 1], color=figure_style.QUIET, linewidth=0.8, dashes=(3, 2), zorder=1)
    band = (smooth[name] for name in ("x", "low", "high"))
    axes.fill_between(*band, color=colour, alpha=0.12, linewidth=0)
    axes.plot(smooth["x"], smooth["y"], color=colour, linewidth=1.2, alpha=0.9)
    axes.plot(bins["x"], bins["y"], "o", color=colour, markersize=2.2, alpha=0.6)
