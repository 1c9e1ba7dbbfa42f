"""Training losses by step, from the cells' histories."""

import numpy as np
import pandas as pd

from cxrgrid.config.cell import AXES
from cxrgrid.io.parquet import read_parquet
from cxrgrid.reporting.results import Frames

COLUMNS = [*AXES, "step", "loss"]


def read(frames: Frames) -> pd.DataFrame:
    """AXES, `step` (from the start of the training) and `loss`, a mean of the steps up to it.

    At most 20 rows per epoch. Cells that have not finished, or whose version of cxrgrid did not
    record the losses of steps, have none.
    """
    done = set(frames.history[AXES].itertuples(index=False, name=None))
    parts = [pd.DataFrame(columns=COLUMNS)]
    for cell in [cell for cell in frames.grid.cells if tuple(cell.axes().values()) in done]:
        path = frames.folder / "cells" / cell.path() / "history.parquet"
        table = read_parquet(path)[0] if path.is_file() else None
        if table is not None and "step_losses" in table.column_names:
            rows = table.select(["steps", "step_losses"]).to_pylist()
            parts.append(of_epochs(rows).assign(**cell.axes()))
    return pd.concat(parts[1:] or parts, ignore_index=True)


def of_epochs(rows: list[dict]) -> pd.DataFrame:
    """`step` and `loss` of epochs; rows: `steps` and `step_losses` of each, None if unknown."""
    found, before = [], 0
    for row in rows:
        if row["step_losses"] is None:
            return pd.DataFrame(columns=["step", "loss"])
        parts = np.array_split(np.arange(row["steps"]), len(row["step_losses"]))
        ends = [before + int(part[-1]) + 1 for part in parts]
        found += zip(ends, row["step_losses"], strict=True)
        before += row["steps"]
    return pd.DataFrame(found, columns=["step", "loss"])
