"""How far probabilities can be believed: the best configuration of each init."""

from matplotlib.figure import Figure

from cxrgrid.reporting import figure_style
from cxrgrid.reporting.results import Frames

CAPTION = (
    "Share of positives against the mean score, in 15 bins of equal numbers of test images; best "
    "configuration of each init by the headline metric, a line a seed, at most the eight labels of "
    "a dataset with the most positives in test. Dashed: perfect calibration; below it, scores are "
    "too high. n: test images whose label is known (positives)."
)


def draw(frames: Frames) -> Figure:
    """A panel a dataset and label, a colour an init."""
    return figure_style.small_multiples(frames, one, "mean score", "share of positives")


def one(axes, points, colour: tuple, prevalence: float) -> None:
    """A seed's bins."""
    points = points[points["curve"] == "reliability"]
    axes.plot([0, 1], [0, 1], color=figure_style.QUIET, linewidth=0.8, dashes=(3, 2), zorder=1)
    axes.plot(points["x"], points["y"], "o-", color=colour, linewidth=1, markersize=2.6, alpha=0.85)
