"""Members of a dataset's subsets: by view, sex and age. No pandas: `score` starts fast."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from cxrgrid.config.dataset import Subset
from cxrgrid.io.parquet import read_parquet

VIEWS = {"frontal": ("PA", "AP", "FRONTAL"), "lateral": ("LATERAL",)}


def spelled(views: tuple[str, ...]) -> list[str]:
    """The views in upper case; frontal and lateral stand for several."""
    return [name for view in views for name in VIEWS.get(view.lower(), (view.upper(),))]


def matches(
    view: Sequence, sex: Sequence, age: Sequence, part: Subset, source: Sequence = ()
) -> np.ndarray:
    """Mask of a subset's images, bool [N]; False if view, sex … is asked for and unknown."""
    found = np.ones(len(view), bool)
    if part.view:
        wanted = set(spelled(part.view))
        found &= np.fromiter((str(name).upper() in wanted for name in view), bool, len(view))
    if part.sex:
        found &= np.fromiter((name in part.sex for name in sex), bool, len(view))
    if part.age:
        low, high = part.age
        years = np.asarray(age, float)
        found &= (years >= low) & (years <= high)
    if part.source:
        found &= np.isin(np.array(source or [None] * len(view), object), part.source)
    return found


def of_table(table: pa.Table, part: Subset) -> np.ndarray:
    """Mask of a subset's rows of a table.parquet, bool [N]."""
    view, sex = (table[name].to_pylist() for name in ("view", "sex"))
    source = table["source"].to_pylist() if "source" in table.column_names else ()
    return matches(view, sex, table["age"].to_numpy(), part, source)


def members(path: Path, subsets: dict[str, Subset]) -> dict[str, set[str]]:
    """The images of each subset, by name, from a dataset's table.parquet."""
    if not subsets:
        return {}
    table, _ = read_parquet(path)
    image = np.array(table["image"].to_pylist(), object)
    found = {name: set(image[of_table(table, part)]) for name, part in subsets.items()}
    for name in [name for name, images in found.items() if not images]:
        views = {view for view in table["view"].to_pylist() if view}
        there = ", ".join(sorted(views)) or "none is known"
        logging.warning(f"subset {name}: no image is in it; views that are there: {there}")
    return found


def groups(
    path: Path, axes: tuple[str, ...], bands: tuple[float, ...]
) -> dict[str, dict[str, set[str]]]:
    """The images of each group along each axis (sex, view, age, source), from a table.parquet.

    `sex*age` and the like are the intersections of two axes, whose groups are called `F, 60-<80`.
    An image of which an axis is unknown is in no group of it; an axis that does not vary has none.
    """
    if not axes:
        return {}
    table, _ = read_parquet(path)
    image = np.array(table["image"].to_pylist(), object)
    found = {}
    for axis in axes:
        names = group_names(table, axis, bands)
        members = {str(name): set(image[names == name]) for name in np.unique(names) if name}
        if len(members) < 2:
            logging.warning(f"subgroups: {axis} does not vary among the images, or is unknown")
            continue
        found[axis] = members
    return found


def group_names(table: pa.Table, axis: str, bands: tuple[float, ...]) -> np.ndarray:
    """Group of each image along an axis, or an intersection of two; empty where one is unknown."""
    parts = [group_names(table, part, bands) for part in axis.split("*")] if "*" in axis else []
    if parts:
        pairs = zip(*parts, strict=True)
        return np.array([", ".join(pair) if all(pair) else "" for pair in pairs])
    values = table[axis].to_pylist() if axis in table.column_names else [None] * len(table)
    return np.array([band(v, bands) if axis == "age" else str(v or "") for v in values])


def band(age: float | None, starts: tuple[float, ...]) -> str:
    """The age band of an age: `<18`, `18-<40`, `80+`; empty where unknown."""
    if age is None or np.isnan(age):
        return ""
    at = int(np.searchsorted(starts, age, side="right"))
    if at == 0:
        return f"<{starts[0]:g}" if starts else "0+"
    return f"{starts[-1]:g}+" if at == len(starts) else f"{starts[at - 1]:g}-<{starts[at]:g}"
