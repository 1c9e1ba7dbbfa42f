"""Changes of test images under which a study asks for predictions: their names and strengths.

`shifts.csv` holds one row per change: its name, what the number of each strength means, and the
numbers. `cxrgrid.data.shifts` makes the images. No numpy here.
"""

import csv
from pathlib import Path
from typing import Any, NamedTuple

TABLE = Path(__file__).with_name("shifts.csv")
STRENGTHS = ("weak", "medium", "strong")


class Change(NamedTuple):
    """A change of an image. amounts: by strength; setting: the meaning of an amount."""

    amounts: dict[str, float]
    setting: str
    about: str


def read() -> dict[str, Change]:
    """The changes by name, in the order of the table."""
    with TABLE.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {
        row["change"]: Change(
            {strength: float(row[strength]) for strength in STRENGTHS}, row["setting"], row["about"]
        )
        for row in rows
    }


CHANGES = read()


def asked(shifts: str | tuple[str, ...]) -> list[str]:
    """Names of the changes that `report.shifts` asks for, in the order of the table."""
    return [name for name in CHANGES if shifts == "all" or name in shifts]


def strangers(grid: Any) -> dict[str, list[str]]:
    """{dataset: the others of the study, whose test images are held against its training images}.

    Empty where the study asks for no changes.
    """
    if not grid.study.report.shifts:
        return {}
    own = dict.fromkeys(cell.dataset for cell in grid.cells)
    every = dict.fromkeys([*own, *(name for names in grid.transfers.values() for name in names)])
    return {name: [other for other in every if other != name] for name in own}
