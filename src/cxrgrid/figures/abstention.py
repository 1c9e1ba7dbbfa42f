"""Risk–coverage curves: errors on the images of which a model is surest."""

from matplotlib.figure import Figure

from cxrgrid.config.cell import CONFIGURATION
from cxrgrid.evaluation.wording import number
from cxrgrid.reporting import figure_style
from cxrgrid.reporting.results import Frames
from cxrgrid.reporting.shifted_rows import shifted

PART = "shifts"
CAPTION = (
    "Share of errors among the test images that are kept, the surest first, mean over labels and "
    "seeds, of the configuration of each init with the highest validation value. Legend: area "
    "(AURC). Dotted: a confidence that says nothing."
)
COLUMNS = [*CONFIGURATION, "coverage", "risk"]


def draw(frames: Frames) -> Figure:
    """Draw one panel per dataset; colours are inits."""
    rows = shifted(frames, "coverage", COLUMNS).merge(
        frames.best()[CONFIGURATION], on=CONFIGURATION
    )
    if rows.empty:
        text = "No cell has been asked how sure it is (`report.shifts`) on:"
        return figure_style.sentence(text, frames.grid.tested())
    areas = shifted(frames, "abstention", [*CONFIGURATION, "measure", "value"])
    areas = areas[areas["measure"] == "aurc"].set_index(CONFIGURATION)["value"]
    datasets = list(dict.fromkeys(rows["dataset"]))
    lines, columns = figure_style.wrap(len(datasets), 3)
    figure, grid = figure_style.panels(lines, columns, 3.2, 2.7)
    colour = figure_style.colours(frames.cells["init"])
    for axes in grid.flat[len(datasets) :]:
        axes.set_axis_off()
    for axes, dataset in zip(grid.flat, datasets, strict=False):
        for configuration, part in rows[rows["dataset"] == dataset].groupby(CONFIGURATION):
            init = configuration[2]
            label = f"{init}: {number(areas.get(configuration, float('nan')))}"
            ink = {"color": colour[init]}
            axes.plot(part["coverage"], part["risk"], linewidth=1.4, label=label, **ink)
            axes.axhline(part["risk"].iloc[-1], linewidth=0.9, linestyle=":", **ink)
        axes.set(xlim=(0, 1), xlabel="coverage (share of images kept)", ylabel="error rate")
        axes.set_ylim(bottom=0)
        axes.legend(loc="best", fontsize=8)
        figure_style.title(axes, dataset)
    return figure
