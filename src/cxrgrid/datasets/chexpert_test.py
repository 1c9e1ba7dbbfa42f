"""The test release of CheXpert: 500 studies, with labels by study (groundtruth.csv) or by image.

CheXpert/test/patient64741/study1/view1_frontal.jpg    668 images of 500 patients
groundtruth.csv     Study,…    the majority of five radiologists, in the repository of the labels
test_labels.csv     Path,…     the same labels by image, in the CheXlocalize release

All images are test images: `split: {name: test}`, and `transfer` tests other datasets' cells on it.
"""

import re
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from cxrgrid.config.errors import UserError
from cxrgrid.data import publisher_files, walk
from cxrgrid.datasets import chexpert

TASK = "multilabel"
LABELS = chexpert.LABELS
SPLITS = []
ORIGIN = (
    "CheXpert's test set, Stanford Health Care: "
    "stanfordmlgroup.github.io/competitions/chexpert, its truth from "
    "github.com/rajpurkarlab/cheXpert-test-set-labels."
)
SOURCE = (
    "Ask for the CheXpert test images at stanfordmlgroup.github.io/competitions/chexpert, put "
    "groundtruth.csv (github.com/rajpurkarlab/cheXpert-test-set-labels) or test_labels.csv beside "
    "the folder test, and set datasets.<name>.root to the folder that holds both"
)
TERMS = (
    "Stanford University CheXpert Dataset Research Use Agreement: no redistribution, no commercial "
    "use; cite Irvin et al., AAAI 2019."
)
CREDENTIALED = True
PATIENTS = "chexpert"
PHANTOM = {
    "findings": {
        "Cardiomegaly": 0.3,
        "Edema": 0.17,
        "Consolidation": 0.1,
        "Atelectasis": 0.3,
        "Pneumothorax": 0.1,
        "Pleural Effusion": 0.24,
    },
    "drawn": {"Pleural Effusion": ["Effusion"]},
    "ages": [18, 90],
    "views": {"AP": 0.55, "PA": 0.25, "LATERAL": 0.2},
    "images": 2,
}

TABLES = ("groundtruth.csv", "test_labels.csv", "test.csv")
KEYS = ("Study", "Path")
IMAGE = re.compile(r"(?:^|/)(patient\d+)/study(\d+)/view\d+_(frontal|lateral)\.\w+$")
NAME = re.compile(r"(patient\d+)/study(\d+)(?:/(view\d+_(?:frontal|lateral)))?(?:\.\w+)?$")
NOTES = [
    "Labels are the majority vote of five radiologists on each study (Irvin et al. 2019); age, sex "
    "and whether a frontal image is PA or AP are not published.",
]


def read(root: Path, settings: dict) -> pd.DataFrame:
    """The test images on disk that have a label, whether this is by study or by image."""
    root = Path(root)
    table = find_table(root)
    labelled = truth(table)
    there = [image for image in walk.images(root).images if not image.startswith("train/")]
    found = pd.DataFrame(
        [(image, *match.groups()) for image in there if (match := IMAGE.search(image))],
        columns=["image", "patient", "number", "side"],
    )
    if found.empty:
        raise UserError(
            f"{root}: no image like test/patient64741/study1/view1_frontal.jpg. {SOURCE}"
        )
    found["study"] = found["patient"] + "/study" + found["number"]
    found["key"] = found["study"]
    if labelled.index.str.contains("/view").all():
        names = found["image"].str.rsplit("/", n=1).str[-1].str.rsplit(".", n=1).str[0]
        found["key"] = found["study"] + "/" + names
    known = found[found["key"].isin(labelled.index)]
    if known.empty:
        raise UserError(f"{table}: names none of the {len(found):,} images below {root}. {SOURCE}")
    frame = known.join(labelled, on="key").sort_values("image", ignore_index=True)
    frame["view"] = frame["side"].map({"lateral": "LATERAL", "frontal": "FRONTAL"})
    frame = frame.assign(sex=None, age=np.nan).drop(columns=["number", "side", "key"])
    steps = {"image files of the test release": found, "with labels": frame}
    frame.attrs["accounting"] = publisher_files.accounting(steps)
    missing = [label for label in LABELS if labelled[label].isna().all()]
    said = [f"{table.name} has no column {', '.join(missing)}: unknown."] if missing else []
    frame.attrs["notes"] = [*NOTES, *said]
    return frame


def recognise(root: Path) -> bool:
    """True if there is a table of test labels beside a folder test, and no training table."""
    tables = [root / name for name in TABLES if (root / name).is_file()]
    if not tables or (root / "train.csv").is_file() or not (root / "test").is_dir():
        return False
    names = publisher_files.header(tables[0])
    return names[0] in KEYS and "Cardiomegaly" in names


def find_table(root: Path) -> Path:
    """The table of labels: in root, or in its folder test."""
    for name in TABLES:
        for place in (root / name, root / "test" / name):
            if place.is_file():
                return place
    raise UserError(f"{root}: none of {', '.join(TABLES)} is there. {SOURCE}")


def truth(path: Path) -> pd.DataFrame:
    """Labels, float: 1, 0 or NaN, by `patient64741/study1` or `…/view1_frontal`."""
    try:
        rows = pd.read_csv(
            publisher_files.as_published(path),
            dtype=str,
            keep_default_na=False,
            encoding="utf-8-sig",
        )
    except (ValueError, UnicodeDecodeError, OSError) as error:
        first = str(error).strip().splitlines()[-1]
        raise UserError(f"{path}: not a table of comma-separated UTF-8 text ({first})") from None
    key = next((name for name in KEYS if name in rows), None)
    labels = [label for label in LABELS if label in rows]
    if key is None or not labels:
        begins = ",".join(rows.columns)[:60]
        raise UserError(f"{path}: no column Study or Path, or no label; it begins {begins!r}")
    names = rows[key].str.extract(NAME)
    if names[0].isna().any():
        odd = rows.loc[names[0].isna(), key].iloc[0]
        raise UserError(f"{path}: {odd!r} is not like test/patient64741/study1")
    view = names[2].map(lambda name: f"/{name}" if isinstance(name, str) else "")
    index = names[0] + "/study" + names[1] + view
    numbers = pd.DataFrame({label: values(path, rows, label) for label in labels})
    found = numbers.set_axis(index).reindex(columns=LABELS).astype(float)
    return found[~found.index.duplicated()]


def values(path: Path, rows: pd.DataFrame, label: str) -> pd.Series:
    """A column as 1, 0 or NaN."""
    text = rows[label].str.strip().str.removesuffix(".0")
    odd = ~text.isin(["1", "0", ""])
    if odd.any():
        raise UserError(f"{path}: {label} is {text[odd].iloc[0]!r}; it has to be 1, 0 or empty")
    return pd.to_numeric(text.replace("", np.nan)).astype(float)


def write(root: Path, cohort: list[dict], draw) -> None:
    """The phantom cohort as the test release, with groundtruth.csv; all of it is test."""
    lines: dict[str, str] = {}
    for row, study, image in chexpert.studies(cohort):
        side = "lateral" if row["view"] == "LATERAL" else "frontal"
        below = f"patient{64740 + row['patient']:05d}/study{study}"
        folder = Path(root) / "test" / below
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw(row)).save(folder / f"view{image}_{side}.jpg", quality=92)
        present = {*row["labels"], *([] if row["labels"] else ["No Finding"])}
        present |= {"Support Devices"} if "Devices" in row.get("findings", ()) else set()
        cells = ["1" if label in present else "0" for label in LABELS]
        lines.setdefault(below, ",".join([f"CheXpert-v1.0/test/{below}", *cells]))
    text = "\n".join([",".join(["Study", *LABELS]), *lines.values()])
    (Path(root) / "groundtruth.csv").write_text(text + "\n")
