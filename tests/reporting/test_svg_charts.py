"""`charts`: points stand where they belong, and what is not finite is not drawn."""

from cxrgrid.reporting.svg_charts import (
    BOTTOM,
    HEIGHT,
    LEFT,
    POINTS,
    RIGHT,
    TOP,
    WIDTH,
    Line,
    chart,
)


def test_ends_stand_in_the_corners():
    drawn = chart("t", "x", "y", [Line("a", [1.0, 2.0, 3.0], [5.0, 6.0, 9.0], mark=2)])
    first, _, last = drawn.lines[0]["points"].split()
    assert first == f"{LEFT:.1f},{HEIGHT - BOTTOM:.1f}" and last == f"{WIDTH - RIGHT:.1f},{TOP:.1f}"
    assert drawn.lines[0]["mark"] == (WIDTH - RIGHT, TOP)
    assert [text for _, text in drawn.ticks_y] == ["5", "9"]


def test_what_is_not_finite_is_left_out():
    nan = float("nan")
    assert chart("t", "x", "y", [Line("a", [1.0], [nan])]) is None
    drawn = chart("t", "x", "y", [Line("a", [1.0, 2.0, 3.0], [1.0, nan, 2.0], mark=1)])
    assert len(drawn.lines[0]["points"].split()) == 2 and drawn.lines[0]["mark"] is None


def test_a_long_line_keeps_its_ends_and_few_points():
    x = [float(n) for n in range(1001)]
    points = chart("t", "x", "y", [Line("a", x, x)]).lines[0]["points"].split()
    assert len(points) <= POINTS + 1 and points[-1] == f"{WIDTH - RIGHT:.1f},{TOP:.1f}"
