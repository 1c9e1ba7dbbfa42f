"""CheXpert v1.0 and v1.0-small: `train.csv` and `valid.csv`, whose paths begin with their folder.

The 223,648 rows are parsed in seconds; most of the time goes into asking for each file.
"""

import re
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from cxrgrid.config.errors import UserError
from cxrgrid.data import image_lookup, publisher_files

TASK = "multilabel"
LABELS = [
    "No Finding",
    "Enlarged Cardiomediastinum",
    "Cardiomegaly",
    "Lung Opacity",
    "Lung Lesion",
    "Edema",
    "Consolidation",
    "Pneumonia",
    "Atelectasis",
    "Pneumothorax",
    "Pleural Effusion",
    "Pleural Other",
    "Fracture",
    "Support Devices",
]
SPLITS = ["official"]
BLANK = "absent"
ORIGIN = "CheXpert, Stanford Health Care: stanfordmlgroup.github.io/competitions/chexpert."
SOURCE = (
    "Ask for CheXpert at stanfordmlgroup.github.io/competitions/chexpert and set "
    "datasets.<name>.root to CheXpert-v1.0 or CheXpert-v1.0-small, or to the folder that holds it"
)
TERMS = (
    "Stanford University CheXpert Dataset Research Use Agreement: no redistribution, no commercial "
    "use; cite Irvin et al., AAAI 2019."
)
CREDENTIALED = True
PHANTOM = {
    "findings": {
        "Enlarged Cardiomediastinum": 0.06,
        "Cardiomegaly": 0.12,
        "Lung Opacity": 0.2,
        "Lung Lesion": 0.06,
        "Edema": 0.16,
        "Consolidation": 0.09,
        "Pneumonia": 0.06,
        "Atelectasis": 0.15,
        "Pneumothorax": 0.1,
        "Pleural Effusion": 0.22,
        "Pleural Other": 0.05,
        "Fracture": 0.04,
    },
    "drawn": {
        "Enlarged Cardiomediastinum": ["Wide Mediastinum"],
        "Lung Opacity": ["Infiltration"],
        "Lung Lesion": ["Nodule"],
        "Pleural Effusion": ["Effusion"],
        "Pleural Other": ["Pleural_Thickening"],
        "Fracture": [],  # not drawn: nothing can learn it, and a score above chance is a warning
    },
    "ages": [18, 90],
    "views": {"AP": 0.55, "PA": 0.25, "LATERAL": 0.2},
    "images": 2,
}

FOLDERS = ["CheXpert-v1.0-small", "CheXpert-v1.0"]
BATCH = re.compile(r"batch \d+", re.I)  # of the download: tables in the first, images in all
PARTS = {"train": "trainval", "valid": "test"}
ABOUT = ["Path", "Sex", "Age", "Frontal/Lateral", "AP/PA"]
HEADER = ",".join([*ABOUT, *LABELS])
VALUES = {"1.0": 1.0, "0.0": 0.0, "-1.0": -1.0, "": np.nan, "1": 1.0, "0": 0.0, "-1": -1.0}
PATH = re.compile(r"(?:CheXpert-v1\.0(?:-small)?/)?((train|valid)/(patient\d+)/study(\d+)/[^/]+)")
NOTES = [
    "Labels of train.csv were mined from radiology reports by the CheXpert labeller; those of "
    "valid.csv are the majority of three radiologists.",
    "The official list: train.csv for training and validation, valid.csv for test; the official "
    "test images are not in the download.",
]


def read(root: Path, settings: dict) -> pd.DataFrame:
    """The images of both CSV files that are on disk; partial downloads are read as they are."""
    root, said = Path(root), []
    base = find_base(root)
    rows = pd.concat([read_csv(base / f"{part}.csv") for part in PARTS], ignore_index=True)
    listed = parse(rows)
    once = listed.drop_duplicates("image")
    if batch := BATCH.search(base.resolve().name):
        check_batches(base, root, batch[0])
    else:
        frame = once[on_disk(base, once)]
        below = base.relative_to(root).as_posix()
        frame = frame.assign(image=("" if below == "." else f"{below}/") + frame["image"])
    if batch or frame.empty:
        what = (once["image"], "images of the CSV files", SOURCE)
        places, note = image_lookup.under_other_ending(root, *what, length=3)
        frame, said = once.assign(image=places).dropna(subset="image"), [note] * (not batch)
    frame = frame.sort_values("image", ignore_index=True)
    steps = {"rows in the CSV files": listed, "listed once": once, "image file found": frame}
    frame.attrs["accounting"] = publisher_files.accounting(steps)
    frame.attrs["notes"] = NOTES + listed.attrs["notes"] + said
    return frame


def recognise(root: Path) -> bool:
    """True if there is a train.csv that begins like CheXpert's; others have files of that name."""
    tables = [base / "train.csv" for base in bases(root)]
    for path in (path for path in tables if path.is_file()):
        names = publisher_files.header(path)
        return names[:1] == ["Path"] and "Enlarged Cardiomediastinum" in names
    return False


def bases(root: Path) -> list[Path]:
    """Folders in which the tables may lie: root, the release's folder, or that of batch 1."""
    batches = sorted(root.glob("*batch 1*")) if root.is_dir() else []
    return [root, *(root / name for name in FOLDERS), *batches]


def check_batches(base: Path, root: Path, batch: str) -> None:
    """`UserError` if the folder of one batch is given, while the others lie beside it."""
    others = [item for item in base.resolve().parent.iterdir() if BATCH.search(item.name)]
    if base.resolve() == root.resolve() and len(others) > 1:
        raise UserError(
            f"{root}: is {batch} of CheXpert; the training images lie in the folders of the other "
            f"batches: give the folder above, {base.resolve().parent}, which joins them"
        )


def find_base(root: Path) -> Path:
    """The folder of train.csv: root, or the release's folder in it."""
    for base in bases(root):
        if (base / "train.csv").is_file():
            return base
    raise UserError(f"{root}: no train.csv, neither in it nor in {' or '.join(FOLDERS)}. {SOURCE}")


def read_csv(path: Path) -> pd.DataFrame:
    """A CSV file as text. Sex, age and views may be missing; empty without the file."""
    if not path.is_file():
        return pd.DataFrame(columns=["Path", *LABELS], dtype=str)
    try:
        table = publisher_files.as_published(path)
        rows = pd.read_csv(table, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (ValueError, UnicodeDecodeError, OSError) as error:
        first = str(error).strip().splitlines()[-1]
        raise UserError(f"{path}: not a table of comma-separated UTF-8 text ({first})") from None
    missing = [name for name in ("Path", *LABELS) if name not in rows]
    if missing:
        begins = ",".join(rows.columns)[:60]
        raise UserError(
            f"{path}: not CheXpert's table: no column {missing[0]!r}; it begins {begins!r}"
        )
    return rows


def parse(rows: pd.DataFrame) -> pd.DataFrame:
    """The CSV's rows as `read` returns them, with paths below the release's folder."""
    paths = rows["Path"].str.extract(rf"^{PATH.pattern}$")
    strange = paths[0].isna()
    if strange.any():
        path = rows.loc[strange, "Path"].iloc[0]
        raise UserError(
            f"train.csv or valid.csv: the path {path!r} is not like "
            f"{FOLDERS[1]}/train/patient00001/study1/view1_frontal.jpg"
        )
    columns = {name: rows.get(name, pd.Series("", rows.index)).fillna("") for name in ABOUT}
    age = pd.to_numeric(columns["Age"], errors="coerce").astype(float)
    view, unclear = views(columns["Frontal/Lateral"], columns["AP/PA"], paths[0])
    frame = pd.DataFrame(
        {
            "image": paths[0],
            "patient": paths[2],
            "study": paths[2] + "/study" + paths[3],
            "view": view,
            "sex": columns["Sex"].map({"Male": "M", "Female": "F"}).astype(object),
            "age": age.mask(age == 0),
            "split:official": paths[1].map(PARTS),
        }
    )
    frame["sex"] = frame["sex"].where(frame["sex"].notna(), None)
    frame[LABELS] = values(rows)
    found = {
        "Images called frontal and yet lateral, whose view was taken as unknown": unclear,
        "Ages of 0 years, taken as unknown": int((age == 0).sum()),
    }
    frame.attrs["notes"] = [f"{text}: {count:,}." for text, count in found.items() if count]
    return frame


def views(side: pd.Series, beam: pd.Series, path: pd.Series) -> tuple[pd.Series, int]:
    """AP, PA, LATERAL or None; and for how many the two columns contradict each other.

    Where a file lacks the columns, the file's name still tells lateral from frontal.
    """
    lateral = (side == "Lateral") | ((side == "") & path.str.contains("lateral"))
    view = beam.astype(object).where(beam.isin(["AP", "PA"]), None).mask(lateral, "LATERAL")
    return view, int((~lateral & (beam != "") & view.isna()).sum())


def values(rows: pd.DataFrame) -> pd.DataFrame:
    """float [N, 14]: 1, 0, -1 and NaN."""
    text = rows[LABELS].fillna("")
    for label in LABELS:
        wrong = ~text[label].isin(list(VALUES))
        if wrong.any():
            row = rows[wrong].iloc[0]
            raise UserError(
                f"{row['Path']}: {label} is {row[label]!r}; CheXpert's labels are 1.0, 0.0, -1.0 "
                "or blank"
            )
    return text.apply(lambda column: column.map(VALUES)).astype(float)


def on_disk(base: Path, frame: pd.DataFrame) -> list[bool]:
    """Mask of the files that exist; patients without a folder are skipped.

    A study's folder holds one or two images: to list it takes longer than to ask for them.
    """
    folders = [base / part for part in PARTS if (base / part).is_dir()]
    there = {f"{folder.name}/{path.name}" for folder in folders for path in folder.iterdir()}
    return [
        image.rsplit("/", 2)[0] in there and Path(f"{base}/{image}").is_file()
        for image in frame["image"]
    ]


def studies(cohort: list[dict]) -> list[tuple[dict, int, int]]:
    """Each row with its study and its image, from 1: films that show the same are of one study."""
    found: list[tuple[dict, int, int]] = []
    for row in cohort:
        last, study, image = found[-1] if found else ({}, 0, 0)
        if row["patient"] != last.get("patient"):
            found.append((row, 1, 1))
        elif row["labels"] == last["labels"] and image < 3:
            found.append((row, study, image + 1))
        else:
            found.append((row, study + 1, 1))
    return found


def mention(row: dict, study: int, label: str) -> str:
    """A report's value of a label: 1.0, 0.0, -1.0 or blank; the same for a study's images."""
    if label == "No Finding":
        return "" if row["labels"] else "1.0"
    if label == "Support Devices":
        return "1.0" if "Devices" in row.get("findings", ()) else ""
    chance = np.random.default_rng([row["patient"], study, LABELS.index(label)]).random()
    if label in row["labels"]:
        return "-1.0" if chance < 0.1 else "1.0"
    return "-1.0" if chance < 0.04 else "0.0" if chance < 0.3 else ""


def write(root: Path, cohort: list[dict], draw) -> None:
    """The phantom cohort as v1.0-small; its test patients are the official valid.csv."""
    lines: dict[str, list[str]] = {part: [HEADER] for part in PARTS}
    for row, study, image in studies(cohort):
        part = "valid" if row["split"] == "test" else "train"
        side = "Lateral" if row["view"] == "LATERAL" else "Frontal"
        folder = f"{FOLDERS[0]}/{part}/patient{row['patient']:05d}/study{study}"
        path = f"{folder}/view{image}_{side.lower()}.jpg"
        (Path(root) / folder).mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw(row)).save(Path(root) / path, quality=92)
        sex = {"M": "Male", "F": "Female"}[row["sex"]]
        beam = "" if side == "Lateral" else row["view"]
        mentions = [mention(row, study, label) for label in LABELS]
        about = [path, sex, f"{row['age']:.0f}", side, beam]
        lines[part].append(",".join([*about, *mentions]))
    for part, text in lines.items():
        (Path(root) / FOLDERS[0] / f"{part}.csv").write_text("\n".join(text) + "\n")
