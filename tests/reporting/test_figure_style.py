"""Figures look alike on every machine, and words in them are words."""

import io
import re

import matplotlib
import pytest
from matplotlib.figure import Figure

from cxrgrid.reporting import figure_style, label_curves


def drawn(label: str = "a", log: bool = False) -> bytes:
    """A small figure as SVG."""
    file = io.BytesIO()
    with figure_style.applied():
        figure = Figure(figsize=(2, 2))
        panel = figure.subplots()
        panel.plot([1, 1000], [1, 2], label=label)
        panel.set(title=label, xlabel=label, xscale="log" if log else "linear")
        panel.legend()
        metadata = {"Date": None, "Creator": None}
        figure_style.as_plain_text(figure).savefig(file, format="svg", metadata=metadata)
    return file.getvalue()


def test_a_users_matplotlibrc_changes_nothing():
    usual = drawn()
    with matplotlib.rc_context({"lines.linewidth": 9, "font.family": "serif", "axes.grid": False}):
        assert drawn() == usual


@pytest.mark.parametrize("label", ["$", "cost $5", "$a$", r"$\frac{$", "$x_{$ and $"])
def test_a_dollar_in_a_label_is_text(label):
    assert label.replace("&", "&amp;").encode() in drawn(label)


def test_powers_of_ten_stay_powers():
    shown = re.sub(rb"<!--.*?-->", b"", drawn(log=True))  # comments hold the formulas
    assert b"mathdefault" not in shown


@pytest.mark.parametrize("name", ["a", "a recipe of many words " * 8, "unbroken" * 30])
def test_no_legend_is_cut(name):
    """One above all panels, and that of curves beside theirs."""
    with figure_style.applied():
        figure, grid = figure_style.panels(1, 1, 7.6, 3.6)
        colour = {f"{name} {at}": (0, 0, at / 6) for at in range(6)}
        handles = figure_style.lines(colour)
        figure_style.legend(figure, handles)
        label_curves.legend(grid[0, 0], [(value, key) for key, value in colour.items()])
        figure.draw_without_rendering()
    for legend in [*figure.legends, grid[0, 0].get_legend()]:
        box = legend.get_window_extent()
        assert box.x0 >= 0 and box.x1 <= figure.bbox.width and box.y1 <= figure.bbox.height


def test_the_middle_of_a_long_name_is_left_out_wherever_it_stands():
    long, longer, own = "a" * 60, "a" * 60 + " b", "c" * figure_style.LONGEST
    with figure_style.applied():
        figure = Figure()
        panel = figure.subplots()
        panel.set_yticks([0, 1, 2], [long, longer, own])
        panel.set_title(f"{longer}, n = 5")
        figure_style.shorten_names(figure, {long, longer, own})
        shown = [text.get_text() for text in panel.get_yticklabels()]
    assert shown == ["aaaaaaaaaaaaaaaa…aaaaaaaaa", "aaaaaaaaaaaaaaaa…aaaaaaa b", own]
    assert panel.title.get_text() == "" and panel.get_title("left") == f"{shown[1]}, n = 5"
