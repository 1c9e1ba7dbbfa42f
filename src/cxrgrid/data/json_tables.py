"""Rows of a JSON file: a list of objects, an object a line, parts, or COCO's annotations."""

import json
import re
from pathlib import Path

import pandas as pd

from cxrgrid.config.errors import UserError

ENDINGS = (".json", ".jsonl")
OF_LABELS = re.compile(r"(?:labels?|findings?|class(?:es)?|diagnos[ie]s|targets?)\.([^.]+)", re.I)
COCO = ("images", "annotations", "categories")  # keys of a file of boxes


def read(path: Path) -> pd.DataFrame:
    """A list of objects, an object a line, {image: label or object}, {part: a list of objects}, or
    COCO's annotations."""
    try:
        text = path.read_text("utf-8-sig")
        many = path.suffix.lower() == ".jsonl"
        data = (
            [json.loads(line) for line in text.split("\n") if line.strip()]
            if many
            else json.loads(text)
        )
    except (ValueError, RecursionError):
        data = None
    if isinstance(data, dict) and set(COCO) <= set(data):
        data = from_coco(data)
    if isinstance(data, dict) and all(map(is_rows, data.values())):
        data = [{**row, "split": part} for part, rows in data.items() for row in rows]
    if isinstance(data, dict):
        pairs = data.items()
        told = [each if isinstance(each, dict) else {"label": each} for _, each in pairs]
        data = [{"image": name, **each} for (name, _), each in zip(pairs, told, strict=True)]
    if not data or not is_rows(data):
        raise UserError(f"{path}: not a table: neither a list of objects nor one object a line")
    return flat(data)


def flat(data: list[dict]) -> pd.DataFrame:
    """The objects as a table: `patient.id` of objects in them, of labels their own names."""
    rows = pd.json_normalize(data)
    inner = {name: found[1] for name in rows if (found := OF_LABELS.fullmatch(name))}
    own = {name for name in rows if name not in inner}
    unique = len({*inner.values(), *own}) == len(rows.columns)
    return rows.rename(columns=inner) if unique else rows


def is_rows(data: object) -> bool:
    """True for a list of objects."""
    return isinstance(data, list) and all(isinstance(row, dict) for row in data)


def from_coco(data: dict) -> list[dict]:
    """One row per image: its own fields, and the names of the categories that it is annotated with.

    Images without an annotation have an empty list.
    """
    names = {kind.get("id"): str(kind.get("name")) for kind in data["categories"]}
    shown: dict = {}
    for box in data["annotations"]:
        shown.setdefault(box.get("image_id"), set()).add(names.get(box.get("category_id"), "?"))
    return [
        {**image, "findings": sorted(shown.get(image.get("id"), ()))}
        for image in data["images"]
        if isinstance(image, dict)
    ]
