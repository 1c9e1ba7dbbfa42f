"""MIMIC-CXR-JPG 2.0.0 and 2.1.0: labels by study, one to several images a study.

The tables name 377,110 images; `files/p10` alone is read as what it is.
"""

import gzip
import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from cxrgrid.config.errors import UserError
from cxrgrid.data import encodings, image_lookup, publisher_files
from cxrgrid.datasets.chexpert import mention, studies

TASK = "multilabel"
LABELS = [
    "Atelectasis",
    "Cardiomegaly",
    "Consolidation",
    "Edema",
    "Enlarged Cardiomediastinum",
    "Fracture",
    "Lung Lesion",
    "Lung Opacity",
    "No Finding",
    "Pleural Effusion",
    "Pleural Other",
    "Pneumonia",
    "Pneumothorax",
    "Support Devices",
]
SPLITS = ["official"]
VALIDATED = ["official"]
BLANK = "absent"
ORIGIN = "MIMIC-CXR-JPG, Beth Israel Deaconess Medical Center: physionet.org/content/mimic-cxr-jpg."
SOURCE = (
    "Ask for MIMIC-CXR-JPG at physionet.org/content/mimic-cxr-jpg and set datasets.<name>.root to "
    "the folder that holds files/ and mimic-cxr-2.0.0-metadata.csv.gz"
)
TERMS = (
    "PhysioNet Credentialed Health Data License 1.5.0: no redistribution; cite Johnson et al., "
    "MIMIC-CXR-JPG, 2019."
)
CREDENTIALED = True
PHANTOM = {
    "findings": {
        "Atelectasis": 0.15,
        "Cardiomegaly": 0.14,
        "Consolidation": 0.08,
        "Edema": 0.12,
        "Enlarged Cardiomediastinum": 0.06,
        "Fracture": 0.04,
        "Lung Lesion": 0.06,
        "Lung Opacity": 0.18,
        "Pleural Effusion": 0.18,
        "Pleural Other": 0.05,
        "Pneumonia": 0.08,
        "Pneumothorax": 0.08,
    },
    "drawn": {
        "Enlarged Cardiomediastinum": ["Wide Mediastinum"],
        "Fracture": [],  # not drawn: nothing can learn it, and a score above chance is a warning
        "Lung Lesion": ["Nodule"],
        "Lung Opacity": ["Infiltration"],
        "Pleural Effusion": ["Effusion"],
        "Pleural Other": ["Pleural_Thickening"],
    },
    "ages": [18, 90],
    "views": {"AP": 0.45, "PA": 0.3, "LATERAL": 0.25},
    "images": 2.5,
}

LABELER = "chexpert"
RELEASES = [".", "2.0.0", "2.1.0"]
KEYS = ["dicom_id", "subject_id", "study_id"]
METADATA = [
    *["dicom_id", "subject_id", "study_id", "PerformedProcedureStepDescription", "ViewPosition"],
    *["Rows", "Columns", "StudyDate", "StudyTime", "ProcedureCodeSequence_CodeMeaning"],
    *["ViewCodeSequence_CodeMeaning", "PatientOrientationCodeSequence_CodeMeaning"],
]
COLUMNS = {
    "metadata": [*KEYS, "ViewPosition"],
    "chexpert": ["study_id", *LABELS],
    "negbio": ["study_id", *LABELS],
    "split": ["dicom_id", "split"],
}
PARTS = {"train": "train", "validate": "val", "test": "test"}
VIEWS = {"LL": "LATERAL", "": None}
NOTES = [
    "A study's labels, mined from its report, stand for each of its images.",
    "Sex and age are in MIMIC-IV, not in this dataset, and are unknown here.",
]


def read(root: Path, settings: dict) -> pd.DataFrame:
    """The images on disk whose study has labels, by the labeller that the settings name."""
    root = Path(root)
    base, labeler = find_base(root), settings.get("labeler", LABELER)
    listed = parse(read_csv(base, "metadata"))
    labels = parse_labels(read_csv(base, labeler), labeler)
    there, said = listed[on_disk(base, listed)], []
    if there.empty:
        what = f"images of the metadata, first {listed['image'].iloc[0]},"
        places, note = image_lookup.under_other_ending(base, listed["image"], what, SOURCE)
        there, said = listed.assign(image=places).dropna(subset="image"), [note]
    frame = there.join(labels, on="study", how="inner")
    if frame.empty:
        raise UserError(f"{base}: no image on disk is of a study with {labeler} labels")
    frame = frame.assign(**official(frame, base)).drop(columns="dicom")
    below = base.relative_to(root).as_posix()
    prefix = "" if below == "." else f"{below}/"
    frame = frame.assign(image=prefix + frame["image"]).sort_values("image", ignore_index=True)
    steps = {"rows in the metadata": listed, "image file found": there}
    steps[f"study has {labeler} labels"] = frame
    frame.attrs["accounting"] = publisher_files.accounting(steps)
    frame.attrs["notes"] = [*NOTES, f"Labels are those of {labeler}.", *said]
    return frame


def recognise(root: Path) -> bool:
    """True if the table of metadata is there; its name is unique."""
    return any(table(root / release, "metadata") for release in RELEASES)


def find_base(root: Path) -> Path:
    """The folder of the tables: root, or the release's folder in it."""
    for base in (root / name for name in RELEASES):
        if table(base, "metadata"):
            return base
    raise UserError(f"{root}: no mimic-cxr-2.0.0-metadata.csv(.gz). {SOURCE}")


def table(base: Path, kind: str) -> Path | None:
    """The path of a table, gzipped or not; files of release 2.1.0 are still called 2.0.0."""
    names = [f"mimic-cxr-{v}-{kind}.csv{end}" for v in ("2.1.0", "2.0.0") for end in ("", ".gz")]
    return next((base / name for name in names if (base / name).is_file()), None)


def read_csv(base: Path, kind: str) -> pd.DataFrame:
    """The columns that are used of a table; numbers of patients and studies stay text."""
    path = table(base, kind)
    if path is None:
        raise UserError(f"{base}: no mimic-cxr-2.0.0-{kind}.csv(.gz). {SOURCE}")
    types = dict.fromkeys(COLUMNS[kind], str) | dict.fromkeys(LABELS, float)
    try:
        return pd.read_csv(
            publisher_files.as_published(path),
            usecols=COLUMNS[kind],
            dtype=types,
            encoding="utf-8-sig",
        )
    except encodings.UNREADABLE as error:
        first = str(error).strip().splitlines()[-1]
        raise UserError(f"{path}: not the table that MIMIC-CXR-JPG has ({first})") from None


def parse(rows: pd.DataFrame) -> pd.DataFrame:
    """The metadata's rows as `read` returns them, without labels, with the image's `dicom` id."""
    for name in KEYS:
        if rows[name].isna().any():
            raise UserError(f"metadata: an image has no {name}")
    subject, study = rows["subject_id"], rows["study_id"]
    folder = "files/p" + subject.str[:2] + "/p" + subject + "/s" + study
    view = rows["ViewPosition"].fillna("").replace(VIEWS).astype(object)
    return pd.DataFrame(
        {
            "image": folder + "/" + rows["dicom_id"] + ".jpg",
            "patient": subject,
            "study": study,
            "view": view.where(view.notna(), None),
            "sex": None,
            "age": np.nan,
            "dicom": rows["dicom_id"],
        }
    )


def parse_labels(rows: pd.DataFrame, labeler: str) -> pd.DataFrame:
    """Labels of each study as 1, 0, -1 and NaN, by study."""
    labels = rows.set_index("study_id")[LABELS]
    if labels.index.has_duplicates:
        study = labels.index[labels.index.duplicated()][0]
        raise UserError(f"{labeler}: the study {study} has two rows")
    wrong = ~(labels.isin([1, 0, -1]) | labels.isna())
    if wrong.any(axis=None):
        study = wrong.index[wrong.any(axis=1)][0]
        label = wrong.columns[wrong.loc[study]][0]
        value = f"{labels.loc[study, label]:g}"
        raise UserError(f"{labeler}: study {study}: {label} is {value}, not 1, 0, -1 or blank")
    return labels


def on_disk(base: Path, frame: pd.DataFrame) -> list[bool]:
    """Mask of the files that exist; patients without a folder are skipped.

    A study's folder holds one or two images: to list it takes longer than to ask for them (0.50 s
    against 0.43 s for the 37,653 empty files of a p10, local disk, median of 3).
    """
    groups = [path for path in (base / "files").glob("p??") if path.is_dir()]
    there = {f"files/{group.name}/{path.name}" for group in groups for path in group.iterdir()}
    return [
        image.rsplit("/", 2)[0] in there and Path(f"{base}/{image}").is_file()
        for image in frame["image"]
    ]


def official(frame: pd.DataFrame, base: Path) -> dict[str, pd.Series]:
    """`split:official`, if its table is there."""
    if table(base, "split") is None:
        return {}
    given = read_csv(base, "split").drop_duplicates("dicom_id").set_index("dicom_id")["split"]
    wrong = given[~given.isin(list(PARTS))]
    if len(wrong):
        raise UserError(f"split: {wrong.iloc[0]!r} is none of {', '.join(PARTS)}")
    found = frame["dicom"].map(given.map(PARTS)).astype(object)
    return {"split:official": found.where(found.notna(), None)}


def write(root: Path, cohort: list[dict], draw) -> None:
    """The phantom cohort: images below files/, and the four tables."""
    rows: dict[str, dict] = {kind: {} for kind in COLUMNS}
    for row, number, image in studies(cohort):
        subject = 10_000_000 + 1_000_000 * (row["patient"] % 10) + row["patient"]
        study = 50_000_000 + 10 * row["patient"] + number
        digits = hashlib.sha256(f"{study}/{image}".encode()).hexdigest()
        dicom = "-".join(digits[start : start + 8] for start in range(0, 40, 8))
        folder = Path(root) / f"files/p{subject // 1_000_000}/p{subject}/s{study}"
        folder.mkdir(parents=True, exist_ok=True)
        pixels = draw(row)
        Image.fromarray(pixels).save(folder / f"{dicom}.jpg", quality=92)
        keys = {"dicom_id": dicom, "study_id": study, "subject_id": subject}
        about = {"ViewPosition": row["view"], "Rows": len(pixels), "Columns": pixels.shape[1]}
        rows["metadata"][dicom] = dict.fromkeys(METADATA, "") | keys | about
        part = next(name for name, split in PARTS.items() if split == row["split"])
        rows["split"][dicom] = {**keys, "split": part}
        labels = {label: mention(row, number, label) for label in LABELS}
        for labeler in ("chexpert", "negbio"):
            rows[labeler][study] = {"subject_id": subject, "study_id": study, **labels}
    for kind, lines in rows.items():
        text = pd.DataFrame(list(lines.values())).to_csv(index=False, lineterminator="\n")
        path = Path(root) / f"mimic-cxr-2.0.0-{kind}.csv.gz"
        path.write_bytes(gzip.compress(text.encode(), mtime=0))  # the same bytes each time
