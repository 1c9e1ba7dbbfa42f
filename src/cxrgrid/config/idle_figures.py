"""Names of the figures that have nothing to show for a study's cells."""

from typing import Any


def idle_figures(grid: Any) -> set[str]:
    """Names of the figures for which a grid's cells have nothing to show."""
    study = grid.study
    subsets = any(dataset.subsets for dataset in study.datasets.values())
    shown = {
        "embedding": study.report.explain != "none",
        "pretrained": {"scratch"} < {cell.init for cell in grid.cells},
        "ranks": can_rank(grid),
        "subgroups": subsets or bool(study.report.subgroups),
        "transfer": bool(grid.transfers),
    }
    return {name for name, has in shown.items() if not has}


def can_rank(grid: Any) -> bool:
    """True if two or more backbones are trained alike on two or more of the grid's datasets."""
    models: dict[str, set[tuple[str, str, str]]] = {
        name: set() for block in grid.blocks() for name in block.datasets
    }
    for cell in grid.cells:
        models.get(cell.dataset, set()).add((cell.backbone, cell.init, cell.recipe))
    common = set.intersection(*models.values())
    return len(models) > 1 and len({backbone for backbone, _, _ in common}) > 1
