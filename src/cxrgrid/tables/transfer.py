"""Configurations on the test images of other datasets."""

import pandas as pd

from cxrgrid.comparison import choice
from cxrgrid.config.cell import CONFIGURATION, Cell
from cxrgrid.config.checks import OVERALL
from cxrgrid.config.label_names import kept_apart, same_labels
from cxrgrid.config.transfers import targets_of, taught
from cxrgrid.evaluation.rare_labels import too_rare
from cxrgrid.evaluation.transfer_predictions import kept_out, masked, read_seen
from cxrgrid.evaluation.wording import many, number, part, signed, whole
from cxrgrid.reporting import cell_links
from cxrgrid.reporting.over_labels import over_labels
from cxrgrid.reporting.results import Frames
from cxrgrid.reporting.sections import MISSING, coordinates
from cxrgrid.reporting.seed_means import seed_means

COLUMNS = [*CONFIGURATION, "target", "metric", "value", "low", "high", "seeds", "planned", "labels"]
COLUMNS += ["names_in_training", "labels_scored", "own", "own_labels", "difference", "there", "n"]
COLUMNS += ["patients", "masked", "note"]
TEXTS = [*CONFIGURATION, "target", "labels", "note"]
PART = "transfer"
CAPTION = (
    "Configurations of the dataset above the table, tested on others in the labels that both know. "
    "Own test set: the same labels there. Trained there: the same configuration, trained on the "
    "target. Means over seeds; 95 % intervals over patients and seeds."
)
METHOD = (
    "Transfer: nothing is trained on the target unless a note says so; thresholds are those of the "
    "model's own validation images; in brackets, the name of a label in training where it is "
    "another one. Left out are test images like which the model has met one in training or "
    "validation (a near-identical image, or one of the same patient where both datasets number "
    "patients alike). A difference between datasets is not one of models alone: prevalence, case "
    "mix, devices and labelling differ too."
)
links = cell_links.of_configurations


def build(frames: Frames) -> pd.DataFrame:
    """One row per configuration and target of the study; NaN where none is scored."""
    rows, standing = [], choice.standing(frames.validation)
    for source, targets in frames.grid.transfers.items():
        cells = [cell for cell in frames.grid.cells if cell.dataset == source]
        for target in targets:
            seen = read_seen(frames.folder / "overlap.parquet", target)
            for configuration, group in configurations(cells).items():
                if configuration not in standing.values():
                    continue
                row = dict(zip(CONFIGURATION, configuration, strict=True)) | {"target": target}
                there = (target, *configuration[1:-1], frames.grid.entry(configuration[-1]))
                row |= numbers(frames, configuration, target, standing.get(there))
                tested = [cell for cell in group if target in targets_of(frames.grid, cell)]
                row["planned"] = len(tested)
                clear = kept_out(frames.folder / "cells" / group[0].path())
                row["masked"] = len(masked(frames.grid, group[0], target, seen, clear))
                folds = len({cell.fold for cell in tested}), len({cell.fold for cell in group})
                rows.append(row | {"note": note(frames, group[0], target, folds)})
    return pd.DataFrame(rows, columns=COLUMNS).assign(metric=frames.metric)


def configurations(cells: list[Cell]) -> dict[tuple, list[Cell]]:
    """The cells of each configuration."""
    found: dict[tuple, list[Cell]] = {}
    for cell in cells:
        found.setdefault(cell.configuration(), []).append(cell)
    return found


def numbers(frames: Frames, configuration: tuple, target: str, there: tuple | None) -> dict:
    """Results of a configuration's seeds on a target, with the columns beside them.

    there: the configuration with the same backbone, init and recipe that was trained on the target.
    """
    every = frames.across[frames.across["target"] == target]
    rows, whole_of = of_configuration(every, configuration), over_labels(frames.metric, every)
    each, means = (of_configuration(r, configuration) for r in (whole_of, seed_means(whole_of, [])))
    own_labels = rows[(rows["metric"] == frames.metric) & ~rows["label"].isin(OVERALL)]
    labels = list(dict.fromkeys(own_labels["label"]))
    known = own_labels[own_labels["value"].notna()].drop_duplicates("label")
    counts = known["positives"], known["n"] - known["positives"]
    rare = too_rare(known["label"].tolist(), *counts, frames.grid.study.report.minimum)
    scored = [label for label in known["label"] if label not in rare]
    same = same_labels(configuration[0], target, frames.grid.study.datasets)
    own, count = over(frames, configuration, [same.get(label, label) for label in scored])
    value = each["value"].mean()
    found = {"value": value} | {name: means[name].mean() for name in ("low", "high")}
    found |= {"seeds": int(each["value"].notna().sum()), "labels": ", ".join(labels)}
    found |= {"names_in_training": ", ".join(same.get(label, label) for label in labels)}
    found |= {"labels_scored": len(scored), "own": own, "own_labels": count}
    trained = over(frames, there, scored)[0] if there else float("nan")
    found |= {"difference": value - own, "there": trained}
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


def note(frames: Frames, cell: Cell, target: str, folds: tuple[int, int]) -> str:
    """Reasons why a number is not a clean test on other data.

    folds: of the configuration, those whose networks are tested on the target, and all.
    """
    found = []
    if folds[1] > 1:
        found.append(f"mean over the networks of {folds[0]} folds")
    if folds[0] < folds[1]:
        lost = many(folds[1] - folds[0], "fold")
        found.append(f"{lost} left out, trained on its test images")
    if len(frames.grid.folds[target]) > 1:
        found.append(f"on the test images of fold 0 of {target}")
    if target in cell.train_on:
        too = "too" if cell.dataset in cell.train_on else f"and not on {cell.dataset}"
        found.append(f"trained on {target} {too}")
    elif target in taught(frames.grid, cell):
        found.append(f"initial weights from a model trained on {target}")
    ours, theirs = (frames.facts.get(n, {}).get("image", {}) for n in (cell.dataset, target))
    names = sorted(name for name in {*ours, *theirs} if ours.get(name) != theirs.get(name))
    if ours and theirs and names:
        found.append(f"other image recipe ({', '.join(names)})")
    return "; ".join(found)


def both_names(row: tuple) -> str:
    """The labels of a row, each with its name in training where that is another one."""
    pairs = zip(row.labels.split(", "), row.names_in_training.split(", "), strict=True)
    return ", ".join(there if there == here else f"{there} ({here})" for there, here in pairs)


def notes(rows: pd.DataFrame, frames: Frames) -> list[str]:
    """Labels that mean nearly the same in two datasets, and are not taken as one."""
    pairs = rows[["dataset", "target"]].drop_duplicates().itertuples(index=False)
    datasets = frames.grid.study.datasets
    found = [text for source, target in pairs for text in kept_apart(source, target, datasets)]
    return [f"{text}. `same_as` takes them as one." for text in found]


def show(rows: pd.DataFrame, frames: Frames) -> pd.DataFrame:
    """The matrix as text."""
    shown = coordinates(rows, ["target", *CONFIGURATION[1:]])
    values = [number(*row) for row in rows[["value", "low", "high"]].itertuples(index=False)]
    values = pd.Series(values, rows.index).mask(rows["seeds"] == 0, MISSING)
    shown[f"{frames.metric_name} there (95 % interval)"] = values
    shown["own test set"] = rows["own"].map(number)
    shown["difference"] = rows["difference"].map(signed)
    shown["trained there"] = rows["there"].map(number)
    shown["labels"] = [
        f"{part(row.labels_scored, row.labels.count(', ') + 1)}: {both_names(row)}"
        if row.labels
        else "–"
        for row in rows.itertuples()
    ]
    shown["seeds"] = [part(row.seeds, row.planned) for row in rows.itertuples()]
    shown["test images (patients)"] = [whole(row.n, row.patients) for row in rows.itertuples()]
    shown["left out"] = rows["masked"].map(whole)
    shown["note"] = rows["note"].fillna("")
    return shown
