"""Published results with their protocols: `papers/*.csv`, read and checked as one table.

`papers/README.md` describes the columns; a field that the source does not state is empty.
"""

import csv
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import pandas as pd

from cxrgrid.config import shipped
from cxrgrid.config.checks import ADAPTERS, adapter_facts, modules
from cxrgrid.config.errors import UserError, known
from cxrgrid.config.label_names import published

FOLDER = shipped.FOLDER / "papers"
METRICS = ["auroc", "ap", "accuracy", "balanced_accuracy", "sensitivity", "specificity"]
METRICS += ["precision", "f1"]
AVERAGES = ["macro", "micro", "all"]
KEY = ["paper", "model", "dataset", "part", "where", "label", "metric"]

Text = Annotated[str, msgspec.Meta(min_length=1)]
Count = Annotated[int, msgspec.Meta(ge=1)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Split = Literal["official", "chexnet-community", "patient", "image", "hidden"]


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One published number."""

    paper: Text
    model: str | None
    year: Annotated[int, msgspec.Meta(ge=1990, le=2100)] | None
    source: Text
    where: Text
    read_in: Text
    dataset: Text
    part: str | None
    subset: Annotated[str, msgspec.Meta(pattern="^view=[A-Za-z,]+$")] | None
    split: Split | None
    images: Count | None
    size: Count | None
    uncertain: Literal["ignore", "zero", "one", "smooth"] | None
    blank: Literal["absent", "ignore"] | None
    ensemble: Annotated[str, msgspec.Meta(pattern=r"^(several|[1-9]\d*)$")] | None
    crops: Count | None
    pretraining: str | None
    backbone: str | None
    recipe: str | None
    labels: Count | None
    threshold: Share | None
    label: Text
    metric: Text
    value: Share
    low: Share | None
    high: Share | None
    seeds: Count | None
    note: str | None


COLUMNS = list(Row.__struct_fields__)


def read(folder: Path = FOLDER) -> pd.DataFrame:
    """All rows of all files of `folder`, with COLUMNS; None where a source states nothing.

    Empty without the folder, which an installed package may lack. `UserError` names the file and
    line of the first invalid value.
    """
    rows = [row for path in sorted(folder.glob("*.csv")) for row in read_file(path)]
    return pd.DataFrame([msgspec.structs.asdict(row) for row in rows], columns=COLUMNS, dtype="O")


def read_file(path: Path) -> list[Row]:
    """The rows of one file, checked."""
    with path.open(newline="", encoding="utf-8") as file:
        lines = csv.DictReader(file)
        if lines.fieldnames != COLUMNS:
            raise UserError(f"{path}: the columns should be {','.join(COLUMNS)}")
        numbered = [(lines.line_num, line) for line in lines]
    rows, seen = [], {}
    for number, line in numbered:
        where = f"{path.name}, line {number}"
        row = convert(line, where)
        check(row, where)
        key = tuple(getattr(row, name) for name in KEY)
        if key in seen:
            raise UserError(f"{where}: the same number as in line {seen[key]}")
        seen[key] = number
        rows.append(row)
    return rows


def convert(line: dict[str, str | None], where: str) -> Row:
    """A line as a row; `UserError` if a value is not of its column's kind."""
    values = {name: value or None for name, value in line.items()}
    try:
        return msgspec.convert(values, Row, strict=False)
    except msgspec.ValidationError as error:
        raise UserError(f"{where}: {error}") from None


def check(row: Row, where: str) -> None:
    """`UserError` for a dataset, label or metric of another name, or an interval beside it."""
    known(row.dataset, modules(ADAPTERS), f"{where}, dataset", "adapter")
    labels = adapter_facts(row.dataset)["LABELS"]
    if published().get(row.label) not in {published().get(label) for label in labels} - {None}:
        known(row.label, [*labels, *AVERAGES], f"{where}, label", "label")
    known(row.metric, METRICS, f"{where}, metric", "metric")
    low = row.value if row.low is None else row.low
    high = row.value if row.high is None else row.high
    if not low <= row.value <= high:
        raise UserError(f"{where}: {row.value} lies outside of its interval, {low} to {high}")
    if row.label in ("macro", "micro") and row.labels is None:
        raise UserError(f"{where}: an average over how many labels? Say it under `labels`")
