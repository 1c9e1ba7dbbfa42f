"""ROC curves of the best configuration of each init."""

from matplotlib.figure import Figure

from cxrgrid.reporting import figure_style
from cxrgrid.reporting.results import Frames

CAPTION = (
    "Best configuration of each init by the headline metric, on test images; a line a seed, at "
    "most the eight labels of a dataset with the most positives in test. Dashed: a random ranking. "
    "n: test images whose label is known (positives). Every cell's own curves stand on its page."
)


def draw(frames: Frames) -> Figure:
    """A panel a dataset and label, a colour an init."""
    return figure_style.small_multiples(frames, one, "1 − specificity", "sensitivity")


def one(axes, points, colour: tuple, prevalence: float) -> None:
    """A seed's curve."""
    points = points[points["curve"] == "roc"]
    axes.plot([0, 1], [0, 1], color=figure_style.QUIET, linewidth=0.8, dashes=(3, 2), zorder=1)
    axes.plot(points["x"], points["y"], color=colour, linewidth=1.2, alpha=0.85)
