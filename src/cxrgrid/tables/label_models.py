"""Labels by models: the headline metric of each label and model, the best of a label in bold."""

import pandas as pd

from cxrgrid.config.cell import AXES, CONFIGURATION
from cxrgrid.config.checks import OVERALL
from cxrgrid.evaluation.wording import number, whole
from cxrgrid.reporting.results import Frames
from cxrgrid.reporting.sections import bold

KEYS = ["dataset", "label"]
TEXTS = ["label"]
MOST = 12  # columns, above which a table cannot be read
PART = "labels"
CAPTION = (
    "Mean over seeds on own test images; the highest of a row in bold, whether or not it differs. "
    "*: fewer positives or negatives than `report.minimum`, not ranked, in no average. Average: "
    "over labels defined for all models shown. At most 12 models; all: `label_models.csv`."
)


def build(frames: Frames) -> pd.DataFrame:
    """One row per label and configuration: `value`, mean over seeds; `parameters` of the model."""
    rows = frames.metrics
    rows = rows[rows["metric"].eq(frames.metric) & rows["subset"].eq("all")]
    rows = rows[~rows["label"].isin(OVERALL)].merge(frames.cells[[*AXES, "parameters"]], on=AXES)
    table = rows.groupby([*CONFIGURATION, "label"], sort=False).agg(
        value=("value", "mean"), seeds=("value", "count"), parameters=("parameters", "max")
    )
    table = table.reset_index().merge(places(frames), on=CONFIGURATION)
    table["at"] = table["label"].map({name: at for at, name in enumerate(names(table, frames))})
    table = table.sort_values(["place", "at"], kind="stable").drop(columns=["place", "at"])
    return table.assign(metric=frames.metric).reset_index(drop=True)


def names(table: pd.DataFrame, frames: Frames) -> list[str]:
    """All labels in the order of their datasets."""
    known = [label for facts in frames.facts.values() for label in facts["labels"]]
    return list(dict.fromkeys([*known, *table["label"]]))


def places(frames: Frames) -> pd.DataFrame:
    """Configurations with their place on the leaderboard: by mean validation value."""
    rows = frames.validation.sort_values("value", ascending=False, kind="stable")
    return rows[CONFIGURATION].assign(place=range(len(rows)))


def show(rows: pd.DataFrame, frames: Frames) -> pd.DataFrame:
    """Labels as rows, models as columns; then the average and the number of parameters."""
    model = models(rows)
    kept = list(dict.fromkeys(model))[:MOST]
    wide = rows.assign(model=model).pivot(index="label", columns="model", values="value")[kept]
    wide = wide.loc[list(dict.fromkeys(rows["label"]))]
    few = [name for name in frames.rare(rows["dataset"].iloc[0]) if name in wide.index]
    average = wide.drop(index=few)
    average = average[average.notna().all(axis=1)].mean().to_frame("average").T
    whole_of = pd.concat([wide, average])
    shown = whole_of.apply(as_text, axis=1, result_type="expand")
    shown.columns = kept
    shown.loc[few] = whole_of.loc[few].map(number)
    shown = shown.rename(index={name: f"{name} *" for name in few})
    sizes = rows.assign(model=model).groupby("model")["parameters"].max()
    shown.loc["parameters"] = [whole(sizes[name]) for name in kept]
    return shown.rename_axis("label").reset_index()


def models(rows: pd.DataFrame) -> pd.Series:
    """Name of each row's model: what differs between those of the table."""
    differ = [axis for axis in CONFIGURATION[1:] if rows[axis].nunique() > 1] or ["backbone"]
    return rows[differ].agg(", ".join, axis=1)


def as_text(row: pd.Series) -> list[str]:
    """The numbers of a label, the highest in bold."""
    best = row.round(3).max()
    return [
        bold(number(value)) if len(row) > 1 and round(value, 3) == best else number(value)
        for value in row
    ]
