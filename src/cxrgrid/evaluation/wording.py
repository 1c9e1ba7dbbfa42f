"""Numbers as text: values with intervals, differences, counts, p-values."""

import math


def number(value: float, low: float = math.nan, high: float = math.nan, *, digits: int = 3) -> str:
    """`0.812 (0.771–0.850)`; without an interval where there is none, a dash where no number."""
    if math.isnan(value):
        return "–"
    text = f"{value:.{digits}f}"
    return text if math.isnan(low) else f"{text} ({low:.{digits}f}–{high:.{digits}f})"


def signed(value: float) -> str:
    """A difference with its sign, `−0.012`; a dash where no number."""
    return "–" if math.isnan(value) else f"{round(value, 3) + 0:+.3f}".replace("-", "−")


def difference(value: float, low: float, high: float) -> str:
    """`+0.031 (+0.012 to +0.049)`; a dash where nothing is defined."""
    return "–" if math.isnan(value) else f"{signed(value)} ({signed(low)} to {signed(high)})"


def whole(value: float, patients: float | None = None) -> str:
    """`1,234`, or `1,234 (567)`."""
    if math.isnan(value):
        return "–"
    return f"{value:,.0f}" if patients is None else f"{value:,.0f} ({patients:,.0f})"


def spread(row) -> str:
    """Standard deviation and range over seeds; nothing to say of one."""
    return "–" if row.seeds < 2 else f"± {row.sd:.3f} ({row.min:.3f}–{row.max:.3f})"


def p_value(p: float) -> str:
    """As many digits as matter; a dash where none is defined."""
    if math.isnan(p):
        return "–"
    return "< 0.001" if p < 0.001 else f"= {p:.3f}" if p < 0.1 else f"= {p:.2f}"


def part(count: int, planned: int) -> str:
    """`1 of 2`."""
    return f"{count} of {planned}"


def many(count: int, noun: str) -> str:
    """`1 seed`, `2 seeds`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"
