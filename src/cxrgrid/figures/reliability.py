"""Calibration of the chosen configuration of each init."""

from matplotlib.figure import Figure

from cxrgrid.reporting import figure_style
from cxrgrid.reporting.results import Frames

PART = "calibration"
CAPTION = (
    "Share of positives against predicted probability. Line: smooth curve, one per seed (and "
    "fold), with its 95 % band; dots: 15 bins, their area by the number of images. Dashed: perfect "
    "calibration. Up to eight labels. n: test images with a known label (positives)."
)
METHOD = (
    "Reliability: the smooth curve is a restricted cubic spline of the log odds, with pointwise "
    "bands over patients; below the diagonal, probabilities are too high."
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
    n = bins["n"].astype(float)
    axes.scatter(bins["x"], bins["y"], s=9 * n / max(1, n.max()), color=colour, alpha=0.6,
                 linewidths=0)  # fmt: skip
