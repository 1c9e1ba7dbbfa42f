"""COVID-19 Radiography Database: one folder a class, beside each a spreadsheet of sources.

COVID-19_Radiography_Dataset/COVID/images/COVID-1.png     the release of 2021, with masks beside
COVID-19 Radiography Database/COVID-19/COVID-19 (1).png   older ones, of three classes or four
"""

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from cxrgrid.config.errors import UserError
from cxrgrid.data import publisher_files, spreadsheets

TASK = "multiclass"
LABELS = ["COVID", "Lung_Opacity", "Normal", "Viral Pneumonia"]
SPLITS = []
ORIGIN = (
    "COVID-19 Radiography Database: tawsifurrahman/covid19-radiography-database on Kaggle, a "
    "collection of several sources."
)
SOURCE = (
    "Download the COVID-19 Radiography Database (tawsifurrahman/covid19-radiography-database on "
    "Kaggle) and set datasets.<name>.root to the folder that holds its class folders"
)
TERMS = (
    "As stated by its makers: research and education; cite Chowdhury et al., IEEE Access 2020, and "
    "Rahman et al., Computers in Biology and Medicine 2021, and the sources of the images."
)
CREDENTIALED = False
PHANTOM = {
    "classes": {
        "COVID": [0.2, ["Interstitial", "Consolidation"]],
        "Lung_Opacity": [0.25, ["Consolidation"]],
        "Normal": [0.4, []],
        "Viral Pneumonia": [0.15, ["Interstitial"]],
    },
    "ages": [1, 90],
    "views": {"PA": 0.6, "AP": 0.4},
    "images": 1,
}

FOLDERS = {
    "covid": "COVID",
    "covid-19": "COVID",
    "lung_opacity": "Lung_Opacity",
    "normal": "Normal",
    "viral pneumonia": "Viral Pneumonia",
}
SUFFIXES = (".png", ".jpg", ".jpeg")
SHEET = ["FILE NAME", "FORMAT", "SIZE", "URL"]
NOTES = [
    "No patient is known: each image counts as its own, so that one patient's images may stand in "
    "several splits; several sources hold series of one patient.",
    "The classes come from different sources (viral pneumonia: children of one hospital; COVID: "
    "adults from many): a model may tell the sources apart instead of the diseases.",
    "It holds images of Kermany's paediatric set and of RSNA (ChestX-ray14).",
]


def read(root: Path, settings: dict) -> pd.DataFrame:
    """Every image of the class folders; `source` from the spreadsheets, where there are any."""
    root = Path(root)
    folders = find_folders(root)
    rows = [row for folder, label in folders.items() for row in list_class(root, folder, label)]
    if len({row["class"] for row in rows}) < 2:
        raise UserError(f"{root}: fewer than two class folders hold images. {SOURCE}")
    frame = pd.DataFrame(rows).sort_values("image", ignore_index=True)
    frame = frame.assign(patient=frame["image"], study=frame["image"])
    frame = frame.assign(view=None, sex=None, age=np.nan)
    labels = [label for label in LABELS if (frame["class"] == label).any()]
    frame = frame.assign(**{label: (frame["class"] == label).astype(float) for label in labels})
    frame.attrs["labels"] = labels
    frame.attrs["accounting"] = publisher_files.accounting({"image files": frame})
    frame.attrs["notes"] = [*NOTES, *composition(frame)]
    return frame.drop(columns="class")


def recognise(root: Path) -> bool:
    """True if there are folders COVID and Viral Pneumonia: no other set has both."""
    bases = [root, *(path for path in root.iterdir() if path.is_dir())]
    names = [{path.name.lower() for path in base.iterdir()} for base in bases]
    covid = {"covid", "covid-19"}
    return any("viral pneumonia" in found and bool(found & covid) for found in names)


def find_folders(root: Path) -> dict[Path, str]:
    """The class folders, with their labels: in root, or in the one folder that archives add."""
    below = root.iterdir() if root.is_dir() else ()
    for base in (root, *sorted(path for path in below if path.is_dir())):
        found = {
            path: FOLDERS[path.name.lower()]
            for path in sorted(base.glob("*"))
            if path.is_dir() and path.name.lower() in FOLDERS
        }
        if len(found) > 1:
            return found
    raise UserError(f"{root}: no class folders ({', '.join(LABELS)}). {SOURCE}")


def list_class(root: Path, folder: Path, label: str) -> list[dict]:
    """One row per image of a class; the masks beside them are not read."""
    inner = folder / "images" if (folder / "images").is_dir() else folder
    known = sources(folder.parent / f"{folder.name}.metadata.xlsx")
    return [
        {
            "image": path.relative_to(root).as_posix(),
            "class": label,
            "source": known.get(key(path.stem)),
        }
        for path in sorted(inner.iterdir())
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    ]


def sources(path: Path) -> dict[str, str]:
    """The source of each image by the key of its name; {} without the spreadsheet."""
    if not path.is_file():
        return {}
    rows = spreadsheets.read_sheet(path)
    missing = [name for name in ("FILE NAME", "URL") if name not in rows]
    if missing:
        raise UserError(f"{path}: no column {missing[0]!r}; it needs {', '.join(SHEET)}")
    return {key(name): url for name, url in zip(rows["FILE NAME"], rows["URL"], strict=True) if url}


def key(name: str) -> str:
    """Key that a name in a spreadsheet and a file's stem share: `NORMAL-1` is `Normal-1.png`."""
    return "".join(sign for sign in name.lower().removesuffix(".png") if sign.isalnum())


def composition(frame: pd.DataFrame) -> list[str]:
    """Numbers of images of each class by source, as text."""
    found = []
    for label, part in frame.groupby("class"):
        counts = part["source"].value_counts()
        if len(counts):
            named = ", ".join(f"{source} ({number:,})" for source, number in counts.items())
            found.append(f"Sources of {label}: {named}.")
    return found


def write(root: Path, cohort: list[dict], draw) -> None:
    """The phantom cohort as the release of 2021, spreadsheets included."""
    base, sheets = Path(root) / "COVID-19_Radiography_Dataset", {label: [SHEET] for label in LABELS}
    for row in cohort:
        [label] = row["labels"]
        name = f"{label}-{len(sheets[label])}"
        folder = base / label / "images"
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw(row)).save(folder / f"{name}.png", compress_level=1)
        listed = name.upper() if label == "Normal" else name
        where = f"https://example.org/{label.split('_')[0].lower().replace(' ', '-')}"
        sheets[label].append([listed, "PNG", "256*256", f"{where}/{row['patient'] % 2}"])
    for label, rows in sheets.items():
        spreadsheets.write_sheet(base / f"{label}.metadata.xlsx", rows)
