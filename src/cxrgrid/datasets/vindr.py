"""VinDr-CXR: `train|test/<image>.dicom`, and the radiologists' readings in annotations/.

PhysioNet ships image_labels_train.csv (three readers an image) and image_labels_test.csv (their
consensus); Kaggle's train.csv has one row per box, of 14 findings.
"""

from pathlib import Path

import pandas as pd

from cxrgrid.config.errors import UserError
from cxrgrid.data import dicom, image_lookup, publisher_files

TASK = "multilabel"
LABELS = [
    "Aortic enlargement",
    "Atelectasis",
    "Calcification",
    "Cardiomegaly",
    "Clavicle fracture",
    "Consolidation",
    "Edema",
    "Emphysema",
    "Enlarged PA",
    "ILD",
    "Infiltration",
    "Lung Opacity",
    "Lung cavity",
    "Lung cyst",
    "Mediastinal shift",
    "Nodule/Mass",
    "Pleural effusion",
    "Pleural thickening",
    "Pneumothorax",
    "Pulmonary fibrosis",
    "Rib fracture",
    "Other lesion",
    "COPD",
    "Lung tumor",
    "Pneumonia",
    "Tuberculosis",
    "Other diseases",
]
SPLITS = ["official"]
ORIGIN = (
    "VinDr-CXR, Hospital 108 and Hanoi Medical University Hospital: "
    "physionet.org/content/vindr-cxr."
)
SOURCE = (
    "Download VinDr-CXR (physionet.org/content/vindr-cxr, credentialed; or Kaggle's "
    "vinbigdata-chest-xray-abnormalities-detection) and set datasets.<name>.root to the folder "
    "that holds train and test"
)
TERMS = "PhysioNet Credentialed Health Data Use Agreement 1.5.0; cite Nguyen et al., Sci Data 2022."
CREDENTIALED = True
PHANTOM = {
    "findings": {
        "Aortic enlargement": 0.15,
        "Cardiomegaly": 0.15,
        "Consolidation": 0.12,
        "Infiltration": 0.12,
        "Nodule/Mass": 0.12,
        "Pleural effusion": 0.15,
        "Pleural thickening": 0.12,
        "Pneumothorax": 0.1,
        "Pulmonary fibrosis": 0.12,
    },
    "drawn": {
        "Aortic enlargement": ["Wide Mediastinum"],
        "Nodule/Mass": ["Nodule"],
        "Pleural effusion": ["Effusion"],
        "Pleural thickening": ["Pleural_Thickening"],
        "Pulmonary fibrosis": ["Fibrosis"],
    },
    "ages": [18, 90],
    "views": {"PA": 1.0},
    "images": 1,
}

FOLDERS = {"train": "trainval", "test": "test"}
MAJORITY = 0.5  # a finding is there if more than this share of an image's readers saw it
OTHER = "Bronchiolitis"  # a column of the tables of the same name in VinDr-PCXR
TYPO = {"Other disease": "Other diseases"}  # as the table of the test images has it
NOTES = [
    "A finding is present if most of the image's readers saw it: two of three for training images; "
    "test images carry the consensus of five.",
    "No patient is published: each image counts as its own patient, so that one patient's images "
    "may stand in several splits.",
    "Images without a finding ('No finding') are the rows with zeros only.",
]


def read(root: Path, settings: dict) -> pd.DataFrame:
    """The images that are both labelled and on disk, with the vote of their readers."""
    root = Path(root)
    rows = pd.concat([readings(path, part) for path, part in tables(root).items()])
    labels = [label for label in LABELS if label in rows and rows[label].notna().any()]
    listed = vote(rows, labels)
    places = image_lookup.by_id(root, listed["patient"], "listed images", SOURCE)
    frame = listed.assign(image=places).dropna(subset="image")
    steps = {"readings": rows, "listed once": listed, "image file found": frame}
    frame = frame.sort_values("image", ignore_index=True)
    frame = frame.assign(study=frame["patient"], patient=frame["image"])
    about = pd.DataFrame(dicom.people(root, list(frame["image"]))).astype({"age": float})
    frame = pd.concat([frame, about], axis=1)
    frame.attrs["labels"] = labels
    frame.attrs["accounting"] = publisher_files.accounting(steps)
    frame.attrs["notes"] = NOTES
    return frame


def recognise(root: Path) -> bool:
    """True if PhysioNet's tables are there, or a train.csv that begins like Kaggle's."""
    folders = [root, root / "annotations"]
    readings = [base / f"image_labels_{part}.csv" for base in folders for part in FOLDERS]
    if any(path.is_file() and OTHER not in publisher_files.header(path) for path in readings):
        return True
    boxes = root / "train.csv"
    return boxes.is_file() and publisher_files.header(boxes)[:2] == ["image_id", "class_name"]


def tables(root: Path) -> dict[Path, str]:
    """The tables of readings, with the part of the dataset that each describes."""
    there = publisher_files.by_name(root, (".csv",))
    names = {f"image_labels_{part}.csv": part for part in FOLDERS}
    found = {root / there[name]: part for name, part in names.items() if name in there}
    if not found and "train.csv" in there:
        found = {root / there["train.csv"]: "train"}
    if not found:
        raise UserError(f"{root}: no {' or '.join(names)} or train.csv. {SOURCE}")
    return found


def readings(path: Path, part: str) -> pd.DataFrame:
    """A row for each image and reader: 1 or 0 a label; `patient` is the image's name."""
    if path.name == "train.csv":
        rows = publisher_files.read_table(path, ["image_id", "rad_id", "class_name"])
        seen = pd.crosstab([rows["image_id"], rows["rad_id"]], rows["class_name"]).clip(upper=1)
        frame = seen.reset_index().rename(columns={"image_id": "patient"})
    else:
        if OTHER in publisher_files.header(path):
            raise UserError(f"{path}: a table of VinDr-PCXR: set adapter: vindr_pcxr")
        return labels_of(path, part, TYPO, LABELS)
    return frame.assign(**{"split:official": FOLDERS[part]})


def labels_of(path: Path, part: str, typos: dict[str, str], labels: list[str]) -> pd.DataFrame:
    """A row for each reading of a table with one column a label; typos: {as it has it: label}."""
    there = [name for name in publisher_files.header(path) if typos.get(name, name) in labels]
    frame = publisher_files.read_table(path, ["image_id", *there])
    frame = frame.rename(columns={"image_id": "patient", **typos})
    values = frame[frame.columns[1:]]
    wrong = ~values.isin(["0", "1", "0.0", "1.0"])
    if wrong.any(axis=None):
        label = wrong.columns[wrong.any()][0]
        value = values.loc[wrong[label], label].iloc[0]
        raise UserError(f"{path}: column {label!r}: {value!r} is neither 0 nor 1")
    frame = pd.concat([frame["patient"], values.astype(float)], axis=1)
    return frame.assign(**{"split:official": FOLDERS[part]})


def vote(rows: pd.DataFrame, labels: list[str]) -> pd.DataFrame:
    """One row per image: the majority vote of its readers."""
    groups = rows.groupby("patient")
    share = groups[labels].mean()
    votes = (share > MAJORITY).astype(float).where(share.notna())
    return votes.assign(**{"split:official": groups["split:official"].first()}).reset_index()


def write(root: Path, cohort: list[dict], draw) -> None:
    """The phantom cohort as PhysioNet's release: 12 bits, some of them inverted, three readers."""
    header = ",".join([*LABELS, "No finding"])
    lines = {"train": [f"image_id,rad_id,{header}"], "test": [f"image_id,{header}"]}
    for row in cohort:
        part, name = "test" if row["split"] == "test" else "train", f"{row['patient']:032x}"
        film = draw(row).astype("uint16") * 16
        kind = dicom.GREY[row["patient"] % 4 > 0]
        dicom.write(Path(root) / part / f"{name}.dicom", film, row, kind)
        seen = [*(int(label in row["labels"]) for label in LABELS), int(not row["labels"])]
        for reader in range(3) if part == "train" else ():
            # One of three readers at times disagrees.
            wrong = reader == 1 and row["patient"] % 2
            opinion = [1 - value if wrong and at == 1 else value for at, value in enumerate(seen)]
            lines[part].append(f"{name},R{reader + 1},{','.join(map(str, opinion))}")
        if part == "test":
            lines[part].append(f"{name},{','.join(map(str, seen))}")
    (Path(root) / "annotations").mkdir(parents=True, exist_ok=True)
    for part, rows in lines.items():
        path = Path(root) / "annotations" / f"image_labels_{part}.csv"
        path.write_text("\n".join(rows) + "\n")
