"""Kermany's paediatric pneumonia set: the class stands in the folder's and the file's name.

Two releases: `person1_bacteria_1.jpeg` and `IM-0115-0001.jpeg` (Mendeley v2, and Kaggle's
`chest-xray-pneumonia`), `BACTERIA-1008087-0001.jpeg` (Mendeley v3).
"""

import itertools
import re
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from cxrgrid.config.errors import UserError

TASK = "multiclass"
LABELS = ["Normal", "Bacterial", "Viral"]
SPLITS = ["official"]
ORIGIN = "Guangzhou Women and Children's Medical Center: doi.org/10.17632/rscbjbr9sj."
SOURCE = (
    "Download the paediatric chest X-rays (doi.org/10.17632/rscbjbr9sj, or "
    "paultimothymooney/chest-xray-pneumonia on Kaggle) and set datasets.<name>.root to the folder "
    "that holds chest_xray"
)
TERMS = "CC BY 4.0; cite Kermany et al., Cell 2018."
CREDENTIALED = False
PUBLISHED = {"images": 5_856, "labels": {"Normal": 1_583, "Bacterial": 2_780, "Viral": 1_493}}
PHANTOM = {
    "classes": {
        "Normal": [0.3, []],
        "Bacterial": [0.42, ["Consolidation"]],
        "Viral": [0.28, ["Interstitial"]],
    },
    "ages": [1, 5],
    "views": {"AP": 1.0},
    "images": 1.5,
}

FOLDERS = {"train": "trainval", "val": "trainval", "test": "test"}
CLASSES = {"NORMAL": "Normal", "PNEUMONIA": ""}
KINDS = {"bacteria": "Bacterial", "virus": "Viral", "normal": "Normal"}
V2_NORMAL = re.compile(r"((?:NORMAL\d*-)?IM-\d+)-")
V2_PNEUMONIA = re.compile(r"(person\d+)_(bacteria|virus)_\d+")
V3 = re.compile(r"((NORMAL|BACTERIA|VIRUS)-\d+)-\d+")
NOTES = [
    "Children of one to five years, one hospital, front views (AP); age and sex are not published.",
    "Patient numbers restart in the test folder: 'person1' there is another child than in train.",
    "The shipped val folder holds 16 images only and was merged into train.",
    "IM-… of the normal images numbers a study, which is taken as the patient.",
]


def read(root: Path, settings: dict) -> pd.DataFrame:
    """All images whose names are understood."""
    base = find_base(Path(root))
    paths = list_images(base)
    rows = [row for path in paths if (row := parse(path))]
    if not rows:
        raise UserError(
            f"{base}: no file named like person1_bacteria_1.jpeg, IM-0115-0001.jpeg or "
            f"BACTERIA-1008087-0001.jpeg. {SOURCE}"
        )
    frame = pd.DataFrame(rows)
    below = base.relative_to(root).as_posix()
    frame["image"] = [path if below == "." else f"{below}/{path}" for path in frame["image"]]
    frame = frame.sort_values("image", ignore_index=True)
    patients = int(frame["patient"].nunique())
    frame.attrs["accounting"] = [
        {"step": "image files", "images": len(paths), "patients": patients},
        {"step": "name understood", "images": len(frame), "patients": patients},
    ]
    left_out = len(paths) - len(frame)
    more = [f"{left_out} files were left out: their names say neither class nor patient."]
    frame.attrs["notes"] = NOTES + (more if left_out else [])
    return frame


def recognise(root: Path) -> bool:
    """True if the first names of a class folder are this set's; its folders' names are common."""
    bases = [root / below for below in (".", "chest_xray", "chest_xray/chest_xray")]
    bases = [base for base in bases if (base / "train").is_dir() and (base / "test").is_dir()]
    first = [
        f"train/{kind}/{path.name}"
        for base in bases
        for kind in CLASSES
        for path in itertools.islice((base / "train" / kind).glob("[!.]*"), 20)
    ]
    return any(parse(path) for path in first)


def find_base(root: Path) -> Path:
    """The folder that holds train and test. Kaggle's archive has a second copy deeper: not read."""
    for base in (root, root / "chest_xray", root / "chest_xray" / "chest_xray"):
        if (base / "train").is_dir() and (base / "test").is_dir():
            return base
    raise UserError(f"{root}: no folder chest_xray with train and test in it. {SOURCE}")


def list_images(base: Path) -> list[str]:
    """Paths below `base`; hidden files (also those that macOS adds to archives) are no images."""
    found = [
        path.relative_to(base).as_posix()
        for folder in FOLDERS
        for kind in CLASSES
        for path in (base / folder / kind).glob("*")
        if path.suffix.lower() in (".jpeg", ".jpg", ".png") and not path.name.startswith(".")
    ]
    return sorted(found)


def parse(path: str) -> dict | None:
    """The row of one image by its path below `chest_xray`; None if the name is not understood."""
    folder, _, name = path.split("/")
    space = "test" if folder == "test" else "train"
    if match := V3.match(name):
        # v3's numbers are one random series for both folders: the same number is the same child.
        patient, kind = match[1], match[2].lower()
    elif match := V2_PNEUMONIA.match(name):
        patient, kind = f"{space}-{match[1]}", match[2]
    elif match := V2_NORMAL.match(name):
        patient, kind = f"{space}-{match[1]}", "normal"
    else:
        return None
    row = {"image": path, "patient": patient, "study": f"{space}-{Path(name).stem}", "view": "AP"}
    row |= {"sex": None, "age": np.nan, "split:official": FOLDERS[folder]}
    return row | {label: float(KINDS[kind] == label) for label in LABELS}


def write(root: Path, cohort: list[dict], draw) -> None:
    """The phantom cohort in v2's layout; numbers restart in test, as they do in the original."""
    numbers: dict[tuple, int] = {}
    for row in cohort:
        space = "test" if row["split"] == "test" else "train"
        here = [patient for where, patient in numbers if where == space]
        number = numbers.setdefault((space, row["patient"]), len(here) + 1)
        [label] = row["labels"]
        if label == "Normal":
            kind, name = "NORMAL", f"IM-{number:04d}-0001-{row['study'] + 1:04d}"
        else:
            cause = next(cause for cause, named in KINDS.items() if named == label)
            kind, name = "PNEUMONIA", f"person{number}_{cause}_{row['study'] + 1}"
        folder = Path(root) / "chest_xray" / row["split"] / kind
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw(row)).save(folder / f"{name}.jpeg", quality=92)
