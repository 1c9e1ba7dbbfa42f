"""Guess of the column that names the images, its folder, and how the names are meant."""

import itertools
import os
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple, get_args

import pandas as pd

from cxrgrid.config.errors import UserError, known
from cxrgrid.config.preparation import MATCH
from cxrgrid.data import dicom, folder_layout, image_lookup, walk
from cxrgrid.datasets import csv
from cxrgrid.drafting import path_columns
from cxrgrid.drafting.questions import Question

TRIED = 40  # values of a column that are looked up on disk
FOLDERS = 60  # folders that a column's paths may start from
FILE = re.compile(r"[^/\\].{0,250}\.\w{2,5}")
ABSOLUTE = re.compile(r"[/\\]|[A-Za-z]:")
PERSON = re.compile(
    r"(patient|subject|person)[ _]?(age|sex|gender|weight|height|pos|birth|or)", re.I
)
CALLED = re.compile(
    r"image|img|imagen|file|path|bild|picture|photo|scan|film|x.?ray|dicom|cxr|radiogr|uid"
    r"|accession",
    re.I,
)  # names of columns of images
IDENTIFIER = re.compile(
    rf"patient|subj|person|case|mrn|(^|[ _-])id$|Id$|ID$|{CALLED.pattern}", re.I
)
NEARLY_ALL = 0.9


class Images(NamedTuple):
    """The column that names images, the folder where these lie, and how the names are meant."""

    base: Path
    column: str
    match: str


def find(rows: pd.DataFrame, root: Path, path: Path, chosen: str = "") -> Images:
    """The column whose values are files, and the folder that they start from.

    chosen: the column, where it is not to be guessed.
    """
    if chosen:
        known(chosen, list(rows.columns), "--image", "column")
        rows = rows[[chosen]]
    bases = list(dict.fromkeys([path.parent, root, *folders(root), path.parent.parent]))
    hits = {
        Images(base, name, "path"): sum(is_file(base, value) for value in values)
        for name, values in candidates(rows).items()
        for base in bases
    }
    # Of folders with the same names one may hold the masks, or be of the table's part.
    names = (path.name.split(".")[0], path.parent.name)
    part = next(filter(None, map(folder_layout.part_of, names)), "")
    own = {base for base in bases if part and folder_layout.part_of(base.name) == part}

    def worth(place: Images) -> tuple:
        return hits.get(place), not is_mask(place.base), place.base in own

    best = max(hits, key=worth, default=None)
    if best is None or hits[best] < len(some(list(rows[best.column]))):
        other, found = by_lookup(rows, root, path)
        best = other if other and found > hits.get(best, 0) else best
    best = best if hits.get(best, 1) else None
    as_good = [place for place in hits if best and worth(place) == worth(best)]
    rivals = [place.base for place in as_good if rival(place, best)]
    unsure = not best or rivals  # two columns may name an image together
    if unsure and (both := path_columns.find(rows, images_below(root.absolute()), path)):
        return Images(root, both, "tail")
    if best is None:
        raise UserError(f"{path}: {no_image(rows, bases)}")
    if rivals:
        raise in_two_folders(path, best.base, rivals[0])
    return best


def in_two_folders(path: Path, one: Path, other: Path) -> Question:
    """That a table's names are those of images in two folders."""
    return Question(
        f"{path}: its images could be those in {one} or in {other}; write paths into the table, or "
        "give the folder that is meant",
        {str(base): {"path": base} for base in (one, other)},
    )


def is_mask(base: Path) -> bool:
    """True if a folder is called like one of masks."""
    return folder_layout.is_mask(f"{base.name}/x", True)


def rival(place: Images, best: Images) -> bool:
    """True if the same column names images in another folder as well, which holds no masks."""
    other = place.base.resolve() != best.base.resolve() and place.column == best.column
    return other and not is_mask(place.base)


def by_lookup(rows: pd.DataFrame, root: Path, path: Path) -> tuple[Images | None, int]:
    """A column whose values mean images in another way than by their path; how many of some do."""
    bases = (root, path.parent, path.parent.parent)
    base = next((base for base in bases if images_below(base.absolute())), None)
    if base is None:
        return None, 0
    images = images_below(base.absolute())
    ways = ["tail", "part", "name"]
    if any(dicom.is_dicom(base / image, b"") or "." not in image for image in images[:TRIED]):
        ways += [way for way in get_args(MATCH) if way[0].isupper()]
    own = [name for name in rows.columns if rows[name].nunique() > 0.9 * len(rows)]
    own = [name for name in own if not PERSON.match(name)]
    for way in ways:
        if way == "name":
            if found := by_id_in_name(rows, own, images, base):
                return found
            continue
        look = image_lookup.lookup(base, images, way)
        # A column of images may repeat some: one row per finding.
        called = [name for name in rows.columns if CALLED.search(name) and name not in own]
        tried = [*own, *(called if way == "tail" and own else [])]
        hits = {name: fitting(look, some(list(rows[name])), way) for name in tried}
        likely = [name for name in tried if hits[name] * 2 >= len(some(list(rows[name])))]
        if likely:
            unlike_in_ending(rows[likely[0]], look, path)
            best = likeliest(rows, sorted(likely, key=hits.get, reverse=True), look, path)
            return Images(base, best, way), hits[best]
    return None, 0


def by_id_in_name(
    rows: pd.DataFrame, own: list[str], images: list[str], base: Path
) -> tuple[Images, int] | None:
    """The first column of ids, nearly all of which stand in names of images; how many of some."""
    for name in filter(IDENTIFIER.search, own):
        values = list(rows[name])
        try:
            look = image_lookup.lookup(base, images, "name", values)
        except UserError:  # at two places of the names
            continue
        hits = fitting(look, some(values), "name")
        if hits >= NEARLY_ALL * len(some(values)):
            return Images(base, name, "name"), hits
    return None


def unlike_in_ending(values: pd.Series, look: image_lookup.Lookup, path: Path) -> None:
    """`UserError` if a field means two images that differ in their ending alone."""
    for value in some(list(values)):
        found: dict = {}
        for image in look(value):
            first = found.setdefault(tuple(image_lookup.parts(image)), image)
            if first != image:
                raise UserError(
                    f"{path}: {value!r} may be {first!r} or {image!r}; write the ending into the "
                    "table, or move those away that are not meant"
                )


def likeliest(rows: pd.DataFrame, likely: list[str], look: image_lookup.Lookup, path: Path) -> str:
    """The first column that names images; of those that name others in a row the one called so.

    A running number may be another image's number. `Question` where nothing tells.
    """
    best, *others = likely
    found = {name: [set(look(value)) for value in some(list(rows[name]))] for name in likely}
    others = [
        name
        for name in others
        if any(a and b and not a & b for a, b in zip(found[best], found[name], strict=True))
    ]
    called = [name for name in (best, *others) if CALLED.search(name)]
    if others and len(called) != 1:
        raise Question(
            f"{path}: the columns {best!r} and {others[0]!r} could each name the images, and not "
            f"the same ones; choose, as --image {others[0]!r}",
            {f"{name}: {choice(rows, found, name)}": {"image": name} for name in (best, *others)},
        )
    return called[0] if others else best


def choice(rows: pd.DataFrame, found: dict[str, list[set[str]]], column: str) -> str:
    """An image that a column names: `7 is img/0007.png`."""
    pairs = zip(some(list(rows[column])), found[column], strict=True)
    return next((f"{value} is {min(images)}" for value, images in pairs if images), "")


def fitting(look: image_lookup.Lookup, values: list[str], way: str) -> int:
    """Number of values that match images; by their tail, one image each."""
    found = [look(value) for value in values]
    return sum(len(images) == 1 if way == "tail" else bool(images) for images in found)


@cache
def images_below(base: Path) -> list[str]:
    """Every image below a folder, looked for once."""
    return walk.images(base).images


def candidates(rows: pd.DataFrame) -> dict[str, list[str]]:
    """Columns that look like file names, with some of their values."""
    found = {name: some([value for value in rows[name] if value]) for name in rows.columns}
    return {
        name: values
        for name, values in found.items()
        if sum(bool(FILE.fullmatch(value)) for value in values) * 2 > len(values)
    }


def some(values: list, most: int = TRIED) -> list:
    """Up to so many of them, from all over the list."""
    return values[:: max(1, -(-len(values) // most))]


def folders(root: Path, deep: bool = True) -> list[Path]:
    """The folders one level below root, then those two levels below: the first ones of many."""
    found = inside(root)
    return (found + [item for above in found for item in inside(above)] if deep else found)[
        :FOLDERS
    ]


def inside(root: Path) -> list[Path]:
    """The first folders in a folder, which may hold 100,000 files: none of these is asked."""
    with os.scandir(root) as items:
        names = (item.name for item in items if item.is_dir() and not item.name.startswith("."))
        return sorted(root / name for name in itertools.islice(names, FOLDERS))


def is_file(base: Path, value: str) -> bool:
    """True if the value is a file's path below `base`, as the adapter takes it."""
    return bool(FILE.fullmatch(value)) and (base / value.replace("\\", "/")).is_file()


def no_image(rows: pd.DataFrame, bases: list[Path]) -> str:
    """Why no column names images, as far as that can be told."""
    remedy = "paths start from the folder that holds the images, with / and with their ending"
    if len(rows.columns) == 1 and not candidates(rows):
        return f"no column of images; {csv.describe('image', list(rows.columns))}"
    for name in rows.columns:
        values = some([value for value in rows[name] if value])
        if values and all(ABSOLUTE.match(value) for value in values):
            return f"the column {name!r} holds absolute paths, as {values[0]!r}; {remedy}"
    named = ", ".join(f"{name!r}" for name in candidates(rows))
    tried = f"the files in {named} are not there" if named else "no column holds file names"
    packed = walk.packed(bases[0])
    return f"{tried}, looked for in {bases[0]} and the folders below{packed or f'; {remedy}'}"
