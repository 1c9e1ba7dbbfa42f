"""Parts of a target's test images that are scored too, and its metadata-only baseline."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.compute as pc

from cxrgrid.config.cell import fold_folder
from cxrgrid.config.grid import Grid
from cxrgrid.config.study import Report
from cxrgrid.data import subsets
from cxrgrid.evaluation import frequency_rows, test_sets
from cxrgrid.evaluation.predictions import Predictions, only
from cxrgrid.evaluation.rare_labels import rare_labels
from cxrgrid.evaluation.score_rows import Parts
from cxrgrid.evaluation.subgroup_gaps import joined, too_few
from cxrgrid.io.json_file import read_facts
from cxrgrid.io.parquet import read_parquet


def parts_of(grid: Grid, target: str, data: Path) -> dict[int, Parts]:
    """Of each tested fold the target's subsets and groups, and the audit's baseline.

    data: the dataset's folder. Rare labels are counted over all folds.
    """
    how, folders = grid.study.report, {f: folder(data, f) for f in grid.folds[target]}
    table, *others = [path / "table.parquet" for path in folders.values()]
    named = subsets.members(table, grid.study.datasets[target].subsets)
    parts = Parts(named, subsets.groups(table, how.subgroups, how.age_bands))
    tests = test_sets.read(table, grid.study.datasets[target].tests, None, others)
    parts = replace(parts, tests=tests)
    if len(folders) > 1:
        parts = counted(tested(list(folders.values())), parts, how)
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


def tested(folders: list[Path]) -> Predictions:
    """The test images of all folds with their truth, to be counted: no scores, no patients."""
    found = []
    for path in folders:
        table, facts = read_parquet(path / "table.parquet")
        table = table.filter(pc.equal(table["split"], "test"))
        image = table["image"].to_pylist()
        columns = [table[name].to_numpy(zero_copy_only=False) for name in facts["labels"]]
        truth = np.stack(columns, axis=1).astype(float)
        found.append(Predictions(image, image, truth, np.zeros_like(truth), facts))
    return joined(found)


def counted(test: Predictions, parts: Parts, how: Report) -> Parts:
    """The parts with their rare labels, of groups and of means, among the images of all folds."""
    made = {"all": test} | {name: only(test, images) for name, images in parts.subsets.items()}
    made |= {name: one.select(test) for name, one in parts.tests.items()}
    labels = test.facts["labels"]
    rare = {
        axis: {
            name: too_few(only(test, images).labels, labels, how)
            for name, images in members.items()
        }
        for axis, members in parts.members().items()
    }
    none = {name: rare_labels([one], how.minimum) for name, one in made.items()}
    return replace(parts, rare=rare, in_no_mean=none)
