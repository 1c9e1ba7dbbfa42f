"""The report's card of each dataset, with example images if its terms allow that."""

import base64
import io
from pathlib import Path

import numpy as np
import pandas as pd
import PIL.Image

from cxrgrid.config.checks import adapter_facts
from cxrgrid.config.errors import ELSEWHERE
from cxrgrid.config.explained_cells import hidden
from cxrgrid.config.preparation import Image
from cxrgrid.data.image import decode
from cxrgrid.data.stored_array import open_array
from cxrgrid.evaluation.wording import number
from cxrgrid.io.parquet import read_parquet
from cxrgrid.reporting.results import Frames
from cxrgrid.reporting.sections import Section, section

SAMPLES = 12
SIDE = 160  # pixels: larger samples make the page heavy, and show no more at their size on it

METADATA_NOTE = (
    "AUROC on test images of a logistic regression on metadata alone, without the images. The "
    "part of a model's AUROC above this baseline comes from the images."
)


def origin(name: str, frames: Frames) -> str:
    """Origin of a dataset: its publisher, or the folder of one's own images."""
    settings = frames.grid.study.datasets[name]
    published = adapter_facts(settings.adapter).get("ORIGIN", "")
    return published or f"The study's own images, {settings.root}."


def samples(folder: Path, facts: dict) -> list[dict]:
    """Example images of each label, then others, by view: PNG in base64, with labels and view."""
    table = read_parquet(folder / "table.parquet")[0].to_pandas()
    pixels = open_array(folder / "pixels.npy")
    shown = []
    for _, image in choose(table, facts["labels"]).iterrows():
        present = [label for label in facts["labels"] if image[label] == 1]
        text = ", ".join(present) or "none of the labels"
        about = {"name": image["image"], "labels": text, "raw": raw(facts, image["image"])}
        view = image.get("view")
        about["view"] = view if isinstance(view, str) else "view unknown"
        shown.append({"png": png(pixels[image["row"]]), **about})
    order = [*dict.fromkeys(one["view"] for one in shown)]
    shown.sort(key=lambda one: (one["view"] == "view unknown", order.index(one["view"])))
    return shown


def raw(facts: dict, image: str) -> str | None:
    """The whole original image, padded to a square; None if its file is missing or unreadable."""
    path = Path(facts.get("root", "")) / image
    if not path.is_file():
        return None
    try:
        return png(decode(path, Image(size=SIDE, resize="fit")))
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno in ELSEWHERE:
            raise
        return None


def choose(table: pd.DataFrame, labels: list[str]) -> pd.DataFrame:
    """Rows of the example images: the first with each label, then evenly spaced ones."""
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
    """The card of one dataset; without images if these may not be shown."""
    facts = frames.facts[name]
    phantom = frames.grid.study.datasets[name].phantom is not None
    kept_back = hidden(frames.grid, name, facts)
    return {
        "name": name,
        "facts": facts,
        "origin": origin(name, frames),
        "counts": counts,
        "accounting": audit.get("accounting") or facts.get("accounting", []),
        "warnings": audit.get("warnings", []),
        "copies": copies(audit),
        "metadata": metadata(audit),
        "phantom": phantom,
        "hidden": kept_back,
        "samples": []
        if kept_back or not (folder / "pixels.npy").is_file()
        else samples(folder, facts),
    }


def metadata(audit: dict) -> Section | None:
    """AUROC of age, sex, view and source, alone and together; None if none of them varies."""
    told = audit.get("metadata_only", {"fields": [], "labels": {}})
    if not told["fields"]:
        return None
    rows = []
    for label, row in told["labels"].items():
        ends = (float("nan") if row[end] is None else row[end] for end in ("low", "high"))
        auroc = row["auroc"]
        shown = {"label": label}
        shown["together (95 % interval)"] = number(auroc["all"], *ends) if auroc else row["reason"]
        shown |= {name: number(auroc.get(name, float("nan"))) for name in told["fields"]}
        rows.append(shown | {"n": f"{row['n']:,}", "positives": f"{row['positives']:,}"})
    return section("Metadata-only baseline", pd.DataFrame(rows), ["label"], [METADATA_NOTE])


def copies(audit: dict) -> list[str]:
    """Sentences on equal and near-identical images and on split lists."""
    near = audit.get("near_images_in_two_splits", {})
    if near.get("pairs") is None:
        return []
    equal = len(audit["equal_images_in_two_splits"])
    texts = [
        f"Duplicate images across splits: {equal or 'none'} with equal pixels, "
        f"{near['pairs'] or 'none'} nearly equal (pairs that differ in at most {near['bits']} of "
        "255 bits of a perceptual hash; mirrored, rotated or cropped copies are not found)."
    ]
    lists = [
        f"Of the {pair['test_images']:,} test images of the split {pair['test_of']!r}, "
        f"{pair['images']:,} are training images of the split {pair['train_of']!r}."
        for pair in audit["lists"]
    ]
    if lists:
        lists.append(
            "That is no leakage: a model is trained and tested on one split. Numbers on different "
            "splits do not compare."
        )
    return texts + lists


def leaked(facts: dict) -> list[str]:
    """The note below every table of a dataset with patients in two splits."""
    if "leakage" not in facts:
        return []
    found = facts["leakage"]
    return [
        f"Leakage: {found['patients']:,} patients are in two splits, and "
        f"{found['test_images_seen']:,} of {found['test_images']:,} test images are of patients "
        "who are also in training; the results do not apply to new patients."
    ]
