"""Columns and labels of tables, and classes of folders, checked before any job.

An adapter's own `check`, which imports pandas, is asked once for each size and time of what it
read; what it found good is remembered beside the copies of configs. Jobs do not ask.
"""

import hashlib
import importlib
import json
from pathlib import Path
from typing import Any, NotRequired, TypedDict

import msgspec

from cxrgrid.config.checks import ADAPTERS, check_enough
from cxrgrid.config.errors import UserError
from cxrgrid.config.folds import divisions
from cxrgrid.config.grid import FROZEN, Grid
from cxrgrid.config.steps import indexing
from cxrgrid.io.atomic import write_text

FOUND = Path(FROZEN) / "data.checked.json"
USUAL = 10  # folds: for more, the patients of data that are not listed yet are counted
MOST = 300  # folders whose time is remembered


class Checked(TypedDict):
    """Record of a check: the settings' digest, times of what was read, and how many
    patients or images there are."""

    settings: str
    seen: dict[str, list[int]]
    patient: NotRequired[int]
    image: NotRequired[int]


def check_data(workflow: Any, grid: Grid) -> None:
    """`UserError` if a dataset's files lack a column, a label or a class that the study names."""
    if not workflow.is_main_process:
        return
    before = remembered()
    found = {name: {**checked(grid, name, before.get(name))} for name in grid.used()}
    for name, seen in found.items():
        check_folds(grid, name, seen)
    found = {name: seen for name, seen in found.items() if seen}
    if any(before.get(name) != seen for name, seen in found.items()):
        write_text(FOUND, json.dumps(before | found))


def checked(grid: Grid, name: str, before: dict | None) -> dict:
    """Record of a dataset that was checked, now or `before`; {} where there is nothing to check."""
    dataset = grid.study.datasets[name]
    root = Path(dataset.root)
    if dataset.phantom or not root.is_dir() or "\ndef check(" not in source(dataset.adapter):
        return {}
    settings = msgspec.to_builtins(indexing(name, dataset, dataset.root))
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]
    if before and before["settings"] == digest and unchanged(before["seen"]):
        return before
    # Prepared already: what has changed on disk since then is said elsewhere, and stops nothing.
    if Path(f"results/data/{name}/index.parquet").is_file() and known(before, digest):
        return {"settings": digest, "seen": {}}
    module = importlib.import_module(f"cxrgrid.datasets.{dataset.adapter}")
    try:
        read = module.check(root, settings)
    except UserError as error:
        where = f"datasets.{name}"
        said = str(error)
        raise UserError(said if said.startswith(where) else f"{where}: {said}") from None
    return {"settings": digest, "seen": {str(path): times(path) for path in read[:MOST]}}


def check_folds(grid: Grid, name: str, seen: dict) -> None:
    """`UserError` for more folds than patients, where these are known before the data are divided.

    seen: the dataset's record, which then holds their number. They are counted in the index, or for
    a number of folds that is unusual by the adapter; filters may leave fewer, which `split` says.
    """
    dataset = grid.study.datasets[name]
    tables = [Path(f"{folder}/table.parquet") for folder in divisions(grid.folds, name)]
    if dataset.phantom or not dataset.split.folds or all(path.is_file() for path in tables):
        return
    unit = "image" if dataset.split.name == "image" else "patient"
    index = Path(f"results/data/{name}/index.parquet")
    if index.is_file():
        parquet = importlib.import_module("cxrgrid.io.parquet")
        count = len(parquet.read_parquet(index, unit)[0][unit].unique())
    elif seen and dataset.split.folds > USUAL:
        module = importlib.import_module(f"cxrgrid.datasets.{dataset.adapter}")
        settings = msgspec.to_builtins(indexing(name, dataset, dataset.root))
        count = seen.get(unit) or int(module.read(dataset.root, settings)[unit].nunique())
        seen[unit] = count
    else:
        return
    check_enough(dataset.split.folds, count, f"datasets.{name}.split")


def known(before: dict | None, digest: str) -> bool:
    """True unless a dataset was checked with other settings than those of the digest."""
    return before is None or before["settings"] == digest


def source(adapter: str) -> str:
    """Text of an adapter's module, which is not imported."""
    return (ADAPTERS / f"{adapter}.py").read_text("utf-8")


def unchanged(seen: dict[str, list[int]]) -> bool:
    """True if all that was read is there, with its size and time."""
    return all(times(Path(path)) == was for path, was in seen.items())


def times(path: Path) -> list[int]:
    """Size and time of a file or folder; empty if it is not there."""
    try:
        found = path.stat()
    except OSError:
        return []
    return [found.st_size, found.st_mtime_ns]


def remembered() -> dict[str, Checked]:
    """Records of earlier checks, by dataset; none where their file is damaged."""
    try:
        return msgspec.json.decode(FOUND.read_bytes(), type=dict[str, Checked])
    except (OSError, ValueError, RecursionError):
        return {}
