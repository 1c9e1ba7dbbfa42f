"""VinDr-PCXR: chest X-rays of children, `train|test/<image>.dicom`, and a reading of each.

image_labels_train.csv, image_labels_test.csv    image_id, rad_ID, 14 diseases and No finding
annotations_train.csv, annotations_test.csv      boxes of findings, which are not read
"""

from pathlib import Path

import pandas as pd

from cxrgrid.config.errors import UserError
from cxrgrid.data import dicom, image_lookup, publisher_files
from cxrgrid.datasets import vindr

TASK = "multilabel"
LABELS = [
    "Bronchitis",
    "Broncho-pneumonia",
    "Bronchiolitis",
    "Pneumonia",
    "Pleuro-pneumonia",
    "Tuberculosis",
    "Situs inversus",
    "Diaphragmatic hernia",
    "Congenital emphysema",
    "CPAM",
    "Hyaline membrane disease",
    "Mediastinal tumor",
    "Lung tumor",
    "Other disease",
]
SPLITS = ["official"]
ORIGIN = "PhysioNet: physionet.org/content/vindr-pcxr."
SOURCE = (
    "Download VinDr-PCXR (physionet.org/content/vindr-pcxr, credentialed) and set "
    "datasets.<name>.root to the folder that holds train and test"
)
TERMS = "PhysioNet Credentialed Health Data Use Agreement 1.5.0; cite Pham et al., Sci Data 2023."
CREDENTIALED = True
PUBLISHED = {"images": 9_125}
PHANTOM = {
    "findings": {
        "Bronchitis": 0.14,
        "Broncho-pneumonia": 0.12,
        "Bronchiolitis": 0.1,
        "Pneumonia": 0.12,
        "Pleuro-pneumonia": 0.05,
        "Other disease": 0.06,
    },
    "drawn": {
        "Bronchitis": ["Interstitial"],
        "Broncho-pneumonia": ["Infiltration"],
        "Bronchiolitis": ["Emphysema"],
        "Pneumonia": ["Consolidation"],
        "Pleuro-pneumonia": ["Consolidation", "Effusion"],
        "Other disease": [],  # not drawn: a score above chance is a warning
    },
    "ages": [0, 10],
    "views": {"AP": 1.0},
    "images": 1,
}

TYPOS = {"Brocho-pneumonia": "Broncho-pneumonia", "Diagphramatic hernia": "Diaphragmatic hernia"}
NOTES = [
    "Each training image was read by one of three radiologists, the test images by several.",
    "No patient is published: each image counts as its own patient, so that one patient's images "
    "may stand in several splits.",
    "Images without a disease ('No finding') are the rows with zeros only.",
]


def read(root: Path, settings: dict) -> pd.DataFrame:
    """The images that are both labelled and on disk."""
    root = Path(root)
    there = publisher_files.by_name(root, (".csv",))
    tables = {f"image_labels_{part}.csv": part for part in vindr.FOLDERS}
    found = {root / there[name]: part for name, part in tables.items() if name in there}
    found = {
        path: part for path, part in found.items() if vindr.OTHER in publisher_files.header(path)
    }
    if not found:
        raise UserError(f"{root}: no {' or '.join(tables)} with a column Bronchiolitis. {SOURCE}")
    rows = pd.concat([vindr.labels_of(path, part, TYPOS, LABELS) for path, part in found.items()])
    listed = vindr.vote(rows, LABELS)
    what = (listed["patient"], "listed images", SOURCE)
    frame = listed.assign(image=image_lookup.by_id(root, *what)).dropna(subset="image")
    frame = frame.sort_values("image", ignore_index=True)
    steps = {"readings": rows, "listed once": listed, "image file found": frame}
    frame = frame.assign(study=frame["patient"], patient=frame["image"])
    about = pd.DataFrame(dicom.people(root, list(frame["image"]))).astype({"age": float})
    frame = pd.concat([frame, about], axis=1)
    frame.attrs["accounting"] = publisher_files.accounting(steps)
    frame.attrs["notes"] = NOTES
    return frame


def recognise(root: Path) -> bool:
    """True if one of its tables lies in root, with its own diseases."""
    paths = [root / f"image_labels_{part}.csv" for part in vindr.FOLDERS]
    return any(path.is_file() and vindr.OTHER in publisher_files.header(path) for path in paths)


def write(root: Path, cohort: list[dict], draw) -> None:
    """The phantom cohort as PhysioNet's release, whose headers misspell two diseases."""
    spelled = {name: typo for typo, name in TYPOS.items()}
    header = ["image_id", "rad_ID", "No finding", *(spelled.get(name, name) for name in LABELS)]
    lines = {part: [",".join(header)] for part in vindr.FOLDERS}
    for row in cohort:
        part, name = "test" if row["split"] == "test" else "train", f"{row['patient']:032x}"
        film = draw(row).astype("uint16") * 16
        dicom.write(Path(root) / part / f"{name}.dicom", film, row)
        shown = [not row["labels"], *(label in row["labels"] for label in LABELS)]
        reader = f"R{row['patient'] % 3 + 1}"
        lines[part].append(",".join([name, reader, *(f"{value:.1f}" for value in shown)]))
    for part, rows in lines.items():
        (Path(root) / f"image_labels_{part}.csv").write_text("\n".join(rows) + "\n")
