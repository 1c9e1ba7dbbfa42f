"""NIH ChestX-ray14: `Data_Entry_2017*.csv` beside folders of PNG files.

All 112,120 rows are parsed in under a second; finding the files takes a walk through the folder.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from cxrgrid.config.errors import UserError
from cxrgrid.data import encodings, image_lookup, publisher_files, walk

TASK = "multilabel"
LABELS = [
    "Atelectasis",
    "Cardiomegaly",
    "Effusion",
    "Infiltration",
    "Mass",
    "Nodule",
    "Pneumonia",
    "Pneumothorax",
    "Consolidation",
    "Edema",
    "Emphysema",
    "Fibrosis",
    "Pleural_Thickening",
    "Hernia",
]
EXTRA = ["No Finding"]  # a class to ask for by name: not one of the 14
SPLITS = ["official"]
ORIGIN = "ChestX-ray14, NIH Clinical Center: nihcc.app.box.com/v/ChestXray-NIHCC."
SOURCE = (
    "Download ChestX-ray14 (nihcc.app.box.com/v/ChestXray-NIHCC, or nih-chest-xrays/data on "
    "Kaggle) and set datasets.<name>.root to the folder that holds Data_Entry_2017_v2020.csv and "
    "the images"
)
TERMS = (
    "NIH Clinical Center: no restriction on use; acknowledge the NIH Clinical Center and cite "
    "Wang et al., CVPR 2017."
)
CREDENTIALED = False
PUBLISHED = {
    "images": 112_120,
    "patients": 30_805,
    "labels": {
        "Atelectasis": 11_559,
        "Cardiomegaly": 2_776,
        "Effusion": 13_317,
        "Infiltration": 19_894,
        "Mass": 5_782,
        "Nodule": 6_331,
        "Pneumonia": 1_431,
        "Pneumothorax": 5_302,
        "Consolidation": 4_667,
        "Edema": 2_303,
        "Emphysema": 2_516,
        "Fibrosis": 1_686,
        "Pleural_Thickening": 3_385,
        "Hernia": 227,
    },
}
PHANTOM = {
    "findings": {
        "Atelectasis": 0.13,
        "Cardiomegaly": 0.12,
        "Effusion": 0.16,
        "Infiltration": 0.13,
        "Mass": 0.09,
        "Nodule": 0.11,
        "Pneumonia": 0.06,
        "Pneumothorax": 0.11,
        "Consolidation": 0.11,
        "Edema": 0.08,
        "Emphysema": 0.07,
        "Fibrosis": 0.06,
        "Pleural_Thickening": 0.07,
        "Hernia": 0.04,
    },
    "boxed": [
        "Atelectasis",
        "Cardiomegaly",
        "Effusion",
        "Infiltration",
        "Mass",
        "Nodule",
        "Pneumonia",
        "Pneumothorax",
    ],
    "ages": [20, 90],
    "views": {"PA": 0.6, "AP": 0.4},
    "images": 2,
}

CSVS = ["Data_Entry_2017_v2020.csv", "Data_Entry_2017.csv"]
SAMPLE = "sample_labels.csv"  # Kaggle's, of 5,606 images
HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]"
)
COLUMNS = HEADER.split(",")[:7]
BOXES = "BBox_List_2017.csv"
BOXED = 1024  # pixels a side of the images on which the boxes were drawn
LISTS = {"train_val_list.txt": "trainval", "test_list.txt": "test"}
YEARS = {"Y": 1, "M": 1 / 12, "W": 1 / 52, "D": 1 / 365}
NOTES = [
    "Labels were mined from radiology reports by text processing; no one read the images for them.",
    "Many pneumothorax positives are follow-up images that show a chest drain.",
    "Images without any of the 14 findings ('No Finding') are the rows with zeros only.",
]


def read(root: Path, settings: dict) -> pd.DataFrame:
    """The images that are both listed and on disk; partial downloads are read as they are."""
    root = Path(root)
    rows = read_csv(root)
    listed = parse(rows)
    places, said = listed["name"].map(files(root)), []
    if places.isna().all():
        what = (listed["name"], "PNG files of the CSV", SOURCE)
        places, note = image_lookup.under_other_ending(root, *what)
        said = [note]
    frame = listed.copy()
    frame.insert(0, "image", places)
    frame = frame.dropna(subset="image")
    frame = add_official(frame, root).drop(columns="name")
    frame = frame.sort_values("image", ignore_index=True)
    steps = {"rows in the CSV": rows_of(rows), "listed once": listed, "image file found": frame}
    frame.attrs["accounting"] = publisher_files.accounting(steps)
    frame.attrs["notes"] = NOTES + listed.attrs["notes"] + said
    return frame


def recognise(root: Path) -> bool:
    """True if the table is there; its name or its beginning is unique."""
    if (root / SAMPLE).is_file():
        return publisher_files.header(root / SAMPLE)[:2] == ["Image Index", "Finding Labels"]
    return any((root / name).is_file() for name in CSVS)


def read_csv(root: Path) -> pd.DataFrame:
    """The CSV as text, its seven first columns only; `UserError` without it or with another."""
    path = next((root / name for name in (*CSVS, SAMPLE) if (root / name).is_file()), None)
    if path is None:
        off = publisher_files.one_level_off(root, (*CSVS, SAMPLE))
        raise UserError(f"{root}: no {' or '.join(CSVS)}{off}. {SOURCE}")
    try:
        # The columns behind differ by release: one of them ends its lines with a comma.
        table = publisher_files.as_published(path)
        return pd.read_csv(table, usecols=COLUMNS, dtype=str, keep_default_na=False)
    except (ValueError, UnicodeDecodeError):
        with path.open(errors="replace") as lines:
            header = lines.readline().strip()
        raise UserError(
            f"{path}: not ChestX-ray14's table: it begins {header[:60]!r}, not {HEADER[:60]!r}…"
        ) from None


def rows_of(rows: pd.DataFrame) -> pd.DataFrame:
    """The raw rows with the name of their patient column as elsewhere."""
    return rows.rename(columns={"Patient ID": "patient"})


def parse(rows: pd.DataFrame) -> pd.DataFrame:
    """The CSV's rows as `read` returns them, with the file's `name` instead of its path."""
    rows = rows.drop_duplicates("Image Index")
    age, notes = ages(rows["Patient Age"])
    frame = pd.DataFrame(
        {
            "name": rows["Image Index"],
            "patient": rows["Patient ID"].str.zfill(8),
            "study": rows["Image Index"].str.removesuffix(".png"),
            "view": rows["View Position"].where(rows["View Position"] != "", None),
            "sex": rows["Patient Gender"].where(rows["Patient Gender"].isin(["M", "F"]), None),
            "age": age,
        }
    )
    strangers = frame["name"].str.split("_").str[0] != frame["patient"]
    if strangers.any():
        name, patient = frame.loc[strangers, ["name", "patient"]].iloc[0]
        raise UserError(f"{name} is listed for patient {patient}: the CSV's rows are out of step")
    frame[LABELS] = findings(rows["Finding Labels"])
    frame["No Finding"] = (frame[LABELS] == 0).all(axis=1).astype(float)
    frame.attrs["notes"] = notes
    return frame


def ages(text: pd.Series) -> tuple[pd.Series, list[str]]:
    """Years from `58`, and from `058Y` or `013M` of the first release; NaN where impossible."""
    parts = text.str.extract(r"^(?P<number>\d+)(?P<unit>[YMWD]?)$")
    years = pd.to_numeric(parts["number"]) * parts["unit"].map(YEARS).fillna(1)
    impossible = years > 100
    if not impossible.any():
        return years.astype(float), []
    note = f"{int(impossible.sum())} ages above 100 years were taken as unknown."
    return years.mask(impossible).astype(float), [note]


def findings(text: pd.Series) -> np.ndarray:
    """float [N, 14] from labels that are joined by `|`."""
    codes, combinations = pd.factorize(text)
    present = [set(combination.split("|")) for combination in combinations]
    unknown = set().union(*present) - {*LABELS, "No Finding"}
    if unknown:
        raise UserError(f"Finding Labels: {sorted(unknown)[0]!r} is none of ChestX-ray14's labels")
    table = np.array([[float(label in labels) for label in LABELS] for labels in present])
    return table.reshape(-1, len(LABELS))[codes]


def files(root: Path) -> dict[str, str]:
    """Path below root of every PNG by its name: each mirror nests the folders in another way."""
    found: dict[str, str] = {}
    for folder, _, names in walk.tree(root):
        inner = Path(folder).relative_to(root).as_posix()
        # Speed: joined as text; a hundred thousand paths take half a second.
        prefix = "" if inner == "." else f"{inner}/"
        for name in names:
            if name.endswith(".png"):
                found.setdefault(name, prefix + name)
    return found


def add_official(frame: pd.DataFrame, root: Path) -> pd.DataFrame:
    """`split:official` from the two shipped lists, if both are there."""
    if not all((root / name).is_file() for name in LISTS):
        return frame
    part = {
        name: split
        for file, split in LISTS.items()
        for name in encodings.decoded(root / file, []).split()
    }
    official = frame["name"].map(part).astype(object)
    return frame.assign(**{"split:official": official.where(official.notna(), None)})


def boxes(root: Path) -> pd.DataFrame | None:
    """One row per box of `BBox_List_2017.csv` (880 images); None without the file.

    name: of the file; label; left, top, right, bottom: as shares of the image's sides.
    """
    path = Path(root) / BOXES
    if not path.is_file():
        return None
    try:
        # The header speaks of one column of four numbers, and ends with three empty ones.
        rows = pd.read_csv(path, skiprows=1, header=None, usecols=range(6), dtype={0: str, 1: str})
        left, top, width, height = (rows[at].astype(float) / BOXED for at in range(2, 6))
    except (ValueError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not the list of boxes of ChestX-ray14 ({error})") from None
    label = rows[1].replace("Infiltrate", "Infiltration")
    sides = {"left": left, "top": top, "right": left + width, "bottom": top + height}
    return pd.DataFrame({"name": rows[0], "label": label, **sides})


def write(root: Path, cohort: list[dict], draw) -> None:
    """The phantom cohort as one folder of images, the CSV and the two split lists."""
    folder = Path(root) / "images_001" / "images"
    folder.mkdir(parents=True, exist_ok=True)
    lines, lists = [HEADER], {name: [] for name in LISTS}
    marked = ["Image Index,Finding Label,Bbox [x,y,w,h],,,"]
    for row in cohort:
        name = f"{row['patient']:08d}_{row['study']:03d}.png"
        image = draw(row)
        # Speed: noise hardly compresses, at whatever effort.
        Image.fromarray(image).save(folder / name, compress_level=1)
        labels = "|".join(sorted(row["labels"])) or "No Finding"
        about = f"{row['study']},{row['patient']},{row['age']:.0f},{row['sex']},{row['view']}"
        height, width = image.shape
        lines.append(f"{name},{labels},{about},{width},{height},0.143,0.143")
        for label, (left, top, right, bottom) in row.get("boxes", {}).items():
            corner = [BOXED * value for value in (left, top, right - left, bottom - top)]
            said = label.replace("Infiltration", "Infiltrate")
            marked.append(",".join([name, said, *(f"{value:.1f}" for value in corner), ",,"]))
        lists["test_list.txt" if row["split"] == "test" else "train_val_list.txt"].append(name)
    (Path(root) / CSVS[0]).write_text("\n".join(lines) + "\n")
    (Path(root) / BOXES).write_text("\n".join(marked) + "\n")
    for name, names in lists.items():
        (Path(root) / name).write_text("".join(f"{line}\n" for line in names))
