"""The report's part on `explain`: galleries by outcome, and the pointing game."""

import base64
from pathlib import Path
from typing import Literal

import msgspec
import pandas as pd
import pyarrow as pa

from cxrgrid.config.cell import AXES, CONFIGURATION
from cxrgrid.config.errors import UserError
from cxrgrid.config.explained_cells import Explained, hidden
from cxrgrid.evaluation.wording import number
from cxrgrid.inference import pointing_game
from cxrgrid.inference.gallery_choice import OUTCOMES
from cxrgrid.io.json_file import AGAIN, Facts
from cxrgrid.io.parquet import read_parquet
from cxrgrid.reporting import cell_pages
from cxrgrid.reporting.results import Frames
from cxrgrid.reporting.sections import Section, section


class Picture(msgspec.Struct):
    """One row of gallery.parquet."""

    image: str
    label: str
    sure: Literal["most", "least", "only"]
    outcome: str
    probability: float
    picture: bytes


class Pointed(msgspec.Struct):
    """One row of pointing.parquet."""

    label: str
    hit: bool
    chance: float


class OfGallery(msgspec.Struct):
    """Facts of gallery.parquet."""

    rule: str
    images: int
    hidden: bool
    method: str = "Grad-CAM"


class OfGame(msgspec.Struct):
    """Facts of pointing.parquet."""

    margin: float = 0.0
    reason: str | None = None


BUDGET = 4_000_000  # bytes of pictures on the page; the other galleries are on their cells' pages


def read(frames: Frames, study: Path) -> dict[tuple, dict]:
    """{cell: its gallery} of the cells that the study explains; None for a missing one.

    study: the study's folder.
    """
    done = {cell_pages.key(row): row["state"] == "done" for row in frames.cells.to_dict("records")}
    found: dict[tuple, dict] = {}
    for cell in Explained(frames.grid).cells:
        configuration = tuple(cell.axes().values())
        folder = study / "cells" / cell.path() / "explain"
        paths = [folder / f"{part}.parquet" for part in ("gallery", "pointing")]
        there = done[configuration] and all(path.is_file() for path in paths)
        found[configuration] = (
            gallery(frames, cell.dataset, *map(checked, paths)) if there else None
        )
    return found


def checked(path: Path) -> tuple[pa.Table, Facts]:
    """One of the two tables, and its facts; `UserError` if a value is of another kind."""
    table, facts = read_parquet(path)
    game = path.stem == "pointing"
    try:
        said = msgspec.convert(facts, OfGame if game else OfGallery)
        kind = Pointed if game else dict if said.hidden else Picture
        msgspec.convert(table.to_pylist(), list[kind])
    except ValueError as error:
        raise UserError(f"{path}: a value of another kind ({error}); {AGAIN}") from None
    return table, facts


def gallery(frames: Frames, dataset: str, rows: tuple, pointed: tuple) -> dict:
    """The gallery of one cell; rows, pointed: its two tables, each with its facts."""
    table, facts = rows
    # What may be shown is asked once more: the tables may be older than the setting.
    kept_back = facts["hidden"] or hidden(frames.grid, dataset, frames.facts[dataset])
    return {
        "hidden": kept_back,
        "rule": facts["rule"],
        "method": facts.get("method", "Grad-CAM"),
        "images": facts["images"],
        "labels": [] if kept_back else by_label(dataset, table),
        "bytes": 0 if kept_back else sum(len(one or b"") for one in table["picture"].to_pylist()),
        "pointed": pointed[0].to_pandas(),
        "pointing": pointed[1],
    }


def by_label(dataset: str, table: pa.Table) -> list[dict]:
    """Pictures of each label, and the outcomes without a test image."""
    labels: dict[str, list[dict]] = {}
    for row in table.to_pylist():
        labels.setdefault(row["label"], []).append(shown(dataset, row))
    return [
        {"label": label, "pictures": pictures, "none": absent(pictures)}
        for label, pictures in labels.items()
    ]


def shown(dataset: str, row: dict) -> dict:
    """One picture, with its description."""
    sure = {"most": "most certain", "least": "least certain", "only": "only one"}[row["sure"]]
    said = f"{row['outcome']}, {sure}"
    score = number(row["probability"])
    alt = f"{dataset}, {row['image']}: {row['label']}, {said}, probability {score}; the image, "
    return {
        "outcome": row["outcome"],
        "text": said,
        "score": score,
        "alt": alt + "and the same under its heat map",
        "webp": base64.b64encode(row["picture"]).decode(),
    }


def absent(pictures: list[dict]) -> list[str]:
    """The outcomes without a picture."""
    there = {picture["outcome"] for picture in pictures}
    return [outcome for outcome in OUTCOMES if outcome not in there]


# ------------------------------------------------------------------ a dataset at a time


def of_datasets(frames: Frames, galleries: dict[tuple, dict]) -> list[dict]:
    """For each dataset the chosen explained cell with its gallery, the others, and missing ones."""
    order = frames.best()
    left, found = BUDGET, []
    for dataset in dict.fromkeys(configuration[0] for configuration in galleries):
        configurations = [
            configuration for configuration in galleries if configuration[0] == dataset
        ]
        there = [configuration for configuration in configurations if galleries[configuration]]
        best = first(there, order[order["dataset"] == dataset])
        one = galleries[best] if best else None
        fits = bool(one) and one["bytes"] * 4 / 3 <= left
        left -= one["bytes"] * 4 / 3 if fits else 0
        found.append(
            {
                "name": dataset,
                "cell": link(best) if best else None,
                "gallery": one,
                "fits": fits,
                "others": [link(configuration) for configuration in there if configuration != best],
                "missing": [
                    link(configuration)
                    for configuration in configurations
                    if configuration not in there
                ],
                "pointing": table(
                    dataset, {configuration: galleries[configuration] for configuration in there}
                ),
            }
        )
    return found


def first(configurations: list[tuple], best: pd.DataFrame) -> tuple | None:
    """The cell of the chosen configuration; else the first of the cells; None without any."""
    ranked = best.sort_values("place")[CONFIGURATION]
    for wanted in ranked.itertuples(index=False, name=None):
        for configuration in configurations:
            if configuration[: len(CONFIGURATION)] == wanted:
                return configuration
    return configurations[0] if configurations else None


def link(configuration: tuple) -> tuple[str, str]:
    """A cell as (text, address from the report's folder)."""
    row = dict(zip(AXES, configuration, strict=True))
    fold = f" · fold {row['fold']}" if row["fold"] else ""
    return f"{row['backbone']} · {row['init']} · {row['recipe']}{fold} · seed {row['seed']}", (
        cell_pages.address(row)
    )


def table(dataset: str, galleries: dict[tuple, dict]) -> Section | None:
    """Table of the pointing game of a dataset's cells; None if no test image has a box."""
    rows = []
    for configuration, one in galleries.items():
        for label, part in one["pointed"].groupby("label", sort=True):
            hits, n = int(part["hit"].sum()), len(part)
            rate = number(hits / n, *pointing_game.interval(hits, n))
            rows.append(
                (link(configuration)[0], label, rate, number(part["chance"].mean()), hits, n)
            )
    if not rows:
        return None
    names = ["cell", "label", "hit rate", "chance", "hits", "n"]
    first = next(iter(galleries.values()))["pointing"]
    note = (
        "Pointing game (Zhang et al. 2018): a hit is a map whose maximum lies in a box of "
        f"BBox_List_2017.csv, or at most {first['margin']:.0%} of the image's side beside it. All "
        "test images with a box for the label count, whether or not the network found it; in "
        "brackets Wilson's 95 % interval, which assumes independent images. Chance: the share of "
        "the image that counts as a hit. The maps are coarse, so small findings are hard to hit."
    )
    reasons = [f"{first['reason'].capitalize()}."] if first["reason"] else []
    return section(dataset, pd.DataFrame(rows, columns=names), names[:2], [note, *reasons])
