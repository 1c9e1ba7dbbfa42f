"""Checks of the settings under `report:` and `external:`."""

from typing import Any

from cxrgrid.config.checks import check_name, checked
from cxrgrid.config.errors import UserError, known
from cxrgrid.config.operating_points import Target
from cxrgrid.config.study import External

POINTS = "report.operating_points"


def check_report(report: Any) -> None:
    """`UserError` for raw `report:` settings whose error the types alone would not explain."""
    if not isinstance(report, dict):
        return  # refused, with its reason, by the types
    points = report.get("operating_points", ["youden"])
    if not isinstance(points, (list, tuple)) or not points:
        raise UserError(f"{POINTS}: a list such as [youden, 0.5, {{sensitivity: 0.9}}], please")
    for at, point in enumerate(points):
        check_point(point, f"{POINTS}[{at}]")
        if point in points[:at]:
            raise UserError(f"{POINTS}[{at}]: {point!r} stands there twice")
    for name, what in (("age_bands", "ages"), ("frequency_bands", "shares")):
        check_rising(report.get(name, []), name, what)
    shares = report.get("prevalences", [])
    for at, share in enumerate(shares if isinstance(shares, (list, tuple)) else ()):
        if share in (0, 1) or share in shares[:at]:
            why = "stands there twice" if share in shares[:at] else "leaves nothing to predict"
            raise UserError(f"report.prevalences[{at}]: {share} {why}")


def check_rising(bands: Any, name: str, what: str) -> None:
    """`UserError` for numbers that do not rise; other types are refused by the types."""
    numbers = isinstance(bands, (list, tuple)) and all(isinstance(b, (int, float)) for b in bands)
    if numbers and any(old >= new for old, new in zip(bands, bands[1:], strict=False)):
        raise UserError(f"report.{name}: {what} in rising order, please, not {list(bands)}")
    if numbers and name == "frequency_bands" and len(bands) > 2:
        raise UserError(f"report.{name}: one or two shares, please, not {list(bands)}")


def check_external(external: Any, datasets: Any) -> None:
    """`UserError` at the first invalid setting or name of the raw external models."""
    for name, value in external.items() if isinstance(external, dict) else []:
        check_name(name, "external")
        model = checked(value, External, f"external.{name}")
        known(model.dataset, datasets, f"external.{name}.dataset", "dataset")
        for path in model.files():
            if not path.endswith((".csv", ".parquet")):
                raise UserError(f"external.{name}: {path!r} is neither .csv nor .parquet")


def check_point(point: Any, where: str) -> None:
    """`UserError` for an invalid operating point; numbers are checked by their type."""
    if isinstance(point, str):
        known(point, ("youden", "f1", "sensitivity", "specificity"), where, "operating point")
    if point in ("sensitivity", "specificity"):
        raise UserError(f"{where}: write {{{point}: 0.9}}, with the target that you want")
    if isinstance(point, dict):
        target = checked(point, Target, where)
        if bool(target.sensitivity) == bool(target.specificity):
            raise UserError(f"{where}: one target above 0, of sensitivity or of specificity")
