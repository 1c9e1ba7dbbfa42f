"""Images of a dataset that are the same file under two names, in two classes or of two patients."""

import hashlib
import zlib
from collections import defaultdict
from pathlib import Path

import pandas as pd

from cxrgrid.drafting.image_columns import some

LOOKED_AT = 20_000  # images of which the size is asked
READ = 4_000  # images of the same size that are read
START = 65_536  # bytes of each


def remarks(root: Path, frame: pd.DataFrame, labels: list[str]) -> list[str]:
    """Sentences on files of the same content that have different labels, or different patients."""
    rows = frame.set_index("image")
    known = rows[labels].fillna(-1).apply(tuple, axis=1).to_dict()
    patients = rows["patient"].to_dict()
    apart, twice = [], []
    for same in groups(root, some(frame["image"].tolist(), LOOKED_AT)):
        if len({known[image] for image in same}) > 1:
            apart.append(pair(same, known))
        elif len({patients[image] for image in same}) > 1:
            twice.append(pair(same, patients))
    said = []
    if apart:
        first = " and ".join(map(repr, apart[0]))
        said.append(
            f"{len(apart):,} images have different labels in two places, as {first}: keep one."
        )
    if twice:
        first = " and ".join(map(repr, twice[0]))
        said.append(
            f"{len(twice):,} images are there twice, each time of another patient, as {first}: "
            "keep one."
        )
    return said


def pair(same: list[str], values: dict) -> tuple[str, str]:
    """The first two images that differ in a value."""
    first = same[0]
    return first, next(image for image in same if values[image] != values[first])


def groups(root: Path, images: list[str]) -> list[list[str]]:
    """Images with the same content, by their size, and checksum of their beginning and end."""
    sizes = defaultdict(list)
    for image in images:
        try:
            sizes[(root / image).stat().st_size].append(image)
        except OSError:
            continue
    alike = [image for same in sizes.values() if len(same) > 1 for image in same]
    sums = defaultdict(list)
    for image in alike[:READ]:
        sums[checksum(root / image)].append(image)
    likely = [same for found, same in sums.items() if found and len(same) > 1]
    return [same for group in likely for same in equal(root, group)]


def equal(root: Path, images: list[str]) -> list[list[str]]:
    """Those of images which begin and end alike that are the same throughout."""
    sums = defaultdict(list)
    for image in images:
        with (root / image).open("rb") as file:
            sums[hashlib.file_digest(file, "sha256").digest()].append(image)
    return [same for same in sums.values() if len(same) > 1]


def checksum(path: Path) -> tuple[int, int, int]:
    """Size and checksums of a file's beginning and end; empty if it cannot be read."""
    try:
        with path.open("rb") as file:
            start = zlib.crc32(file.read(START))
            size = file.seek(0, 2)
            file.seek(max(0, size - START))
            return size, start, zlib.crc32(file.read())
    except OSError:
        return ()
