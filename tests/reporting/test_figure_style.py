"""Figures look alike on every machine, and words in them are words."""

import io
import re

import matplotlib
import pytest
from matplotlib.figure import Figure

from cxrgrid.reporting import figure_style


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
