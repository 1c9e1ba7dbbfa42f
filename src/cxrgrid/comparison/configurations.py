"""Configurations of a study, with the replicates that each should have."""

from cxrgrid.config.grid import Grid


def configurations(grid: Grid) -> dict[tuple[str, ...], list[int]]:
    """The configurations of a study in its order, with their seeds."""
    found: dict[tuple[str, ...], list[int]] = {}
    for cell in grid.cells:
        seeds = found.setdefault(cell.configuration(), [])
        seeds += [] if cell.seed in seeds else [cell.seed]
    return found


def folds_of(grid: Grid) -> dict[tuple[str, ...], int]:
    """Number of folds of each configuration; 1 where its dataset is not cross-validated."""
    folds: dict[tuple[str, ...], set[int]] = {}
    for cell in grid.cells:
        folds.setdefault(cell.configuration(), set()).add(cell.fold)
    return {configuration: len(each) for configuration, each in folds.items()}
