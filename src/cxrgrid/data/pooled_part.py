"""One part of several datasets as if it were one dataset's: pixels, labels, and images left out.

The rows stand dataset by dataset, in the order of `Cell.train_on`. No pandas: `train` starts light.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from cxrgrid.config.cell import Cell
from cxrgrid.config.dataset import Subset
from cxrgrid.config.errors import UserError
from cxrgrid.config.preparation import Image, other_image
from cxrgrid.data.label_targets import training_targets
from cxrgrid.data.training_part import check_shown, check_where, chosen_part
from cxrgrid.io.parquet import read_parquet


@dataclass(frozen=True)
class PooledPixels:
    """Pixels of several arrays, indexed as one behind the other: uint8 [sum of M, H, W]."""

    parts: list[np.ndarray]

    @property
    def starts(self) -> np.ndarray:
        """The first row of each array, and the end of the last: int64."""
        return np.cumsum([0, *map(len, self.parts)])

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the whole."""
        return (int(self.starts[-1]), *self.parts[0].shape[1:])

    def __getitem__(self, rows: np.ndarray | int) -> np.ndarray:
        """The images of some rows, in their order; or one image."""
        if np.ndim(rows) == 0:
            return self[np.array([rows])][0]
        found = np.empty((len(rows), *self.shape[1:]), np.uint8)
        for part, start, end in zip(self.parts, self.starts, self.starts[1:], strict=False):
            here = (rows >= start) & (rows < end)
            found[here] = part[rows[here] - start]
        return found


@dataclass(frozen=True)
class Member:
    """The images of one dataset in a pooled part.

    table: its rows; targets: float32 [N, L] in the labels of the cell, NaN where the dataset does
    not know one; facts: those of its table.parquet; left_out: its images that are like a held-out
    image; shows: bool [L], the labels that any of its images shows, chosen or not.
    """

    table: pa.Table
    targets: np.ndarray
    facts: dict
    left_out: list[str]
    shows: np.ndarray

    def about(self, names: dict[str, str]) -> dict:
        """Record of its sizes, the names of the labels that it knows, and the data behind it."""
        patients = len(set(self.table["patient"].to_pylist()))
        found = {"images": self.table.num_rows, "patients": patients, "labels": names}
        found |= {"left_out": len(self.left_out), "left_out_hash": digest(sorted(self.left_out))}
        return found | {
            "split_hash": self.facts["split_hash"],
            "policy_hash": digest(self.facts.get("policy")),
            "image": self.facts["image"],
            **({"files": self.facts["files"]} if "files" in self.facts else {}),
        }


def digest(value: object) -> str:
    """A short name for a plain value."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]


def names_there(cell: Cell, facts: dict, labels: list[str]) -> dict[str, str]:
    """{label of the cell: its name in a dataset}, for those of its labels that the dataset has."""
    given = cell.labels_there[facts["dataset"]]
    return {label: given[label] for label in labels if given.get(label) in facts["labels"]}


def member(
    part: str, table: pa.Table, facts: dict, cell: Cell, own: dict, forbidden: set[str]
) -> Member:
    """The images of a dataset that a cell trains (`train`) or chooses the epoch on (`val`).

    Targets are those of the recipe, else of the dataset's own policy; in validation the truth. own:
    the facts of the cell's dataset; forbidden: images that are like a held-out image.
    """
    names = names_there(cell, facts, own["labels"])
    kept, where = np.ones(table.num_rows, bool), ""
    if part == "train":
        targets = training_targets(table, facts, cell, {there: n for n, there in names.items()})
        kept, where = chosen_part(table, cell)
    else:
        columns = [table[name].to_numpy(zero_copy_only=False) for name in facts["labels"]]
        targets = np.stack(columns, axis=1).astype(np.float32)
    if not kept.any():
        raise UserError(
            f"cell {cell.path()}: {where} leaves none of {len(kept):,} training images of "
            f"{facts['dataset']}"
        )
    targets = aligned(targets, facts["labels"], names, own["labels"])
    if own["task"] == "multiclass":  # what is of one class is not of another, known there or not
        targets = np.nan_to_num(targets)
        kept = kept & (targets.sum(axis=1) == 1)
    image = np.array(table["image"].to_pylist(), object)
    seen = kept & np.isin(image, list(forbidden))
    kept = kept & ~seen
    shows = (targets == 1).any(axis=0)
    return Member(table.filter(pa.array(kept)), targets[kept], facts, image[seen].tolist(), shows)


def aligned(
    targets: np.ndarray, there: list[str], names: dict[str, str], labels: list[str]
) -> np.ndarray:
    """Targets [N, L] of `labels`, from those of the labels `there`; NaN for what it lacks."""
    unknown = np.full(len(targets), np.nan, np.float32)
    columns = [
        targets[:, there.index(names[label])] if label in names else unknown for label in labels
    ]
    return np.stack(columns, axis=1)


def check_pool(members: list[Member], cell: Cell, labels: list[str]) -> None:
    """`UserError` where a recipe's share or filter takes the last positive image of a label."""
    if cell.train_share < 1 or cell.train_where != Subset():
        shown = np.any([(each.targets == 1).any(axis=0) for each in members], axis=0)
        lost = np.any([each.shows for each in members], axis=0) & ~shown
        check_shown(lost, labels, f"cell {cell.path()}: train_where and train_share")


def check_cells(
    parts: dict[str, tuple[pa.Table, dict]], cells: list[Cell], forbidden: dict[str, set[str]]
) -> None:
    """`UserError` for the first cell whose share or filter leaves no training that it could use.

    parts: {dataset: rows of its training part, facts}; forbidden: as `like_held_out` returns.
    """
    for cell in cells:
        if cell.train_share < 1 or cell.train_where != Subset():
            check_where([parts[name][0] for name in cell.train_on], cell)
            own = parts[cell.dataset][1]
            every = [
                member("train", *parts[name], cell, own, forbidden.get(name, set()))
                for name in cell.train_on
            ]
            check_pool(every, cell, own["labels"])


def like_held_out(path: Path | None, cell: Cell) -> dict[str, set[str]]:
    """{dataset: its images that are like a held-out image}, from the file of `pool`."""
    if path is None:
        raise UserError(
            f"cell {cell.path()}: trains on several datasets; name with --pool the file of images "
            "that are like held-out images (python -m cxrgrid.pool)"
        )
    found: dict[str, set[str]] = {}
    for row in read_parquet(path, "dataset", "image")[0].select(["dataset", "image"]).to_pylist():
        found.setdefault(row["dataset"], set()).add(row["image"])
    return found


def shown_as(cell: Cell, own: dict, facts: dict) -> dict:
    """Image settings that differ from a dataset's own, where a cell is trained on its images."""
    if facts["dataset"] == cell.dataset:
        return cell.image
    there = Image(**{name: facts["image"][name] for name in facts["image"] if name != "cropped_to"})
    size = cell.image.get("size", own["image"]["size"])
    return other_image(there, {**cell.image_said, **cell.image, "size": size})
