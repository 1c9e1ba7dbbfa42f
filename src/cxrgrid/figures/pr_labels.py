"""Precision-recall curves of all labels, with their average precision."""

from matplotlib.figure import Figure

from cxrgrid.evaluation.wording import number
from cxrgrid.reporting import label_curves
from cxrgrid.reporting.results import Frames

PART = "labels"
CAPTION = (
    "First training of each dataset's recommended configuration, on its own test images; up to 20 "
    "labels. AP: average precision. Mark at the right: the prevalence, which a random ranking "
    "reaches. n: test images with a known label (positives)."
)


def draw(frames: Frames) -> Figure:
    """Draw one panel per dataset; colours are labels."""
    return label_curves.draw(frames, "pr", one, say, ("recall (sensitivity)", "precision"))


def one(axes, points, colour: tuple, scores) -> None:
    """Draw the curve of one label, and its prevalence."""
    axes.plot(points["x"], points["y"], color=colour, linewidth=1.3, alpha=0.9)
    axes.plot([0.965, 1.02], [scores["prevalence"]] * 2, color=colour, linewidth=2.2)


def say(scores) -> str:
    """Average precision, prevalence and numbers of a label."""
    text = f"AP {number(scores['ap'])}, prevalence {number(scores['prevalence'])}"
    return f"{text}, {label_curves.sizes(scores)}"
