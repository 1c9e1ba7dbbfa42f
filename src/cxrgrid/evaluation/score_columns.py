"""Columns of the files that `score` writes, which `collect` stacks, and their types."""

import pyarrow as pa

from cxrgrid.config.cell import AXES

TESTED = [*AXES, "target"]
KEYS = [*TESTED, "subset", "label", "metric", "threshold_rule"]
SCORES = [*KEYS, "value", "low", "high", "n", "positives", "patients", "labels_scored", "reason"]
SCORES += ["groups"]
CURVES = [*TESTED, "label", "curve", "x", "y", "low", "high", "n"]
THRESHOLDS = [*TESTED, "label", "threshold_rule", "threshold", "temperature"]
THRESHOLDS += ["intercept", "assurance", "reason"]
NUMBERS = ("value", "low", "high", "temperature", "intercept", "assurance", "threshold", "x", "y")
WHOLE = ("fold", "seed", "n", "positives", "patients", "labels_scored")


def with_fold(table: pa.Table) -> pa.Table:
    """A file of rows per cell; one of before there were folds gets fold 0."""
    if "fold" in table.column_names:
        return table
    return table.append_column("fold", pa.array([0] * table.num_rows, pa.int64()))


def schema(columns: list[str]) -> pa.Schema:
    """The types of a file's columns."""
    kinds = {name: pa.float64() for name in NUMBERS} | {name: pa.int64() for name in WHOLE}
    return pa.schema([(name, kinds.get(name, pa.string())) for name in columns])
