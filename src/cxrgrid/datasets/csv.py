"""Any table with one row per image: names of images, labels and, if known, patients.

Each label has a column of 1, 0, -1 (uncertain), blank, or yes and no; or one column names classes.
"""

import posixpath
from pathlib import Path

import msgspec
import pandas as pd

from cxrgrid.config.errors import UserError
from cxrgrid.config.preparation import Columns
from cxrgrid.data import (
    folder_layout,
    image_lookup,
    label_text,
    patients,
    people_columns,
    publisher_files,
    repeated_rows,
    split_words,
    tables,
    walk,
)
from cxrgrid.data.joined_tables import describe, joined

TASK = "multilabel"
LABELS = []
SPLITS = ["column"]
ORIGIN = ""
SOURCE = (
    "Write a CSV file with a row an image (its path, its labels as 1, 0 or blank, and its patient) "
    "and set datasets.<name>.root to the folder that the paths start from"
)
BLANK = "ignore"
TERMS = "As stated by the owner of the images."
CREDENTIALED = False
PHANTOM = {}

PART = "\0part"  # of a row, by the table that it stands in


def read(root: Path, settings: dict) -> pd.DataFrame:
    """The rows whose image is there, each image once."""
    root, labels = Path(root), list(settings["labels"])
    columns = msgspec.convert(settings["columns"], Columns)
    path = root / next(iter(columns.parts.values()), columns.file)
    raw, said = stacked(root, columns)
    rows = select(raw, columns, labels, path)
    rows = gathered(rows) if columns.separator == label_text.ROWS else rows
    frame = rows.assign(
        image=spelled(rows["image"], path, columns.match), **people_columns.read(rows)
    )
    frame = frame.drop(columns="classes", errors="ignore").assign(
        **one_hot(rows, columns, labels, path)
    )
    if "split:column" in frame:
        frame["split:column"] = shipped(frame, columns, path)
    frame, united = repeated_rows.united(frame)
    blank = frame["patient"].str.lower().isin(repeated_rows.MISSING)
    frame["patient"], merged = patients.one_spelling(frame["patient"])
    own = pd.DataFrame({"patient": blank, "study": frame["study"] == ""})  # nobody is named
    for name in own:
        frame[name] = frame[name].where(~own[name], frame["image"])
    once = repeated_rows.distinct(frame, path)
    there = on_disk(root, once, columns, path, own)
    kept = repeated_rows.distinct(there, path)
    if kept.empty:
        raise UserError(f"{path}: {none_there(root, once['image'].tolist(), columns)}")
    kept = with_headers(root, kept.sort_values("image", ignore_index=True), settings)
    steps = {f"rows in {path.name}": frame, "listed once": once, "image file found": kept}
    counts = (len(frame), len(once), there.index.nunique())
    kept.attrs["labels"] = labels
    kept.attrs["accounting"] = publisher_files.accounting(steps)
    anonymous = 0 if settings.get("patient") else int(blank.sum())
    told = kept.attrs.pop("notes")
    kept.attrs["no_films"] = sorted({*there["image"]} - {*kept["image"]})
    kept.attrs["notes"] = [*said, *united, *merged, *told, *notes(*counts, anonymous, settings)]
    kept.attrs["notes"] += [patients.note(settings)] if settings.get("patient") else []
    return kept


def check(root: Path, settings: dict) -> list[Path]:
    """The tables, all columns, labels and parts of which are as the settings say; no image read."""
    columns = msgspec.convert(settings["columns"], Columns)
    names = [*(columns.parts.values() or [columns.file])]
    names += [columns.join.file] if columns.join else []
    path = tables.file_of(root / names[0])
    rows = select(stacked(root, columns)[0], columns, list(settings["labels"]), path)
    one_hot(rows, columns, list(settings["labels"]), path)
    if "split:column" in rows:
        shipped(rows, columns, path)
    return [tables.file_of(root / name) for name in names]


def recognise(root: Path) -> bool:
    """True if there is a table; `cxrgrid.drafting.guesses` looks at its content."""
    return any(True for _ in tables.below(root))


def stacked(root: Path, columns: Columns) -> tuple[pd.DataFrame, list[str]]:
    """All rows as text, by the line of each, and what was guessed of the files."""
    if not columns.parts:
        rows = tables.read_rows(root / columns.file, SOURCE)
        said = rows.attrs["notes"]
    else:
        found = {part: tables.read_rows(root / name) for part, name in columns.parts.items()}
        said = [note for rows in found.values() for note in rows.attrs["notes"]]
        if columns.match == "tail":
            for part, rows in found.items():
                above = Path(columns.parts[part]).parent.name
                above = above if folder_layout.part_of(above) == part else part
                rows[columns.image] = image_lookup.in_part(rows[columns.image], above)
        named = {
            part: rows.assign(**{PART: part}).set_axis(rows.index.map("{} of".format) + f" {part}")
            for part, rows in found.items()
        }
        rows = pd.concat(named.values()).fillna("")
    if columns.join:
        rows = joined(rows, root / columns.join.file, columns.join.by, columns.join.theirs)
        said = [*said, *rows.attrs.pop("notes")]
    rows = split_words.with_flags(rows, columns.split, root / columns.file)
    return image_lookup.with_paths(rows, columns.image), said


def select(rows: pd.DataFrame, columns: Columns, labels: list[str], path: Path) -> pd.DataFrame:
    """The columns that are used, by the names that they have here."""
    if "*" in columns.classes:
        rows = label_text.together(rows, columns.classes)
    header = rows.columns.tolist()
    taken = {"image": columns.image, "patient": columns.patient}
    taken |= {"split:column": PART if columns.parts else columns.split}
    taken |= {name: people_columns.column(name, header) for name in people_columns.NAMES}
    taken |= {"classes": columns.classes} if columns.classes else {name: name for name in labels}
    for name in filter(None, taken.values()):
        if header.count(name) != 1:
            what = "no column" if name not in header else "two columns"
            raise UserError(f"{path}: {what} {name!r}; {describe(name, header)}")
    blank = pd.Series("", rows.index)
    found = {name: rows[source] if source else blank for name, source in taken.items()}
    if not taken["split:column"]:
        found.pop("split:column")
    if len(rows) == 0:
        raise UserError(f"{path}: a header, but no row below it")
    if columns.names and columns.classes:
        found["classes"] = label_text.renamed(found["classes"], columns.separator, columns.names)
    return pd.DataFrame(found)


def shipped(rows: pd.DataFrame, columns: Columns, path: Path) -> pd.Series:
    """The part of each row, by its table or by a column."""
    given = rows["split:column"]
    return split_words.parts(given, columns.split or "parts", path, columns.test)


def gathered(rows: pd.DataFrame) -> pd.DataFrame:
    """One row per image, with all findings that its rows name, a line each."""
    together = rows.groupby("image", sort=False)["classes"].agg("\n".join)
    once = rows.drop_duplicates([name for name in rows if name != "classes"])
    return once.assign(classes=once["image"].map(together))


def one_hot(
    rows: pd.DataFrame, columns: Columns, labels: list[str], path: Path
) -> dict[str, pd.Series]:
    """Each label as 1, 0, -1 or NaN, from a column of its own or from the names in one."""
    if own := sorted({"image", "patient", "study"}.intersection(labels)):
        raise UserError(f"{path}: a label {own[0]!r}: cxrgrid has a column of this name; rename it")
    if not columns.classes:
        return label_text.values(rows, labels, path)
    where = f"{path}: column {columns.classes!r}"
    return label_text.findings(rows["classes"], columns.separator, labels, where)


def spelled(images: pd.Series, path: Path, match: str) -> pd.Series:
    """Paths below root in one spelling; `UserError` for one that is empty or leads out of it."""
    paths = images.str.replace("\\", "/").map(posixpath.normpath)
    outside = r"/|[A-Za-z]:|\.\.(/|$)|.*[\x00-\x1f]" if match == "path" else r".*[\x00-\x1f]"
    wrong = (images == "") | paths.str.match(outside)
    if wrong.any():
        line, image = images.index[wrong][0], images[wrong].iloc[0]
        raise UserError(f"{path}: line {line}: the image {image!r} is no path below root")
    return paths


def on_disk(
    root: Path, rows: pd.DataFrame, columns: Columns, path: Path, own: pd.DataFrame
) -> pd.DataFrame:
    """The rows whose image is there, with its path below root; a row for each image of an id.

    own: True where an image is a patient, or a study, of its own.
    """
    if columns.match == "path":
        return rows[image_lookup.listed(root, rows["image"])]
    images = walk.images(root).images
    look = image_lookup.lookup(root, images, columns.match, list(rows["image"]))
    found = [look(field) for field in rows["image"]]
    if columns.match == "tail":
        found = [
            image_lookup.one(field, images, f"{path}: line {line}")
            for line, field, images in zip(rows.index, rows["image"], found, strict=True)
        ]
    placed = rows.assign(place=found).explode("place").dropna(subset="place")
    for name in ("patient", "study") if columns.match == "tail" else ():
        placed[name] = placed[name].where(~own.loc[placed.index, name], placed["place"])
    return placed.assign(image=placed["place"]).drop(columns="place")


def with_headers(root: Path, kept: pd.DataFrame, settings: dict) -> pd.DataFrame:
    """The rows of radiographs with the patients that `patient` finds, and with views, sexes and
    ages of DICOM headers where the table tells none of these. `attrs["notes"]`: on patients and
    what was left out."""
    kept, said = patients.radiographs(root, kept)
    if kept.empty:
        raise UserError(f"{root}: {said[0]}")
    kept = kept.reset_index(drop=True)
    if settings.get("patient"):
        of = patients.of(root, kept["image"], settings)
        said += of.attrs.get("notes", [])
        kept = kept.assign(patient=of)
    untold = [name for name in ("view", "sex", "age") if kept[name].isna().all()]
    told = patients.about(root, kept["image"]) if untold else {}
    kept = kept.assign(**{name: told[name] for name in untold})
    kept.attrs["notes"] = said
    return kept


def none_there(root: Path, images: list[str], columns: Columns) -> str:
    """That no image is there, and where they may be."""
    text = f"none of its images is there, first {root / images[0]}"
    if columns.match != "path":
        return f"{text}; looked for by columns.match: {columns.match} in {root}"
    look = image_lookup.lookup(root, walk.images(root).images, "tail")
    near = [found[0] for image in images if (found := look(image))]
    if near:
        some = f"{len(near):,} of {len(images):,} lie there under another path or ending"
        return f"{text}; {some}, as {near[0]!r}: set columns.match: tail"
    return f"{text}; paths in the column {columns.image!r} start from {root}"


def notes(rows: int, once: int, there: int, blank: int, settings: dict) -> list[str]:
    """Sentences on rows and values that were dropped or reinterpreted."""
    anonymous = (
        f"Rows without a patient (datasets.{settings['dataset']}.columns.patient), each counted as "
        "its own, so that one patient's images may stand in several splits"
    )
    found = {
        "Rows that repeat another one, dropped": rows - once,
        "Listed images that are not on disk, left out": once - there,
        anonymous: blank,
    }
    return [f"{text}: {count:,}." for text, count in found.items() if count]
