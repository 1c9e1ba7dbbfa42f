"""Predictions on another dataset's test images, without images that the cell was trained on."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from cxrgrid.config.cell import Cell
from cxrgrid.config.errors import UserError
from cxrgrid.config.grid import Grid, finished
from cxrgrid.config.pooling import read_by
from cxrgrid.config.transfers import start_of, targets_of, taught
from cxrgrid.evaluation.predictions import Predictions, only, read_predictions
from cxrgrid.evaluation.same_images import in_order
from cxrgrid.io.parquet import read_parquet

Seen = dict[str, set[str]]  # by source: test images of a target like which it teaches some


def read_seen(path: Path, target: str) -> Seen:
    """{dataset: the target's test images that its training images give away}, from overlap.parquet.

    Empty if the file is missing: a study without transfer does not have it.
    """
    found: Seen = {}
    for row in read_parquet(path)[0].to_pylist() if path.is_file() else []:
        if row["target"] == target:
            found.setdefault(row["source"], set()).add(row["image"])
    return found


def masked(
    grid: Grid, cell: Cell, target: str, seen: Seen, kept_out: tuple[str, ...] = ()
) -> set[str]:
    """Test images of the target on which a cell is not scored: its training data give them away.

    If a cell's initial weights come from the target's own training images, these share patients
    with the test images only as far as the target's own split does. kept_out: the datasets whose
    test images a pooled training has left out; its own validation images may be like them still.
    """
    own = [cell.dataset] if target in kept_out else read_by(cell)
    sources = {*own, *taught(grid, start_of(grid, cell))} - {target}
    return set().union(*(seen.get(name, set()) for name in sources))


def kept_out(folder: Path) -> tuple[str, ...]:
    """The datasets whose test images a cell's training has left out; folder: the cell's."""
    path = folder / "history.parquet"
    return tuple(read_parquet(path)[1].get("held_out", [])) if path.is_file() else ()


def paths(grid: Grid, folder: Path, target: str) -> dict[Cell, Path]:
    """Paths of the predictions on the target by finished cells of other datasets."""
    asked = [cell for cell in grid.cells if target in targets_of(grid, cell)]
    found = {cell: folder / cell.path() / f"transfer/{target}.parquet" for cell in asked}
    there = {
        cell: path
        for cell, path in found.items()
        if path.is_file() and finished(folder / cell.path(), cell)
    }
    if asked:
        logging.info(f"{target}: {len(there)} of {len(asked)} cells of other datasets predict it")
    return there


def read(
    grid: Grid, found: dict[Cell, Path], target: str, seen: Seen, split_hash: str | None
) -> Iterator[tuple[Cell, Predictions, Predictions]]:
    """Each cell's predictions of its own validation and the target's test images, shared labels."""
    for cell, path in found.items():
        test = read_predictions(path, cell)
        if split_hash and test.facts["split_hash"] != split_hash:
            raise UserError(f"{path}: of another split of {target}; remove it and run snakemake")
        own = path.parent.parent / "predictions/val.parquet"
        labels, other = test.facts["labels"], test.facts.get("same", {})
        val = in_order(own, read_predictions(own, cell), [other.get(name, name) for name in labels])
        val = replace(val, facts={**val.facts, "task": test.facts["task"], "labels": labels})
        hidden = masked(grid, cell, target, seen, kept_out(path.parent.parent))
        hidden &= set(test.image)
        if hidden:
            names = ", ".join(taught(grid, cell))
            logging.info(f"{cell.path()}: {len(hidden):,} test images are known from {names}")
            test = only(test, set(test.image) - hidden)
        if test.image:
            yield cell, val, test
