"""RSNA Pneumonia Detection: `stage_2_train_labels.csv`, one row a box, beside DICOM files."""

from pathlib import Path

import pandas as pd

from cxrgrid.config.errors import UserError
from cxrgrid.data import dicom, image_lookup, publisher_files

TASK = "multilabel"
LABELS = ["Lung Opacity", "Normal"]
SPLITS = []
ORIGIN = (
    "RSNA Pneumonia Detection Challenge (images of ChestX-ray14): rsna-pneumonia-detection-"
    "challenge on Kaggle."
)
SOURCE = (
    "Download the stage 2 images and tables of Kaggle's rsna-pneumonia-detection-challenge and set "
    "datasets.<name>.root to the folder that holds stage_2_train_labels.csv"
)
TERMS = (
    "RSNA: non-commercial and academic use by the challenge's rules; cite Shih et al., Radiology: "
    "Artificial Intelligence 2019, and Wang et al., CVPR 2017."
)
CREDENTIALED = False
PHANTOM = {
    "classes": {
        "Normal": [0.33, []],
        "Lung Opacity": [0.23, ["Consolidation"]],
        "Not Normal": [0.44, ["Cardiomegaly"]],
    },
    "ages": [16, 90],
    "views": {"PA": 0.55, "AP": 0.45},
    "images": 1,
}

TABLE, DETAILS = "stage_2_train_labels.csv", "stage_2_detailed_class_info.csv"
BOTH = "stage2_train_metadata.csv"  # of iamtapendu's PNG copy on Kaggle
BOX = ["patientId", "x", "y", "width", "height", "Target"]
CLASSES = {
    "Normal": "Normal",
    "Lung Opacity": "Lung Opacity",
    "Not Normal": "No Lung Opacity / Not Normal",
}
NOTES = [
    "No patient is published ('patientId' numbers the images): each image counts as its own "
    "patient, so that one patient's images may stand in several splits.",
    "The images are part of ChestX-ray14: a model trained on one may have seen the other's test.",
    "Lung Opacity is an opacity that radiologists took for pneumonia; images that are neither it "
    "nor Normal show something else.",
]


def read(root: Path, settings: dict) -> pd.DataFrame:
    """The labelled images that are on disk; `Normal` only with the table of detailed classes."""
    root = Path(root)
    path = publisher_files.find_table(root, (TABLE, BOTH), SOURCE)
    rows = publisher_files.read_table(path, ["patientId", "Target"]).rename(
        columns={"patientId": "patient"}
    )
    details = path if path.name == BOTH else path.with_name(DETAILS)
    classes = (
        publisher_files.read_table(details, ["patientId", "class"]) if details.is_file() else None
    )
    listed = parse(rows, classes)
    what = (listed["patient"], f"images of {path.name}", SOURCE)
    frame = listed.assign(image=image_lookup.by_id(root, *what)).dropna(subset="image")
    steps = {f"rows in {path.name}": rows, "listed once": listed, "image file found": frame}
    frame = frame.sort_values("image", ignore_index=True)
    frame = frame.assign(study=frame["patient"], patient=frame["image"])
    about = pd.DataFrame(dicom.people(root, list(frame["image"]))).astype({"age": float})
    frame = pd.concat([frame, about], axis=1)
    frame.attrs["labels"] = LABELS if classes is not None else LABELS[:1]
    frame.attrs["accounting"] = publisher_files.accounting(steps)
    frame.attrs["notes"] = NOTES
    return frame


def recognise(root: Path) -> bool:
    """True if a table of boxes is there; its name is unique."""
    return any((root / name).is_file() for name in (TABLE, BOTH))


def parse(rows: pd.DataFrame, classes: pd.DataFrame | None) -> pd.DataFrame:
    """One row per image: present if one of its boxes is."""
    wrong = ~rows["Target"].isin(["0", "1"])
    if wrong.any():
        image, value = rows.loc[wrong, ["patient", "Target"]].iloc[0]
        raise UserError(f"{TABLE}: {image}: Target {value!r} is neither 0 nor 1")
    target = (rows["Target"] == "1").groupby(rows["patient"]).any().astype(float)
    frame = target.rename("Lung Opacity").reset_index()
    if classes is None:
        return frame
    unknown = set(classes["class"]) - set(CLASSES.values())
    if unknown:
        raise UserError(f"{DETAILS}: {sorted(unknown)[0]!r} is none of {list(CLASSES.values())}")
    normal = (classes["class"] == "Normal").astype(float)
    known = normal.groupby(classes["patientId"]).max()
    return frame.assign(Normal=frame["patient"].map(known))


def write(root: Path, cohort: list[dict], draw) -> None:
    """The phantom cohort; an image with opacities has one row per box, some have two."""
    boxes, details = [",".join(BOX)], ["patientId,class"]
    for row in cohort:
        image, [label] = draw(row), row["labels"]
        name = f"{row['patient']:08d}-phantom-{row['study']}"
        dicom.write(Path(root) / "stage_2_train_images" / f"{name}.dcm", image, row)
        side = len(image)
        places = [side // 8, 5 * side // 8][: 1 + row["patient"] % 2]
        marks = [f"{x}.0,{side // 3}.0,{side // 4}.0,{side // 3}.0,1" for x in places]
        for mark in marks if label == "Lung Opacity" else [",,,,0"]:
            boxes.append(f"{name},{mark}")
            details.append(f"{name},{CLASSES[label]}")
    (Path(root) / TABLE).write_text("\n".join(boxes) + "\n")
    (Path(root) / DETAILS).write_text("\n".join(details) + "\n")
