"""Decision curves of the chosen configuration of each init."""

from matplotlib.figure import Figure

from cxrgrid.reporting import figure_style
from cxrgrid.reporting.results import Frames

PART = "calibration"
CAPTION = (
    "Net benefit at each threshold probability, as a share of the largest possible, with its 95 % "
    "band over patients; one line per seed. Grey: acting on every image; 0: on none. Up to eight "
    "labels per dataset. n: test images with a known label (positives)."
)
METHOD = (
    "Decision curves (Vickers & Elkin 2006) assume calibrated probabilities; a model helps at the "
    "thresholds at which it lies above acting on all and on none. Bands are pointwise."
)


def draw(frames: Frames) -> Figure:
    """Draw one panel per dataset and label; colours are inits."""
    figure = figure_style.small_multiples(
        frames, one, "threshold probability", "net benefit (share of the largest)"
    )
    for axes in figure.axes:
        axes.set_ylim(-0.25, 1.02)
    return figure


def one(axes, points, colour: tuple, prevalence: float) -> None:
    """Draw the curve of one seed, its band, and that of acting on every image."""
    share = max(prevalence, 1e-9)
    columns = ["x", "y", "low", "high"]
    own = points[points["curve"] == "net_benefit"][columns].astype(float)
    everyone = points[points["curve"] == "net_benefit_all"][columns].astype(float)
    axes.axhline(0, color=figure_style.QUIET, linewidth=0.8, dashes=(3, 2), zorder=1)
    axes.plot(everyone["x"], everyone["y"] / share, color=figure_style.QUIET, linewidth=0.8)
    axes.fill_between(
        own["x"], own["low"] / share, own["high"] / share, color=colour, alpha=0.12, linewidth=0
    )
    axes.plot(own["x"], own["y"] / share, color=colour, linewidth=1.2, alpha=0.9)
