"""Ensembles of the study's cells, and models trained elsewhere."""

import pandas as pd

from cxrgrid.config.cell import AXES, CONFIGURATION
from cxrgrid.evaluation.ensemble import is_ensemble, members
from cxrgrid.evaluation.fold_scores import model_of
from cxrgrid.evaluation.wording import number, whole
from cxrgrid.reporting.over_labels import over_labels
from cxrgrid.reporting.results import Frames
from cxrgrid.reporting.sections import coordinates
from cxrgrid.tables.leaderboard import SECONDARY, beside, prevalence

COLUMNS = [*CONFIGURATION, "kind", "members", "metric", "value", "low", "high", *SECONDARY]
COLUMNS += ["prevalence", "n", "patients"]
TEXTS = [*CONFIGURATION, "kind"]
PART = "leaderboard"
CAPTION = (
    "On the test images of the leaderboard, and in none of its means; 95 % intervals over "
    "patients alone."
)
METHOD = (
    "Ensembles: the mean probability of all seeds (ensemble:backbone) or of all backbones and "
    "seeds (ensemble). External: models trained elsewhere."
)


def build(frames: Frames) -> pd.DataFrame:
    """One row per model, COLUMNS, best first in each dataset."""
    table = over_labels(frames.metric, frames.beside)
    for metric in SECONDARY:
        other = over_labels(metric, frames.beside)[[*AXES, "value"]]
        table = table.merge(other.rename(columns={"value": metric}), on=AXES, how="left")
    table = table.merge(prevalence(frames.beside, frames), on=AXES, how="left")
    sizes = {key: len(cells) for key, cells in members(frames.grid.cells).items()}
    sizes |= {model_of(dict(zip(AXES, key, strict=True))): n for key, n in sizes.items()}
    table["kind"] = ["ensemble" if is_ensemble(name) else "external" for name in table["backbone"]]
    table["members"] = [sizes.get(key, 1) for key in table[AXES].itertuples(index=False, name=None)]
    table = table.sort_values("value", ascending=False, kind="stable").assign(metric=frames.metric)
    order = {name: at for at, name in enumerate(frames.grid.study.datasets)}
    table = table.sort_values("dataset", key=lambda names: names.map(order), kind="stable")
    return table[COLUMNS].reset_index(drop=True)


def show(rows: pd.DataFrame, frames: Frames) -> pd.DataFrame:
    """The models as text, as the leaderboard shows its cells."""
    shown = coordinates(rows, CONFIGURATION[1:])
    shown["kind"] = rows["kind"]
    shown["members"] = rows["members"].map(whole)
    values = rows[["value", "low", "high"]].itertuples(index=False)
    shown[f"{frames.metric_name}, mean over labels (95 % interval)"] = [number(*v) for v in values]
    return shown.join(beside(rows, frames))
