"""COVID-QU-Ex: three classes below Train, Val and Test, with masks beside the images.

Lung Segmentation Data/Lung Segmentation Data/Train/COVID-19/images/covid_1.png    all images
Infection Segmentation Data/…/Train/COVID-19/images/covid_1.png                    some, once more
"""

import re
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from cxrgrid.config.errors import UserError
from cxrgrid.data import publisher_files, walk

TASK = "multiclass"
LABELS = ["COVID-19", "Non-COVID", "Normal"]
SPLITS = ["official"]
VALIDATED = ["official"]
ORIGIN = "Qatar University: anasmohammedtahir/covidqu on Kaggle."
SOURCE = (
    "Download COVID-QU-Ex (anasmohammedtahir/covidqu on Kaggle) and set datasets.<name>.root to "
    "the folder that holds Lung Segmentation Data"
)
TERMS = "CC BY-SA 4.0; cite Tahir et al., Computers in Biology and Medicine 2021."
CREDENTIALED = False
PUBLISHED = {
    "images": 33_920,
    "labels": {"COVID-19": 11_956, "Non-COVID": 11_263, "Normal": 10_701},
}
PHANTOM = {
    "classes": {
        "COVID-19": [0.35, ["Interstitial", "Consolidation"]],
        "Non-COVID": [0.33, ["Consolidation"]],
        "Normal": [0.32, []],
    },
    "ages": [1, 90],
    "views": {"PA": 0.6, "AP": 0.4},
    "images": 1,
}

PLACE = re.compile(r"(.*?)(?:^|/)(Train|Val|Test)/(COVID-19|Non-COVID|Normal)/(images/)?[^/]+")
PARTS = {"Train": "train", "Val": "val", "Test": "test"}
LUNGS = "Lung Segmentation Data"
SUBSET = "infection"  # in the path of the images that have a mask of the infection
NOTES = [
    "No patient is published: each image counts as its own patient, so that one patient's images "
    "may stand in several splits.",
    "The classes come from different collections, as do those of the COVID-19 Radiography "
    "Database, with which it shares images: a model may learn the source.",
]


def read(root: Path, settings: dict) -> pd.DataFrame:
    """Every image of the lung part; of the infection part alone, if that is all there is."""
    root = Path(root)
    found = [match for path in walk.images(root).images if (match := PLACE.fullmatch(path))]
    inner = {match[4] for match in found}
    found = [match for match in found if match[4]] if len(inner) > 1 else found
    rows = pd.DataFrame([match.groups() for match in found], columns=["above", "part", "class", 3])
    rows["image"] = [match[0] for match in found]
    if rows["class"].nunique() < 2:
        folders = "Train, Val and Test with COVID-19, Non-COVID and Normal"
        raise UserError(f"{root}: no folders {folders} in it. {SOURCE}")
    again = rows["above"].str.contains(SUBSET, case=False)
    kept = rows if again.all() else rows[~again]
    frame = kept.assign(patient=kept["image"], study=kept["image"], view=None, sex=None, age=np.nan)
    frame["split:official"] = frame["part"].map(PARTS)
    frame = frame.assign(**{label: (kept["class"] == label).astype(float) for label in LABELS})
    frame = frame.drop(columns=["above", "part", "class", 3]).sort_values(
        "image", ignore_index=True
    )
    steps = {"image files": rows.assign(patient=rows["image"]), "of the lung part": frame}
    frame.attrs["accounting"] = publisher_files.accounting(steps)
    left = len(rows) - len(kept)
    more = [f"Images of the infection part, which are among the others, left out: {left:,}."]
    frame.attrs["notes"] = NOTES + more * bool(left)
    return frame


def recognise(root: Path) -> bool:
    """True if a folder Train with the class Non-COVID lies in it, up to two folders down."""
    places = (root.glob(f"{below}Train/Non-COVID") for below in ("", "*/", "*/*/"))
    return any(True for found in places for _ in found)


def write(root: Path, cohort: list[dict], draw) -> None:
    """The phantom cohort as the lung part, with masks beside the images."""
    folders = {part: folder for folder, part in PARTS.items()}
    for row in cohort:
        [label], film = row["labels"], draw(row)
        base = Path(root) / LUNGS / LUNGS / folders[row["split"]] / label
        for folder, pixels in (("images", film), ("lung masks", (film < 90) * np.uint8(255))):
            (base / folder).mkdir(parents=True, exist_ok=True)
            name = f"{label.lower()}_{row['patient']}_{row['study']}.png"
            Image.fromarray(pixels).save(base / folder / name)
