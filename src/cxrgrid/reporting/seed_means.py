"""Means over the seeds of a configuration, with one interval over patients and trainings.

For numbers of which only each training's value and interval are at hand (`metrics.csv`), as those
of subsets, other datasets and metrics with thresholds. The mean of the seeds' own ends would leave
out how trainings vary.
"""

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from cxrgrid.config.cell import CONFIGURATION

ENDS = ["value", "low", "high", "seeds", "seed_sd"]


def seed_means(
    rows: pd.DataFrame, of: list[str], within: tuple[float, float] | None = None
) -> pd.DataFrame:
    """One row per configuration and `of`: these columns, and ENDS.

    rows: one per training, with `value`, `low` and `high` (over patients; NaN
    where unknown). of: the columns that say what is measured, such as `label`. The SD between
    trainings is pooled over the configurations of a dataset that are measured alike, as in
    `seed_variance.pool`, and its half-width added in squares to the mean distance of the seeds'
    ends, as in `seed_variance.over_seeds`. Where no configuration has two seeds: over patients
    alone. within: least and greatest value of the metric; None: those of a share, or of a gap.
    """
    keys = [*CONFIGURATION, *of]
    rows = rows.assign(down=rows["value"] - rows["low"], up=rows["high"] - rows["value"])
    found = rows.groupby(keys, sort=False, dropna=False).agg(
        value=("value", "mean"),
        seeds=("value", "count"),
        variance=("value", "var"),
        down=("down", "mean"),
        up=("up", "mean"),
    )
    found = found.reset_index()
    alike = ["dataset", *of]
    found["df"] = (found["seeds"] - 1).clip(lower=0)
    found["squares"] = found["variance"].fillna(0) * found["df"]
    pooled = found.groupby(alike, sort=False, dropna=False)[["squares", "df"]].transform("sum")
    df = pooled["df"].where(pooled["df"] > 0)
    found["seed_sd"] = np.sqrt(pooled["squares"] / df)
    reach = (
        -stdtrit(df, 0.025) * found["seed_sd"] / np.sqrt(found["seeds"].where(found["seeds"] > 0))
    )
    reach = reach.fillna(0)
    low, high = (np.hypot(found[side], reach) for side in ("down", "up"))
    bottom, top = within or (least(found), 1)
    found["low"] = (found["value"] - low).clip(lower=bottom)
    found["high"] = (found["value"] + high).clip(upper=top)
    return found[[*keys, *ENDS]]


def least(rows: pd.DataFrame) -> pd.Series:
    """Least value of each row's metric: -1 of gaps between groups and of correlations, else 0."""
    none = pd.Series("", rows.index)
    gaps = rows.get("subset", none).str.startswith("gap:")
    return -1.0 * (gaps | rows.get("metric", none).eq("mcc"))
