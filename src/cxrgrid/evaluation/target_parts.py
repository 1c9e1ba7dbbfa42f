"""Parts of a target's test images that are scored too, and its metadata-only baseline."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from cxrgrid.config.cell import fold_folder
from cxrgrid.config.grid import Grid
from cxrgrid.config.study import Report
from cxrgrid.data import subsets
from cxrgrid.evaluation import frequency_rows, test_sets
from cxrgrid.evaluation.score_rows import Parts
from cxrgrid.evaluation.subgroup_gaps import too_few
from cxrgrid.io.json_file import read_facts
from cxrgrid.io.parquet import read_parquet


def parts_of(grid: Grid, target: str, data: Path) -> dict[int, Parts]:
    """Of each tested fold the target's subsets and groups, and the audit's baseline.

    data: the dataset's folder. Rare labels of a group are counted over all folds.
    """
    how, folders = grid.study.report, {f: folder(data, f) for f in grid.folds[target]}
    table, *others = [path / "table.parquet" for path in folders.values()]
    named = subsets.members(table, grid.study.datasets[target].subsets)
    parts = Parts(named, subsets.groups(table, how.subgroups, how.age_bands))
    tests = test_sets.read(table, grid.study.datasets[target].tests, None, others)
    parts = replace(parts, tests=tests)
    if len(folders) > 1 and any(parts.members().values()):
        parts = replace(parts, rare=rare_labels(list(folders.values()), parts, how))
    # The same bands in all folds: a label that is rare in the training of one is in each.
    parts = replace(parts, bands=frequency_rows.bands(table, how.frequency_bands))
    return {fold: replace(parts, metadata=metadata(path)) for fold, path in folders.items()}


def parts_elsewhere(grid: Grid, target: str, data: Path) -> dict[str, Parts]:
    """The target's test sets, for the cells of each dataset that are tested on it.

    data: the target's folder, beside which lie the others'.
    """
    asked = grid.study.datasets[target].tests
    sources = [name for name, targets in grid.transfers.items() if target in targets]
    tables = {name: data.parent / name / "table.parquet" for name in sources}
    return {
        name: Parts(tests=test_sets.read(data / "table.parquet", asked, table))
        for name, table in tables.items()
    }


def folder(data: Path, fold: int) -> Path:
    """The folder of a fold's table and audit."""
    return Path(f"{data}{fold_folder(fold)}")


def metadata(path: Path) -> dict:
    """The audit's metadata-only baseline; empty without an audit."""
    audit = path / "audit.json"
    return read_facts(audit).get("metadata_only", {}) if audit.is_file() else {}


def rare_labels(
    folders: list[Path], parts: Parts, how: Report
) -> dict[str, dict[str, frozenset[str]]]:
    """Labels too rare in each group, by axis and name, among the test images of all folds."""
    image, truth, labels = [], [], []
    for path in folders:
        table, facts = read_parquet(path / "table.parquet")
        labels = facts["labels"]
        tested = np.array(table["split"].to_pylist()) == "test"
        image.append(np.array(table["image"].to_pylist(), object)[tested])
        columns = [table[name].to_numpy(zero_copy_only=False) for name in labels]
        truth.append(np.stack(columns, axis=1).astype(float)[tested])
    names, values = np.concatenate(image), np.concatenate(truth)
    return {
        axis: {
            name: too_few(values[[one in images for one in names]], labels, how)
            for name, images in members.items()
        }
        for axis, members in parts.members().items()
    }
