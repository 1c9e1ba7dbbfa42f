"""CheXpert Plus: the images of CheXpert as PNG or DICOM, with reports and CheXbert's labels.

df_chexpert_plus_240401.csv            path_to_image, deid_patient_id, age, sex, split, reports
chexbert_labels/impression_fixed.json  one JSON object a line: path_to_image and 14 labels
PNG/train/patient00001/study1/view1_frontal.png
"""

import json
from pathlib import Path

import pandas as pd
from PIL import Image

from cxrgrid.config.errors import UserError
from cxrgrid.data import image_lookup, publisher_files
from cxrgrid.datasets import chexpert

TASK = "multilabel"
LABELS = chexpert.LABELS
SPLITS = ["official"]
BLANK = "absent"
ORIGIN = "Stanford AIMI: aimi.stanford.edu/datasets/chexpert-plus."
SOURCE = (
    "Ask for CheXpert Plus at aimi.stanford.edu/datasets/chexpert-plus and set "
    "datasets.<name>.root to the folder that holds df_chexpert_plus_240401.csv, chexbert_labels "
    "and the images"
)
TERMS = (
    "Stanford University School of Medicine Dataset Research Use Agreement: no redistribution; "
    "cite Chambon et al., arXiv 2405.19538."
)
CREDENTIALED = True
PATIENTS = "chexpert"
PHANTOM = chexpert.PHANTOM

TABLE = "df_chexpert_plus*.csv"
COLUMNS = ["path_to_image", "deid_patient_id", "frontal_lateral", "ap_pa", "age", "sex", "split"]
# CheXpert's own labels were mined from impressions, too.
LABELLED = ("impression_fixed.json", "report_fixed.json", "findings_fixed.json")
PARTS = {"train": "trainval", "valid": "test"}
LENGTH = 3  # parts of a path that tell images apart: patient, study and view


def read(root: Path, settings: dict) -> pd.DataFrame:
    """The images of the table that are on disk, under any ending, with CheXbert's labels."""
    root = Path(root)
    table, labels = find_table(root), find_labels(root)
    rows = publisher_files.read_table(table, COLUMNS)
    listed = rows.drop_duplicates("path_to_image").rename(columns={"deid_patient_id": "patient"})
    what = (listed["path_to_image"], f"images of {table.name}", SOURCE)
    places, _ = image_lookup.under_other_ending(root, *what, length=LENGTH)
    frame = about(listed.assign(image=places).dropna(subset="image"))
    given = read_labels(labels)
    frame = frame.join(given, on="path_to_image").drop(columns="path_to_image")
    unread = int((~listed["path_to_image"].isin(given.index)).sum())
    frame = frame.sort_values("image", ignore_index=True)
    raw = rows.rename(columns={"deid_patient_id": "patient"})
    steps = {f"rows in {table.name}": raw, "listed once": listed, "image file found": frame}
    frame.attrs["accounting"] = publisher_files.accounting(steps)
    frame.attrs["notes"] = [
        f"Labels were mined from radiology reports by CheXbert ({labels.name}).",
        "The official list: train for training and validation, valid for test.",
        *([f"Images without a line in {labels.name}: {unread:,}."] if unread else []),
    ]
    return frame


def recognise(root: Path) -> bool:
    """True if its table lies in it."""
    return any(True for _ in root.glob(TABLE))


def find_table(root: Path) -> Path:
    """The table of images: in root, or one folder down."""
    found = sorted([*root.glob(TABLE), *root.glob(f"*/{TABLE}")])
    if not found:
        raise UserError(f"{root}: no df_chexpert_plus_240401.csv. {SOURCE}")
    return found[0]


def find_labels(root: Path) -> Path:
    """The file of labels, of impressions before whole reports and findings."""
    there = publisher_files.by_name(root, tuple(LABELLED))
    name = next((name for name in LABELLED if name in there), None)
    if name is None:
        raise UserError(f"{root}: no chexbert_labels/{' or '.join(LABELLED)}. {SOURCE}")
    return root / there[name]


def read_labels(path: Path) -> pd.DataFrame:
    """1, 0, -1 and NaN for each label, by path_to_image."""
    try:
        rows = pd.read_json(path, lines=True)
    except ValueError as error:
        raise UserError(f"{path}: not one JSON object a line ({error})") from None
    missing = [name for name in ("path_to_image", *LABELS) if name not in rows]
    if missing:
        raise UserError(f"{path}: no {missing[0]!r} in its lines")
    values = rows[LABELS].apply(pd.to_numeric, errors="coerce").astype(float)
    wrong = ~(values.isin([0, 1, -1]) | values.isna())
    if wrong.any(axis=None):
        value = values[wrong].stack().iloc[0]
        raise UserError(f"{path}: a label is {value:g}; CheXbert's are 1, 0, -1 or none")
    return values.set_index(rows["path_to_image"]).groupby(level=0).first()


def about(listed: pd.DataFrame) -> pd.DataFrame:
    """The contract's columns of each image."""
    path = listed["path_to_image"]
    ages = pd.to_numeric(listed["age"], errors="coerce").astype(float)
    view, _ = chexpert.views(listed["frontal_lateral"], listed["ap_pa"], path)
    sexes = [{"Male": "M", "Female": "F"}.get(sex) for sex in listed["sex"]]
    return pd.DataFrame(
        {
            "image": listed["image"],
            "path_to_image": path,
            "patient": listed["patient"],
            "study": listed["patient"] + "/" + path.str.split("/").str[-2],
            "view": view,
            "sex": pd.Series(sexes, listed.index, object),
            "age": ages.mask((ages == 0) | (ages > 120)),
            "split:official": listed["split"].map(PARTS).astype(object),
        }
    )


def write(root: Path, cohort: list[dict], draw) -> None:
    """The phantom cohort as PNG files, with CheXbert's labels of the impressions."""
    rows, lines = [",".join([*COLUMNS, "report"])], []
    for row, study, image in chexpert.studies(cohort):
        part = "valid" if row["split"] == "test" else "train"
        side = "Lateral" if row["view"] == "LATERAL" else "Frontal"
        person = f"patient{row['patient']:05d}"
        place = f"{part}/{person}/study{study}/view{image}_{side.lower()}"
        path = Path(root) / "PNG" / f"{place}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw(row)).save(path)
        beam = "" if side == "Lateral" else row["view"]
        sex = {"M": "Male", "F": "Female"}[row["sex"]]
        about = [f"{place}.jpg", person, side, beam, f"{row['age']:.0f}", sex, part]
        rows.append(",".join([*about, '"IMPRESSION:\n1. as labelled"']))
        given = {label: chexpert.mention(row, study, label) for label in LABELS}
        shown = {label: float(text) if text else None for label, text in given.items()}
        lines.append(json.dumps({"path_to_image": f"{place}.jpg", **shown}))
    (Path(root) / "df_chexpert_plus_240401.csv").write_text("\n".join(rows) + "\n")
    (Path(root) / "chexbert_labels").mkdir()
    (Path(root) / "chexbert_labels" / LABELLED[0]).write_text("\n".join(lines) + "\n")
