"""What the axes of a grid, its weights and its overrides may name."""

from cxrgrid.config.checks import UserError, check_backbone, known
from cxrgrid.settings import Block, Cell, Override, Source, Study


def check_block(block: Block, study: Study, recipes: dict, known_backbones: set[str]) -> None:
    """Every name on the axes, and every name that a cell would start from."""
    for name in block.datasets:
        known(name, study.datasets, "grid.datasets", "dataset")
    for name in block.backbones:
        check_backbone(name, known_backbones, "grid.backbones")
    for name in block.recipes:
        known(name, recipes, "grid.recipes", "recipe")
    for name in block.inits:
        known(name, ["scratch", *study.weights], "grid.inits", "init")
    for name, source in study.weights.items():
        if isinstance(source, Source):
            where = f"weights.{name}"
            if bool(source.dataset) == bool(source.file) or (source.sha256 and not source.file):
                raise UserError(
                    f"{where}: either a dataset (another cell), or a file and its sha256"
                )
            if source.file:
                continue
            known(source.dataset, study.datasets, f"{where}.dataset", "dataset")
            known(source.recipe, recipes, f"{where}.recipe", "recipe")
            known(source.init, ["scratch", *study.weights], f"{where}.init", "init")
            if source.backbone:
                check_backbone(source.backbone, known_backbones, f"{where}.backbone")


def check_override(override: Override, cells: list[Cell], where: str) -> None:
    """An override that names what no cell has is a typo."""
    for axis in ("dataset", "backbone", "init", "recipe"):
        if wanted := getattr(override, axis):
            known(wanted, {getattr(cell, axis) for cell in cells}, f"{where}.{axis}", axis)


def file_of(source: str | Source | None) -> str:
    """The file or folder that an entry of `weights:` names, if it does."""
    return getattr(source, "file", source) or ""
