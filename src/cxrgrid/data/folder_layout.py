"""Facts from the paths of a folder's images: class, split, masks and unlabelled images.

Folders that hold all images are passed through; parts may stand above the classes or below them.
"""

import os
import re
from collections import Counter
from typing import NamedTuple

PART = re.compile(
    r"(?:.*[ _.-])?(train|val|test|dev|eval|holdout)(ing|id|idation|idate|uation)?"
    r"([ _-]?(set|data|images?|part|split))?",
    re.I,
)
PARTS = {"dev": "val", "eval": "val", "holdout": "test"}
MASK = re.compile(
    r"((lungs?|hearts?|lobes?|infection|left|right|image|ground[ _-]?truth)[ _-]*)*"
    r"(masks?|segmentations?|segs?|annotations?|contours?)([ _-]*(left|right|lungs?|png|images?))*"
    r"|ground[ _-]?truths?|.*[ _-]masks?",
    re.I,
)
# Beside these folders, labels are masks.
IMAGES = re.compile(r"(images?|imgs?)(tr|ts|val)?|cxrs?|x-?rays?", re.I)
MAPS = re.compile(r"labels?(tr|ts|val)?|gts?|truths?|annots?", re.I)
FOLD = re.compile(r"(k?[ _-]?fold|batch|chunk|shard)[ _-]?\d+", re.I)
MOST_CLASSES = 10  # below sites
TWICE = re.compile(r"(^|/)([^/]+)/\2/")
SMALL = re.compile(r"thumb(nail)?s?|previews?|\.?cache", re.I)
OF_MASK = re.compile(
    r"(.*[ _.-])?(lung|heart)?(masks?|seg|segmentations?)([ _.-]?(left|right|lungs?|\d+))*"
    r"|masks?[ _-].*",
    re.I,
)
MAP_OF = re.compile(
    r"(.+)[ _.-](gt|ground[ _-]?truth|labels?|annot(ation|ated)?s?|overlay|heat[ _-]?map"
    r"|contours?)",
    re.I,
)
UNLABELLED = re.compile(
    r"(.*[ _-])?(un[ _-]?label+ed|unknown|unsorted|unclassified|no[ _-]?labels?)([ _-].*)?", re.I
)
MASKS, NO_CLASS = "Masks or thumbnails beside the images", "Images in no class folder"
NO_LABEL = "Images in folders called unlabelled or unknown"


class Layout(NamedTuple):
    """`rows`: image, class and, if shipped, `split:folders` of each; `left_out`: the others."""

    rows: list[dict[str, str]]
    left_out: Counter


def read(paths: list[str], pattern: re.Pattern | None = None) -> Layout:
    """The layout of images by their paths below root.

    pattern: finds the class in each file's name, or, if it names a `/`, in the path; None: the
    class is a folder.
    """
    left_out: Counter = Counter()
    images = without_masks(paths)
    left_out[MASKS] = len(paths) - len(images)
    above = shared(images)
    # Archives repeat a folder in itself: seg_train/seg_train/COVID/1.png.
    inner = {path: TWICE.sub(r"\1\2/", path[len(above) :]) for path in images}
    order = order_of(list(inner.values()), bool(pattern))
    rows = []
    for path, rest in inner.items():
        part, kind = place(rest, order)
        if pattern:
            whole = "/" in pattern.pattern  # of the path, as a patient is found
            found = pattern.search(path if whole else rest.rsplit("/", 1)[-1])
            kind = found[min(pattern.groups, 1)] if found else ""
        if not kind or ("part" in order and not part):
            left_out[NO_CLASS] += 1
        elif UNLABELLED.fullmatch(kind):
            left_out[NO_LABEL] += 1
        else:
            rows.append({"image": path, "class": kind} | ({"split:folders": part} if part else {}))
    return Layout(one_spelling(rows), +left_out)


def one_spelling(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """The rows, with classes that differ in case, spaces, - and _ alone as most images have them.

    So test/covid_19 is of the class of train/COVID-19.
    """
    counts = Counter(row["class"] for row in rows)
    often = {plain(name): name for name, _ in reversed(counts.most_common())}
    return [row | {"class": often[plain(row["class"])]} for row in rows]


def plain(name: str) -> str:
    """A class's name without differences of case and of what parts its words."""
    return re.sub(r"(?<=[^\W_])[ _-]+(?=[^\W_])", " ", name.casefold())


def spellings(paths: list[str], classes: list[str]) -> list[str]:
    """Folders that are read as a class which is spelt in another way."""
    known = {plain(name): name for name in classes}
    folders = {folder for path in paths for folder in path.split("/")[:-1]}
    return sorted(one for one in folders if known.get(plain(one), one) != one)


def without_masks(paths: list[str]) -> list[str]:
    """The paths that are no masks; all if all are. A folder that holds all of them tells nothing:
    `Lung Segmentation/CXR_png/a.png`.
    """
    folders = {path.rpartition("/")[0] for path in paths}
    above = os.path.commonpath(folders) if folders else ""
    start = len(above) + 1 if above else 0
    names = {folder for path in folders for folder in path[start:].split("/")}
    paired = any(map(IMAGES.fullmatch, names))
    images = [path for path in paths if not is_mask(path[start:], paired)] or paths
    stems = {path.rpartition(".")[0] for path in images}
    return [path for path in images if not is_map_of(path, stems)]


def is_map_of(path: str, stems: set[str]) -> bool:
    """True for `a_GT.png` beside `a.png`; stems: paths of all images without their endings."""
    found = MAP_OF.fullmatch(path.rpartition(".")[0])
    return bool(found) and found[1] in stems


def is_mask(path: str, paired: bool = False) -> bool:
    """True if a folder in the path, or the name, says that the file is a mask or a thumbnail.

    paired: other folders are called images, so that one called labels holds masks.
    """
    *folders, name = path.split("/")
    said = [MASK, SMALL, *([MAPS] if paired else [])]
    inner = any(kind.fullmatch(folder) for kind in said for folder in folders)
    return inner or bool(OF_MASK.fullmatch(name.rsplit(".", 1)[0]))


def shared(paths: list[str]) -> str:
    """The folders that all images lie below, but for loose ones above; with a slash at the end."""
    above = ""
    while True:
        inner = [path[len(above) :] for path in paths if path.startswith(above)]
        tops = {path.split("/", 1)[0] for path in inner if "/" in path}
        if len(tops) != 1:
            return above
        top = tops.pop()
        below = [path.removeprefix(f"{top}/") for path in inner if path.startswith(f"{top}/")]
        if not all("/" in path for path in below):  # images lie in it: it is a class
            return above
        above += f"{top}/"


def order_of(paths: list[str], named: bool) -> list[str]:
    """Kinds of the first folders of a path: `part` and `class`, in their order.

    named: the class is in the file's name, so that parts need no class folders.
    """
    split = [path.split("/") for path in paths]
    first = {part_of(parts[0]) for parts in split if len(parts) > 2 - named}
    tops = {part_of(parts[0]) for parts in split if len(parts) > 1}
    if first == {"train"} and len(tops) > 1 and "" not in tops:  # the test images have no class
        return ["part"] if named else ["part", "class"]
    if "train" in first and len(first - {""}) > 1:
        return ["part"] if named else ["part", "class"]
    folds = [parts[0] for parts in split if len(parts) > 1]
    if len(set(folds)) > 1 and all(map(FOLD.fullmatch, folds)) and not named:
        return ["site", "class"]
    second = [parts[1] for parts in split if len(parts) > 2]
    if second and len(second) == len([parts for parts in split if len(parts) > 1]):
        below = {part_of(name) for name in second}
        if "" not in below and "train" in below and len(below) > 1:
            return ["site", "part", "class"] if are_sites(split) else ["class", "part"]
    return ["class"]


def are_sites(split: list[list[str]]) -> bool:
    """True if the same few folders lie below the parts of each first folder: siteA/train/COVID."""
    below: dict[str, set[str]] = {}
    for folders in split:
        below.setdefault(folders[0], set()).add(folders[2] if len(folders) > 3 else "")
    names = set().union(*below.values())
    words = all(re.search("[A-Za-z]", name) and not re.search(r"\d", name) for name in names)
    return (
        words
        and 2 <= len(names) <= MOST_CLASSES
        and all(kinds == names for kinds in below.values())
    )


def place(path: str, order: list[str]) -> tuple[str, str]:
    """Part and class of a path below the shared folder; empty where it has none."""
    folders = dict(zip(order, path.split("/")[:-1], strict=False))
    return part_of(folders.get("part", "")), folders.get("class", "")


def part_of(folder: str) -> str:
    """train, val or test for a folder's name in any usual spelling; empty if it is none."""
    if not (match := PART.fullmatch(folder)):
        return ""
    return PARTS.get(match[1].lower(), match[1].lower())
