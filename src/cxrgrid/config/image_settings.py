"""A recipe's image settings beside those of the datasets that its cells are shown."""

import json
import shlex
from typing import Any

import msgspec

from cxrgrid.config.cell import Cell, Point
from cxrgrid.config.checks import checked
from cxrgrid.config.preparation import Image, other_image


def own_image(
    given: dict[str, Any] | None, image: Image, where: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """A recipe's image settings, checked: those that differ from its dataset's, and the others.

    Without the size among the others: a network sees all images at its own.
    """
    if not given:  # nothing to check, in most cells of most grids
        return {}, {}
    whole = checked({**msgspec.to_builtins(image), **given}, Image, where)
    values = {name: getattr(whole, name) for name in given}
    found = other_image(image, values)
    return found, {n: v for n, v in values.items() if n not in found and n != "size"}


def of_cell(grid: Any, settings: dict[str, Any], point: Point) -> dict[str, Any]:
    """The settings of a cell on images, from those of its recipe and start: `image`, `image_said`.

    What the recipe says and the dataset has by itself is kept in `grid.alike`.
    """
    own = grid.study.datasets[point.dataset].image
    given = settings.get("image") or {}
    if start := getattr(grid.study.weights.get(point.init), "interpolation", ""):
        given = {"interpolation": start, **given}
    found, alike = own_image(given, own, f"cell {point.path()}: image")
    if alike:
        grid.alike[point.path()] = alike
    there = [grid.study.datasets[name].image for name in settings.get("train_on", ())]
    return {"image": found, "image_said": said_there(alike, there)}


def said_there(alike: dict[str, Any], images: list[Image]) -> dict[str, Any]:
    """Those of some image settings that one of other datasets' image recipes has not."""
    return {n: v for n, v in alike.items() if any(getattr(image, n) != v for image in images)}


def said_flag(grid: Any, cell: Cell, names: list[str]) -> str:
    """Flag with the image settings that a cell's recipe says of other datasets; empty for none."""
    said = grid.said(cell, names)
    return f"--image {shlex.quote(json.dumps(said))}" if said else ""
