"""Input of a checkpoint as its publisher says it in a file beside the weights.

Hugging Face's folders hold preprocessor_config.json (transformers), with `image_mean`, `image_std`
and `resample`, a number of Pillow's; or open_clip_config.json (BiomedCLIP's), with
`preprocess_cfg`: mlfoundations/open_clip, src/open_clip/transform.py (PreprocessCfg), factory.py.
"""

import json
from pathlib import Path
from typing import Any

from cxrgrid.io.parquet import facts_of

PILLOWS = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic"}
USUAL = 1 / 255  # rescale_factor: grey levels from 0 to 1
PUBLISHED = "results/weights/"  # where the rule `weights` puts what timm publishes


def given_input(path: str | Path) -> dict[str, Any]:
    """`mean` and `std`, of values from 0 to 1, beside a checkpoint; empty where nothing says so."""
    found = said(path)
    mean, std = found.get("mean"), found.get("std")
    if not isinstance(mean, list) or not isinstance(std, list):
        return {}
    numbers = all(isinstance(one, int | float) for one in mean + std) and min(std, default=0) > 0
    fits = numbers and len(mean) == len(std) and len(mean) in (1, 3)
    return {"mean": mean, "std": std} if fits else {}


def resize_note(path: str | Path, cfg: dict[str, Any], image: dict[str, Any]) -> str:
    """End of a start's line if its images were resized in another way than the cell's; or empty.

    cfg: timm's settings of the network; image: the cell's image recipe.
    """
    timms = PUBLISHED in str(path)
    theirs = (cfg if timms else of_cell(path) or said(path)).get("interpolation")
    own = image.get("interpolation", "area")
    if not theirs or theirs == own:
        return ""
    return f"; trained on images resized by {theirs}, here by {own} (image.interpolation)"


def of_cell(path: str | Path) -> dict[str, Any]:
    """Interpolation of the images of the cell whose weights these are; empty of other files."""
    history = Path(path).with_name("history.parquet")
    if not history.is_file():
        return {}
    return {"interpolation": "area", **(facts_of(history).get("image") or {})}


def said(path: str | Path) -> dict[str, Any]:
    """Mean, std and interpolation, unchecked, from the first of the files that is there."""
    folder = Path(path).parent
    for name, read in (
        ("preprocessor_config.json", by_transformers),
        ("open_clip_config.json", by_open_clip),
    ):
        try:
            return read(json.loads((folder / name).read_text("utf-8")))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
    return {}


def by_transformers(found: dict[str, Any]) -> dict[str, Any]:
    """Mean, std and interpolation in preprocessor_config.json."""
    resized = {"interpolation": PILLOWS.get(found.get("resample"), "")}
    if abs(found.get("rescale_factor", USUAL) - USUAL) > 1e-6:
        return resized
    return {"mean": found["image_mean"], "std": found["image_std"], **resized}


def by_open_clip(found: dict[str, Any]) -> dict[str, Any]:
    """The same in open_clip_config.json, where bicubic goes without saying."""
    return {"interpolation": "bicubic", **found["preprocess_cfg"]}
