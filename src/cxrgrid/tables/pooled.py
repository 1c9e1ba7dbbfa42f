"""Training images of cells that pool datasets."""

import pandas as pd

from cxrgrid.config.cell import CONFIGURATION
from cxrgrid.evaluation.wording import whole
from cxrgrid.io.parquet import read_parquet
from cxrgrid.reporting import cell_links
from cxrgrid.reporting.results import Frames
from cxrgrid.reporting.sections import coordinates

COLUMNS = [*CONFIGURATION, "trained_on", "images", "patients", "left_out", "names", "masked"]
TEXTS = [*CONFIGURATION, "trained on", "labels there", "masked labels"]
PART = "pooled"
CAPTION = (
    "Images that each configuration was trained on, of each dataset. Masked: labels that a dataset "
    "does not know. Left out: images that stand too near to a test or validation image. Numbers "
    "are those of the first seed that has finished."
)
METHOD = (
    "Training on several datasets: a configuration is tested in the labels of its own dataset, and "
    "each dataset keeps its label policy unless the recipe has one. A masked label counts in no "
    "loss. Left out are images that are nearly identical to a test image of the study or to a "
    "validation image of another of these datasets, or of such a patient where two datasets number "
    "patients alike."
)
links = cell_links.of_configurations


def build(frames: Frames) -> pd.DataFrame:
    """One row per pooled configuration and dataset that it is trained on."""
    rows, seen = [], set()
    for cell in [cell for cell in frames.grid.cells if cell.train_on]:
        path = frames.folder / "cells" / cell.path() / "history.parquet"
        pool = read_parquet(path)[1].get("pool", {}) if path.is_file() else {}
        if cell.configuration() in seen or not pool:
            continue
        seen.add(cell.configuration())
        labels = frames.facts.get(cell.dataset, {}).get("labels", [])
        for name, part in pool.items():
            row = dict(zip(CONFIGURATION, cell.configuration(), strict=True))
            row |= {key: part[key] for key in ("images", "patients", "left_out")}
            row["names"] = ", ".join(map(both_names, part["labels"].items()))
            row["masked"] = ", ".join(label for label in labels if label not in part["labels"])
            rows.append(row | {"trained_on": name})
    return pd.DataFrame(rows, columns=COLUMNS)


def both_names(pair: tuple[str, str]) -> str:
    """A label, with the name that it has in the other dataset where that differs."""
    return pair[0] if pair[0] == pair[1] else f"{pair[0]} ({pair[1]})"


def show(rows: pd.DataFrame, frames: Frames) -> pd.DataFrame:
    """The table as text."""
    shown = coordinates(rows, CONFIGURATION[1:])
    shown["trained on"] = rows["trained_on"]
    shown["training images"] = rows["images"].map(whole)
    shown["patients"] = rows["patients"].map(whole)
    shown["left out"] = rows["left_out"].map(whole)
    shown["labels there"] = rows["names"]
    shown["masked labels"] = rows["masked"].replace("", "–")
    return shown
