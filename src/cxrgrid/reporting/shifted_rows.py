"""Rows that `robustness` has made of a study, for tables and figures."""

import pandas as pd

from cxrgrid.io.parquet import read_parquet
from cxrgrid.reporting.results import Frames


def shifted(frames: Frames, name: str, columns: list[str]) -> pd.DataFrame:
    """A table that `robustness` has made; empty, with these columns, where it has not run."""
    path = frames.folder / f"shifts/{name}.parquet"
    if not path.is_file() or not frames.grid.study.report.shifts:
        return pd.DataFrame(columns=columns)
    return read_parquet(path, *columns)[0].to_pandas()[columns]
