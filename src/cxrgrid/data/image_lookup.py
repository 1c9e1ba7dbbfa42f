"""Lookup of the files that a table's field means, if it is not their path below root.

`tail`: folders in front, upper and lower case, and the ending may differ, so that absolute paths
of another computer, names without an ending and resized copies are found. `part`: an id that is a
folder in the path, or how a file's name begins. Else the DICOM attribute of that name.
"""

import posixpath
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from cxrgrid.config.errors import UserError
from cxrgrid.data import dicom, folder_layout, id_in_name, walk

Lookup = Callable[[str], list[str]]
ZEROS = "\0zeros"  # begins the key of a number without zeros in front
SPANS = [(at, at + length) for at in range(4) for length in (2, 3)]  # folders read as one id
LONGEST = 6  # parts of a path that are compared
WHOLE = re.compile(r"^(\d+)\.0+$")
ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")  # of the web, or of a store
# A folder of a person, which a table may name by the number alone: patient_003.
OF_PERSON = re.compile(r"(?:patient|person|subject|subj|case|sub|pat|pt|p)[-_ ]?0*(\d+)", re.I)
DIGITS = re.compile(r"\d+")
SERIES = 3  # folders that differ in a number alone, from which on they are patients or studies
OF_SHARDS = re.compile(r"images?|batch|part|chunk|shard|fold|split|train|test|val|set|zip|disk")
# Of images, and of what they may have been made from.
ENDINGS = (*walk.SUFFIXES, ".nii.gz", ".nii", ".mha")
BEGINNING = re.compile(r"[-_. ]")


def lookup(root: Path, images: list[str], how: str, fields: list[str] = ()) -> Lookup:
    """From a field to the images that it means; none where nothing fits. fields: all of them."""
    if how == "tail":
        return by_tail(images)
    if how == "name":
        return id_in_name.lookup(images, list(fields))
    found = by_part(images) if how == "part" else by_header(root, images, how)

    def find(value: str) -> list[str]:
        key = WHOLE.sub(r"\1", value.casefold().replace("\\", "/").strip("/"))
        if not (key.isdigit() and key.isascii()):
            return found.get(key) or (in_folder(found, key) if how == "part" else [])
        short = str(int(key))
        return found.get(f"{ZEROS}{short}") or found.get(key) or found.get(short, [])

    return find


def by_tail(images: list[str]) -> Lookup:
    """The image whose path ends as the field does; the longest such end, then the same ending."""
    known = defaultdict(list)
    for image in images:
        own = parts(image)
        for length in range(1, min(len(own), LONGEST) + 1):
            known[tuple(own[:length])].append(image)

    elsewhere = other_folder(images)
    for image in images:  # spreadsheets take the zeros in front of numbers away
        if (stem := parts(image)[0]).isdigit() and stem.isascii():
            known[(ZEROS, str(int(stem)))].append(image)

    def find(value: str) -> list[str]:
        wanted = parts(value)
        if (wanted[0],) not in known:  # 12.0, as pandas writes where some are missing
            wanted[0] = WHOLE.sub(r"\1", wanted[0])
        if (wanted[0],) not in known and wanted[0].isdigit() and wanted[0].isascii():
            return known.get((ZEROS, str(int(wanted[0]))), [])
        ends = (tuple(wanted[:length]) for length in range(min(len(wanted), LONGEST), 0, -1))
        end = next((end for end in ends if end in known), ())
        fitting = [image for image in known.get(end, []) if not elsewhere(wanted, image, len(end))]
        same = [image for image in fitting if value.replace("\\", "/").endswith(name(image))]
        return same if len(same) == 1 else fitting

    return find


def other_folder(images: list[str]) -> Callable[[list[str], str, int], bool]:
    """Tells if an image lies in another folder than the one that a field names.

    That is so if the field's folder is there as well, or if both are of one series, as `pat03` and
    `pat33` are; else a folder may just be called differently here.
    """
    folders = {(at, part) for image in images for at, part in enumerate(parts(image)) if at}
    series = Counter((at, DIGITS.sub("0", part)) for at, part in folders if DIGITS.search(part))

    def elsewhere(wanted: list[str], image: str, fit: int) -> bool:
        own = parts(image)
        if fit >= min(len(wanted), len(own)) or wanted[fit] in own:
            return False
        form, theirs = DIGITS.sub("0", wanted[fit]), DIGITS.sub("0", own[fit])
        numbered = form == theirs and series[fit, form] >= SERIES and not OF_SHARDS.match(form)
        return numbered or (fit, wanted[fit]) in folders

    return elsewhere


def with_paths(rows: pd.DataFrame, image: str) -> pd.DataFrame:
    """The rows with one more column where `folder/file` means the fields of two."""
    columns = image.split("/")
    if image in rows or len(columns) < 2 or not set(columns) <= set(rows):
        return rows
    return rows.assign(**{image: rows[columns].agg("/".join, axis=1)})


def in_part(names: pd.Series, part: str) -> pd.Series:
    """Bare names as `train/a.png`: where two parts have the same names, by their folders."""
    return names.where(names.str.contains(r"[/\\]") | (names == ""), f"{part}/" + names)


def under_other_ending(
    root: Path, names: pd.Series, what: str, source: str, length: int = 1
) -> tuple[pd.Series, str]:
    """Path below root of each file that lies there under another ending, None of others; a note.

    length: how many parts from the end of a path tell images apart. `UserError` with `source` if
    none is there: what: they are.
    """
    found = walk.images(root)
    images = folder_layout.without_masks(found.images)
    there = {tuple(parts(image)[:length]): image for image in reversed(images)}
    places = pd.Series([there.get(tuple(parts(n)[:length])) for n in names], names.index, object)
    if places.isna().all():
        kinds = Counter(Path(image).suffix.lower() for image in found.images) + found.left_out
        other = ", ".join(f"{number:,} {kind}" for kind, number in kinds.most_common(3))
        lie = f" (in it lie {other})" if other else ""
        raise UserError(f"{root}: none of the {len(names)} {what} is there{lie}. {source}")
    kinds = Counter(Path(place).suffix for place in places.dropna())
    other = ", ".join(f"{number:,} as {kind}" for kind, number in kinds.most_common())
    return places, f"Of {len(names):,} images, {other}, not with the ending that the table says."


def by_id(root: Path, ids: pd.Series, what: str, source: str) -> pd.Series:
    """Path below root of the image that is named by each id, whatever its ending; None of others.

    `UserError` as of `under_other_ending`.
    """
    return under_other_ending(root, ids, what, source)[0]


def parts(path: str) -> list[str]:
    """The parts of a path from its end, in lower case, the last without the endings of an image."""
    path = path.split("?")[0] if ADDRESS.match(path) else path
    path = unicodedata.normalize("NFC", path.casefold().replace("\\", "/"))
    found = [part for part in path.split("/") if part not in ("", ".")]
    while found and (end := next(filter(found[-1].endswith, ENDINGS), "")) and end != found[-1]:
        found[-1] = found[-1].removesuffix(end)  # a.png.png, or a.dcm.png
    return [found[-1], *found[-2::-1]] if found else [""]


def name(path: str) -> str:
    """The last part of a path."""
    return path.rsplit("/", 1)[-1]


def by_part(images: list[str]) -> dict[str, list[str]]:
    """The images in each folder, and those whose names begin so, up to - _ . or a space."""
    found = defaultdict(list)
    for image in images:
        *folders, last = image.casefold().split("/")
        starts = [last[: sign.start()] for sign in BEGINNING.finditer(last)]
        joined = {"/".join(folders[at:end]) for at, end in SPANS if len(folders) >= end}
        for part in {*folders, *starts, *joined} - {""}:
            found[part].append(image)
        for number in {end[1] for part in folders if (end := OF_PERSON.fullmatch(part))}:
            found[f"{ZEROS}{number}"].append(image)
    return found


def in_folder(found: dict[str, list[str]], path: str) -> list[str]:
    """The images in a folder that is named by a longer or absolute path; found: of `by_part`."""
    folders = path.split("/")
    near = found.get("/".join(folders[-3:])) or found.get("/".join(folders[-2:]), [])
    inner = [(image, posixpath.dirname(image).casefold()) for image in near if len(folders) > 2]
    return [image for image, folder in inner if folder and f"/{path}".endswith(f"/{folder}")]


def by_header(root: Path, images: list[str], attribute: str) -> dict[str, list[str]]:
    """The DICOM files with each value of an attribute."""
    found = defaultdict(list)
    for image, value in zip(images, dicom.attributes(root, images, attribute), strict=True):
        if value:
            found[value.casefold()].append(image)
        if value.isdigit() and value.isascii() and str(int(value)) != value:
            found[str(int(value))].append(image)  # as a spreadsheet shows it
    return found


def listed(root: Path, images: pd.Series) -> list[bool]:
    """Mask of the files that exist; each folder is listed once: faster on network disks."""
    names: dict[str, set[str]] = {}
    for folder in {posixpath.dirname(image) for image in images}:
        try:
            names[folder] = {item.name for item in (root / folder).iterdir()}
        except OSError:  # not there, a file, or a name that is too long for the disk
            names[folder] = set()
    return [posixpath.basename(image) in names[posixpath.dirname(image)] for image in images]


def one(value: str, found: list[str], where: str) -> list[str]:
    """The only image that is meant, or none; `UserError` if several could be."""
    if len(found) > 1:
        raise UserError(
            f"{where}: {value!r} may be {found[0]!r} or {found[1]!r}; write the path below root"
        )
    return found
