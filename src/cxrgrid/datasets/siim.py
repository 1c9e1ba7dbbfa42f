"""SIIM-ACR Pneumothorax: DICOM files with `train-rle.csv`, or PNG files that carry the label.

dicom-images-train/<study>/<series>/<image>.dcm     Kaggle's competition, both stages
png_images/424_train_1_.png                         vbookshelf's PNG copy: number, part, label
"""

import itertools
import re
from pathlib import Path

import numpy as np
import pandas as pd

from cxrgrid.config.errors import UserError
from cxrgrid.data import dicom, image_lookup, publisher_files, walk

TASK = "multilabel"
LABELS = ["Pneumothorax"]
SPLITS = ["official"]
ORIGIN = (
    "SIIM-ACR Pneumothorax Segmentation (images of ChestX-ray14): siim-acr-pneumothorax-"
    "segmentation on Kaggle."
)
SOURCE = (
    "Download the SIIM-ACR Pneumothorax images with train-rle.csv or stage_2_train.csv (Kaggle's "
    "siim-acr-pneumothorax-segmentation), or vbookshelf's PNG copy, and set datasets.<name>.root "
    "to the folder that holds them"
)
TERMS = "As stated by the competition: research and education; images are from ChestX-ray14 (NIH)."
CREDENTIALED = False
PHANTOM = {
    "findings": {"Pneumothorax": 0.3},
    "ages": [16, 90],
    "views": {"PA": 0.6, "AP": 0.4},
    "images": 1,
}

TABLES = ("stage_2_train.csv", "train-rle.csv")
COLUMNS = ["ImageId", "EncodedPixels"]
PNG = re.compile(r"\d+_(train|test)_([01])_\.(png|jpe?g|webp|bmp|tiff?)", re.I)
MASK = "407576 {n} {gap} {n} {gap} {n}"  # three runs, each counted from the end of the last
NOTES = [
    "No patient is published (each file's PatientID is its own): each image counts as its own "
    "patient, so that one patient's images may stand in several splits.",
    "The images are part of ChestX-ray14: a model trained on one may have seen the other's test.",
]


def read(root: Path, settings: dict) -> pd.DataFrame:
    """The images that are both labelled and on disk."""
    root = Path(root)
    pictures = [
        path
        for name, path in publisher_files.by_name(root, walk.PICTURES).items()
        if PNG.fullmatch(name)
    ]
    steps = from_names(pictures) if pictures else from_table(root)
    frame = steps[list(steps)[-1]].assign(study=lambda rows: rows["patient"])
    frame["patient"] = frame["image"]
    told = dicom.people(root, list(frame["image"])) if not pictures else []
    about = pd.DataFrame(told or None, frame.index, ["view", "sex", "age"])
    frame = pd.concat([frame, about.astype({"age": float})], axis=1)
    if set(frame["split:official"]) != {"trainval", "test"}:
        frame = frame.drop(columns="split:official")
    frame = frame.sort_values("image", ignore_index=True)
    frame.attrs["accounting"] = publisher_files.accounting(steps)
    frame.attrs["notes"] = NOTES
    return frame


def recognise(root: Path) -> bool:
    """True if the table of masks is there, or PNG files whose names hold part and label."""
    some = itertools.islice(itertools.chain(root.glob("*_.*"), root.glob("*/*_.*")), 20)
    tables = any((root / name).is_file() for name in TABLES)
    return tables or any(PNG.fullmatch(path.name) for path in some)


def from_names(images: list[str]) -> dict[str, pd.DataFrame]:
    """vbookshelf's files: the name says all."""
    parts = [PNG.fullmatch(Path(image).name).groups()[:2] for image in images]
    frame = pd.DataFrame({"image": images, "patient": images})
    frame["split:official"] = [{"train": "trainval", "test": "test"}[part] for part, _ in parts]
    return {"PNG files": frame.assign(Pneumothorax=[float(label) for _, label in parts])}


def from_table(root: Path) -> dict[str, pd.DataFrame]:
    """The competition's files: one row a mask; `patient` is the image's identifier."""
    path = publisher_files.find_table(root, TABLES, SOURCE)
    rows = publisher_files.read_table(path, COLUMNS).rename(columns={"ImageId": "patient"})
    listed = parse(rows)
    names = listed["patient"] + ".dcm"
    places = names.map(publisher_files.by_name(root, (".dcm",)))
    if places.isna().all():
        what = f"DICOM files of {path.name}"
        places, _ = image_lookup.under_other_ending(root, names, what, SOURCE)
    frame = listed.assign(image=places).dropna(subset="image")
    tests = frame["image"].str.contains("dicom-images-test")
    frame["split:official"] = np.where(tests, "test", "trainval")
    return {f"rows in {path.name}": rows, "listed once": listed, "image file found": frame}


def parse(rows: pd.DataFrame) -> pd.DataFrame:
    """One row per image, present if it has a mask; `-1` says that it has none."""
    wrong = ~rows["EncodedPixels"].str.fullmatch(r"-1|\d+( \d+)*")
    if wrong.any():
        image, value = rows.loc[wrong, ["patient", "EncodedPixels"]].iloc[0]
        raise UserError(f"{image}: EncodedPixels {value[:40]!r} is neither -1 nor a mask")
    masked = (rows["EncodedPixels"] != "-1").groupby(rows["patient"]).any()
    return masked.astype(float).rename("Pneumothorax").reset_index()


def write(root: Path, cohort: list[dict], draw) -> None:
    """The phantom cohort as the competition's first stage; some masks are in two rows."""
    lines = ["ImageId, EncodedPixels"]
    for row in cohort:
        image = draw(row)
        name = f"{dicom.PREFIX}{row['patient']}.{row['study']}"
        inverted = dicom.GREY[0] if row["patient"] % 9 == 0 else dicom.GREY[1]
        folder = Path(root) / "dicom-images-train" / f"{name}.1" / f"{name}.2"
        dicom.write(folder / f"{name}.3.dcm", image, row, inverted)
        mask = MASK.format(n=len(image) // 9, gap=len(image) - len(image) // 9)
        masks = [mask] * (1 + row["patient"] % 2) if row["labels"] else ["-1"]
        lines += [f"{name}.3, {text}" for text in masks]
    (Path(root) / "train-rle.csv").write_text("\n".join(lines) + "\n")
