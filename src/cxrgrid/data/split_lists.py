"""Lists of images that belong to a split: read from files, matched to a dataset, compared."""

import gzip
import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pandas as pd

from cxrgrid.config.errors import UserError
from cxrgrid.data import encodings

SPLITS = ("train", "val", "test")
SOME = 3  # lines in a message


def read_list(path: Path) -> list[str]:
    """The lines of a list, gzipped or not, without blank ones. `UserError` if it is not text."""
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8-sig") as file:
            lines = [line.strip() for line in file]
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; split.files lists the images of a split") from None
    except encodings.UNREADABLE as error:
        raise UserError(f"{path}: not a list of images in UTF-8 text ({error})") from None
    lines = [line for line in lines if line]
    if not lines:
        raise UserError(f"{path}: the list is empty; one image name or path a line is wanted")
    return lines


def lookup(images: Iterable[str]) -> dict[str, str]:
    """Each image by its path and by its file name; "" for the file name of several images."""
    images = list(images)
    names = [image.rsplit("/", 1)[-1] for image in images]
    counts = Counter(names)
    found = {
        name: image if counts[name] == 1 else "" for name, image in zip(names, images, strict=True)
    }
    return found | {image: image for image in images}


def spellings(line: str) -> Iterator[str]:
    """Names that a line may mean: all of it or its first field, as a path or as a file name."""
    for text in (line, re.split(r"[,;\t]", line)[0].strip(" \"'"), line.split()[0]):
        path = text.replace("\\", "/").removeprefix("./")
        yield path
        yield path.rsplit("/", 1)[-1]


def match(path: Path, images: dict[str, str]) -> tuple[list[str], list[str], int]:
    """The images that a list names, lines that name none, and how many lines there are.

    images: from `lookup`. `UserError` for a file name that several images have.
    """
    lines = read_list(path)
    found, lost = [], []
    for line in lines:
        image = next((images[text] for text in spellings(line) if text in images), None)
        if image == "":
            raise UserError(f"{path}: {line!r} is the name of several images; write their paths")
        found += [image] if image else []
        lost += [] if image else [line]
    # The first line of a table may be its header.
    if ".csv" in path.suffixes and lost[:1] == lines[:1]:
        lost, lines = lost[1:], lines[1:]
    return found, lost, len(lines)


def read_lists(images: Iterable[str], files: dict) -> tuple[dict[str, str], list[str]]:
    """The split of each image that the user's files list, and warnings; `files`: see `Lists`.

    `UserError` if too many lines name no image, or if an image is in two lists.
    """
    known = lookup(images)
    split_of: dict[str, str] = {}
    warnings = []
    for split in [name for name in SPLITS if files.get(name)]:
        path = Path(files[split])
        found, lost, lines = match(path, known)
        if lost:
            warnings.append(unmatched(path, lost, lines))
        if len(lost) > files.get("absent", 0) * lines:
            raise UserError(
                f"{warnings[-1]} Is it another dataset's list? If only a part of the dataset is "
                "here, set datasets.<name>.split.files.absent: 1"
            )
        for image in found:
            if split_of.setdefault(image, split) != split:
                raise UserError(f"{path}: {image} is in the list for {split_of[image]} as well")
    return split_of, warnings


def unmatched(path: Path, lost: list[str], lines: int) -> str:
    """The sentence on lines that name no image."""
    some = ", ".join(repr(line) for line in lost[:SOME]) + (", …" if len(lost) > SOME else "")
    return f"{path}: {len(lost):,} of {lines:,} lines name no image of the dataset: {some}."


def compare(lists: dict[str, pd.Series]) -> list[dict]:
    """For each ordered pair of lists, how many test images of one train in the other.

    lists: by name, the split (train, trainval, val, test or null) of each image, its index.
    """
    train = {name: part.index[part.isin(["train", "trainval"])] for name, part in lists.items()}
    test = {name: part.index[part == "test"] for name, part in lists.items()}
    return [
        {
            "train_of": one,
            "test_of": other,
            "images": len(train[one].intersection(test[other])),
            "test_images": len(test[other]),
        }
        for one, other in itertools.permutations(lists, 2)
    ]
