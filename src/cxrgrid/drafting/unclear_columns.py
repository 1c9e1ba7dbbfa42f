"""Columns that are nearly labels of 1 and 0: a few other values, codes from 1 on, percentages."""

import re

import pandas as pd

from cxrgrid.data.label_text import UNKNOWN, meanings
from cxrgrid.drafting import class_columns

FEW = 3  # values beside 1 and 0 of a column that is nearly a label
# What is 0 or 1 at times and still no finding: numbers, lists, people, boxes.
NO_LABEL = re.compile(
    r"(|image|patient|study|row|all|macro|index|unnamed.*|fold|split|set|sex|gender|age|view"
    r"|follow.?up.*|.*[ _]?id|[xywh][12]?|[xy][ _]?(min|max)|width|height|bbox.*|reader)",
    re.I,
)
PERCENTAGE = re.compile(r"\d+([.,]\d+)? ?%")
ONE_TWO = ({"1", "2"}, {"1.0", "2.0"})


def nearly_labels(rows: pd.DataFrame) -> dict[str, list[str]]:
    """Columns that would be labels of 1 and 0 but for a few other values, with these."""
    found = {}
    for name in rows.columns:
        fields = rows[name].str.lower()
        known = fields.map(meanings(rows[name]))
        other = fields[known.isna() & ~fields.isin(list(meanings(rows[name])))]
        few = 0 < other.nunique() <= FEW and len(other) * 2 < len(fields)
        if few and {0, 1} <= set(known) and not NO_LABEL.fullmatch(name):
            found[name] = sorted(set(rows.loc[other.index, name]))
    return found


def two_readings(rows: pd.DataFrame) -> list[str]:
    """Clauses on columns of 1 and 2, and of percentages, each with its two readings."""
    said = []
    for name in rows.columns:
        fields = {field for field in rows[name] if field.lower() not in UNKNOWN}
        if NO_LABEL.fullmatch(name) or class_columns.OTHERWISE.fullmatch(name) or not fields:
            continue
        if fields in ONE_TWO:
            said.append(
                f"{name!r} holds 1 and 2: yes and no (write 1 and 0), or no and yes (write 0 and 1)"
            )
        elif all(map(PERCENTAGE.fullmatch, fields)):
            said.append(
                f"{name!r} holds percentages as {max(fields, key=len)!r}: a finding that is there "
                "or not (write 1 and 0), or a measure, which is no label"
            )
    return said
