"""Datasets of one study that hold the same images under two names, and starts across them."""

import os
from typing import Any

import msgspec

from cxrgrid.config.cell import Cell, Point
from cxrgrid.config.checks import DRAWN
from cxrgrid.config.dataset import Dataset
from cxrgrid.config.errors import UserError
from cxrgrid.config.preparation import Image

APART = {"image": Image(), "subsets": {}, "tests": {}, "same_as": {}, "allow_leakage": False}


def check_twins(start: Cell, above: tuple[Point, ...], grid: Any) -> None:
    """`UserError` if a start has trained on test images of a cell above, under another name.

    A start that pools datasets leaves all test images out. Of publishers' lists, and of images
    that are the same in other folders, the training itself can tell (data/taught_start.py).
    """
    for cell in () if start.train_on else above:
        ours, theirs = (grid.study.datasets[each.dataset] for each in (cell, start))
        if start.dataset == cell.dataset or not same_images(ours, theirs):
            continue
        if divided(ours) == divided(theirs):
            crossing = start.fold != cell.fold
        else:
            crossing = ours.split.name in DRAWN and theirs.split.name in DRAWN
        if crossing:
            raise UserError(
                f"weights.{cell.init}: the cell {cell.path()} would start from {start.path()}, "
                f"which has trained on its test images: {start.dataset} and {cell.dataset} are the "
                f"same images in other parts; give both the same settings, split and grid.folds, "
                f"or start from a cell of {cell.dataset}"
            )


def same_images(one: Dataset, other: Dataset) -> bool:
    """True if two datasets read the same folder, or draw the same phantoms."""
    if one.adapter != other.adapter or one.phantom != other.phantom:
        return False
    return bool(one.phantom) or os.path.realpath(one.root) == os.path.realpath(other.root)


def divided(dataset: Dataset) -> Dataset:
    """The settings of a dataset that say which images are in which part, fold by fold."""
    return msgspec.structs.replace(dataset, root="", **APART)
