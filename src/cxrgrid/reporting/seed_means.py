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


def ratio_means(rows: pd.DataFrame, of: list[str]) -> pd.DataFrame:
    """As `seed_means`, of ratios: the errors are those of their logarithms.

    A ratio of 20 varies more between trainings than one of 2, and lies further from its upper end
    than from its lower one. Where a training has a ratio of 0, which has no logarithm, the ends are
    those of the plain mean.
    """
    found = seed_means(rows, of, within=(0.0, np.inf))
    with np.errstate(divide="ignore"):
        logs = np.log(rows[["value", "low", "high"]].where(rows["value"] > 0))
    logs = seed_means(rows.assign(**logs), of, within=(-np.inf, np.inf))
    known = (logs["seeds"] == found["seeds"]) & logs["low"].notna()
    low, high = (found["value"] * np.exp(logs[end] - logs["value"]) for end in ("low", "high"))
    return found.assign(low=low.where(known, found["low"]), high=high.where(known, found["high"]))


def least(rows: pd.DataFrame) -> pd.Series:
    """Least value of each row's metric: -1 of gaps between groups and of correlations, else 0."""
    none = pd.Series("", rows.index)
    gaps = rows.get("subset", none).str.startswith("gap:")
    return 0.0 - (gaps | rows.get("metric", none).eq("mcc")).astype(float)  # no zero of sign minus
