"""Filters of a dataset's images: by view, sex and age, one per patient, or a sample.

Each step takes a frame of index rows and returns some of them; nothing here looks at pixels.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from cxrgrid.config.dataset import Sample, Selection, Subset
from cxrgrid.config.errors import UserError, known
from cxrgrid.data.label_policy import draws
from cxrgrid.data.subsets import VIEWS, matches, spelled


def people(frame: pd.DataFrame, wanted: Selection) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """View, sex and age: setting, step and remaining rows, for each of them that is set."""
    if wanted.view:
        there = set(frame["view"].dropna().str.upper())
        for view in wanted.view:
            if view.lower() not in VIEWS:
                known(view.upper(), there | {name.upper() for name in VIEWS}, "view", "view")
    named = {"view": " or ".join(wanted.view), "sex": " or ".join(wanted.sex)}
    named["age"] = " to ".join(f"{age:g}" for age in wanted.age)
    for setting, text in named.items():
        if text:
            part = Subset(**{setting: getattr(wanted, setting)})
            frame = frame[matches(frame["view"], frame["sex"], frame["age"], part)]
            yield setting, f"{setting} {text}", frame


def drawn(
    frame: pd.DataFrame, labels: list[str], wanted: Selection
) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """One image a patient, then the sample: setting, step and remaining rows of each."""
    if wanted.one_per_patient is not False:
        frame = first_images(frame, labels, wanted.one_per_patient)
        of = "" if wanted.one_per_patient is True else f" of {wanted.one_per_patient}"
        yield "one_per_patient", f"one image a patient{of}", frame
    if wanted.sample:
        frame = sample(frame, wanted.sample)
        by = f" by {', '.join(wanted.sample.by)}" if wanted.sample.by else ""
        yield "sample", f"sample{by}, seed {wanted.sample.seed}", frame


def first_images(frame: pd.DataFrame, labels: list[str], label: bool | str) -> pd.DataFrame:
    """Each patient's first image by name, among all, or among those that show a label (or none).

    Of a label, the images that do not show it all stay.
    """
    if label is True:
        shows = np.ones(len(frame), bool)
    elif label == "none" and label not in labels:
        shows = (frame[labels] == 0).all(axis=1)
    else:
        known(label, [*labels, "none"], "one_per_patient", "label")
        shows = frame[label] == 1
    again = frame[shows].sort_values("image")["patient"].duplicated()
    return frame.drop(index=again.index[again])


def sample(frame: pd.DataFrame, wanted: Sample) -> pd.DataFrame:
    """`n` rows drawn by strata, in the frame's order."""
    columns = {name: stratum(frame, name) for name in wanted.by}
    if isinstance(wanted.n, int):
        return frame.loc[take(frame, columns, wanted.n, wanted.seed)]
    first = wanted.by[0]
    chosen: list = []
    for value, number in wanted.n.items():
        names = spelled((value,)) if first == "view" else [value]
        column = columns[first].str.upper() if first == "view" else columns[first]
        part = frame[column.isin(names)]
        if part.empty:
            known(value, set(columns[first]), "sample.n", f"value of {first}")
        below = {name: column[part.index] for name, column in columns.items()}
        chosen += take(part, below, number, wanted.seed, f" with {first} {value}")
    return frame.loc[frame.index.isin(chosen)]


def stratum(frame: pd.DataFrame, name: str) -> pd.Series:
    """A column as text: numbers without decimals, ages in tens, `unknown` where there is none."""
    known(name, [column for column in frame if column != "image"], "sample.by", "column")
    column = frame[name] // 10 * 10 if name == "age" else frame[name]
    if pd.api.types.is_numeric_dtype(column):
        column = column.map("{:g}".format, na_action="ignore")
    return column.astype(object).where(column.notna(), "unknown").astype(str)


def take(
    frame: pd.DataFrame, columns: dict[str, pd.Series], n: int, seed: int, where: str = ""
) -> list:
    """The index of `n` rows, each stratum with its share of them, rounded by largest remainders."""
    if n > len(frame):
        raise UserError(f"sample.n: {n:,} images are asked for, {len(frame):,}{where} are there")
    strata = pd.Series("", frame.index)
    for column in columns.values():
        strata = strata + column + "\t"
    sizes = strata.value_counts().sort_index()
    exact = sizes * (n / len(frame))
    shares = np.floor(exact + 1e-9).astype(int)
    # The order of sort_index settles a tie, so that the same images give the same sample.
    rest = (shares - exact).sort_values(kind="stable").index[: n - int(shares.sum())]
    shares[rest] += 1
    order = draws(frame["image"], f"sample {seed}").sort_values(kind="stable").index
    rank = strata[order].groupby(strata[order]).cumcount()[frame.index]
    return frame.index[rank < strata.map(shares)].tolist()
