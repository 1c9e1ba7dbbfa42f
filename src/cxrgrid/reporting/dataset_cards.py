"""What the page says of a dataset, with some of its images where its terms allow that."""

import base64
import io
from pathlib import Path

import numpy as np
import pandas as pd
import PIL.Image

from cxrgrid.config.explained_cells import hidden
from cxrgrid.data.image import decode
from cxrgrid.io.parquet import read_parquet
from cxrgrid.reporting import audits
from cxrgrid.reporting.markdown import Section
from cxrgrid.reporting.results import Frames
from cxrgrid.settings import Image

SAMPLES = 12
SIDE = 160  # pixels: larger samples make the page heavy, and show no more at their size on it


def samples(folder: Path, facts: dict) -> list[dict]:
    """Some images of each label, then others, as PNG in base64 with what they show."""
    table = read_parquet(folder / "table.parquet")[0].to_pandas()
    pixels = np.load(folder / "pixels.npy", mmap_mode="r")
    shown = []
    for _, image in choose(table, facts["labels"]).iterrows():
        present = [label for label in facts["labels"] if image[label] == 1]
        text = ", ".join(present) or "none of the labels"
        about = {"name": image["image"], "labels": text, "raw": raw(facts, image["image"])}
        shown.append({"png": png(pixels[image["row"]]), **about})
    return shown


def raw(facts: dict, image: str) -> str | None:
    """The whole image as its file has it, edges filled to a square; None where it is gone."""
    path = Path(facts.get("root", "")) / image
    if not path.is_file():
        return None
    try:
        return png(decode(path, Image(size=SIDE, resize="fit")))
    except (OSError, ValueError):
        return None


def choose(table: pd.DataFrame, labels: list[str]) -> pd.DataFrame:
    """Label by label the first image that has it and is not chosen yet, then evenly among all."""
    chosen: dict[int, None] = {}
    for label in labels[:SAMPLES]:
        having = table.index[table[label] == 1].difference(pd.Index(chosen))
        chosen |= dict.fromkeys(having[:1])
    evenly = np.linspace(0, len(table) - 1, min(2 * SAMPLES, len(table))).astype(int)
    chosen |= dict.fromkeys(table.index[evenly])
    return table.loc[list(chosen)[:SAMPLES]]


def png(pixels: np.ndarray) -> str:
    """Grey levels as an inline PNG."""
    image = PIL.Image.fromarray(np.asarray(pixels))
    image.thumbnail((SIDE, SIDE), PIL.Image.Resampling.LANCZOS)
    file = io.BytesIO()
    image.save(file, format="png", optimize=True)
    return base64.b64encode(file.getvalue()).decode()


def card(name: str, frames: Frames, folder: Path, audit: dict, counts: Section) -> dict:
    """What the page says of one dataset; no pixels of data that may not be shown."""
    facts = frames.facts[name]
    phantom = frames.grid.study.datasets[name].phantom is not None
    kept_back = hidden(frames.grid, name, facts)
    return {
        "name": name,
        "facts": facts,
        "counts": counts,
        "accounting": audit.get("accounting") or facts.get("accounting", []),
        "warnings": audit.get("warnings", []),
        "copies": audits.copies(audit),
        "metadata": audits.metadata(audit),
        "phantom": phantom,
        "hidden": kept_back,
        "samples": []
        if kept_back or not (folder / "pixels.npy").is_file()
        else samples(folder, facts),
    }
