"""The transfer matrix: each configuration on its own test images and on other datasets'."""

from pathlib import Path

import pandas as pd

from cxrgrid.config.cell import CONFIGURATION, Cell
from cxrgrid.config.checks import OVERALL
from cxrgrid.config.transfers import taught
from cxrgrid.evaluation.transfer_predictions import masked, read_seen
from cxrgrid.evaluation.wording import number, signed, whole
from cxrgrid.reporting.results import Frames

COLUMNS = [*CONFIGURATION, "target", "metric", "value", "low", "high", "seeds", "planned", "labels"]
COLUMNS += ["labels_scored", "own", "own_labels", "difference", "there", "n", "patients", "masked"]
COLUMNS += ["note"]
NOTE = (
    "Each configuration was trained on the dataset above the table and tested on others, without "
    "any training there, in the labels that both know by name, as far as both classes are there; "
    "thresholds are those of its own validation images. Own test set: the same labels on the test"
    " images of its own dataset, over those that are defined there. Trained there: the same "
    "backbone, init and recipe, trained on the target, in the same labels, on all of its test "
    "images. Means over seeds; the interval is over patients, for several seeds the mean of the "
    "seeds' ends. Left out: test images like which the model has met one in training or "
    "validation (a near-identical image, or one of the same patient where both datasets number "
    "patients alike). What published weights were trained on is not known here. A difference "
    "between datasets is not one of models alone: prevalence, case mix, devices and labelling "
    "differ too."
)


def build(frames: Frames, overlap: Path | None = None) -> pd.DataFrame:
    """One row per configuration and target of the study; NaN where none is scored.

    overlap: overlap.parquet, from which `masked` is counted; without it, 0.
    """
    rows = []
    for source, targets in frames.grid.transfers.items():
        cells = [cell for cell in frames.grid.cells if cell.dataset == source]
        for target in targets:
            seen = read_seen(overlap, target) if overlap else {}
            for configuration, group in configurations(cells).items():
                hidden = len(masked(frames.grid, group[0], target, seen))
                row = dict(zip(CONFIGURATION, configuration, strict=True)) | {"target": target}
                row |= numbers(frames, configuration, target) | {
                    "planned": len(group),
                    "masked": hidden,
                }
                rows.append(row | {"note": note(frames, group[0], target)})
    return pd.DataFrame(rows, columns=COLUMNS).assign(metric=frames.metric)


def configurations(cells: list[Cell]) -> dict[tuple, list[Cell]]:
    """The cells of each configuration."""
    found: dict[tuple, list[Cell]] = {}
    for cell in cells:
        found.setdefault(cell.configuration(), []).append(cell)
    return found


def numbers(frames: Frames, configuration: tuple, target: str) -> dict:
    """What the seeds of a configuration reach on a target, and what stands beside it."""
    rows = of_configuration(frames.across[frames.across["target"] == target], configuration)
    each = frames.whole(frames.metric, rows)
    own_labels = rows[(rows["metric"] == frames.metric) & ~rows["label"].isin(OVERALL)]
    labels = list(dict.fromkeys(own_labels["label"]))
    scored = list(dict.fromkeys(own_labels.loc[own_labels["value"].notna(), "label"]))
    own, count = over(frames, configuration, scored)
    value = each["value"].mean()
    found = {"value": value, "low": each["low"].mean(), "high": each["high"].mean()}
    found |= {"seeds": int(each["value"].notna().sum()), "labels": ", ".join(labels)}
    found |= {"labels_scored": len(scored), "own": own, "own_labels": count}
    found |= {
        "difference": value - own,
        "there": over(frames, (target, *configuration[1:]), scored)[0],
    }
    return found | {"n": each["n"].max(), "patients": each["patients"].max()}


def of_configuration(rows: pd.DataFrame, configuration: tuple) -> pd.DataFrame:
    """The rows of all seeds of a configuration."""
    return rows[(rows[CONFIGURATION] == list(configuration)).all(axis=1)]


def over(frames: Frames, configuration: tuple, labels: list[str]) -> tuple[float, int]:
    """The headline of a configuration on its own test images, mean over some labels and all seeds.

    And over how many labels: those that have both classes there.
    """
    rows = of_configuration(frames.metrics, configuration)
    rows = rows[(rows["metric"] == frames.metric) & (rows["subset"] == "all")]
    rows = rows[rows["label"].isin(labels) & rows["value"].notna()]
    return rows.groupby("seed")["value"].mean().mean(), rows["label"].nunique()


def note(frames: Frames, cell: Cell, target: str) -> str:
    """What makes a number less than a clean test on other data."""
    found = []
    if target in taught(frames.grid.study, cell):
        found.append(f"has started from a model trained on {target}")
    ours, theirs = (frames.facts.get(n, {}).get("image", {}) for n in (cell.dataset, target))
    names = sorted(name for name in {*ours, *theirs} if ours.get(name) != theirs.get(name))
    if ours and theirs and names:
        found.append(f"images are made otherwise ({', '.join(names)})")
    return "; ".join(found)


def show(table: pd.DataFrame, frames: Frames) -> pd.DataFrame:
    """The matrix as text."""
    several = table["recipe"].nunique() > 1
    shown = table[["target", "backbone", "init", *(["recipe"] if several else [])]].copy()
    shown[f"{frames.metric_name} there (95 % interval)"] = [
        "missing" if row.seeds == 0 else number(row.value, row.low, row.high)
        for row in table.itertuples()
    ]
    shown["own test set"] = table["own"].map(number)
    shown["difference"] = table["difference"].map(signed)
    shown["trained there"] = table["there"].map(number)
    shown["labels"] = [
        f"{row.labels_scored} of {row.labels.count(', ') + 1}: {row.labels}" if row.labels else "–"
        for row in table.itertuples()
    ]
    shown["seeds"] = [f"{row.seeds} of {row.planned}" for row in table.itertuples()]
    shown["test images (patients)"] = [whole(row.n, row.patients) for row in table.itertuples()]
    shown["left out"] = table["masked"].map(whole)
    shown["note"] = table["note"].fillna("")
    return shown
