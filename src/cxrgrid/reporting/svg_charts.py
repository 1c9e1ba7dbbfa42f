"""Small line charts as SVG, for the cells' pages: fast to draw, in the page's colours."""

import math
from dataclasses import dataclass

from cxrgrid.evaluation.wording import difference, signed

WIDTH, HEIGHT = 260, 170
LEFT, RIGHT, TOP, BOTTOM = 38, 8, 8, 30
POINTS = 80  # of a line, at most: more are not seen at this size


@dataclass(frozen=True)
class Line:
    """name: in the legend; dash: as SVG has it; mark: the index of a point to mark, or None."""

    name: str
    x: list[float]
    y: list[float]
    dash: str = ""
    mark: int | None = None


@dataclass(frozen=True)
class Chart:
    """Lines and ticks in SVG coordinates; ticks: (position, text) of each axis."""

    title: str
    across: str
    up: str
    lines: list[dict]
    ticks_x: list[tuple[float, str]]
    ticks_y: list[tuple[float, str]]
    width: int = WIDTH
    height: int = HEIGHT


def chart(title: str, across: str, up: str, lines: list[Line], unit: bool = False) -> Chart | None:
    """Chart of the lines; None if no point is finite. unit: both axes run from 0 to 1."""
    points = [p for line in lines for p in zip(line.x, line.y, strict=True) if finite(p)]
    if not points:
        return None
    xs, ys = ([0.0, 1.0], [0.0, 1.0]) if unit else zip(*points, strict=True)
    place_x = scale(min(xs), max(xs), LEFT, WIDTH - RIGHT)
    place_y = scale(min(ys), max(ys), HEIGHT - BOTTOM, TOP)
    drawn = []
    for line in lines:
        placed = [(place_x(x), place_y(y)) for x, y in zip(line.x, line.y, strict=True)
                  if finite((x, y))]  # fmt: skip
        step = max(1, math.ceil(len(placed) / POINTS))
        kept = placed[::step] + ([placed[-1]] if (len(placed) - 1) % step else [])
        marked = line.mark is not None and finite((line.x[line.mark], line.y[line.mark]))
        drawn.append({
            "name": line.name,
            "dash": line.dash,
            "points": " ".join(f"{x:.1f},{y:.1f}" for x, y in kept),
            "mark": (place_x(line.x[line.mark]), place_y(line.y[line.mark])) if marked else None,
        })  # fmt: skip
    ends_x, ends_y = ((min(v), max(v)) for v in (xs, ys))
    return Chart(title, across, up, drawn, ticks(ends_x, place_x), ticks(ends_y, place_y))


def finite(values: tuple[float, ...]) -> bool:
    """True if all numbers are finite."""
    return all(math.isfinite(value) for value in values)


def scale(low: float, high: float, first: float, last: float):
    """Function from a number to its position; the middle if all numbers are equal."""
    if high == low:
        return lambda value: (first + last) / 2
    return lambda value: round(first + (value - low) / (high - low) * (last - first), 1)


def ticks(ends: tuple[float, float], place) -> list[tuple[float, str]]:
    """The ticks at both ends of an axis."""
    return [(place(value), f"{value:.3g}") for value in dict.fromkeys(ends)]


@dataclass(frozen=True)
class Forest:
    """Forest plot in SVG coordinates: rows of (name, text, y, x of low, of estimate, of high)."""

    title: str
    rows: list[tuple[str, str, float, float, float, float]]
    zero: float
    ticks: list[tuple[float, str]]
    width: int
    height: int


def forest(title: str, lines: list[tuple[str, float, float, float]]) -> Forest | None:
    """Forest plot of (name, estimate, low, high), with a line at zero; None without intervals."""
    known = [line for line in lines if finite(line[1:])]
    if not known:
        return None
    ends = [0.0, *(end for line in known for end in line[2:])]
    low, high = min(ends), max(ends)
    place = scale(low, high, 12, 348)
    rows = [
        (name, difference(value, *limits), 34 + 38 * at, *map(place, (limits[0], value, limits[1])))
        for at, (name, value, *limits) in enumerate(known)
    ]
    marks = [(place(end), signed(end)) for end in dict.fromkeys((low, high)) if end != 0]
    return Forest(title, rows, place(0.0), marks, 360, 42 + 38 * len(known))
