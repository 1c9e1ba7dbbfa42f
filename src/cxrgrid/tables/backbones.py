"""Backbones: parameters, layers, multiply-adds, and published accuracy on ImageNet."""

from functools import cache
from pathlib import Path

import pandas as pd

from cxrgrid.comparison.effect_rows import ALL
from cxrgrid.config.cell import AXES
from cxrgrid.evaluation.wording import number, whole
from cxrgrid.reporting.results import Frames

PUBLISHED = Path(__file__).with_name("imagenet_accuracy.csv")
COUNTS = ["parameters", "trainable", "layers", "multiply_adds"]
TEXTS = ["backbone", "datasets", "ImageNet weights"]
PART = "cost"
CAPTION = (
    "Each backbone as the study trains it, with its own classifier. Layers: convolutions and "
    "matrix products with weights. Multiply-adds: of one image at the size of the model's input. "
    "ImageNet: accuracy of the published weights, not of this study."
)
METHOD = (
    "Backbones: accuracy on ImageNet is that of timm's default weights in its own results "
    "(huggingface/pytorch-image-models, results/results-imagenet.csv, October 2025), at the size "
    "stated there; of other backbones it is not known to cxrgrid. A multiplication with its "
    "addition counts once."
)
UNKNOWN = "not known"


@cache
def published() -> pd.DataFrame:
    """Published accuracy by backbone: tag of the weights, pixels, top1 and top5 in percent."""
    return pd.read_csv(PUBLISHED).set_index("backbone")


def build(frames: Frames) -> pd.DataFrame:
    """One row per backbone and its counts, with the `datasets` on which they are these."""
    sizes = {tuple(cell.axes().values()): side(cell, frames) for cell in frames.grid.cells}
    cells = frames.cells[frames.cells["state"] == "done"]
    if "layers" not in cells:
        cells = cells.assign(layers=float("nan"))
    keys = cells[AXES].itertuples(index=False, name=None)
    cells = cells.assign(pixels=[sizes[key] for key in keys])
    same = ["backbone", *COUNTS, "pixels"]
    groups = cells.groupby(same, sort=False, dropna=False)["dataset"]
    table = groups.agg(lambda names: ", ".join(dict.fromkeys(names))).reset_index()
    table = table.rename(columns={"dataset": "datasets"})
    table = table.join(published().add_prefix("imagenet_"), on="backbone")
    order = {name: at for at, name in enumerate(dict.fromkeys(frames.cells["backbone"]))}
    table = table.sort_values("backbone", key=lambda names: names.map(order), kind="stable")
    return table.assign(dataset=ALL).reset_index(drop=True)


def side(cell, frames: Frames) -> str:
    """Width and height of a cell's input, such as 224 × 224; empty if no table says so."""
    size = (cell.image or frames.facts.get(cell.dataset, {}).get("image", {})).get("size")
    if size is None:
        return ""
    width, _, height = str(size).partition("x")
    return f"{width} × {height or width}"


def show(rows: pd.DataFrame, frames: Frames) -> pd.DataFrame:
    """The table as text."""
    shown = rows[["backbone"]].copy()
    if rows["datasets"].nunique() > 1:
        shown["datasets"] = rows["datasets"]
    shown["parameters"] = rows["parameters"].map(whole)
    if (rows["trainable"] < rows["parameters"]).any():
        shown["trained"] = rows["trainable"].map(whole)
    shown["layers"] = rows["layers"].map(whole)
    millions = rows["multiply_adds"].astype(float) / 1e6
    shown["multiply-adds (millions)"] = [number(value, digits=1) for value in millions]
    shown["input (pixels)"] = rows["pixels"].replace("", "–")
    for name in ("top1", "top5"):
        values = rows[f"imagenet_{name}"]
        percent = [number(value, digits=1) for value in values]
        shown[f"ImageNet top-{name[-1]} (%)"] = pd.Series(percent, rows.index).mask(
            values.isna(), UNKNOWN
        )
    pixels = rows["imagenet_pixels"].map(whole)
    shown["ImageNet weights"] = (rows["imagenet_tag"] + ", " + pixels + " pixels").fillna("–")
    return shown


def notes(rows: pd.DataFrame, frames: Frames) -> list[str]:
    """Backbones whose layers an earlier version did not count."""
    names = list(dict.fromkeys(rows.loc[rows["layers"].isna(), "backbone"]))
    said = "no layers: trained by a version of cxrgrid that did not count them."
    return [f"{', '.join(names)}: {said}"] if names else []
