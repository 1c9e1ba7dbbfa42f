"""Labels as tables write them: 1 and 0, yes and no, or the names of findings in one field."""

from pathlib import Path

import numpy as np
import pandas as pd

from cxrgrid.config.errors import UserError, known

VALUES = {"1": 1.0, "1.0": 1.0, "0": 0.0, "0.0": 0.0, "": np.nan, "-1": -1.0, "-1.0": -1.0}
VALUES |= {"1,0": 1.0, "0,0": 0.0, "-1,0": -1.0}  # with a decimal comma
NUMBERS = tuple(value for value in VALUES if value)
VALUES |= dict.fromkeys(("yes", "y", "true", "t", "positive", "pos", "present"), 1.0)
VALUES |= dict.fromkeys(("no", "n", "false", "f", "negative", "neg", "absent"), 0.0)
VALUES |= dict.fromkeys(("na", "n/a", "nan", "<na>", "null", "unknown"), np.nan)
VALUES |= dict.fromkeys(("uncertain", "?"), -1.0)
NOBODY = ("", "na", "n/a", "nan", "<na>", "null")  # a field that names no class


def values(rows: pd.DataFrame, labels: list[str], path: Path) -> dict[str, pd.Series]:
    """Each label as 1, 0, -1 or NaN."""
    for label in labels:
        wrong = ~rows[label].str.lower().isin(list(VALUES))
        if wrong.any():
            line, value = rows.index[wrong][0], rows.loc[wrong, label].iloc[0]
            raise UserError(
                f"{path}: line {line}, column {label!r}: {value!r} is no label; write 1, 0, "
                "nothing (unknown) or -1 (uncertain), or yes and no"
            )
    return {label: rows[label].str.lower().map(VALUES).astype(float) for label in labels}


def findings(
    given: pd.Series, separator: str, labels: list[str], where: str
) -> dict[str, pd.Series]:
    """Each label as 1 where the field names it, 0 where it names others, NaN where it is empty."""
    named = [set(names(field, separator)) for field in given]
    for label in labels:
        known(label, set().union(*named), where, "class")
    values = {label: [float(label in row) if row else np.nan for row in named] for label in labels}
    return {label: pd.Series(row, given.index) for label, row in values.items()}


def names(field: str, separator: str) -> list[str]:
    """The classes that a field names: `A`, `A|B`, or with a comma `['A', 'B']`; none if empty."""
    if field.startswith("[") and field.endswith("]"):
        field = field[1:-1]
    found = field.split(separator) if separator else [field]
    found = [name.strip().strip("'\"").strip() for name in found]
    return [name for name in found if name.lower() not in NOBODY]
