"""What a config may say of how predictions are scored."""

from typing import Any

from cxrgrid.config.checks import UserError, check_name, checked, known
from cxrgrid.settings import External, Target

ARGMAX = "argmax"  # the rule where classes compete: the highest score decides
POINTS = "report.operating_points"


def check_report(report: Any) -> None:
    """The raw settings under `report:`, where their types alone would not say what is meant."""
    if not isinstance(report, dict):
        return  # refused, with its reason, by the types
    points = report.get("operating_points", ["youden"])
    if not isinstance(points, (list, tuple)) or not points:
        raise UserError(f"{POINTS}: a list such as [youden, 0.5, {{sensitivity: 0.9}}], please")
    for at, point in enumerate(points):
        check_point(point, f"{POINTS}[{at}]")
        if point in points[:at]:
            raise UserError(f"{POINTS}[{at}]: {point!r} stands there twice")
    bands = report.get("age_bands", [])
    numbers = isinstance(bands, (list, tuple)) and all(isinstance(b, (int, float)) for b in bands)
    if numbers and any(old >= new for old, new in zip(bands, bands[1:], strict=False)):
        raise UserError(f"report.age_bands: ages in rising order, please, not {list(bands)}")


def idle_figures(grid: Any) -> set[str]:
    """The figures for which the cells of a `config.Grid` would have nothing to show."""
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
    """Whether two backbones are trained alike on each of the grid's datasets, and these are two."""
    models: dict[str, set[tuple[str, str, str]]] = {
        name: set() for block in grid.blocks() for name in block.datasets
    }
    for cell in grid.cells:
        models.get(cell.dataset, set()).add((cell.backbone, cell.init, cell.recipe))
    common = set.intersection(*models.values())
    return len(models) > 1 and len({backbone for backbone, _, _ in common}) > 1


def check_external(external: Any, datasets: Any) -> None:
    """The raw models from elsewhere: settings, names and the datasets that they name."""
    for name, value in external.items() if isinstance(external, dict) else []:
        check_name(name, "external")
        model = checked(value, External, f"external.{name}")
        known(model.dataset, datasets, f"external.{name}.dataset", "dataset")
        for path in model.files():
            if not path.endswith((".csv", ".parquet")):
                raise UserError(f"external.{name}: {path!r} is neither .csv nor .parquet")


def check_point(point: Any, where: str) -> None:
    """A word or a target; numbers are checked by their type."""
    if isinstance(point, str):
        known(point, ("youden", "sensitivity", "specificity"), where, "operating point")
    if point in ("sensitivity", "specificity"):
        raise UserError(f"{where}: write {{{point}: 0.9}}, with the target that you want")
    if isinstance(point, dict):
        target = checked(point, Target, where)
        if bool(target.sensitivity) == bool(target.specificity):
            raise UserError(f"{where}: one target above 0, of sensitivity or of specificity")


def rule(point: str | float | Target) -> str:
    """An operating point as the scores call it: `youden`, `0.5`, `sensitivity 0.9`."""
    if isinstance(point, Target):
        kind = "sensitivity" if point.sensitivity else "specificity"
        return f"{kind} {getattr(point, kind):g}"
    return point if isinstance(point, str) else f"{point:g}"
