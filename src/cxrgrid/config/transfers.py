"""Choice of the other datasets on which each dataset's cells are tested: they share labels."""

from typing import Any

from cxrgrid.config.cell import Cell
from cxrgrid.config.errors import UserError, known
from cxrgrid.config.folds import SINGLE
from cxrgrid.config.label_names import check_claims, labels_of, same_labels
from cxrgrid.config.pooling import fold_of, read_by
from cxrgrid.config.study import Study


def transfers(study: Study, sources: list[str]) -> dict[str, list[str]]:
    """{dataset: the other datasets on which its cells are tested}.

    `UserError` for a dataset that shares no label with any.
    """
    asked = study.transfer
    if asked == "none":
        return {}
    named = list(study.datasets) if asked == "all" else list(asked)
    for name in named:
        known(name, study.datasets, "transfer", "dataset")
    for name in dict.fromkeys([*sources, *named]):
        if not labels_of(study.datasets[name]):
            raise UserError(f"datasets.{name}.labels: name them, as `transfer` compares them")
        check_claims(name, study.datasets[name])
    found = {
        source: [
            name
            for name in dict.fromkeys(named)
            if name != source and same_labels(source, name, study.datasets)
        ]
        for source in sources
    }
    for name in named if asked != "all" else []:
        if not any(name in targets for targets in found.values()):
            raise UserError(f"transfer: no other dataset with cells shares a label with {name!r}")
    return found


def targets_of(grid: Any, cell: Cell) -> list[str]:
    """The other datasets on which a cell is tested.

    Without those whose test images, of fold 0, it or a cell that it starts from has trained on: it
    pools the dataset, in another fold.
    """
    targets = grid.transfers.get(cell.dataset, [])
    crossed = [name for name in targets if grid.folds[name] != SINGLE]
    found: Cell | None = cell
    while crossed and found:
        known_there = [name for name in read_by(found) if fold_of(grid.folds, found, name)]
        targets = [name for name in targets if name not in known_there]
        found = start_of(grid, found)
    return targets


def left_out(grid: Any) -> list[str]:
    """Warnings for cells that are not tested on a dataset that others of their dataset are."""
    found: dict[tuple[str, str], list[str]] = {}
    for cell in grid.cells:
        tested = targets_of(grid, cell)
        for name in grid.transfers.get(cell.dataset, []):
            if name not in tested:
                found.setdefault((cell.dataset, name), []).append(cell.path())
    return [
        f"transfer: {len(paths):,} cells of {dataset} are not tested on {name}, as they have "
        f"trained on its test images, those of fold 0: {paths[0]}, …"
        for (dataset, name), paths in found.items()
    ]


def taught(grid: Any, cell: Cell | None) -> list[str]:
    """The datasets of which a cell has learned, those of the cells that it starts from too.

    Its own validation images choose the epoch. A weights file's training is not known here.
    """
    found: list[str] = []
    while cell:
        found += read_by(cell)
        cell = start_of(grid, cell)
    return list(dict.fromkeys(found))


def start_of(grid: Any, cell: Cell) -> Cell | None:
    """The cell that a cell starts from, if it starts from one."""
    path = cell.weights.removeprefix(f"results/{grid.name}/cells/")
    return grid.by_path.get(path.removesuffix("/model.safetensors"))
