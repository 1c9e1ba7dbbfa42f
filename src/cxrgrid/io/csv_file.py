"""CSV files whose text no spreadsheet takes for a formula."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cxrgrid.io.atomic import write_text

FORMULA = re.compile(r"'*[=+\-@\t\r]")  # begins a formula, or one that is quoted already
NUMBER = re.compile(r"[\d\s.,%()eE+\-−–to]*")  # `-0.02`, `+0.131 (−0.02 to 0.3)`


def quoted(value: Any) -> Any:
    """A text with `'` in front if a spreadsheet would take it for a formula; others as they are."""
    if isinstance(value, str) and FORMULA.match(value) and not NUMBER.fullmatch(value):
        return f"'{value}"
    return value


def unquoted(value: Any) -> Any:
    """A text as it was before `quoted`."""
    if isinstance(value, str) and value[:1] == "'" and FORMULA.match(value):
        return value[1:]
    return value


def mapped(frame, change: Callable[[Any], Any]):
    """A pandas frame with each text and each name of a column changed; kinds of columns stay."""
    frame = frame.rename(columns=change)
    for name in frame.select_dtypes(exclude=["number", "bool"]):
        texts = {text for text in frame[name].unique() if change(text) is not text}
        frame[name] = frame[name].replace({text: change(text) for text in texts})
    return frame


def write_csv(frame, path: Path, digits: str | None = "%.6g") -> None:
    """Write a pandas frame as CSV, whole or not at all; digits: of numbers, None for all."""
    frame = mapped(frame, quoted)
    write_text(path, frame.to_csv(index=False, float_format=digits, lineterminator="\n"))
