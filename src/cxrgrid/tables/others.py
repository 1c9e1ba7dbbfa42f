"""Models beside the grid, in rows of their own: ensembles of its cells, models from elsewhere."""

import pandas as pd

from cxrgrid.config.cell import AXES, CONFIGURATION
from cxrgrid.evaluation.ensemble import is_ensemble, members
from cxrgrid.reporting.results import Frames

METRICS = ("auroc", "ap", "balanced_accuracy", "accuracy", "majority_accuracy")
COLUMNS = [
    *CONFIGURATION,
    "kind",
    "members",
    "metric",
    "value",
    "low",
    "high",
    *METRICS,
    "prevalence",
]
COLUMNS += ["n", "patients"]


def build(frames: Frames, prevalence: pd.DataFrame) -> pd.DataFrame:
    """One row a model: COLUMNS, best first in each dataset; prevalence: AXES and its mean."""
    table = frames.whole(frames.metric, frames.beside)
    for metric in METRICS:
        other = frames.whole(metric, frames.beside)[[*AXES, "value"]]
        table = table.merge(other.rename(columns={"value": metric}), on=AXES, how="left")
    table = table.merge(prevalence, on=AXES, how="left").assign(metric=frames.metric)
    sizes = {key: len(cells) for key, cells in members(frames.grid.cells).items()}
    table["kind"] = ["ensemble" if is_ensemble(name) else "external" for name in table["backbone"]]
    table["members"] = [sizes.get(key, 1) for key in table[AXES].itertuples(index=False, name=None)]
    table = table.sort_values("value", ascending=False, kind="stable")
    order = {name: at for at, name in enumerate(frames.grid.study.datasets)}
    table = table.sort_values("dataset", key=lambda names: names.map(order), kind="stable")
    return table[COLUMNS].reset_index(drop=True)


def as_places(table: pd.DataFrame) -> pd.DataFrame:
    """The rows as the leaderboard's: of one training each, without a spread over seeds."""
    return table.assign(seeds=1, planned=1, sd=float("nan"), parameters=float("nan"))
