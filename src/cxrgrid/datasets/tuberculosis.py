"""Shenzhen and Montgomery: chest X-rays of tuberculosis screening, whose names end in the label.

CXR_png/CHNCXR_0327_1.png             Shenzhen: 1 with tuberculosis, 0 without
CXR_png/MCUCXR_0001_0.png             Montgomery, the same
ClinicalReadings/CHNCXR_0327_1.txt    sex, age and a reading, of either
"""

import itertools
import re
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from cxrgrid.config.errors import UserError
from cxrgrid.data import folder_layout, publisher_files, walk

TASK = "multilabel"
LABELS = ["Tuberculosis"]
SPLITS = []
ORIGIN = "U.S. National Library of Medicine: lhncbc.nlm.nih.gov/publication/pub9931."
SOURCE = (
    "Download the Shenzhen or the Montgomery set (lhncbc.nlm.nih.gov/publication/pub9931, or on "
    "Kaggle) and set datasets.<name>.root to the folder that holds CXR_png"
)
TERMS = "As stated by the NLM; cite Jaeger et al., Quant Imaging Med Surg 2014;4(6):475-477."
CREDENTIALED = False
PHANTOM = {
    "findings": {"Tuberculosis": 0.5},
    "drawn": {"Tuberculosis": ["Infiltration", "Nodule"]},
    "ages": [15, 90],
    "views": {"PA": 1.0},
    "images": 1,
}

NAME = re.compile(r"((CHNCXR|MCUCXR)_\d+)_([01])(\.\w+)?", re.I)
HOSPITALS = {"CHNCXR": "Shenzhen", "MCUCXR": "Montgomery"}
SEX = re.compile(r"sex:\s*([MF])|\b(male?|femal?e?)\b", re.I)
AGE = re.compile(r"(?:age:\s*)?\b0*(\d+)\s*(y|m|w|d)", re.I)
YEARS = {"y": 1, "m": 1 / 12, "w": 1 / 52, "d": 1 / 365}
NOTES = [
    "Each image counts as a patient of its own: the sets hold one image of each.",
    "The two sets are of different machines and populations, and differ in how many are ill: a "
    "model may learn the hospital (column source).",
]


def read(root: Path, settings: dict) -> pd.DataFrame:
    """All images whose names say the label, each name once; masks are left out."""
    root = Path(root)
    named = [p for p in walk.images(root).images if NAME.fullmatch(p.rsplit("/", 1)[-1])]
    images = folder_layout.without_masks(named)
    if not images:
        raise UserError(f"{root}: no image named like CHNCXR_0001_0.png in it. {SOURCE}")
    rows = pd.DataFrame({"image": images, "name": [path.rsplit("/", 1)[-1] for path in images]})
    found = rows["name"].str.extract(NAME)
    rows["patient"], rows["source"] = found[0].str.upper(), found[1].str.upper().map(HOSPITALS)
    rows["Tuberculosis"] = found[2].astype(float)
    frame = rows.drop_duplicates("patient")
    told = readings(root, frame["name"])
    frame = pd.concat([frame.drop(columns="name"), told], axis=1)
    frame = frame.assign(study=frame["patient"]).sort_values("image", ignore_index=True)
    steps = {"images named with a label": rows, "of each name one": frame}
    frame.attrs["accounting"] = publisher_files.accounting(steps)
    masks = len(named) - len(images)
    frame.attrs["notes"] = [*NOTES, *([f"Masks, left out: {masks:,}."] if masks else [])]
    return frame


def recognise(root: Path) -> bool:
    """True if images in it, or one or two folders down, have such names."""
    some = (itertools.islice(root.glob(f"{below}*_[01].*"), 20) for below in ("", "*/", "*/*/"))
    return any(NAME.fullmatch(path.name) for path in itertools.chain(*some))


def readings(root: Path, names: pd.Series) -> pd.DataFrame:
    """Sex and age of each image by the text file of its name; no view is published but frontal."""
    texts = publisher_files.by_name(root, (".txt",))
    files = [texts.get(f"{name.rsplit('.', 1)[0]}.txt") for name in names]
    told = [(root / path).read_text(errors="replace") if path else "" for path in files]
    columns = {"view": [None] * len(told), "sex": list(map(sex, told))}
    frame = pd.DataFrame({name: pd.Series(c, names.index, object) for name, c in columns.items()})
    return frame.assign(age=np.array(list(map(age, told)), float))


def sex(text: str) -> str | None:
    """M or F of `male 45yrs`, `Patient's Sex: F` and the like; None if it does not say."""
    found = SEX.search(text)
    return (found[1] or found[2])[0].upper() if found else None


def age(text: str) -> float:
    """Years of `male 45yrs`, `female 16month`, `Patient's Age: 027Y`; NaN if it does not say."""
    found = AGE.search(text)
    years = int(found[1]) * YEARS[found[2].lower()] if found else np.nan
    return years if years <= 120 else np.nan


def write(root: Path, cohort: list[dict], draw) -> None:
    """The phantom cohort as images of both hospitals, with their readings and a lung's mask."""
    for row in cohort:
        ill = "Tuberculosis" in row["labels"]
        hospital = [*HOSPITALS][row["patient"] % 4 == 0]
        name, film = f"{hospital}_{row['patient']:04d}_{int(ill)}", draw(row)
        sex = {"M": "male", "F": "female"}[row["sex"]]
        files = {"CXR_png": film, "ManualMask/leftMask": (film < 90) * np.uint8(255)}
        for folder, pixels in files.items():
            (Path(root) / folder).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(Path(root) / folder / f"{name}.png")
        text = f"{sex} {row['age']:.0f}yrs\n{'PTB' if ill else 'normal'}\n"
        (Path(root) / "ClinicalReadings").mkdir(exist_ok=True)
        (Path(root) / "ClinicalReadings" / f"{name}.txt").write_text(text)
