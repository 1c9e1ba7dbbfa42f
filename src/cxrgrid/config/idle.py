"""Names of the figures and tables that have nothing to show for a study's cells."""

from typing import Any

from cxrgrid.config.varied import varied

OF_SHIFTS = {"shifts", "abstention", "unfamiliar"}  # tables


def idle_tables(grid: Any) -> set[str]:
    """Names of the tables that are made only where a study asks for what they show."""
    return set() if grid.study.report.shifts else OF_SHIFTS


def idle_figures(grid: Any) -> set[str]:
    """Names of the figures for which a grid's cells have nothing to show."""
    study = grid.study
    subsets = any(dataset.subsets or dataset.tests for dataset in study.datasets.values())
    shown = {
        "abstention": bool(study.report.shifts),
        "effects": bool(varied(grid)),
        "embedding": study.report.explain != "none",
        "pretrained": {"scratch"} < {cell.init for cell in grid.cells},
        "ranks": can_rank(grid),
        "shifts": bool(study.report.shifts),
        "subgroups": subsets or bool(study.report.subgroups),
        "transfer": bool(grid.transfers),
    }
    return {name for name, has in shown.items() if not has}


def can_rank(grid: Any) -> bool:
    """True if a difference of ranks could be shown: enough models and datasets that all share.

    Two backbones at least. Over two datasets, and of two models over three, even the largest
    difference of mean ranks is below Nemenyi's critical one.
    """
    models: dict[str, set[tuple[str, str, str]]] = {
        name: set() for block in grid.blocks() for name in block.datasets
    }
    for cell in grid.cells:
        models.get(cell.dataset, set()).add((cell.backbone, cell.init, grid.entry(cell.recipe)))
    common = set.intersection(*models.values())
    enough = len(models) > 3 or (len(models) > 2 and len(common) > 2)
    return enough and len({backbone for backbone, _, _ in common}) > 1
