"""Numbers as text: values with intervals, differences, counts, p-values."""

import math


def number(value: float, low: float = math.nan, high: float = math.nan, *, digits: int = 3) -> str:
    """`0.812 (0.771–0.850)`; `0.812` without an interval; a dash for NaN.

    With more digits where both ends would read alike: no interval is shown without a width.
    """
    if math.isnan(value):
        return "–"
    if math.isnan(low):
        return f"{value:.{digits}f}"
    digits = next((d for d in range(digits, 9) if round(low, d) < round(high, d)), digits)
    return f"{value:.{digits}f} ({low:.{digits}f}–{high:.{digits}f})"


def signed(value: float) -> str:
    """A difference with its sign, `−0.012`; also of one that rounds to zero. A dash for NaN."""
    return "–" if math.isnan(value) else f"{value + 0:+.3f}".replace("-", "−")


def difference(value: float, low: float, high: float) -> str:
    """A difference with its interval, `+0.031 (+0.012 to +0.049)`; a dash for NaN."""
    if math.isnan(value) or math.isnan(low):
        return signed(value)
    return f"{signed(value)} ({signed(low)} to {signed(high)})"


def whole(value: float, patients: float | None = None) -> str:
    """A count, `1,234`, or with its patients, `1,234 (567)`; a dash for NaN."""
    if math.isnan(value):
        return "–"
    return f"{value:,.0f}" if patients is None else f"{value:,.0f} ({patients:,.0f})"


def spread(row) -> str:
    """Standard deviation and range over seeds; a dash for a single seed."""
    return "–" if row.seeds < 2 else f"± {row.sd:.3f} ({row.min:.3f}–{row.max:.3f})"


def p_value(p: float) -> str:
    """`= 0.24`, `= 0.012` or `< 0.001`; a dash for NaN."""
    if math.isnan(p):
        return "–"
    return "< 0.001" if p < 0.001 else f"= {p:.3f}" if p < 0.1 else f"= {p:.2f}"


def part(count: int, planned: int) -> str:
    """A part of what is planned: `1 of 2`."""
    return f"{count} of {planned}"


def many(count: int, noun: str) -> str:
    """A count with its noun: `1 seed`, `2 seeds`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
