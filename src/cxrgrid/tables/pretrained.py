"""Each init against scratch, with all else equal."""

import pandas as pd

from cxrgrid.config.cell import CONFIGURATION
from cxrgrid.evaluation.wording import number, part, signed
from cxrgrid.reporting import cell_links
from cxrgrid.reporting.results import Frames
from cxrgrid.reporting.sections import MISSING, coordinates

TEXTS = CONFIGURATION
PART = "pretrained"
CAPTION = (
    "Means over the pairs of equal seed, dataset, backbone and recipe. The range over seeds is no "
    "confidence interval; for intervals and tests see Pairwise comparisons."
)
links = cell_links.of_starts


def build(frames: Frames) -> pd.DataFrame:
    """Every init but scratch against scratch, over the seeds for which both are scored."""
    pairs = frames.pairs()
    pairs.loc[pairs["difference"].isna(), ["value", "scratch"]] = float("nan")
    table = pairs.groupby(CONFIGURATION, sort=False).agg(
        recipe_a=("recipe_a", "first"),
        recipe_b=("recipe_b", "first"),
        value=("value", "mean"),
        scratch=("scratch", "mean"),
        difference=("difference", "mean"),
        min=("difference", "min"),
        max=("difference", "max"),
        seeds=("difference", "count"),
        planned=("seed", "size"),
    )
    return table.reset_index().assign(metric=frames.metric)


def show(rows: pd.DataFrame, frames: Frames) -> pd.DataFrame:
    """The comparison as text."""
    none = rows["seeds"] == 0
    shown = coordinates(rows, CONFIGURATION[1:])
    shown[f"{frames.metric_name}, this init"] = rows["value"].map(number).mask(none, MISSING)
    shown[f"{frames.metric_name}, scratch"] = rows["scratch"].map(number).mask(none, MISSING)
    shown["difference, mean of pairs"] = rows["difference"].map(signed)
    shown["range over seeds"] = [
        f"{signed(row.min)} to {signed(row.max)}" if row.seeds > 1 else "–"
        for row in rows.itertuples()
    ]
    shown["seeds"] = [part(row.seeds, row.planned) for row in rows.itertuples()]
    return shown
