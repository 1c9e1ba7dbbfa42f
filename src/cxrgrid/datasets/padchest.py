"""PadChest: the table of 160,861 images with its 36 columns, beside folders of 16-bit PNG files.

The table is read in a few seconds; 21 of the published files are empty or cut, and are set aside.
"""

import ast
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from cxrgrid.config.errors import UserError
from cxrgrid.data import image_lookup, publisher_files

TASK = "multilabel"
LABELS = [
    "aortic elongation",
    "atelectasis",
    "cardiomegaly",
    "consolidation",
    "COPD signs",
    "costophrenic angle blunting",
    "emphysema",
    "hiatal hernia",
    "infiltrates",
    "interstitial pattern",
    "alveolar pattern",
    "nodule",
    "pleural effusion",
    "pleural thickening",
    "pneumonia",
    "pneumothorax",
    "pulmonary edema",
    "pulmonary fibrosis",
    "pulmonary mass",
    "scoliosis",
]
SPLITS = []
ORIGIN = "PadChest, Hospital San Juan de Alicante: bimcv.cipf.es/bimcv-projects/padchest."
SOURCE = (
    "Download PadChest (bimcv.cipf.es/bimcv-projects/padchest) and set datasets.<name>.root to the "
    "folder that holds PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv and the image folders"
)
TERMS = "PadChest Dataset Research Use Agreement; cite Bustos et al., Medical Image Analysis 2020."
CREDENTIALED = True
PHANTOM = {
    "findings": {
        "aortic elongation": 0.12,
        "atelectasis": 0.12,
        "cardiomegaly": 0.15,
        "consolidation": 0.1,
        "infiltrates": 0.12,
        "interstitial pattern": 0.1,
        "nodule": 0.1,
        "pleural effusion": 0.15,
        "pneumothorax": 0.08,
    },
    "drawn": {
        "aortic elongation": ["Wide Mediastinum"],
        "atelectasis": ["Atelectasis"],
        "cardiomegaly": ["Cardiomegaly"],
        "consolidation": ["Consolidation"],
        "infiltrates": ["Infiltration"],
        "interstitial pattern": ["Interstitial"],
        "nodule": ["Nodule"],
        "pleural effusion": ["Effusion"],
        "pneumothorax": ["Pneumothorax"],
    },
    "ages": [18, 95],
    "views": {"PA": 0.55, "LATERAL": 0.3, "AP": 0.15},
    "images": 1.6,
}

STEM = "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv"
TABLES = (STEM, f"{STEM}.gz")
HEADER = (
    ",ImageID,ImageDir,StudyDate_DICOM,StudyID,PatientID,PatientBirth,PatientSex_DICOM,"
    "ViewPosition_DICOM,Projection,MethodProjection,Pediatric,Modality_DICOM,Manufacturer_DICOM,"
    "PhotometricInterpretation_DICOM,PixelRepresentation_DICOM,PixelAspectRatio_DICOM,"
    "SpatialResolution_DICOM,BitsStored_DICOM,WindowCenter_DICOM,WindowWidth_DICOM,Rows_DICOM,"
    "Columns_DICOM,XRayTubeCurrent_DICOM,Exposure_DICOM,ExposureInuAs_DICOM,ExposureTime,"
    "RelativeXRayExposure_DICOM,ReportID,Report,MethodLabel,Labels,Localizations,"
    "LabelsLocalizationsBySentence,labelCUIS,LocalizationsCUIS"
)
COLUMNS = [
    "ImageID",
    "ImageDir",
    "StudyDate_DICOM",
    "StudyID",
    "PatientID",
    "PatientBirth",
    "PatientSex_DICOM",
    "Projection",
    "MethodLabel",
    "Labels",
]
UNUSABLE = ("exclude", "suboptimal study")  # no image to learn from
UNCHANGED = "unchanged"  # since the study before: what else there is, the report does not say
VIEWS = {"L": "LATERAL", "AP_horizontal": "AP"}  # lying in bed is another AP
NOTES = [
    "Labels are 20 of PadChest's 174 findings, as they are spelled there, without their places; "
    "a finding counts only under its own name, not under a more special one.",
    "AP_horizontal (lying) counts as AP; ages are the years between birth and study.",
]


def read(root: Path, settings: dict) -> pd.DataFrame:
    """The images that are both listed and on disk; partial downloads are read as they are."""
    root = Path(root)
    rows = publisher_files.read_table(publisher_files.find_table(root, TABLES, SOURCE), COLUMNS)
    listed = parse(rows)
    places, said = listed["name"].map(publisher_files.by_name(root, (".png",))), []
    if places.isna().all():
        what = (listed["name"], "PNG files", SOURCE)
        places, note = image_lookup.under_other_ending(root, *what)
        said = [note]
    there = listed.assign(image=places).dropna(subset="image")
    frame = there[~there["unusable"]].drop(columns=["name", "unusable"])
    if frame.empty:
        raise UserError(f"{root}: all {len(there)} images are marked {' or '.join(UNUSABLE)}")
    frame = frame.sort_values("image", ignore_index=True)
    raw = rows.rename(columns={"PatientID": "patient"})
    steps = {"rows in the CSV": raw, "listed once": listed, "image file found": there}
    if len(frame) < len(there):
        steps[f"not marked {' or '.join(UNUSABLE)}"] = frame
    frame.attrs["accounting"] = publisher_files.accounting(steps)
    frame.attrs["notes"] = NOTES + listed.attrs["notes"] + said
    return frame


def recognise(root: Path) -> bool:
    """True if the table is there; its name is unique."""
    return any((root / name).is_file() for name in TABLES)


def parse(rows: pd.DataFrame) -> pd.DataFrame:
    """The table's rows as `read` returns them, with the file's `name` instead of its path."""
    rows = rows.drop_duplicates("ImageID")
    blank = rows["PatientID"] == ""
    view = rows["Projection"].replace(VIEWS)
    frame = pd.DataFrame(
        {
            "name": rows["ImageID"],
            "patient": rows["PatientID"].where(~blank, rows["ImageID"]),
            "study": rows["StudyID"],
            "view": view.where(~view.isin(["", "UNK", "EXCLUDE"]), None),
            "sex": rows["PatientSex_DICOM"].where(rows["PatientSex_DICOM"].isin(["M", "F"]), None),
            "age": ages(rows),
        }
    )
    frame[LABELS] = findings(rows["Labels"])
    frame["unusable"] = marked(rows["Labels"], UNUSABLE)
    mined = int((rows["MethodLabel"] == "RNN_model").sum())
    unlabelled = int(frame[LABELS[0]].isna().sum())
    counts = {
        "Labels that a network read from the report, not a physician": mined,
        "Images without any label, read as unknown": unlabelled,
        f"Images marked {' or '.join(UNUSABLE)}, left out": int(frame["unusable"].sum()),
        f"Images marked {UNCHANGED}, whose other findings are read as unknown": int(
            marked(rows["Labels"], (UNCHANGED,)).sum()
        ),
        "Rows without a patient, each counted as its own": int(blank.sum()),
    }
    frame.attrs["notes"] = [f"{text}: {count:,}." for text, count in counts.items() if count]
    return frame


def ages(rows: pd.DataFrame) -> pd.Series:
    """Years between `1930.0` and `20140915`; NaN where impossible."""
    born = pd.to_numeric(rows["PatientBirth"], errors="coerce")
    year = pd.to_numeric(rows["StudyDate_DICOM"].str[:4], errors="coerce")
    age = (year - born).astype(float)
    return age.where(age.between(0, 110))


def findings(text: pd.Series) -> np.ndarray:
    """float [N, 20] from Python lists such as `['normal', ' pleural effusion']`."""
    codes, lists = pd.factorize(text)
    table = [known(each) for each in lists]
    return np.array(table).reshape(-1, len(LABELS))[codes]


def known(text: str) -> list[float]:
    """A row of labels; NaN without a list of them."""
    if text in ("", "nan"):
        return [np.nan] * len(LABELS)
    try:
        present = {name.strip() for name in ast.literal_eval(text)}
    except (ValueError, SyntaxError, TypeError, AttributeError):
        raise UserError(f"{STEM}: Labels {text[:60]!r} is no list of names") from None
    absent = np.nan if UNCHANGED in present else 0.0
    return [1.0 if label in present else absent for label in LABELS]


def marked(text: pd.Series, words: tuple[str, ...]) -> pd.Series:
    """True if a list of labels contains one of the words as a whole name."""
    return text.str.contains(rf"['\"]\s*(?:{'|'.join(words)})\s*['\"]")


def write(root: Path, cohort: list[dict], draw) -> None:
    """The phantom cohort in two image folders, as 16-bit PNG files."""
    lines, names = [HEADER], HEADER.split(",")
    for number, row in enumerate(cohort):
        folder = Path(root) / str(row["patient"] % 2)
        folder.mkdir(parents=True, exist_ok=True)
        study = f"{row['patient']:019d}{row['study']:03d}"
        film = draw(row).astype(np.uint16) * 16  # 12 bits, as most of PadChest
        Image.fromarray(film).save(folder / f"{study}_phantom.png", compress_level=1)
        projection = "L" if row["view"] == "LATERAL" else row["view"]
        values = {"": number, "ImageID": f"{study}_phantom.png", "ImageDir": folder.name}
        values |= {"StudyDate_DICOM": "20150101", "StudyID": study, "PatientID": row["patient"]}
        values |= {"PatientBirth": f"{2015 - row['age']:.1f}", "PatientSex_DICOM": row["sex"]}
        values |= {"Projection": projection, "MethodLabel": "Physician"}
        values |= {"Labels": f'"{row["labels"] or ["normal"]}"', "BitsStored_DICOM": 12}
        lines.append(",".join(str(values.get(name, "")) for name in names))
    (Path(root) / STEM).write_text("\n".join(lines) + "\n")
