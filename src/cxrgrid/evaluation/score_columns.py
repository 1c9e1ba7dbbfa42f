"""Columns of the files that `score` writes, with their types, and of those of `collect`."""

import pyarrow as pa

from cxrgrid.config.cell import AXES

TESTED = [*AXES, "target"]
KEYS = [*TESTED, "subset", "label", "metric", "threshold_rule"]
SCORES = [*KEYS, "value", "low", "high", "n", "positives", "patients", "labels_scored", "reason"]
SCORES += ["groups"]
CURVES = [*TESTED, "label", "curve", "x", "y", "low", "high", "n"]
THRESHOLDS = [*TESTED, "label", "threshold_rule", "threshold", "temperature"]
THRESHOLDS += ["intercept", "assurance", "reason"]
EPOCHS = ["epoch", "train_loss", "val_loss", "val_auroc", "lr", "seconds", "images_per_second"]
EPOCHS += ["best", "monitor", "monitored", "steps"]
EPOCHS += ["train_accuracy", "train_f1", "val_accuracy", "val_f1"]
COUNTS = ["parameters", "trainable", "buffers", "layers", "multiply_adds", "threads"]
COST = ["total_seconds", "gpu_hours", "peak_host_mb", "peak_device_mb", "energy_kwh"]
CELLS = [*AXES, "state", "epochs", "best_epoch", "seconds", "images_per_second", *COUNTS[:-1]]
CELLS += [*COST, "split_hash", "hardware", "threads", "versions", "start"]
CELLS += ["reason", "rerun"]
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
