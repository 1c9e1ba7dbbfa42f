"""Experiments side by side: loss, accuracy, time, and averages over labels."""

import pandas as pd

from cxrgrid.config.cell import AXES, CONFIGURATION, Cell
from cxrgrid.config.operating_points import ARGMAX, rule
from cxrgrid.config.recipe import Recipe
from cxrgrid.evaluation.wording import number, whole
from cxrgrid.reporting.results import Frames

EPOCH = ["train_loss", "train_accuracy", "val_loss", "val_accuracy"]
AVERAGED = {"precision": "precision", "sensitivity": "recall", "f1": "F1"}
TEXTS = ["experiment"]
MOST = 12  # columns, above which a table cannot be read
PART = "leaderboard"
CAPTION = (
    "One column per configuration, mean over seeds, with the settings in which they differ; those "
    "of training and validation at the epoch whose weights are used. At most 12, chosen by the "
    "validation value; all: `experiments.csv`."
)
METHOD = (
    "Experiments: training loss, and training accuracy at 0.5 or by the highest score, are of the "
    "steps' own answers, to augmented images and with dropout, at each step's weights. Accuracy "
    "where labels stand alone is the share of known labels that are decided right (binary "
    "accuracy), which a model that calls all labels absent reaches to one minus their prevalence. "
    "Test loss: log loss without weights, mean over labels. Precision, recall and F1 are at the "
    "study's first operating point; micro: all labels as one, macro: mean over labels."
)
LINES = {
    "train_loss": "training loss",
    "train_accuracy": "training accuracy",
    "val_loss": "validation loss",
    "val_accuracy": "validation accuracy",
    "test_loss": "test loss",
    "test_accuracy": "test accuracy",
    "negative_accuracy": "test accuracy, all called absent",
    "majority_accuracy": "test accuracy, most frequent class",
    "seconds": "time (h:mm:ss)",
    "auroc": "AUROC",
    "ap": "average precision",
}
AVERAGES = {
    f"{name}_{average}": f"{name}, {average}"
    for name in AVERAGED.values()
    for average in ("micro", "macro")
}
LINES |= AVERAGES
LINES |= {"n": "test images", "seeds": "seeds"}
COLUMNS = [*CONFIGURATION, *LINES, "reason"]


def build(frames: Frames) -> pd.DataFrame:
    """One row per configuration, in the study's order; `reason`: why training has no accuracy."""
    best = frames.history[frames.history["best"].astype(bool)]
    cells = frames.cells[[*AXES, "total_seconds"]].merge(
        best[[*AXES, "val_auroc", *EPOCH]], on=AXES, how="left"
    )
    of_folds = cells.groupby(CONFIGURATION, sort=False)[[*EPOCH, "total_seconds"]].mean()
    table = of_folds.rename(columns={"total_seconds": "seconds"})
    for name, rows in tested(frames).items():
        table[name] = rows.groupby(CONFIGURATION)["value"].mean()
    scored = tested(frames)["auroc"].groupby(CONFIGURATION)
    table["n"], table["seeds"] = scored["n"].max(), scored["seed"].nunique()
    table = table.reset_index()
    settings = {cell.configuration(): cell for cell in frames.grid.cells}
    keys = table[CONFIGURATION].itertuples(index=False, name=None)
    unknown = table["train_accuracy"].isna() & table["train_loss"].notna()
    table["reason"] = [why(settings[key]) for key in keys]
    table["reason"] = table["reason"].where(unknown)
    order = {name: at for at, name in enumerate(frames.grid.targets())}
    table = table.sort_values("dataset", key=lambda names: names.map(order), kind="stable")
    return table.reindex(columns=COLUMNS).reset_index(drop=True)


def why(cell: Cell) -> str:
    """Reason why a trained cell has no training accuracy."""
    if cell.mixup or cell.policy == "cutmix":
        return f"{'mixup' if cell.mixup else 'cutmix'} blends images, so that none has one truth"
    return "trained by a version of cxrgrid that did not record it"


def tested(frames: Frames) -> dict[str, pd.DataFrame]:
    """Values on test images by column, one row per replicate."""
    own = frames.metrics[frames.metrics["subset"] == "all"]
    others = frames.other_points[frames.other_points["subset"] == "all"]
    every = pd.concat([own, others])
    half = every[every["threshold_rule"].isin([rule(0.5), ARGMAX])]
    found = {"test_loss": of(own, "log_loss", ["all", "macro"])}
    found["test_accuracy"] = of(half, "accuracy", ["all", "micro"])
    found["negative_accuracy"] = absent(own)
    found["majority_accuracy"] = of(own, "majority_accuracy", ["all"])
    found |= {name: of(own, name, ["macro", "all"]) for name in ("auroc", "ap")}
    for metric, name in AVERAGED.items():
        for average in ("micro", "macro"):
            found[f"{name}_{average}"] = of(own, metric, [average])
    return found


def of(rows: pd.DataFrame, metric: str, labels: list[str]) -> pd.DataFrame:
    """Rows of a metric, the first of the labels that a replicate has."""
    rows = rows[(rows["metric"] == metric) & rows["label"].isin(labels)]
    rows = rows.sort_values("label", key=lambda names: names.map(labels.index), kind="stable")
    return rows.drop_duplicates(AXES)


def absent(rows: pd.DataFrame) -> pd.DataFrame:
    """Share of known labels that are absent, where labels stand alone."""
    rows = rows[rows["metric"].isin(["negative_accuracy"])]
    weighted = rows.assign(value=rows["value"] * rows["n"])
    sums = weighted.groupby(AXES, sort=False)[["value", "n"]].sum().reset_index()
    return sums.assign(value=sums["value"] / sums["n"])


def show(rows: pd.DataFrame, frames: Frames) -> pd.DataFrame:
    """Experiments as columns, numbered; lines that the task does not have are left out."""
    rows = chosen(rows, frames)
    task = frames.facts.get(rows["dataset"].iloc[0], {}).get("task")
    always = [*EPOCH, *(AVERAGES if task == "multilabel" else ())]
    lines = {axis: rows[axis] for axis in CONFIGURATION[1:] if rows[axis].nunique() > 1}
    lines |= settings(rows, frames)
    absent_too = task != "multiclass"  # of exclusive classes, no decision calls all absent
    for name, text in LINES.items():
        if name == "negative_accuracy" and not absent_too:
            continue
        alone = name == "seeds" and (rows[name] == 1).all()
        if name in always or (rows[name].notna().any() and not alone):
            lines[text] = rows[name].map(FORMATS.get(name, number))
    shown = pd.DataFrame({name: list(values) for name, values in lines.items()}).T
    shown.columns = [str(at + 1) for at in range(len(rows))]
    return shown.rename_axis("experiment").reset_index()


def chosen(rows: pd.DataFrame, frames: Frames) -> pd.DataFrame:
    """The rows that are shown: all, or those with the highest validation values."""
    if len(rows) <= MOST:
        return rows
    values = rows[CONFIGURATION].merge(frames.validation, on=CONFIGURATION, how="left")["value"]
    values.index = rows.index
    return rows.loc[sorted(values.nlargest(MOST, keep="first").index)]


def settings(rows: pd.DataFrame, frames: Frames) -> dict[str, list[str]]:
    """Settings of the recipes in which the rows differ, as text."""
    cells = {cell.configuration(): cell for cell in frames.grid.cells}
    own = [cells[key] for key in rows[CONFIGURATION].itertuples(index=False, name=None)]
    found = {}
    for name in Recipe.__struct_fields__:
        values = [getattr(cell, name) for cell in own]
        if len({repr(value) for value in values}) > 1:
            found[name.replace("_", " ")] = [plain(value) for value in values]
    return found


def plain(value: object) -> str:
    """A setting as text: yes and no for switches, a dash for what is empty."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float | int):
        return f"{value:g}"
    return str(value) or "–"


def duration(seconds: float) -> str:
    """Time as hours, minutes and seconds; a dash for NaN."""
    if pd.isna(seconds):
        return "–"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def loss(value: float) -> str:
    """A loss; with an exponent where it is large, as that of saturated wrong answers."""
    return f"{value:.2e}" if value >= 1e4 else number(value)


FORMATS = dict.fromkeys(("train_loss", "val_loss", "test_loss"), loss)
FORMATS |= {"seconds": duration, "n": whole, "seeds": whole}


def notes(rows: pd.DataFrame, frames: Frames) -> list[str]:
    """The experiments without a training accuracy, and why; the operating point."""
    shown = chosen(rows, frames).reset_index(drop=True)
    found = []
    for reason, part in shown.groupby("reason", sort=False):
        numbers = ", ".join(str(at + 1) for at in part.index)
        which = "experiments" if len(part) > 1 else "experiment"
        found.append(f"No training accuracy: {reason} ({which} {numbers}).")
    facts = frames.facts.get(rows["dataset"].iloc[0], {})
    if facts.get("task") != "multiclass":
        point = rule(frames.grid.study.report.operating_points[0])
        found.append(f"Precision, recall and F1 at the operating point `{point}`, accuracy at 0.5.")
        if rare := frames.rare(rows["dataset"].iloc[0]):
            found.append(
                "Means over labels, macro among them, leave out labels with few positives or "
                f"negatives; micro and accuracy count them: {', '.join(rare)}."
            )
    return found
