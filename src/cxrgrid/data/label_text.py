"""Labels as tables write them: 1 and 0, yes and no, or the names of findings in one field."""

import fnmatch
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
VALUES |= dict.fromkeys(
    ("k.a.", "k. a.", "n.a.", "not reported", "not available", "missing"), np.nan
)
VALUES |= dict.fromkeys(
    ("not assessed", "not known", "pending", "tbd", "todo", "unk", "u", "."), np.nan
)
VALUES |= dict.fromkeys(("#n/a", "#nv", "#value!", "#ref!", "#div/0!", "#name?", "#null!"), np.nan)
VALUES |= dict.fromkeys(("uncertain", "?", "equivocal", "indeterminate", "possible"), -1.0)
VALUES |= dict.fromkeys(("ja", "oui", "si", "sí", "sim", "x", "✓", "✔"), 1.0)
VALUES |= dict.fromkeys(("nein", "non", "não", "nao"), 0.0)
SIGNS = {"+": 1.0, "-": 0.0, "−": 0.0, "": np.nan}  # of a column that holds nothing else
UNKNOWN = {"?", *(word for word, value in VALUES.items() if np.isnan(value))}  # are no class
DASHES = dict.fromkeys(("-", "−", "–", "--"), np.nan)  # in a column that says 0 otherwise
ROWS = "rows"  # as separator: each row of an image names one finding
DOUBTED = "?"  # before a name in `columns.names`: uncertain
NOBODY = ("", "na", "n/a", "nan", "<na>", "null")  # a field that names no class


def values(rows: pd.DataFrame, labels: list[str], path: Path) -> dict[str, pd.Series]:
    """Each label as 1, 0, -1 or NaN."""
    meant = {label: meanings(rows[label]) for label in labels}
    for label in labels:
        wrong = ~rows[label].str.lower().isin(list(meant[label]))
        if wrong.any():
            line, value = rows.index[wrong][0], rows.loc[wrong, label].iloc[0]
            raise UserError(
                f"{path}: line {line}, column {label!r}: {value!r} is no label; write 1, 0, "
                "nothing (unknown) or -1 (uncertain), or yes and no"
            )
    return {label: rows[label].str.lower().map(meant[label]).astype(float) for label in labels}


def meanings(column: pd.Series) -> dict[str, float]:
    """The value of each text, in lower case, that a label's column may hold."""
    found = set(column.str.lower())
    if "+" in found and found <= set(SIGNS):
        return SIGNS
    return VALUES | DASHES if any(VALUES.get(value) == 0 for value in found) else VALUES


def findings(
    given: pd.Series, separator: str, labels: list[str], where: str
) -> dict[str, pd.Series]:
    """Each label as 1 where the field names it, 0 where it names others, NaN where it is empty.

    Upper and lower case are the same; `[]` names nothing, which is no finding. `unknown` is a class
    only where a label is called so.
    """
    nobody = UNKNOWN - set(map(plain, labels))
    named = [
        {key: name for name in names(field, separator) if (key := plain(name)) not in nobody}
        for field in given
    ]
    there = {key: name for row in named for key, name in row.items()}
    for label in labels:
        known(label, [label] if plain(label) in there else set(there.values()), where, "class")
    told = [bool(row) or is_empty_list(field) for row, field in zip(named, given, strict=True)]
    values = {
        label: [
            stated(plain(label), row) if t else np.nan for row, t in zip(named, told, strict=True)
        ]
        for label in labels
    }
    return {label: pd.Series(row, given.index) for label, row in values.items()}


def stated(label: str, row: dict[str, str]) -> float:
    """1 for a label that a row names, -1 for one that it doubts, 0 for others."""
    return 1.0 if label in row else -1.0 if f"{DOUBTED}{label}" in row else 0.0


def renamed(given: pd.Series, separator: str, of_code: dict[str, str]) -> pd.Series:
    """The fields with the names of the codes in them, whole numbers with and without `.0`.

    A code is looked up as it is written; failing that, in any case and spaces.
    """
    separator = "\n" if separator == ROWS else separator
    known = of_code | {f"{code}.0": name for code, name in of_code.items()}
    spelt = {plain(code): name for code, name in of_code.items()}
    return given.map(
        lambda field: field if is_empty_list(field) else separator.join(
            known.get(code, spelt.get(plain(code), code)) for code in names(field, separator))
    )  # fmt: skip


def together(rows: pd.DataFrame, pattern: str) -> pd.DataFrame:
    """The rows with one more column, called like the pattern: the fields of all columns that match,
    a line each."""
    found = [name for name in rows.columns if fnmatch.fnmatchcase(name, pattern)]
    if not found:
        return rows
    lines = rows[found].agg(lambda row: "\n".join(filter(None, row)), axis=1)
    return rows.assign(**{pattern: lines})


def plain(name: str) -> str:
    """A name without differences of case and spaces."""
    return " ".join(name.casefold().split())


def is_empty_list(field: str) -> bool:
    """True for a list in Python's or JSON's form that holds nothing."""
    return field.replace(" ", "") in ("[]", "{}", "()", "set()")


def names(field: str, separator: str) -> list[str]:
    """The classes that a field names: `A`, `A|B`, or with a comma `['A', 'B']`; none if empty."""
    if is_empty_list(field):
        return []
    if field[:1] + field[-1:] in ("[]", "{}", "()"):
        field = field[1:-1]
    separator = "\n" if separator == ROWS else separator
    found = field.split(separator) if separator else [field]
    found = [name.strip().strip("'\"").strip() for name in found]
    return [name for name in found if name.lower() not in NOBODY]
