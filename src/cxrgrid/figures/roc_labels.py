"""ROC curves of all labels, with their areas."""

from matplotlib.figure import Figure

from cxrgrid.evaluation.wording import number
from cxrgrid.reporting import figure_style, label_curves
from cxrgrid.reporting.results import Frames

PART = "labels"
CAPTION = (
    "First training of each dataset's recommended configuration, on its own test images; up to 20 "
    "labels. AUROC: area under the curve. Dashed: a random ranking. n: test images with a known "
    "label (positives). Intervals: Scores by label."
)


def draw(frames: Frames) -> Figure:
    """Draw one panel per dataset; colours are labels."""
    return label_curves.draw(frames, "roc", one, say, ("1 − specificity", "sensitivity"))


def one(axes, points, colour: tuple, scores) -> None:
    """Draw the curve of one label."""
    axes.plot([0, 1], [0, 1], color=figure_style.QUIET, linewidth=0.8, dashes=(3, 2), zorder=1)
    axes.plot(points["x"], points["y"], color=colour, linewidth=1.3, alpha=0.9)


def say(scores) -> str:
    """Area and numbers of a label."""
    return f"AUROC {number(scores['auroc'])}, {label_curves.sizes(scores)}"
